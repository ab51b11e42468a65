"""wiretape's own endpoints, below `/_wiretape/`: never forwarded, never recorded."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from wiretape import __version__
from wiretape.core.routing import CONTROL_PREFIX, SessionName, parse_session_name
from wiretape.server.downstream import Answer, error_answer, json_answer
from wiretape.server.session import Count

if TYPE_CHECKING:
    from wiretape.core.model import Headers
    from wiretape.server.downstream import Downstream
    from wiretape.server.request import Request
    from wiretape.server.sessions import Sessions
    from wiretape.server.viewing import Viewing

# No page of another site may make a script, a picture or a frame of what is answered here.
_GUARDS: Headers = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
    ("Cache-Control", "no-store"),
)
_SESSION = re.compile(r"sessions/([^/]+)(?:/(rewind|close))?/?")


class Control:
    """Answers requests about the proxy itself."""

    def __init__(self, sessions: Sessions, viewing: Viewing) -> None:
        self._sessions = sessions
        self._viewing = viewing

    async def answer(self, request: Request, downstream: Downstream, target: str) -> None:
        """Answer a request whose target begins with the control prefix.

        Raises:
            WiretapeError: a session cannot be closed, or its name is no good.
        """
        answer = await self._answer(request, target)
        given = {name.lower() for name, _ in answer.headers}
        guards = tuple(each for each in _GUARDS if each[0].lower() not in given)
        downstream.answer(replace(answer, headers=answer.headers + guards))

    async def _answer(self, request: Request, target: str) -> Answer:
        path = target.partition("?")[0].removeprefix(CONTROL_PREFIX)
        reads = request.method in {"GET", "HEAD"}
        if path == "health" and reads:
            return json_answer(200, {"status": "ok", "version": __version__})
        if path == "metrics" and reads:
            figures = self._metrics().encode()
            return Answer.of(200, figures, "text/plain; version=0.0.4; charset=utf-8")
        if path.rstrip("/") == "sessions" and reads:
            reports = [session.report() for session in self._sessions.all()]
            return json_answer(200, {"sessions": reports})
        match = _SESSION.fullmatch(path)
        if match is None:
            page = await self._viewing.answer(request, target) if reads else None
            text = f"wiretape has no endpoint {target}"
            return page or error_answer(404, target, text, code="not_found")
        action = match[2]
        if (action is None) != reads:
            wanted = "GET" if action is None else "POST"
            text = f"{target} takes {wanted}"
            return error_answer(405, target, text, extra=(("Allow", wanted),))
        return await self._session_answer(parse_session_name(unquote(match[1])), action, target)

    async def _session_answer(self, name: SessionName, action: str | None, target: str) -> Answer:
        if action == "rewind":
            session = await self._sessions.find_to_rewind(name)
        else:
            session = self._sessions.find(name)
        if session is None:
            return error_answer(404, target, f"there is no session {name}", code="not_found")
        if action is None:
            return json_answer(200, session.report())
        if action == "rewind":
            if not await self._sessions.rewind(session):
                text = f"session {name} has requests in flight; rewind it when they have ended"
                return error_answer(409, target, text, code="in_flight")
            return json_answer(200, session.report())
        path = await self._sessions.close(session)
        return json_answer(200, {**session.report(), "written": str(path) if path else None})

    def _metrics(self) -> str:
        sessions = self._sessions.all()
        in_flight = sum(session.in_flight for session in sessions)
        counts = [session.count() for session in sessions]
        recorded, used, misses, stalls = map(sum, zip(Count(), *counts, strict=True))
        figures = (
            ("sessions", "gauge", "Sessions, open or closed.", len(sessions)),
            ("in_flight", "gauge", "Requests being answered.", in_flight),
            ("recorded_total", "counter", "Interactions recorded.", recorded),
            ("replayed_total", "counter", "Answers replayed.", used),
            ("misses_total", "counter", "Requests missed.", misses),
            ("stalls_total", "counter", "Waits for a request that did not come.", stalls),
        )
        return "".join(
            f"# HELP wiretape_{name} {text}\n"
            f"# TYPE wiretape_{name} {kind}\n"
            f"wiretape_{name} {value}\n"
            for name, kind, text, value in figures
        )
