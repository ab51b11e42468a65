import gc
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wiretape.cassette.loader import check_replaceable, load, loads
from wiretape.core.model import Cassette, Chunk
from wiretape.errors import (
    CassetteError,
    CassetteNotFoundError,
    CorruptCassetteError,
    UnsupportedVersionError,
)

PATH = Path("dir/some.yaml")
PART = Path("dir/some.yaml.part")
HEAD = "wiretape: 1\nrecorded: 2026-11-22T10:31:02Z\nupstream: http://x\nentries:\n"
GOOD = (
    HEAD
    + "- {request: 1, at: 0, method: GET, target: /}\n"
    + "- {response: 1, at: 0, status: 200}\n"
    + "- {chunk: 1, at: 0.000000, text: 'a'}\n"
)
END = "- {end: 1, at: 0.000000, outcome: complete}\n"


def test_a_cassette_is_named_for_its_file():
    assert loads(GOOD + END, PATH) == Cassette(
        "some",
        datetime(2026, 11, 22, 10, 31, 2, tzinfo=UTC),
        "http://x",
        loads(GOOD + END, PART).entries,
    )
    assert loads(GOOD, PART).name == "some"


def test_an_interaction_without_an_end_loads_with_a_warning():
    cassette = loads(GOOD, PATH)
    assert cassette.warnings == ("interaction 1 has no end",)
    assert cassette.interactions()[0].end is None


def test_a_mark_of_byte_order_and_no_last_line_end_are_fine():
    assert loads("\ufeff" + GOOD + END.rstrip(), PATH).warnings == ()
    assert loads(b"\xef\xbb\xbf" + (GOOD + END).encode(), PATH).warnings == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"# nothing\n", "the document is empty"),
        (GOOD.encode("utf-16"), "the file is UTF-16"),
        (GOOD.encode() + b"\n- {chunk: 1, at: 0, text: '\xff'}\n", "line 9: not UTF-8: byte 0xff"),
        ((GOOD + "# \x00\n").encode(), "line 8: the character U+0000 cannot stand in YAML"),
        (b"\x89PNG\r\n\x1a\n", "line 1: not UTF-8"),
        (b"a: " + b"[" * 100_000, "levels deep"),
        ((HEAD + "- {chunk: 1, at: 0, text: a}\n").encode(), "line 5, entry 1: chunk 1 stands"),
        ((GOOD + "- {chunk: 1, at: x, text: a}\n").encode(), "line 8, entry 4: `at` must be"),
        ((GOOD + "- &a {end: 1, at: 0}\n").encode(), "line 8, entry 4: aliases and anchors"),
    ],
)
def test_what_is_wrong_is_one_error_that_names_file_line_and_entry(content, reason):
    with pytest.raises(CorruptCassetteError) as caught:
        loads(content, PATH)
    assert str(caught.value).startswith("dir/some.yaml: ")
    assert reason in str(caught.value)


def test_a_json_body_that_no_stack_can_hold_is_corrupt(monkeypatch):
    def overflow(_: str) -> None:
        raise RecursionError

    monkeypatch.setattr("wiretape.cassette.loader.read_text", overflow)
    with pytest.raises(CorruptCassetteError, match="nested too deeply"):
        loads(GOOD, PATH)


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("wiretape: 1", "wiretape: 2"),
        "# new\nwiretape: 2 # newer\nframes: *all\n",
        "wiretape: 2\nframes: 'open\n",
    ],
)
def test_another_version_is_refused_as_such_whatever_else_it_says(text):
    with pytest.raises(UnsupportedVersionError, match="format version 2 is not supported"):
        loads(text, PATH)


@pytest.mark.parametrize("torn", ["- {chunk: 1, at: 0.000000, text: 'ab", "- {chunk: 1,\n"])
def test_a_torn_ending_is_an_error_that_names_the_way_out(torn):
    with pytest.raises(CorruptCassetteError) as caught:
        loads(GOOD + torn, PATH)
    assert caught.value.entry == 4
    assert "breaks off in its last entry" in str(caught.value)
    assert "`wiretape recover` keeps what is before it" in str(caught.value)
    assert "renamed to some.yaml.part" in str(caught.value)


def test_a_torn_ending_is_left_out_with_a_warning_where_it_is_expected():
    torn = GOOD + "- {chunk: 1, at: 0.000000, text: 'ab"
    expected = (
        "line 8: the last entry is torn and was left out (36 bytes)",
        "interaction 1 has no end",
    )
    assert loads(torn, PART).warnings == expected
    assert loads(torn, PATH, tolerate_torn=True).warnings == expected
    assert isinstance(loads(torn, PART).entries[-1], Chunk)
    with pytest.raises(CorruptCassetteError):
        loads(torn, PART, tolerate_torn=False)


def test_what_is_wrong_before_the_last_entry_is_never_left_out():
    wrong = GOOD.replace("status: 200", "status: 20") + END
    with pytest.raises(CorruptCassetteError, match="line 6, entry 2"):
        loads(wrong, PART)


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(CassetteNotFoundError, match="no such cassette"):
        load(tmp_path / "some.yaml")


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path):
    fifo = tmp_path / "some.yaml"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path):
        with pytest.raises(CorruptCassetteError, match="not a regular file"):
            load(path)
    (tmp_path / "device.yaml").symlink_to("/dev/zero")
    with pytest.raises(CorruptCassetteError, match="not a regular file"):
        load(tmp_path / "device.yaml")


def test_what_cannot_be_opened_is_an_error(tmp_path):
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    with pytest.raises(CassetteError, match="cannot be read: Too many levels"):
        load(tmp_path / "loop.yaml")
    with pytest.raises(CassetteError, match=r"cannot be read: .*embedded null"):
        load(Path("a\0b.yaml"))


def test_a_huge_file_of_zeros_does_not_fill_the_memory(tmp_path):
    path = tmp_path / "some.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(CorruptCassetteError, match="a file of zeros"):
        load(path)
    with path.open("r+b") as file:
        file.write(GOOD.encode())
    with pytest.raises(CorruptCassetteError, match="a file of zeros"):
        load(path)


def test_a_file_is_loaded(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text(GOOD + END)
    assert load(path).entries == loads(GOOD + END, PATH).entries


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_left_as_it_was(enabled):
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        loads(GOOD, PATH)
        with pytest.raises(CorruptCassetteError):
            loads("a: 1", PATH)
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


@pytest.mark.parametrize(
    "content",
    [
        "",
        " \n\n",
        GOOD,
        "# provenance\n\n" + GOOD + "- {chunk: 9",
        "wiretape: 1\nentries: [}\n",
        "wiretape: 2\ntape: []\n",
        "\ufeff" + GOOD,
        "#" * 100_000 + "\n" + GOOD,
        "--- # by hand\n" + GOOD.replace("wiretape:", '"wiretape":'),
        "{upstream: http://x, entries: [], recorded: 2026-11-22T10:31:02Z, wiretape: 1}\n",
        "--- {wiretape: 3}\n",
    ],
)
def test_a_cassette_may_be_replaced_whatever_its_state(content, tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(content)
    check_replaceable(path)


def test_a_glance_at_a_cassette_reads_no_more_of_it(tmp_path, monkeypatch):
    (tmp_path / "x.yaml").write_text(GOOD)
    monkeypatch.setattr("wiretape.cassette.loader.load", None)
    check_replaceable(tmp_path / "x.yaml")


def test_what_is_no_cassette_may_not_be_replaced(tmp_path):
    path = tmp_path / "x.yaml"
    contents = (b"foo: bar\n", b"wiretape:\n  image: x\n", b"# mine\n", b"\x89PNG\r\n", b"\0")
    others = (b"wiretape: latest\n", b"wiretape: 0.4.1\nname: x\n", b"wiretape:\n")
    for content in (*contents, *others):
        path.write_bytes(content)
        with pytest.raises(CorruptCassetteError, match="does not take its place"):
            check_replaceable(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(CorruptCassetteError, match="not a regular file"):
        check_replaceable(path)
