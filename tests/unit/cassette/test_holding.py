import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wiretape.cassette.holding import fill, hold, let_go, part_path_of
from wiretape.cassette.writer import entry_text, header_text
from wiretape.core.model import EMPTY_BODY, Request
from wiretape.errors import CassetteBusyError, JournalError, UsageError

WHOLE = header_text(datetime(2026, 11, 22, tzinfo=UTC), "http://x") + entry_text(
    Request(1, 0, "GET", "/", (), EMPTY_BODY),
)


def test_a_part_stands_beside_its_cassette():
    assert part_path_of(Path("a/b.yaml")) == Path("a/b.yaml.part")
    with pytest.raises(UsageError, match=r"ends in \.yaml"):
        part_path_of(Path("a/b.yml"))


def test_a_name_is_held_by_one(tmp_path):
    final = tmp_path / "deep" / "er" / "x.yaml"
    descriptor = hold(final)
    fill(descriptor, b"head", final)
    with pytest.raises(CassetteBusyError, match=r"x\.yaml: is being recorded by another session"):
        hold(final)
    let_go(descriptor, final)
    assert list(final.parent.iterdir()) == []


def test_what_a_crash_left_is_recovered_first_and_named(tmp_path, caplog):
    part = tmp_path / "x.yaml.part"
    part.write_text(WHOLE + "- {resp")
    with caplog.at_level(logging.WARNING):
        descriptor = hold(tmp_path / "x.yaml")
    assert os.fstat(descriptor).st_size == 0
    os.close(descriptor)
    recovered = tmp_path / "x.2026-11-22T000000Z.yaml"
    assert recovered.read_text() == WHOLE
    assert f"was recovered as {recovered} (1 entries); line 10: the last entry" in caplog.text


def test_what_cannot_be_recovered_is_set_aside_and_named(tmp_path, caplog):
    part = tmp_path / "x.yaml.part"
    for name in ("x.broken.yaml.part", "x.broken-2.yaml.part"):
        part.write_text("- no head\n")
        with caplog.at_level(logging.WARNING):
            os.close(hold(tmp_path / "x.yaml"))
        assert (tmp_path / name).read_text() == "- no head\n"
        assert f"is kept as {tmp_path / name}" in caplog.text


def test_an_empty_leftover_is_used_without_a_word(tmp_path, caplog):
    for content in ("", "wiretape: 1\n"):
        (tmp_path / "x.yaml.part").write_text(content)
        os.close(hold(tmp_path / "x.yaml"))
    assert not caplog.records


def test_a_place_where_nothing_can_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot be recorded: Not a directory"):
        hold(tmp_path / "file" / "deeper" / "x.yaml")
    (tmp_path / "x.yaml.part").mkdir()
    with pytest.raises(JournalError, match="cannot be recorded: Is a directory"):
        hold(tmp_path / "x.yaml")


def test_a_head_that_cannot_be_written_leaves_nothing(tmp_path):
    final = tmp_path / "x.yaml"
    descriptor = hold(final)
    os.close(descriptor)
    read_only = os.open(tmp_path / "x.yaml.part", os.O_RDONLY)
    with pytest.raises(JournalError, match="cannot be recorded: Bad file descriptor"):
        fill(read_only, b"head", final)
    assert list(tmp_path.iterdir()) == []
