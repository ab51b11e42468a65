"""What recording costs, whatever crosses, and how it begins."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc
from pathlib import Path

import pytest

from support.planted import PLANTED, grep
from wiretape.cassette.journal import Journal
from wiretape.cassette.loader import load
from wiretape.cassette.redaction import Redactor
from wiretape.cassette.secrets import Secrets
from wiretape.core.model import EMPTY_BODY, Body, Outcome
from wiretape.errors import JournalError
from wiretape.server.recorder import Recorder

INDENTED = """\
wiretape: 1
recorded: 2026-11-22T12:00:00.000000Z
upstream: http://127.0.0.1:11434
entries:
    - {request: 1, at: 0, method: GET, target: /}
    - {end: 1, at: 0, outcome: complete}
"""


class Watched(bytes):
    """Bytes that count how often their end is looked at."""

    __slots__ = ()
    looks = 0

    def endswith(self, *arguments: object) -> bool:
        Watched.looks += 1
        return super().endswith(*arguments)  # type: ignore[arg-type]  # passed on as they are


async def test_a_stream_that_ends_no_event_costs_the_same_for_each_chunk(tmp_path: Path):
    recorder = Recorder(tmp_path / "plain.yaml", "http://127.0.0.1:11434")
    await recorder.open()
    record = recorder.begin("POST", "/", (), EMPTY_BODY)
    record.head(200, (("Content-Type", "text/plain"),))
    for _ in range(1000):
        record.chunks([(Watched(b"abcd"), False)])
    record.end(Outcome.COMPLETE)
    recorder.close()
    assert Watched.looks <= 2000


async def test_once_it_cannot_be_written_nothing_is_kept_of_what_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise JournalError(tmp_path, "the disk is full")

    recorder = Recorder(tmp_path / "full.yaml", "http://127.0.0.1:11434")
    await recorder.open()
    recorder.begin("POST", "/", (), EMPTY_BODY)
    monkeypatch.setattr("wiretape.cassette.journal.Journal.write", fail)
    recorder.flush()
    assert recorder.failure is not None
    assert recorder.interactions == 0, "what is not in the journal was not recorded"
    body = Body.of(b"x" * 1_000_000)
    tracemalloc.start()
    for _ in range(10):
        recorder.begin("POST", "/", (), body)
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept_bytes < 1_000_000
    recorder.discard()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Journals that are made only once this is set, for what a crash has left is looked at."""
    (tmp_path / "c.yaml.part").touch()
    go_on = threading.Event()
    create = Journal.create

    def wait(*given: object) -> Journal:
        go_on.wait()
        return create(*given)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(Journal, "create", wait)
    yield go_on
    go_on.set()


async def test_a_journal_is_made_once_while_others_wait_and_the_loop_goes_on(
    tmp_path: Path, slow: threading.Event
):
    recorder = Recorder(tmp_path / "c.yaml", "http://127.0.0.1:11434")
    asking = [asyncio.create_task(recorder.open()) for _ in range(3)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.wait(asking[:1])
    assert asking[0].cancelled()
    assert not asking[1].done()
    slow.set()
    await asyncio.gather(*asking[1:])
    recorder.begin("GET", "/", (), EMPTY_BODY)
    assert recorder.close() == tmp_path / "c.yaml"


async def test_a_journal_that_nobody_waits_for_any_more_leaves_nothing(
    tmp_path: Path, slow: threading.Event
):
    recorder = Recorder(tmp_path / "c.yaml", "http://127.0.0.1:11434")
    asking = asyncio.create_task(recorder.open())
    await asyncio.sleep(0)
    assert recorder.close() is None
    slow.set()
    await asking
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("continues", [True, False])
async def test_a_journal_of_which_there_is_nothing_yet_is_made_at_once(
    tmp_path: Path, *, continues: bool
):
    recorder = Recorder(tmp_path / "c.yaml", "http://127.0.0.1:11434", continues=continues)
    with pytest.raises(StopIteration):  # it has not waited for anything
        recorder.open().send(None)
    assert (tmp_path / "c.yaml.part").exists()
    recorder.discard()


@pytest.mark.parametrize("continues", [True, False])
async def test_a_place_that_cannot_be_looked_at_ends_the_recording_and_nothing_else(
    tmp_path: Path, *, continues: bool
):
    path = tmp_path / ("x" * 300 + ".yaml")  # which the system refuses to look for
    recorder = Recorder(path, "http://127.0.0.1:11434", continues=continues)
    await recorder.open()
    assert recorder.failure is not None
    recorder.begin("GET", "/", (), EMPTY_BODY).head(200, ())


@pytest.mark.parametrize("stops", [True, False])
async def test_what_is_asked_after_the_end_is_not_kept(tmp_path: Path, *, stops: bool):
    recorder = Recorder(tmp_path / "c.yaml", "http://127.0.0.1:11434", stops=stops)
    await recorder.open()
    recorder.discard()
    body = Body.of(b"x" * 1_000_000)
    if stops:
        with pytest.raises(JournalError, match="closed"):
            recorder.begin("POST", "/", (), body)
        return
    tracemalloc.start()
    for _ in range(10):
        recorder.begin("POST", "/", (), body)
    recorder.flush()
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept_bytes < 1_000_000


@pytest.mark.parametrize(
    ("characters", "size"), [(1, 1), (1, 2), (1, 5), (1, 60), (13, 1), (13, 2)]
)
@pytest.mark.parametrize("old", [INDENTED, INDENTED.replace("    -", "-"), None])
@pytest.mark.parametrize("head", ["with its chunk", "alone", "alone, then another request"])
async def test_a_secret_is_taken_out_where_it_stands(
    tmp_path: Path, characters: int, size: int, old: str | None, head: str
):
    path = tmp_path / "c.yaml"
    if old is not None:
        path.write_text(old)
    key, secret = PLANTED["anthropic"]
    said = f"a {key} b".encode()
    # Of 13 characters, the first one holds the beginning of the secret.
    tokens = [said[at : at + characters] for at in range(0, len(said), characters)]
    stream = [(b"data: " + each + b"\n\n", False) for each in tokens]
    text = [(each, False) for each in tokens]
    recorder = Recorder(path, "http://127.0.0.1:11434", continues=True)
    await recorder.open()
    for content_type, pieces in (("text/event-stream", stream), ("text/plain", text)):
        record = recorder.begin("POST", "/", (), EMPTY_BODY)
        record.head(200, (("Content-Type", content_type),))
        if head != "with its chunk":
            record.flush()
        if head == "alone, then another request":
            recorder.begin("GET", "/another", (), EMPTY_BODY)
        for start in range(0, len(pieces), size):
            record.chunks(pieces[start : start + size])
        record.end(Outcome.COMPLETE)
    recorder.close()
    answered = [each for each in load(path).interactions() if each.request.method == "POST"]
    events, plain = answered
    assert [len(each.data) for each in events.chunks] == [len(data) for data, _ in stream]
    assert plain.body() == Redactor().secrets.redact(said)
    assert not grep(secret, plain.body())


async def test_what_is_kept_of_a_read_grows_with_it_alone(tmp_path: Path):
    redactor = Redactor(Secrets([r"nothing like it"]))
    recorder = Recorder(tmp_path / "c.yaml", "http://127.0.0.1:11434", redactor=redactor)
    await recorder.open()
    record = recorder.begin("POST", "/", (), EMPTY_BODY)
    record.head(200, (("Content-Type", "text/plain"),))
    tracemalloc.start()
    record.chunks([(b"x", False)] * 2000)
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    recorder.discard()
    assert kept_bytes < 2_000_000
