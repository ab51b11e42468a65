"""The viewer as the proxy serves it: its answers made in threads, its list told of the sessions."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from wiretape.core.model import Mode
from wiretape.core.routing import CONTROL_PREFIX
from wiretape.server.downstream import Answer
from wiretape.viewer.live import LiveSession

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wiretape.server.request import Request
    from wiretape.server.session import Session
    from wiretape.server.sessions import Sessions
    from wiretape.server.settings import Settings
    from wiretape.viewer.pages import Page
    from wiretape.viewer.routes import Viewer


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
        self._making = threading.Lock()

    async def answer(self, request: Request, target: str) -> Answer | None:
        """The answer to a GET; None if the target is none of the viewer's."""
        if target == CONTROL_PREFIX[:-1]:
            # The page's own links are relative, and so is this: a prefix may stand before it.
            return Answer.of(308, b"", "text/plain", (("Location", CONTROL_PREFIX[1:]),))
        # Reading a large cassette takes a while, and streams must not wait for it.
        page = await asyncio.to_thread(
            self._page,
            target.removeprefix(CONTROL_PREFIX),
            [_live(session) for session in self._sessions.all()],
            request.fields.get("If-None-Match"),
        )
        if page is None:
            return None
        return Answer.of(page.status, page.body, page.content_type, page.headers)

    def _page(
        self, target: str, sessions: Sequence[LiveSession], if_none_match: str | None
    ) -> Page | None:
        with self._making:
            if self._viewer is None:  # a proxy that nobody looks at starts without it
                from wiretape.viewer.routes import Viewer  # noqa: PLC0415  as said
                from wiretape.viewer.shelf import Shelf  # noqa: PLC0415

                self._viewer = Viewer(Shelf(self._directory, self._given))
        return self._viewer.answer(target, sessions, if_none_match)


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
