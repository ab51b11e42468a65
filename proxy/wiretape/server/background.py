"""A proxy in a thread of its own, for tests: one address for good, one application at a time.

Its address stays the same from test to test, so that a client that one test has made and
kept still reaches the proxy in the next.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from wiretape.core.addresses import Address
from wiretape.core.routing import DEFAULT_SESSION
from wiretape.errors import CassetteNotFoundError
from wiretape.server.app import App
from wiretape.server.downstream import error_answer
from wiretape.server.listener import Listener
from wiretape.server.serve import Summary, close_sessions, drain, summarize

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from wiretape.server.downstream import Downstream
    from wiretape.server.request import Request
    from wiretape.server.settings import Settings

T = TypeVar("T")

_HOST = "127.0.0.1"


class Background:
    """A proxy that listens on any free port until `stop`; what it does is set by `open`.

    Args:
        idle_text: the answer to a request that comes while nothing is open.

    Attributes:
        url: where it listens, without a trailing slash.

    Raises:
        OSError: it cannot listen.
    """

    def __init__(self, idle_text: str) -> None:
        self._idle_text = idle_text
        self._app: App | None = None
        self._turn = asyncio.Lock()
        self._stopping = asyncio.Event()
        listening: Future[tuple[asyncio.AbstractEventLoop, str]] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(listening,), name="wiretape", daemon=True
        )
        self._thread.start()
        self._loop, self.url = listening.result()

    def open(self, settings: Settings) -> None:
        """Serve with these settings, and open the default session.

        Raises:
            WiretapeError: a cassette cannot be read. One that is not there is no error before
                it is asked for.
        """
        self._call(self._open(settings))

    def close(self, *, upstream_needed: bool) -> Summary:
        """Close the sessions and serve nothing until the next `open`.

        Args:
            upstream_needed: give up recordings of an upstream that could not be reached.
        """
        return self._call(self._close(upstream_needed=upstream_needed))

    def summary(self) -> Summary:
        """What has come of the open sessions so far."""
        return self._call(self._summary())

    def asked(self) -> int:
        """How many requests have come to the open sessions so far; a summary takes longer."""
        return self._call(self._asked())

    def stop(self) -> None:
        """Stop listening and end the thread."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        # Who waits here may be interrupted, as by a test's timeout. The work goes on all the
        # same, and what the next test asks for is done after it.
        return asyncio.run_coroutine_threadsafe(self._in_turn(work), self._loop).result()

    async def _in_turn(self, work: Coroutine[Any, Any, T]) -> T:
        async with self._turn:
            return await work

    def _run(self, listening: Future[tuple[asyncio.AbstractEventLoop, str]]) -> None:
        # The loop is asyncio's own, whatever policy the tests have set.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._serve(listening))

    async def _serve(self, listening: Future[tuple[asyncio.AbstractEventLoop, str]]) -> None:
        listener = Listener(self._handle)
        try:
            address = Address(_HOST, await listener.start(_HOST, 0))
            listening.set_result((asyncio.get_running_loop(), f"http://{address}"))
            await self._stopping.wait()
        except OSError as error:
            listening.set_exception(error)
        finally:
            await self._in_turn(self._end())
            await listener.close()

    async def _handle(self, request: Request, downstream: Downstream) -> None:
        if self._app is not None:
            await self._app.handle(request, downstream)
        else:
            downstream.answer(error_answer(400, request.target, self._idle_text))

    async def _end(self) -> None:
        """Close what nobody has: its user was interrupted, so a recording of it is no whole one."""
        if self._app is not None:
            for session in self._app.sessions.all():
                if session.recorder is not None:
                    session.recorder.discard()
            await self._close(upstream_needed=False)

    async def _open(self, settings: Settings) -> None:
        await self._end()
        app = App(settings)
        try:
            await app.sessions.get(DEFAULT_SESSION)
        except CassetteNotFoundError:
            pass
        except BaseException:
            await app.close()
            raise
        self._app = app

    async def _close(self, *, upstream_needed: bool) -> Summary:
        app, self._app = self._app, None
        assert app is not None  # noqa: S101  whoever closes has opened
        await drain(app)
        for session in app.sessions.all():
            if upstream_needed and session.recorder is not None and session.recorder.unreachable:
                session.recorder.discard()
        return close_sessions(app)

    async def _asked(self) -> int:
        assert self._app is not None  # noqa: S101  as below
        counts = [session.count() for session in self._app.sessions.all()]
        return sum(each.recorded + each.used + each.misses for each in counts)

    async def _summary(self) -> Summary:
        assert self._app is not None  # noqa: S101  whoever closes has opened
        return summarize(self._app)
