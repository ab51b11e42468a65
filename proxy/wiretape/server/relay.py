"""Passing one answer on: each chunk to the journal, then to the client, the moment it arrives.

How the upstream ended is how the client's connection ends. Knows nothing of requests.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from wiretape.core.model import Outcome
from wiretape.server.framing import Framing

if TYPE_CHECKING:
    from wiretape.server.downstream import Downstream
    from wiretape.server.exchange import Exchange
    from wiretape.server.interaction import Unrecorded

_log = logging.getLogger(__name__)


class Relay:
    """One answer on its way from the upstream to a client.

    What arrives is passed on by whoever brings it, without a turn of the event loop in between;
    `run` waits for the end, and for clients that read too slowly.

    Args:
        downstream: to which nothing has been written.
        record: what is told of all before the client is.

    Attributes:
        begun: whether there is an answer.
        exchange: the answer, from then on.
    """

    exchange: Exchange

    def __init__(self, downstream: Downstream, record: Unrecorded) -> None:
        self.begun = False
        self._left = False
        self._downstream = downstream
        self._record = record
        self._head = b""
        self._unframed = False
        self._outcome: Outcome | None = None
        self._failure: Exception | None = None
        self._changed: asyncio.Future[None] | None = None

    def begin(self, exchange: Exchange) -> None:
        """Pass on the head, and what has come of the body. Failures are for `run` to raise."""
        if self._left:
            return
        downstream = self._downstream
        self.begun, self.exchange = True, exchange
        try:
            self._record.head(exchange.status, exchange.headers)
            self._head = downstream.write_head(
                exchange.status, exchange.headers, exchange.framing, reason=exchange.reason
            )
            self._unframed = exchange.framing is Framing.CHUNKED and not downstream.chunked
            exchange.listener = self._pass_on
            if downstream.chunked:
                exchange.taker = self._take
            if not exchange.ready:
                self._record.flush()
                downstream.write(self._head)
                self._head = b""
        except Exception as error:  # noqa: BLE001  it is raised where the answer is waited for
            self._fail(error)
        else:
            self._pass_on()

    def leave(self) -> None:
        """Pass nothing more on."""
        self._left = True
        if self.begun:
            self.exchange.listener = self.exchange.taker = None

    async def run(self) -> None:
        """Wait until the answer has been passed on, and end the client's connection as it ended.

        `begin` comes first.

        Raises:
            CassetteError: it can no longer be recorded, and may not pass unrecorded.
            ConnectionError: the client is gone.
            asyncio.CancelledError: likewise, or the proxy stops.
        """
        try:
            while not self.stopped:
                await self._change()
        except (asyncio.CancelledError, ConnectionError):
            if self._failure is None:  # or the client has left at the same moment
                raise
        finally:
            self.leave()
        if self._failure is not None:
            raise self._failure
        if self.exchange.error is not None:
            _log.warning("the upstream's answer was cut: %s", self.exchange.error)
        assert self._outcome is not None  # noqa: S101  or there was a failure
        await end(self._outcome, self._downstream)

    async def _change(self) -> None:
        """Wait for the end, a failure, or a slow client to have read enough."""
        if self._downstream.paused or self.exchange.held:  # it may have read enough by now
            await self._downstream.drain()
            self.exchange.release()
            self._pass_on()
            return
        self._changed = asyncio.get_running_loop().create_future()
        try:
            await self._changed
        finally:
            self._changed = None

    @property
    def stopped(self) -> bool:
        """Whether nothing more is to be passed on: it has ended, or failed."""
        return self._outcome is not None or self._failure is not None

    def _pass_on(self) -> None:
        """Pass on what has come, if the client reads."""
        exchange, downstream = self.exchange, self._downstream
        try:
            while self._outcome is None and self._failure is None:
                if downstream.paused:
                    exchange.hold()
                    break
                if not exchange.ready:
                    return
                batch, outcome = exchange.take()
                self._outcome = outcome
                if outcome is not None:
                    exchange.taker = None  # which does not ask whether it has ended
                self._record.chunks(batch.pieces, outcome)
                wire = [data for data, _ in batch.pieces] if self._unframed else batch.wire
                data = b"".join(wire)
                if self._head:
                    data = self._head + data
                    self._head = b""
                if outcome is Outcome.COMPLETE:
                    data += downstream.last_chunk
                downstream.write(data)
        except Exception as error:  # noqa: BLE001  it is raised where the answer is waited for
            self._fail(error)
        else:
            self._tell()

    def _take(self, chunk: bytes, wire: bytes) -> None:
        """Pass on one chunk that came by itself, as most do. It runs for each: calls cost here."""
        downstream = self._downstream
        try:
            self._record.chunk(chunk)
            downstream.write(wire)
        except Exception as error:  # noqa: BLE001  it is raised where the answer is waited for
            self._fail(error)
        else:
            if downstream.paused:
                self._pass_on()

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self.exchange.taker = None
        self._tell()

    def _tell(self) -> None:
        """Have `run` look at what has changed."""
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)


async def end(outcome: Outcome, downstream: Downstream) -> None:
    """End the client's connection as the upstream's ended, or at least not as if it were whole."""
    if outcome is Outcome.UPSTREAM_RESET:
        await downstream.reset()
    elif outcome is not Outcome.COMPLETE:
        await downstream.break_off()
