"""Forwarding: one request to the upstream and its answer back, recorded on the way.

Knows requests and what is done where no answer comes; answers are for `relay`.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from wiretape.core.model import Body
from wiretape.errors import JournalError, UpstreamError
from wiretape.server.downstream import STATUSES_OF_PROXY, error_answer
from wiretape.server.interaction import Unrecorded
from wiretape.server.relay import Relay, end
from wiretape.server.request import StreamedBody

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from wiretape.core.model import Headers
    from wiretape.server.downstream import Downstream
    from wiretape.server.exchange import Exchange
    from wiretape.server.recorder import Recorder
    from wiretape.server.upstream import Upstream

_log = logging.getLogger(__name__)

TakeOver: TypeAlias = "Callable[[Coroutine[None, None, None], Callable[[], None]], None]"
"""Has something go on after its request, and the other called when it is over or never began."""


class Incoming(NamedTuple):
    """A client's request, its target without the session's prefix."""

    method: str
    target: str
    headers: Headers
    body: bytes | StreamedBody


class Forwarder:
    """Forwards requests to one upstream.

    Args:
        upstream: whom to call.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def forward(
        self,
        incoming: Incoming,
        downstream: Downstream,
        recorder: Recorder | None,
        take_over: TakeOver | None = None,
    ) -> None:
        """Forward a request and write its answer to the client.

        Args:
            incoming: the request.
            downstream: takes the answer.
            recorder: records both, and is open; None to record nothing.
            take_over: sees to it that the answer to a client that has left is read to its end;
                None to cancel the upstream's work at once instead.

        Raises:
            BodyTimeoutError: nothing more came of the request's body.
            BrokenBodyError: the request's body is framed wrongly.
            CassetteError: the recording cannot begin, and nothing has been forwarded; or it cannot
                go on, and the rest is not passed on.
            asyncio.CancelledError: the client left, or the proxy stops; all is tidied up.
        """
        record = _begin(recorder, incoming)
        try:
            await self._pass_both_ways(incoming, downstream, record, take_over)
            if isinstance(incoming.body, StreamedBody):
                await incoming.body.skip_rest()
        finally:
            if isinstance(incoming.body, StreamedBody):
                record.request_came(incoming.body.body())  # as far as it came

    async def _pass_both_ways(
        self,
        incoming: Incoming,
        downstream: Downstream,
        record: Unrecorded,
        take_over: TakeOver | None,
    ) -> None:
        relay = Relay(downstream, record)
        answer: Awaitable[Exchange] = self._send(incoming, record, relay.begin)
        sending: asyncio.Future[Exchange] | None = None
        # What has not come of a body cannot come any more once its client has left.
        if take_over is not None and isinstance(incoming.body, bytes):
            sending = asyncio.ensure_future(answer)
            answer = asyncio.shield(sending)
        answered = taken_over = False
        try:
            await answer
            answered = True
            await relay.run()
        except UpstreamError as error:
            await _answer_for_upstream(incoming, downstream, record, error)
        except (asyncio.CancelledError, ConnectionError):
            relay.leave()
            # A sending that was waited for here alone has closed its answer, head or no head.
            if take_over is not None and (answered or sending is not None):
                taken_over = _hand_over(take_over, sending, relay, record)
            if not taken_over:
                record.client_left()
            raise
        finally:
            if relay.begun and not taken_over:
                relay.exchange.close()

    async def _send(
        self, incoming: Incoming, record: Unrecorded, head_came: Callable[[Exchange], None]
    ) -> Exchange:
        body = incoming.body
        return await self._upstream.send(
            incoming.method,
            incoming.target,
            incoming.headers,
            body if isinstance(body, bytes) else _noted(body, record),
            length=None if isinstance(body, bytes) else body.declared_length,
            head_came=head_came,
        )


def _hand_over(
    take_over: TakeOver,
    sending: asyncio.Future[Exchange] | None,
    relay: Relay,
    record: Unrecorded,
) -> bool:
    """Have an answer read to its end whose client has left; whether it is to be."""
    if relay.stopped:
        return False
    if sending is not None and not relay.begun:
        take_over(_read_all(sending, record), partial(_let_go, record, sending.cancel))
    else:
        exchange = relay.exchange
        take_over(_read_on(exchange, record), partial(_let_go, record, exchange.close))
    return True


async def _read_all(sending: asyncio.Future[Exchange], record: Unrecorded) -> None:
    """Read an answer that is yet to begin, for the record alone."""
    with suppress(JournalError):
        try:
            exchange = await sending
        except UpstreamError as error:
            record.end(error.outcome)
            return
        except asyncio.CancelledError:
            record.client_left()
            raise
        record.head(exchange.status, exchange.headers)
        record.flush()
        await _read_on(exchange, record)


def _let_go(record: Unrecorded, cancel: Callable[[], object]) -> None:
    """Tidy up, also where a reading was cancelled before it began."""
    cancel()
    with suppress(JournalError):
        record.client_left()


async def _read_on(exchange: Exchange, record: Unrecorded) -> None:
    """Read an answer to its end for the record alone."""
    outcome = exchange.outcome
    with suppress(JournalError):  # which ends all that this was for
        try:
            while outcome is None:
                batch, outcome = await exchange.read()
                record.chunks(batch.pieces, outcome)
        finally:
            exchange.close()
            record.client_left()


def _begin(recorder: Recorder | None, incoming: Incoming) -> Unrecorded:
    if recorder is None:
        return Unrecorded()
    method, target, headers, body = incoming
    if isinstance(body, bytes):
        return recorder.begin(method, target, headers, Body.of(body))
    return recorder.begin(method, target, headers, body.body(), comes=True)


async def _noted(body: StreamedBody, record: Unrecorded) -> AsyncIterator[bytes]:
    """A body as it comes, which is noted when it has."""
    async for data in body.stream():
        yield data
    record.request_came(body.body())


async def _answer_for_upstream(
    incoming: Incoming, downstream: Downstream, record: Unrecorded, error: UpstreamError
) -> None:
    """Answer in place of an upstream that gave no response, unless that is the client's doing."""
    body = incoming.body
    if isinstance(body, StreamedBody) and body.failure is not None:
        record.client_left()
        raise body.failure
    path = incoming.target.partition("?")[0]  # a query can hold a key
    _log.warning("%s %s: %s", incoming.method, path, error)
    status = STATUSES_OF_PROXY.get(error.outcome)
    if status is None:
        # It took the request and hung up: so does the proxy, as the client would have seen.
        record.end(error.outcome)
        await end(error.outcome, downstream)
        return
    answer = error_answer(
        status, incoming.target, str(error), kind="api_error", code=error.outcome.value
    )
    record.head(status, answer.headers)
    record.chunks([(answer.body, False)], error.outcome)
    downstream.answer(answer)
