"""The proxy as a web application: takes each request where it belongs.

Own endpoints go to `control`, the rest to a session that forwards or replays. Errors become
statuses here and nowhere else.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from wiretape.core.model import Body, Mode
from wiretape.core.routing import CONTROL_PREFIX, route, without_session
from wiretape.errors import CassetteError, CassetteNotFoundError, WiretapeError
from wiretape.server.access import Access
from wiretape.server.control import Control
from wiretape.server.downstream import Answer, error_answer
from wiretape.server.forwarder import Forwarder, Incoming
from wiretape.server.headers import CASSETTE_HEADER, from_raw
from wiretape.server.request import BodyTimeoutError, BrokenBodyError, StreamedBody, read_body
from wiretape.server.sessions import Sessions
from wiretape.server.tls import trusting
from wiretape.server.turns import Turns
from wiretape.server.upstream import Upstream
from wiretape.server.viewing import Viewing

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from wiretape.core.addresses import Address
    from wiretape.core.model import Headers
    from wiretape.server.downstream import Downstream
    from wiretape.server.replayer import Replayer
    from wiretape.server.request import Request
    from wiretape.server.session import Session
    from wiretape.server.settings import Settings

_log = logging.getLogger(__name__)

_REFUSED_KEPT = 100

_NO_RETRY: Headers = (("x-should-retry", "false"),)


class App:
    """The handler of all requests.

    Attributes:
        settings: what it was told.
        sessions: all of its sessions.
        in_flight: the requests that are being answered.
        refused: what was wrong with cassettes and names that requests asked for, each thing once.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sessions = Sessions(settings)
        self.in_flight: set[asyncio.Task[None]] = set()
        self.refused: dict[str, None] = {}
        self._loop = asyncio.get_running_loop()  # which takes a system call to ask for
        self._turns = Turns()
        self._redactor = settings.redactor()
        self._access = Access(settings)
        self._viewing = Viewing(settings, self.sessions)
        self._control = Control(self.sessions, self._viewing)
        self._upstream: Upstream | None = None
        self._forwarder: Forwarder | None = None
        if settings.mode is not Mode.REPLAY:
            self._upstream = Upstream(
                settings.upstream,
                timeout_s=settings.upstream_timeout_s,
                tls=trusting(settings.upstream_ca) if settings.upstream_ca else None,
            )
            self._forwarder = Forwarder(self._upstream)

    def avoid(self, is_own: Callable[[Address, Address], bool]) -> None:
        """Forward to nobody by a connection of which this says that it leads to the proxy."""
        if self._upstream is not None:
            self._upstream.avoid(is_own)

    def leave_viewers(self) -> None:
        """Cut off who waits for the page's data: it may take long, and nothing is lost with it."""
        self._viewing.leave()

    async def close(self) -> None:
        """Let go of the upstream. Sessions are closed by whoever reports on them."""
        while self.in_flight:  # one that is cancelled may leave its answer to another
            for task in self.in_flight:
                task.cancel()
            await asyncio.gather(*self.in_flight, return_exceptions=True)
        if self._upstream is not None:
            await self._upstream.close()

    async def handle(self, request: Request, downstream: Downstream) -> None:
        """Answer one request, whatever it is."""
        task = asyncio.current_task(self._loop)
        assert task is not None  # noqa: S101  a handler runs in one
        self.in_flight.add(task)
        try:
            await self._turns.wait()
            await self._dispatch(request, downstream)
        except WiretapeError as error:
            await self._refuse(request, downstream, error)
        except ConnectionError:
            downstream.cut()  # the client left while it was written to
        except BodyTimeoutError:
            downstream.persists = False
            text = "the rest of the request's body did not come"
            downstream.answer(error_answer(408, self._shown(request), text))
            downstream.cut()
        except BrokenBodyError as error:
            downstream.persists = False
            text = f"the request's body is not HTTP: {error}"
            downstream.answer(error_answer(400, self._shown(request), text))
        except Exception:  # noqa: BLE001  a bug must cost one request, not the proxy
            shown = self._redactor.target(self._access.target(request.target))
            _log.exception("%s %s failed", request.method, shown)
            if downstream.began:
                await downstream.break_off()
            else:
                text = "wiretape failed to handle this request; its log says more"
                answer = error_answer(500, self._shown(request), text, kind="api_error")
                downstream.answer(answer)
        finally:
            self.in_flight.discard(task)

    def _shown(self, request: Request) -> str:
        """A request's target as an upstream would see it, whose API an error is to speak."""
        return without_session(self._access.target(request.target))

    async def _dispatch(self, request: Request, downstream: Downstream) -> None:
        refusal = self._access.refusal(request)
        if refusal is not None:
            answer, closes = refusal
            downstream.persists = downstream.persists and not closes
            downstream.answer(answer)
            return
        headers = self._access.headers(from_raw(request.raw_headers))
        target = self._access.target(request.target)
        where = route(target, request.fields.get(CASSETTE_HEADER))
        asked = where.target
        if asked.partition("?")[0] == "/" and self.settings.only_views:
            asked = CONTROL_PREFIX[:-1]  # which leads to the page
        control = _is_control(asked)
        foreign = self._access.page_refusal(request, asked, control=control)
        if foreign is not None:
            downstream.answer(foreign)
            return
        if control:
            await self._control.answer(request, downstream, asked)
            return
        session = await self.sessions.get(where.session)
        session.in_flight += 1
        try:
            settings = self.settings
            if request.fields.get("Upgrade", "").lower() == "websocket":
                _log.warning(
                    "%s %s asks for a WebSocket, which wiretape does not speak: it is answered as"
                    " plain HTTP; have the client use the API over HTTP",
                    request.method,
                    self._redactor.target(where.target),
                )
            if request.waits_to_go_on:
                downstream.ask_to_go_on()
            body = await read_body(request, settings.max_body_bytes, settings.body_timeout_s)
            incoming = Incoming(request.method, where.target, headers, body)
            await self._answer(session, incoming, downstream)
        finally:
            session.in_flight -= 1

    async def _answer(self, session: Session, incoming: Incoming, downstream: Downstream) -> None:
        if session.replayer is not None:
            body = await _body_to_match(incoming.body, session.mode)
            found = session.replayer.find(incoming, body) if body is not None else None
            if found is not None:
                await session.replayer.play(found, downstream, incoming.target)
                return
            if body is not None and session.mode is Mode.REPLAY:
                downstream.answer(self._miss(session.replayer, incoming, body))
                return
        assert self._forwarder is not None  # noqa: S101  a replay never comes here
        if session.recorder is not None:
            await session.recorder.open()
        take_over = partial(self._take_over, session) if self.settings.keep_reading else None
        await self._forwarder.forward(incoming, downstream, session.recorder, take_over)

    def _miss(self, replayer: Replayer, incoming: Incoming, body: Body) -> Answer:
        miss, text = replayer.miss(incoming, body)
        shown = self._redactor.target(incoming.target)
        _log.warning("missed: %s %s\n%s", incoming.method, shown, text)
        extra = (*_NO_RETRY, ("Wiretape-Miss", miss.reason.value))
        code = "wiretape_" + miss.reason.value.replace("-", "_")
        return error_answer(400, incoming.target, text, code=code, extra=extra)

    async def _refuse(self, request: Request, downstream: Downstream, error: WiretapeError) -> None:
        raw_target = self._access.target(request.target)
        shown = self._redactor.target(raw_target)
        _log.warning("%s %s refused: %s", request.method, shown, error)
        # Who asks the proxy itself for what cannot be, such as to close what is busy, is no client.
        fails = isinstance(error, CassetteError) or not _is_control(self._shown(request))
        if fails and len(self.refused) < _REFUSED_KEPT:
            self.refused[str(error)] = None
        if downstream.began:
            await downstream.break_off()
            return
        extra = _NO_RETRY
        if isinstance(error, CassetteNotFoundError):
            extra += (("Wiretape-Miss", "no-match"),)
        # Every client fails at once on 400 and shows the message; others are retried by some.
        downstream.answer(error_answer(400, self._shown(request), str(error), extra=extra))

    def _take_over(
        self,
        session: Session,
        reading: Coroutine[None, None, None],
        let_go: Callable[[], None],
    ) -> None:
        task = self._loop.create_task(reading)
        self.in_flight.add(task)
        session.in_flight += 1

        def done(task: asyncio.Task[None]) -> None:
            let_go()
            self.in_flight.discard(task)
            session.in_flight -= 1

        task.add_done_callback(done)


def _is_control(target: str) -> bool:
    """Whether a target without its session is for the proxy itself."""
    return target.startswith(CONTROL_PREFIX) or target == CONTROL_PREFIX[:-1]


async def _body_to_match(body: bytes | StreamedBody, mode: Mode) -> Body | None:
    """What of a body is compared; None if it can only be forwarded."""
    if isinstance(body, bytes):
        return Body.of(body)
    if mode is not Mode.REPLAY:
        return None  # reading it to its end would leave nothing to forward
    async for _ in body.stream():
        pass
    return body.body()
