"""Closing a session while others go on, and while its own journal is slow."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.proxies import Proxy
from support.upstream import Seen, head, scripted_upstream
from support.wire import ask, connect
from wiretape.cassette.journal import Journal
from wiretape.cassette.loader import load
from wiretape.server.serve import Running

CLOSE = "/_wiretape/sessions/c/close"


def echo(seen: Seen) -> list[bytes]:
    body = seen.target.encode()
    return [head("200 OK", f"Content-Length: {len(body)}") + body]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    held = Disk()
    monkeypatch.setattr(os, "fsync", held.sync)
    yield held
    held.go_on.set()


class Disk:
    """A disk that takes its time until it may go on."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go_on = threading.Event()

    def sync(self, _descriptor: int) -> None:
        self.asked.set()
        self.go_on.wait()


async def closing(tape: Running, disk: Disk) -> asyncio.Task[bytes]:
    """A request that closes a session, once the disk is waited for."""
    request = asyncio.create_task(_closed(tape))
    await asyncio.to_thread(disk.asked.wait)
    return request


async def _closed(tape: Running) -> bytes:
    return (await ask(tape.url, "POST", CLOSE)).body


async def test_no_stream_waits_for_the_disk_of_a_session_that_closes(
    proxy: Proxy, disk: Disk, tmp_path: Path
):
    async with scripted_upstream(echo) as upstream, proxy("record", upstream=upstream.url) as tape:
        await ask(tape.url, "GET", "/@c/1")
        closed = await closing(tape, disk)
        assert (await ask(tape.url, "GET", "/@other/2")).body == b"/2"
        assert not closed.done()
        again = asyncio.create_task(_closed(tape))
        disk.go_on.set()
        assert await closed == await again
        assert str(tmp_path / "c.yaml").encode() in await closed


@pytest.mark.parametrize("label", ["", "~other"])
async def test_what_is_asked_of_a_session_that_closes_waits_for_its_cassette(
    label: str, proxy: Proxy, disk: Disk
):
    async with scripted_upstream(echo) as upstream, proxy("once", upstream=upstream.url) as tape:
        await ask(tape.url, "GET", "/@c/1")
        closed = await closing(tape, disk)
        asked = asyncio.create_task(ask(tape.url, "GET", f"/@c{label}/1"))
        await ask(tape.url, "GET", "/_wiretape/health")
        assert not asked.done()
        disk.go_on.set()
        await closed
        assert (await asked).header("Wiretape-Match") == "exact"
    assert len(upstream.seen) == 1


async def test_a_proxy_that_stops_meanwhile_waits_for_the_disk_too(
    proxy: Proxy, disk: Disk, tmp_path: Path
):
    async with scripted_upstream(echo) as upstream, proxy("record", upstream=upstream.url) as tape:
        await ask(tape.url, "GET", "/@c/1")
        closed = await closing(tape, disk)
        closed.cancel()  # who asked for it has left
        await asyncio.wait([closed])
        threading.Timer(0.05, disk.go_on.set).start()
        summary = await tape.stop()
    assert summary.written == (tmp_path / "c.yaml",)
    assert len(load(tmp_path / "c.yaml").interactions()) == 1


async def test_a_session_whose_journal_is_still_being_made_is_closed_when_it_is(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    began, go_on = threading.Event(), threading.Event()
    create = Journal.create

    def slow(*given: object) -> Journal:
        journal = create(*given)  # type: ignore[arg-type]  # as they came
        began.set()
        go_on.wait()
        return journal

    monkeypatch.setattr(Journal, "create", slow)
    (tmp_path / "c.yaml.part").touch()  # what a crash has left is looked at in a thread
    async with scripted_upstream(echo) as upstream, proxy("record", upstream=upstream.url) as tape:
        left = await connect(tape.url)
        await left.send("GET", "/@c/1")
        await asyncio.to_thread(began.wait)
        left.writer.transport.abort()
        (session,) = tape.app.sessions.all()
        while session.in_flight:  # noqa: ASYNC110  until it is seen that the client has left
            await asyncio.sleep(0)
        closed = asyncio.create_task(tape.app.sessions.close(session))
        await asyncio.sleep(0)  # it has begun
        asked = asyncio.create_task(ask(tape.url, "GET", "/@c/2"))
        await asyncio.wait([asked], timeout=0.05)  # which would be refused as busy meanwhile
        go_on.set()
        assert await closed is None
        assert (await asked).body == b"/2"
    (recorded,) = load(tmp_path / "c.yaml").interactions()
    assert recorded.request.target == "/2"
