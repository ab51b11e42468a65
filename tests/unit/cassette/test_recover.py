import os
from datetime import UTC, datetime

import pytest

from wiretape.cassette.loader import load
from wiretape.cassette.partfile import open_locked
from wiretape.cassette.recover import Recovered, recover
from wiretape.cassette.writer import entry_text, header_text
from wiretape.core.model import EMPTY_BODY, Chunk, End, Outcome, Request, Response
from wiretape.errors import (
    CassetteBusyError,
    CassetteError,
    CassetteNotFoundError,
    CorruptCassetteError,
    UnsupportedVersionError,
)

HEAD = header_text(datetime(2026, 11, 22, 10, 31, 2, 5, tzinfo=UTC), "http://x")
ENTRIES = (
    Request(1, 0, "GET", "/", (), EMPTY_BODY),
    Response(1, 1, 200, ()),
    Chunk(1, 2, b"data: a\n\n"),
    End(1, 3, Outcome.COMPLETE),
)
WHOLE = HEAD + "".join(map(entry_text, ENTRIES))


@pytest.fixture
def part(tmp_path):
    return tmp_path / "x.yaml.part"


def test_a_whole_recording_becomes_a_cassette_named_for_its_time(part, tmp_path):
    part.write_text(WHOLE)
    target = tmp_path / "x.2026-11-22T103102Z.yaml"
    assert recover(part) == Recovered(target, (), 4, ())
    assert target.read_text() == WHOLE
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("cut", range(len(HEAD) + 1, len(WHOLE)))
def test_cut_at_any_byte_what_is_whole_is_recovered(part, cut):
    part.write_text(WHOLE[:cut])
    recovered = recover(part)
    bounds = [len(HEAD + "".join(map(entry_text, ENTRIES[:count]))) for count in range(5)]
    whole = sum(bound <= cut for bound in bounds) - 1
    assert recovered.entries == whole
    assert (recovered.path is None) == (whole == 0)
    if recovered.path is not None:
        assert load(recovered.path).entries == ENTRIES[:whole]
        assert recovered.unfinished == (1,)
    assert not part.exists()


def test_the_torn_ending_is_reported(part):
    part.write_text(WHOLE + "- {chunk: 2, at")
    recovered = recover(part)
    assert recovered.warnings == ("line 16: the last entry is torn and was left out (15 bytes)",)
    assert recovered.path is not None
    assert recovered.path.read_text() == WHOLE


@pytest.mark.parametrize(
    "content",
    [
        "hello world\nmy notes\n",
        "chapter: 1\ntext: hello\nlist:\n  - a\n",
        "w\nrecorded: 1\n",
        "# notes\n# of mine\n",
        "PK\x03\x04\0\0",
        "notes",
    ],
)
def test_a_part_of_another_program_is_left_as_it_is(part, content):
    part.write_text(content)
    with pytest.raises(CorruptCassetteError, match="left as it is"):
        recover(part)
    assert part.read_text() == content


@pytest.mark.parametrize("cut", range(len(HEAD) + 1))
def test_a_head_cut_at_any_byte_is_a_recording_without_an_entry(part, cut):
    with_note = "# a note\n\n" + HEAD[: max(cut, 1)]
    for content in (HEAD[:cut], with_note, HEAD[:cut] + "\0\0"):
        part.write_text(content)
        assert recover(part).path is None
        assert not part.exists()


def test_no_other_file_is_overwritten(part, tmp_path):
    names = [f"x.2026-11-22T103102Z{number}.yaml" for number in ("", "-2", "-3")]
    for name in names:
        part.write_text(WHOLE)
        assert recover(part).path == tmp_path / name
    assert {path.name for path in tmp_path.iterdir()} == set(names)


@pytest.mark.parametrize(
    "content",
    ["", "wiretape: 1\nrec", HEAD, HEAD + "- request: 1\n  at: 0.0", HEAD[:-1], "\0\0\0\0"],
)
def test_a_recording_without_an_entry_is_removed_and_said_so(part, tmp_path, content):
    part.write_text(content)
    recovered = recover(part)
    assert recovered.path is None
    assert recovered.entries == 0
    assert recovered.warnings
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (WHOLE.replace("status: 200", "status: x"), CorruptCassetteError),
        (WHOLE.removeprefix(HEAD), CorruptCassetteError),
        ("\n" + WHOLE.removeprefix(HEAD), CorruptCassetteError),
        (WHOLE.replace("wiretape: 1", "wiretape: 2"), UnsupportedVersionError),
        (WHOLE.replace("GET", "\x07"), CorruptCassetteError),
        (WHOLE[:100] + "\0" * 50 + WHOLE[100:], CorruptCassetteError),
    ],
)
def test_what_cannot_be_read_stays_as_it_is(part, content, error):
    part.write_text(content)
    with pytest.raises(error):
        recover(part)
    assert part.read_text() == content


def test_a_recording_that_runs_is_left_alone(part):
    part.write_text(WHOLE)
    descriptor = open_locked(part, create=False)
    with pytest.raises(CassetteBusyError):
        recover(part)
    os.close(descriptor)
    assert part.read_text() == WHOLE


def test_what_is_no_recording_is_refused(tmp_path):
    cassette = tmp_path / "x.yaml"
    cassette.write_text(WHOLE)
    with pytest.raises(CassetteError, match="not a recording in progress"):
        recover(cassette)
    with pytest.raises(CassetteNotFoundError):
        recover(tmp_path / "y.yaml.part")
    (tmp_path / "d.yaml.part").mkdir()
    with pytest.raises(CassetteError, match="cannot be recovered: Is a directory"):
        recover(tmp_path / "d.yaml.part")
