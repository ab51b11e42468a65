import errno
import os
import resource
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wiretape.cassette.journal import Journal
from wiretape.cassette.library import find_abandoned
from wiretape.cassette.loader import load
from wiretape.cassette.recover import recover
from wiretape.cassette.writer import cassette_text, chunk_text, entry_text, header_text
from wiretape.core.model import (
    EMPTY_BODY,
    Body,
    Cassette,
    Chunk,
    End,
    Entry,
    Outcome,
    Request,
    Response,
)
from wiretape.errors import (
    CassetteBusyError,
    CassetteNotFoundError,
    CorruptCassetteError,
    JournalError,
)

RECORDED = datetime(2026, 11, 22, 10, 31, 2, tzinfo=UTC)
UPSTREAM = "http://127.0.0.1:11434"


def life(number: int) -> tuple[Entry, ...]:
    return (
        Request(number, 0, "POST", "/", (("Content-Length", "4"),), Body.of(b"a\nb\n")),
        Response(number, 1, 200, ()),
        Chunk(number, 2, b"data: a\n\n"),
        End(number, 3, Outcome.COMPLETE),
    )


OLD = cassette_text(Cassette("x", RECORDED, UPSTREAM, life(1)))


@pytest.fixture
def final(tmp_path):
    return tmp_path / "cassettes" / "x.yaml"


@pytest.fixture
def old(final):
    final.parent.mkdir()
    final.write_text(OLD)
    return final


def begin(final: Path) -> Journal:
    return Journal.create(final, RECORDED, UPSTREAM)


def write(journal: Journal, *entries: Entry) -> None:
    for entry in entries:
        journal.write(entry_text(entry))


def names(final: Path) -> list[str]:
    return sorted(path.name for path in final.parent.iterdir())


def test_what_was_written_is_the_cassette_once_closed(final):
    journal = begin(final)
    assert journal.path == final
    assert journal.part_path == final.with_name("x.yaml.part")
    write(journal, *life(1))
    assert journal.part_path.read_text() == OLD
    assert journal.bytes_written == len(OLD)
    assert not final.exists()
    assert journal.close() == final
    assert final.read_text() == OLD
    assert names(final) == ["x.yaml"]


def test_each_entry_is_in_the_file_before_write_returns(final):
    journal = begin(final)
    text = header_text(RECORDED, UPSTREAM)
    for entry in life(1):
        write(journal, entry)
        text += entry_text(entry)
        assert journal.part_path.read_text() == text
    journal.close()


def test_closing_again_changes_nothing(final):
    journal = begin(final)
    write(journal, *life(1))
    assert journal.close() == journal.close() == final
    with pytest.raises(JournalError, match="is closed"):
        write(journal, *life(2))


def test_the_old_cassette_stays_until_the_new_one_is_whole(old):
    journal = begin(old)
    write(journal, life(7)[0])
    assert old.read_text() == OLD
    journal.close()
    assert load(old).entries == life(7)[:1]
    assert names(old) == ["x.yaml"]


def continued(final: Path) -> Journal:
    return Journal.append_to(final)[0]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("starts", [begin, continued])
@pytest.mark.parametrize(("access", "meanwhile"), [(0o600, 0o600), (0o440, 0o640), (0o666, 0o666)])
def test_who_may_read_a_cassette_may_read_what_takes_its_place_and_nobody_else(
    old, starts, access, meanwhile
):
    old.chmod(access)
    masked = os.umask(0)
    old.with_name("x.yaml.part").touch(0o666)  # as a crash may leave it
    journal = starts(old)
    os.umask(masked)
    assert mode(journal.part_path) == meanwhile
    write(journal, *life(2))
    journal.close()
    assert mode(old) == access
    assert load(old).entries[-4:] == life(2)


def test_what_is_saved_again_is_for_no_more_eyes(old):
    old.chmod(0o600)
    journal = begin(old)
    write(journal, *life(2))
    journal.part_path.unlink()
    with pytest.raises(JournalError, match="saved again"):
        journal.close()
    assert mode(journal.part_path) == 0o600


@pytest.mark.parametrize("starts", [begin, continued])
def test_a_link_to_a_cassette_stays_one(old, starts):
    kept = old.with_name("kept") / "v1.yaml"
    kept.parent.mkdir()
    old.rename(kept)
    old.symlink_to(Path("kept", "v1.yaml"))
    journal = starts(old)
    write(journal, *life(2))
    assert names(old) == ["kept", "x.yaml", "x.yaml.part"]
    assert kept.read_text() == OLD
    assert journal.close() == old
    assert old.readlink() == Path("kept", "v1.yaml")
    assert load(kept).entries[-4:] == life(2)
    assert names(old) == ["kept", "x.yaml"]
    assert names(kept) == ["v1.yaml"]


def test_a_link_to_another_disk_gives_way(old, monkeypatch):
    kept = old.with_name("v1.yaml")
    old.rename(kept)
    old.symlink_to(kept.name)
    real = Path.stat

    def elsewhere(path, **options: bool):
        fields = list(real(path, **options))
        fields[stat.ST_DEV] += 1
        return os.stat_result(fields)

    monkeypatch.setattr(Path, "stat", elsewhere)
    journal = begin(old)
    write(journal, *life(2))
    journal.close()
    monkeypatch.undo()
    assert not old.is_symlink()
    assert load(old).entries == life(2)
    assert kept.read_text() == OLD


def test_a_link_that_leads_nowhere_gives_way(old):
    old.unlink()
    old.symlink_to(Path("nowhere", "v1.yaml"))
    journal = begin(old)
    write(journal, *life(1))
    journal.close()
    assert not old.is_symlink()
    assert old.read_text() == OLD


def test_a_recording_of_nothing_leaves_no_trace(old):
    journal = begin(old)
    assert journal.close() is None
    assert journal.close() is None
    assert old.read_text() == OLD
    journal, _ = Journal.append_to(old)
    assert journal.close() is None
    assert old.read_text() == OLD
    assert names(old) == ["x.yaml"]


def test_a_name_is_recorded_by_one_at_a_time(old):
    journal = begin(old)
    for start in (begin, Journal.append_to):
        with pytest.raises(CassetteBusyError, match="is being recorded by another session"):
            start(old)
    assert find_abandoned(old.parent) == []
    write(journal, *life(2))
    journal.close()
    again = begin(old)
    write(again, *life(3))
    again.close()
    assert load(old).entries == life(3)


def test_a_cassette_is_continued_with_its_comments(old):
    commented = "# by hand\n" + OLD.replace("- {end", "# bye\n- {end")
    old.write_text(commented)
    journal, cassette = Journal.append_to(old)
    assert cassette.entries == life(1)
    write(journal, *life(2))
    assert old.read_text() == commented
    assert journal.close() == old
    assert old.read_text() == commented + "".join(map(entry_text, life(2)))


def test_a_cassette_indented_by_hand_is_continued_at_its_own_column(old):
    old.write_text(OLD.replace("\n  ", "\n      ").replace("\n- ", "\n    - "))
    journal, _ = Journal.append_to(old)
    write(journal, *life(2))
    journal.write("".join(map(entry_text, life(3))))
    journal.close()
    assert load(old).entries == life(1) + life(2) + life(3)
    assert old.read_text().count("\n    - ") == 12


def test_a_cassette_in_flow_style_is_continued_anew(old):
    old.write_text(f"{{wiretape: 1, recorded: {RECORDED}, upstream: x, entries: []}}")
    journal, cassette = Journal.append_to(old)
    assert cassette.entries == ()
    write(journal, *life(1))
    journal.close()
    assert load(old).entries == life(1)
    assert load(old).recorded == RECORDED


def test_without_a_cassette_there_is_nothing_to_continue(final):
    with pytest.raises(CassetteNotFoundError):
        Journal.append_to(final)
    assert names(final) == []


def test_a_corrupt_cassette_is_not_continued_and_its_name_is_free_again(old):
    old.write_text(OLD + "- {")
    with pytest.raises(CorruptCassetteError):
        Journal.append_to(old)
    assert names(old) == ["x.yaml"]
    assert old.read_text() == OLD + "- {"


def test_a_cassette_that_leads_nowhere_when_it_was_continued_costs_its_recording_alone(old):
    journal, _ = Journal.append_to(old)
    write(journal, *life(2))
    old.unlink()
    old.symlink_to(old)
    with pytest.raises(JournalError, match="can no longer be read") as lost:
        journal.close()
    assert str(journal.part_path) in str(lost.value)
    assert journal.part_path.exists()


def test_a_cassette_edited_while_it_is_continued_is_not_overwritten(old):
    journal, _ = Journal.append_to(old)
    write(journal, *life(2))
    old.write_text(OLD + "# a note\n")
    with pytest.raises(JournalError, match="was changed while it was being continued"):
        journal.close()
    assert old.read_text() == OLD + "# a note\n"
    recovered = recover(journal.part_path)
    assert recovered.path is not None
    assert load(recovered.path).entries == life(1) + life(2)


def test_a_cassette_removed_while_it_is_continued_comes_back(old):
    journal, _ = Journal.append_to(old)
    write(journal, *life(2))
    old.unlink()
    assert journal.close() == old
    assert load(old).entries == life(1) + life(2)


@pytest.mark.parametrize("room", [0, 10])
def test_a_full_disk_ends_the_recording_after_the_last_whole_entry(old, monkeypatch, room):
    journal = begin(old)
    write(journal, *life(1)[:3])
    before = journal.part_path.read_bytes()
    real = os.write
    writes = []

    def full(descriptor: int, content: bytes) -> int:
        writes.append(content)
        if len(writes) == 1 and room:
            return real(descriptor, content[:room])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    chunk = chunk_text(1, 9, b"data: lost\n\n")
    with pytest.raises(JournalError, match=r"stopped: No space left .*x\.yaml\.part"):
        journal.write(chunk)
    tried = len(writes)
    with pytest.raises(JournalError, match="No space left"):
        journal.write(chunk)
    assert len(writes) == tried
    assert journal.part_path.read_bytes() == before
    assert journal.bytes_written == len(before)
    monkeypatch.undo()
    with pytest.raises(JournalError, match="No space left"):
        journal.write(chunk)
    with pytest.raises(JournalError, match="No space left"):
        journal.close()
    assert journal.close() is None
    assert old.read_text() == OLD
    recovered = recover(journal.part_path)
    assert recovered.path is not None
    assert load(recovered.path).entries == life(1)[:3]


def test_short_writes_are_completed(final, monkeypatch):
    journal = begin(final)
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, content: real(fd, bytes(content[:5])))
    write(journal, *life(1))
    journal.close()
    assert final.read_text() == OLD


def test_a_directory_removed_meanwhile_is_made_again_at_the_end(final):
    journal = begin(final)
    write(journal, *life(1)[:3])
    shutil.rmtree(final.parent)
    write(journal, *life(1)[3:])
    with pytest.raises(JournalError, match=r"was removed while it ran.*saved again: "):
        journal.close()
    assert not final.exists()
    recovered = recover(journal.part_path)
    assert recovered.path is not None
    assert load(recovered.path).entries == life(1)


def test_a_directory_removed_meanwhile_is_noticed_by_the_next_request(final):
    journal = begin(final)
    write(journal, *life(1))
    shutil.rmtree(final.parent)
    with pytest.raises(JournalError, match="was removed while it ran"):
        write(journal, life(2)[0])
    assert load(journal.part_path).entries == life(1)
    with pytest.raises(JournalError, match="was removed while it ran"):
        journal.close()
    assert names(final) == ["x.yaml.part"]


def test_a_name_taken_meanwhile_is_not_overwritten_when_saving_again(final):
    journal = begin(final)
    write(journal, *life(1))
    journal.part_path.unlink()
    other = begin(final)
    write(other, *life(2))
    with pytest.raises(JournalError, match=r"saved again: .*x-2\.yaml\.part"):
        journal.close()
    other.close()
    assert load(final).entries == life(2)
    recovered = recover(final.with_name("x-2.yaml.part"))
    assert recovered.path is not None
    assert load(recovered.path).entries == life(1)


def test_a_directory_that_cannot_be_made_again_is_said_so(final):
    journal = begin(final)
    write(journal, *life(1))
    shutil.rmtree(final.parent)
    final.parent.touch()
    with pytest.raises(JournalError, match="cannot be saved again: File exists"):
        journal.close()


def test_a_recording_moved_away_is_named_where_it_is(final, tmp_path):
    journal = begin(final)
    write(journal, *life(1))
    final.parent.rename(tmp_path / "elsewhere")
    with pytest.raises(JournalError, match=r"moved away.*elsewhere/x\.yaml\.part"):
        journal.close()
    assert load(tmp_path / "elsewhere" / "x.yaml.part").entries == life(1)


def test_a_place_that_cannot_be_taken_leaves_the_part(final):
    journal = begin(final)
    write(journal, *life(1))
    final.mkdir()
    with pytest.raises(JournalError, match="cannot take its place: Is a directory"):
        journal.close()
    assert journal.part_path.read_text() == OLD


@pytest.mark.parametrize("failure", ["full", "removed", "changed", "taken"])
def test_what_failed_is_recovered_by_the_command_that_is_told(tmp_path, monkeypatch, failure):
    final = tmp_path / "my tapes" / "x.yaml"
    final.parent.mkdir()
    final.write_text(OLD)
    journal = continued(final)
    write(journal, *life(2))
    if failure == "full":
        monkeypatch.setattr(os, "write", lambda *_: os.pwrite(-1, b"", 0))
    elif failure == "removed":
        journal.part_path.unlink()
    elif failure == "changed":
        final.write_text(OLD + "\n")
    else:
        final.unlink()
        final.mkdir()
    with suppress(JournalError):
        write(journal, *life(3)[:1])
    with pytest.raises(JournalError) as failed:
        journal.close()
    monkeypatch.undo()
    *command, place = shlex.split(str(failed.value).split("`")[1])
    assert command == ["wiretape", "recover"]
    recovered = recover(Path(place))
    assert recovered.path is not None
    assert load(recovered.path).entries[:8] == life(1) + life(2)


def test_a_disk_that_fails_at_the_end_keeps_the_old_cassette(old, monkeypatch):
    journal = begin(old)
    write(journal, *life(2))

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(JournalError, match="Input/output error"):
        journal.close()
    assert old.read_text() == OLD
    assert load(journal.part_path).entries == life(2)


def test_a_file_of_limited_size_ends_on_a_whole_entry(final):
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))

    ran = subprocess.run(
        [sys.executable, "-c", RECORD, final],
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "JournalError" in ran.stderr
    assert "File too large" in ran.stderr
    written = int(ran.stdout.split()[-1])
    assert written > 3
    cassette = load(final.with_name("x.yaml.part"))
    assert cassette.warnings == ("interaction 1 has no end",)
    assert len(cassette.entries) == written
    assert final.with_name("x.yaml.part").stat().st_size <= 700


RECORD = """
import itertools, sys
from datetime import UTC, datetime
from pathlib import Path
from wiretape.cassette.journal import Journal
from wiretape.cassette.writer import chunk_text, entry_text
from wiretape.core.model import EMPTY_BODY, Request, Response

journal = Journal.create(Path(sys.argv[1]), datetime(2026, 11, 22, tzinfo=UTC), "http://x")
journal.write(entry_text(Request(1, 0, "GET", "/", (), EMPTY_BODY)))
journal.write(entry_text(Response(1, 1, 200, ())))
for count in itertools.count(3):
    print(count - 1, flush=True)
    journal.write(chunk_text(1, count, b"data: %d\\n\\n" % count))
"""


def test_what_a_killed_recorder_wrote_is_recovered(old):
    with subprocess.Popen(
        [sys.executable, "-c", RECORD, old],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= 200:
                child.send_signal(signal.SIGKILL)
                break
        seen = [line, *child.stdout]
    acknowledged = int(next(text for text in reversed(seen) if text.endswith("\n")))
    part = old.with_name("x.yaml.part")
    assert find_abandoned(old.parent) == [part]
    recovered = recover(part)
    assert recovered.entries >= acknowledged
    assert recovered.unfinished == (1,)
    assert recovered.path is not None
    chunks = load(recovered.path).interactions()[0].chunks
    assert [chunk.data for chunk in chunks] == [
        b"data: %d\n\n" % count for count in range(3, recovered.entries + 1)
    ]
    assert old.read_text() == OLD


def test_a_crash_under_the_same_name_is_recovered_before_the_next_recording(old, caplog):
    part = old.with_name("x.yaml.part")
    part.write_text(header_text(RECORDED, UPSTREAM) + entry_text(life(5)[0]) + "- {torn")
    journal = begin(old)
    write(journal, Request(1, 0, "GET", "/", (), EMPTY_BODY))
    journal.close()
    recovered = old.with_name("x.2026-11-22T103102Z.yaml")
    assert load(recovered).entries == life(5)[:1]
    assert str(recovered) in caplog.text
    assert names(old) == [recovered.name, "x.yaml"]


def rewritten(final: Path, journal: Journal, new: bytes) -> list[bytes]:
    """Write three chunks at once, then the middle one again."""
    texts = [chunk_text(1, 2, data) for data in (b"data: a\n\n", b"data: 'secret'\n\n", b"z")]
    write(journal, *life(1)[:2])
    position = journal.bytes_written
    journal.write("".join(texts))
    journal.write(chunk_text(1, 3, b"after"))
    journal.rewrite(position + journal.size_of(texts[0]), texts[1], chunk_text(1, 2, new))
    journal.write(entry_text(life(1)[-1]))
    journal.close()
    return [each.data for each in load(final).entries if isinstance(each, Chunk)]


def test_an_entry_can_be_written_again_in_its_place(final):
    chunks = rewritten(final, begin(final), b"data: 'xxxxxx'\n\n")
    assert chunks == [b"data: a\n\n", b"data: 'xxxxxx'\n\n", b"z", b"after"]
    assert "secret" not in final.read_text()


def test_an_entry_written_again_may_be_shorter(final):
    chunks = rewritten(final, begin(final), b"data: xx\n\n")
    assert chunks == [b"data: a\n\n", b"data: xx\n\n", b"z", b"after"]
    assert "secret" not in final.read_text()


def test_an_entry_can_be_written_again_in_an_indented_list(old):
    entry = "  - {request: 9, at: 0, method: GET, target: /}\n"
    old.write_text(header_text(RECORDED, UPSTREAM) + entry)
    journal, _ = Journal.append_to(old)
    assert rewritten(old, journal, b"data: 'xxxxxx'\n\n")[1] == b"data: 'xxxxxx'\n\n"
    assert "secret" not in old.read_text()


def test_a_longer_entry_ends_the_recording_rather_than_stay_as_it_was_unsaid(final):
    with pytest.raises(JournalError, match="could not be redacted"):
        rewritten(final, begin(final), b"data: " + b"x" * 99 + b"\n\n")
