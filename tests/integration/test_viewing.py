"""A cassette that takes long to be read for the page keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.proxies import Proxy
from support.upstream import head, scripted_upstream
from support.wire import PATIENCE_S, ask, connect
from wiretape.cassette.loader import load
from wiretape.core.model import Cassette
from wiretape.viewer import reading

NOTE = Path(__file__).parents[2] / "cassettes" / "notes" / "plain-answer.yaml"
OK = [head("200 OK", "Content-Length: 2") + b"ok"]

ENDS_WHILE_READING = """
import asyncio, threading
from pathlib import Path
from types import SimpleNamespace
from wiretape.core.model import Mode
from wiretape.server.settings import Settings
from wiretape.server.viewing import Viewing
from wiretape.viewer import reading

async def main():
    begun = threading.Event()
    def read(path):
        begun.set()
        threading.Event().wait()
    reading.load = read
    viewing = Viewing(Settings(Mode.REPLAY, directory=Path(DIR)), SimpleNamespace(all=list))
    request = SimpleNamespace(fields={})
    asking = asyncio.create_task(viewing.answer(request, "/_wiretape/cassettes/plain-answer"))
    while not begun.is_set():
        await asyncio.sleep(0)
    asking.cancel()

asyncio.run(main())
print("ended")
"""


class Shelf:
    """Cassettes `1` and so on, each of which is read when `let` is set.

    Attributes:
        read: those whose reading has begun.
    """

    def __init__(self, directory: Path) -> None:
        self.let = threading.Event()
        self.read: list[str] = []
        self._begun = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        for number in range(1, 4):
            (directory / f"{number}.yaml").write_bytes(NOTE.read_bytes())

    def load(self, path: Path) -> Cassette:
        self.read.append(path.stem)
        self._loop.call_soon_threadsafe(self._begun.set)
        self.let.wait(PATIENCE_S)
        return load(path)

    async def begun(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self._begun.wait()


@pytest.fixture
async def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shelf]:
    shelf = Shelf(tmp_path)
    monkeypatch.setattr(reading, "load", shelf.load)
    yield shelf
    shelf.let.set()


async def test_a_reading_takes_no_thread_from_new_sessions_and_connections(
    proxy: Proxy, shelf: Shelf
):
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    async with (
        scripted_upstream(OK) as upstream,
        proxy("record", upstream=upstream.url.replace("127.0.0.1", "localhost")) as recording,
    ):
        paths = [f"/_wiretape/cassettes/{number}" for number in (1, 1, 2)]
        asked = [asyncio.create_task(ask(recording.url, "GET", path)) for path in paths]
        await shelf.begun()
        assert (await ask(recording.url, "GET", "/@new/v1/models")).body == b"ok"
        assert (await ask(recording.url, "GET", "/_wiretape/page/app.js")).status == 200
        assert not any(each.done() for each in asked)
        shelf.let.set()
        assert [(await each).status for each in asked] == [200, 200, 200]
    assert shelf.read == ["1", "2"]


async def test_what_nobody_waits_for_any_longer_is_not_read(proxy: Proxy, shelf: Shelf):
    async with scripted_upstream(OK) as upstream, proxy("record", upstream=upstream.url) as tape:
        first = asyncio.create_task(ask(tape.url, "GET", "/_wiretape/cassettes/1"))
        await shelf.begun()
        leaving = await connect(tape.url)
        await leaving.send("GET", "/_wiretape/cassettes/2")
        while len(tape.app.in_flight) < 2:  # noqa: ASYNC110  until it has been asked for
            await asyncio.sleep(0)
        leaving.close()
        while len(tape.app.in_flight) > 1:  # noqa: ASYNC110  until it is seen that it has left
            await asyncio.sleep(0)
        last = asyncio.create_task(ask(tape.url, "GET", "/_wiretape/cassettes/3"))
        shelf.let.set()
        assert [(await first).status, (await last).status] == [200, 200]
    assert shelf.read == ["1", "3"]


async def test_a_proxy_stops_while_its_page_waits_for_a_reading(proxy: Proxy, shelf: Shelf):
    async with proxy("replay", grace_s=2 * PATIENCE_S) as replaying:
        asked = [
            asyncio.create_task(ask(replaying.url, "GET", f"/_wiretape/cassettes/{number}"))
            for number in (1, 2)
        ]
        await shelf.begun()
        while len(replaying.app.in_flight) < 2:  # noqa: ASYNC110  until both have been asked for
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S / 2):  # before the reading gives up
            await replaying.stop()
        await asyncio.gather(*asked, return_exceptions=True)
    assert shelf.read == ["1"]


def test_who_stops_a_proxy_waits_for_no_reading():
    script = ENDS_WHILE_READING.replace("DIR", repr(str(NOTE.parent)))
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")
