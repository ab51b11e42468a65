"""The proxy that serves one test after another, with a test that is cut short."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from wiretape.core.model import Mode
from wiretape.server import background
from wiretape.server.app import App
from wiretape.server.background import Background
from wiretape.server.settings import Settings


class TimedOutError(Exception):
    """What a test's timeout raises, wherever the test is."""


@pytest.fixture
def proxy() -> Iterator[Background]:
    proxy = Background("nothing is open")
    yield proxy
    proxy.stop()


def test_an_opening_that_was_interrupted_is_over_before_the_next_begins(
    proxy: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    opening, opened = threading.Event(), []
    interrupted = Settings(mode=Mode.RECORD, directory=tmp_path, cassette="interrupted")
    following = Settings(mode=Mode.RECORD, directory=tmp_path, cassette="following")

    class Slow(App):
        def __init__(self, settings: Settings) -> None:
            super().__init__(settings)
            opened.append(settings.cassette)
            if settings is interrupted:
                monkeypatch.setattr(self.sessions, "get", self.get_slowly)

        async def get_slowly(self, _: object) -> None:
            opening.set()
            await asyncio.to_thread(go_on.wait)
            opened.append("done")

    go_on = threading.Event()
    monkeypatch.setattr(background, "App", Slow)

    with timed_out_when(opening):
        proxy.open(interrupted)
    ask = asyncio.run_coroutine_threadsafe

    def ask_and_go_on(work: Any, loop: asyncio.AbstractEventLoop) -> Future[Any]:
        asked = ask(work, loop)
        loop.call_soon_threadsafe(go_on.set)  # which comes after what was asked
        return asked

    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", ask_and_go_on)
    proxy.open(following)

    assert opened == ["interrupted", "done", "following"]
    assert [
        Path(report["cassette"]).stem for report in proxy.close(upstream_needed=False).reports
    ] == ["following"]


@contextmanager
def timed_out_when(event: threading.Event) -> Iterator[None]:
    """Interrupt the main thread, which runs this, once the event is set."""
    interrupted = threading.Event()

    def interrupt() -> None:
        event.wait()
        # Again if need be: one that comes just before the main thread waits does not wake it.
        while not interrupted.wait(0.05):
            os.kill(os.getpid(), signal.SIGUSR1)

    def time_out(*_: object) -> None:
        if not interrupted.is_set():
            interrupted.set()
            raise TimedOutError

    before = signal.signal(signal.SIGUSR1, time_out)
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(TimedOutError):
        yield
    thread.join()
    signal.signal(signal.SIGUSR1, before)
