import errno
import os
from itertools import islice
from pathlib import Path

import pytest

from wiretape.cassette import partfile
from wiretape.cassette.partfile import (
    is_at,
    is_held,
    move_to_first_free,
    numbered,
    open_locked,
    place_of,
    read_all,
    sync_directory,
    write_all,
    write_new,
)
from wiretape.errors import CassetteBusyError


@pytest.fixture
def part(tmp_path):
    return tmp_path / "x.yaml.part"


def test_a_file_is_held_until_its_descriptor_is_closed(part):
    descriptor = open_locked(part, create=True)
    assert is_held(part)
    write_all(descriptor, b"head")
    with pytest.raises(CassetteBusyError):
        open_locked(part, create=True)
    os.close(descriptor)
    assert not is_held(part)
    os.close(open_locked(part, create=False))


@pytest.mark.parametrize("content", [b"", b"what a crash left"])
def test_looking_for_abandoned_files_does_not_keep_a_recorder_out(content, part, monkeypatch):
    looking = open_locked(part, create=True)
    write_all(looking, content)
    pauses = []

    def let_go(pause_s: float) -> None:
        pauses.append(pause_s)
        os.close(looking)

    monkeypatch.setattr(partfile.time, "sleep", let_go)
    os.close(open_locked(part, create=True))
    assert len(pauses) == 1


def test_an_empty_file_that_stays_held_is_busy_in_the_end(part, monkeypatch):
    descriptor = open_locked(part, create=True)
    monkeypatch.setattr(partfile.time, "sleep", lambda _: None)
    with pytest.raises(CassetteBusyError):
        open_locked(part, create=True)
    os.close(descriptor)


def test_a_file_renamed_while_its_lock_was_taken_is_not_taken_for_it(part, monkeypatch):
    real = partfile.fcntl.flock
    renamed = []

    def flock(descriptor: int, how: int) -> None:
        if not renamed:
            renamed.append(part.rename(part.with_name("final.yaml")))
        real(descriptor, how)

    monkeypatch.setattr(partfile.fcntl, "flock", flock)
    descriptor = open_locked(part, create=True)
    assert is_at(descriptor, part)
    assert not is_at(descriptor, renamed[0])
    os.close(descriptor)


@pytest.mark.parametrize("by", ["a rename", "a removal", "another file"])
def test_what_went_away_while_somebody_looked_counts_as_held(part, monkeypatch, by):
    part.touch()
    real = partfile.fcntl.flock

    def flock(descriptor: int, how: int) -> None:
        real(descriptor, how)
        if by == "a removal":
            part.unlink()
        else:
            part.rename(part.with_name("final.yaml"))
        if by == "another file":
            part.touch()

    monkeypatch.setattr(partfile.fcntl, "flock", flock)
    assert is_held(part), "what was found there is no abandoned recording"


def test_what_is_no_file_is_not_held(part):
    assert is_held(part)
    part.symlink_to("elsewhere")
    assert not is_held(part)
    with pytest.raises(OSError, match="Too many levels"):
        open_locked(part, create=True)
    part.unlink()
    os.mkfifo(part)
    with pytest.raises(OSError, match="not a regular file"):
        open_locked(part, create=True)


def test_a_file_knows_where_it_is(part):
    descriptor = open_locked(part, create=True)
    moved = part.rename(part.with_name("moved"))
    assert place_of(descriptor) == str(moved)
    assert not is_at(descriptor, part)
    os.close(descriptor)
    assert place_of(-1) == "a place unknown"


def test_short_writes_are_completed(part, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, content: real(fd, bytes(content[:3])))
    write_new(part, b"0123456789")
    assert part.read_bytes() == b"0123456789"
    with pytest.raises(FileExistsError):
        write_new(part, b"")


def test_a_file_is_read_whole_however_large(part):
    content = os.urandom(3_000_000)
    part.write_bytes(content)
    descriptor = open_locked(part, create=False)
    assert read_all(descriptor) == content
    os.close(descriptor)


def test_numbers_follow_a_name_that_is_taken():
    names = [path.name for path in islice(numbered(Path("a/b.c.yaml"), ".yaml"), 3)]
    assert names == ["b.c.yaml", "b.c-2.yaml", "b.c-3.yaml"]


@pytest.mark.parametrize("links", [True, False])
def test_a_move_never_overwrites(tmp_path, monkeypatch, links):
    if not links:

        def link(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", link)
    targets = [tmp_path / name for name in ("a", "b", "c")]
    targets[0].write_text("old")
    for content, target in zip(("one", "two"), targets[1:], strict=True):
        source = tmp_path / "source"
        source.write_text(content)
        assert move_to_first_free(source, targets) == target
        assert target.read_text() == content
        assert not source.exists()
    assert targets[0].read_text() == "old"
    source.touch()
    with pytest.raises(FileExistsError):
        move_to_first_free(source, targets)


def test_a_move_that_fails_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        move_to_first_free(tmp_path / "missing", [tmp_path / "a"])


def test_a_directory_that_cannot_be_synced_is_no_error(tmp_path):
    sync_directory(tmp_path)
    sync_directory(tmp_path / "missing")
