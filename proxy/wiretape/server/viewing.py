"""The viewer as the proxy serves it: its data made in a thread, its list told of the sessions."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from wiretape.core.model import Mode
from wiretape.core.routing import CONTROL_PREFIX
from wiretape.server.downstream import Answer
from wiretape.viewer.live import LiveSession
from wiretape.viewer.pages import file_name, file_page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wiretape.server.request import Request
    from wiretape.server.session import Session
    from wiretape.server.sessions import Sessions
    from wiretape.server.settings import Settings
    from wiretape.viewer.pages import Page
    from wiretape.viewer.routes import Viewer

T = TypeVar("T")


class Viewing:
    """Answers requests for the page and its data.

    Args:
        settings: say which cassettes may be seen: the given ones, else all in the directory.
        sessions: what is going on now.
    """

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self._directory = settings.directory
        self._given = settings.cassettes if settings.mode is Mode.REPLAY else ()
        self._sessions = sessions
        self._viewer: Viewer | None = None
        self._aside = Aside()

    def leave(self) -> None:
        """Have nobody wait any longer for what is being read: the proxy stops."""
        self._aside.leave()

    async def answer(self, request: Request, target: str) -> Answer | None:
        """The answer to a GET; None if the target is none of the viewer's."""
        if target == CONTROL_PREFIX[:-1]:
            # The page's own links are relative, and so is this: a prefix may stand before it, also
            # as all there is. It is not for good: another program may listen there tomorrow.
            last = request.target.partition("?")[0].rpartition("/")[2]
            before = "" if last in {"", target[1:]} else f"{last}/"
            return Answer.of(307, b"", "text/plain", (("Location", before + CONTROL_PREFIX[1:]),))
        page = await self._page(target.removeprefix(CONTROL_PREFIX), request)
        if page is None:
            return None
        return Answer.of(page.status, page.body, page.content_type, page.headers)

    async def _page(self, target: str, request: Request) -> Page | None:
        name = file_name(target.partition("?")[0])
        if name is not None:
            # At once, whatever cassette is being read for others.
            return await asyncio.to_thread(file_page, name, request.fields.get("If-None-Match"))
        sessions = [_live(session) for session in self._sessions.all()]
        return await self._aside.do(partial(self._data, target, sessions))

    def _data(self, target: str, sessions: Sequence[LiveSession]) -> Page | None:
        if self._viewer is None:  # a proxy that nobody looks at starts without it
            from wiretape.viewer.routes import Viewer  # noqa: PLC0415  as said
            from wiretape.viewer.shelf import Shelf  # noqa: PLC0415

            self._viewer = Viewer(Shelf(self._directory, self._given))
        return self._viewer.answer(target, sessions)


class Aside:
    """Does one thing after the other in a thread, which is there while there is something to do.

    Reading a large cassette takes many seconds. The event loop's own threads are for those who
    begin sessions and connections: they would wait for one. The threads of an executor are waited
    for when the interpreter ends: so would whoever stops the proxy.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._busy = False
        self._changing = threading.Lock()
        self._awaited: set[asyncio.Future[Any]] = set()

    async def do(self, work: Callable[[], T]) -> T:
        """What comes of some work. Who is cancelled while waiting for others has it not done."""
        future: Future[T] = Future()
        with self._changing:
            self._waiting.append(partial(_settle, future, work))
            if not self._busy:
                threading.Thread(target=self._run, name="wiretape-viewer", daemon=True).start()
                self._busy = True
        awaited = asyncio.wrap_future(future)
        self._awaited.add(awaited)
        try:
            return await awaited
        finally:
            self._awaited.discard(awaited)

    def leave(self) -> None:
        """Cancel whoever waits; what has been begun comes to its end for nobody."""
        for awaited in self._awaited:
            awaited.cancel()

    def _run(self) -> None:
        while True:
            with self._changing:
                if not self._waiting:
                    self._busy = False
                    return
                settle = self._waiting.popleft()
            settle()


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001  it is for whoever waits
        future.set_exception(error)


def _live(session: Session) -> LiveSession:
    replayer = session.replayer
    return LiveSession(
        name=str(session.name),
        mode=session.mode.value,
        path=session.path,
        in_flight=session.in_flight,
        recorded=session.recorder.interactions if session.recorder else 0,
        replayed=len(replayer.used) if replayer else 0,
        misses=replayer.missed if replayer else 0,
        interactions=len(replayer.interactions) if replayer else 0,
    )
