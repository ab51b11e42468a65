"""One response of the upstream while it is received: its head, its chunks, how it ended.

Filled by a `connection`, read by whoever passes it on. Knows no request and no socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from wiretape.core.model import Headers, Outcome
from wiretape.server.framing import (
    NO_BODY_STATUSES,
    Batch,
    BodyDecoder,
    Framing,
    FramingError,
    declared_bytes,
)
from wiretape.server.headers import from_raw, listed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from aiohttp.http import RawResponseMessage

UNTAKEN_LIMIT_BYTES = 64 * 1024
"""Reading stops when this much waits for a slow client, and goes on when it has been taken."""


class Source(Protocol):
    """What an exchange asks of the connection that fills it."""

    def pause(self) -> None:
        """Let nothing more come for now."""

    def resume(self) -> None:
        """Let more come."""

    def abort(self) -> None:
        """Close it at once and for good."""


class Exchange:
    """One response while it is received.

    Args:
        source: where it comes from.
        loop: in which it is waited for; to ask for the running one takes a system call.
        skip_body: it answers a HEAD request.

    Attributes:
        uploading: the client owes more of the request's body.
        sent_ns: when the request had been sent, on the monotonic clock.
        began: something of it has come.
        status: as sent; 0 before the head.
        reason: the reason phrase as sent.
        headers: all fields as sent, hop-by-hop ones too.
        framing: how the body's end is found.
        outcome: how it ended; None while `read` has not come to its end.
        given_up: nothing came for too long.
        error: what is wrong, where the upstream broke the protocol.
        lost: its connection is gone.
        lost_with: the error that it went with; None if it was closed in order.
        unseen: it was closed before the whole request had come there: nobody has acted on it.
        head_came: is called once, when the head has come, with all that came along already here.
        listener: is called whenever more has come, in place of whoever would wait for it.
        taker: is given each whole chunk that comes by itself while nothing waits to be taken nor is
            held, and how it stood on the wire; of all else the listener is told.
        held: nothing more comes, for who is to take it is slow.
    """

    __slots__ = (
        "_decoder",
        "_loop",
        "_news",
        "_skip_body",
        "_source",
        "_untaken_bytes",
        "_waiter",
        "began",
        "error",
        "framing",
        "given_up",
        "head_came",
        "headers",
        "held",
        "listener",
        "lost",
        "lost_with",
        "outcome",
        "reason",
        "sent_ns",
        "status",
        "taker",
        "unseen",
        "uploading",
    )

    def __init__(self, source: Source, loop: asyncio.AbstractEventLoop, *, skip_body: bool) -> None:
        self.uploading = False
        self.sent_ns = 0
        self.began = False
        self.status = 0
        self.reason = ""
        self.headers: Headers = ()
        self.framing = Framing.NONE
        self.outcome: Outcome | None = None
        self.given_up = False
        self.error: str | None = None
        self.lost = False
        self.lost_with: BaseException | None = None
        self.unseen = False
        self.head_came: Callable[[Exchange], None] | None = None
        self.listener: Callable[[], None] | None = None
        self.taker: Callable[[bytes, bytes], None] | None = None
        self.held = False
        self._source: Source | None = source
        self._loop = loop
        self._skip_body = skip_body
        self._decoder: BodyDecoder | None = None
        self._untaken_bytes = 0
        self._news = 0
        self._waiter: asyncio.Future[None] | None = None

    @property
    def headed(self) -> bool:
        """Whether the head has come."""
        return self._decoder is not None

    @property
    def complete(self) -> bool:
        """Whether the whole body has come."""
        return self._decoder is not None and self._decoder.complete

    @property
    def ready(self) -> bool:
        """Whether `read` would return without waiting."""
        decoder = self._decoder
        # Of the wire: what closes a chunk, or tells how long it is, can come without any of it.
        if decoder is not None and (decoder.batch.wire or decoder.complete):
            return True
        return self.lost or self.given_up or self.error is not None

    async def head(self) -> bool:
        """Wait for the head; whether it came before the connection was lost or gave garbage."""
        while self._decoder is None and not self.ready:
            await self._more()
        return self._decoder is not None

    async def read(self) -> tuple[Batch, Outcome | None]:
        """Wait until something has arrived, and `take` it."""
        self.release()
        while not self.ready:
            await self._more()
        return self.take()

    def take(self) -> tuple[Batch, Outcome | None]:
        """Take all that has arrived since the last call; something must have, as `ready` says.

        With the body's last batch, which may be empty, comes how it ended.
        """
        decoder = self._decoder
        assert decoder is not None  # noqa: S101  the head comes first
        if decoder.complete:
            self.outcome = Outcome.COMPLETE
        elif decoder.batch.wire:
            pass  # what came before a failure is given out before the failure is told
        elif self.given_up and not self.lost:
            self.outcome = Outcome.UPSTREAM_TIMEOUT
        else:
            self.outcome = self.loss
        if self._untaken_bytes > UNTAKEN_LIMIT_BYTES and self._source is not None:
            self._source.resume()
        self._untaken_bytes = 0
        return decoder.take(), self.outcome

    @property
    def loss(self) -> Outcome:
        """How it ended, where that was before it was whole."""
        reset = self.error is None and isinstance(self.lost_with, ConnectionError)
        return Outcome.UPSTREAM_RESET if reset else Outcome.UPSTREAM_CLOSED

    def hold(self) -> None:
        """Let nothing more come until `release` or `read`: who is to take it is slow."""
        if self._source is not None:
            self.held = True
            self._source.pause()

    def release(self) -> None:
        """Let more come."""
        if self.held:
            self.held = False
            if self._source is not None:
                self._source.resume()

    @property
    def silence(self) -> int | None:
        """Another number after each arrival; None while nothing is waited for, but the client."""
        if self.uploading:
            return None
        if self.listener is None or self._decoder is None:
            return None if self._waiter is None else self._news
        return None if self.held else self._news

    def close(self) -> None:
        """Let go: at once and for good if the body has not ended, else nothing happens."""
        if self._source is not None:
            self._source.abort()

    def feed_head(self, message: RawResponseMessage) -> None:
        """Take the final head, which says how the body is framed."""
        self.status = message.code
        self.reason = message.reason or ""
        self.headers = from_raw(message.raw_headers)
        try:
            self.framing, length = self._framing(message)
        except FramingError as error:
            self.fail(str(error))
            return
        self._decoder = BodyDecoder(self.framing, length)
        until_close = self.framing is Framing.UNTIL_CLOSE
        if until_close and "close" not in listed(self.headers, "connection"):
            # Said, so that the recording tells this framing from one that was left open.
            self.headers += (("Connection", "close"),)
        self._wake()

    def feed(self, data: bytes) -> bool:
        """Take some of the body, which may be nothing; whether it is whole now, or broken."""
        decoder = self._decoder
        if decoder is None:
            return self.error is not None
        if self.taker is not None and not self.held:
            chunk = decoder.whole_chunk(data)
            if chunk is not None:
                self._news += 1
                self.taker(chunk, data)
                return False
        try:
            decoder.feed(data)
        except FramingError as error:
            self.error = str(error)
        self._untaken_bytes += len(data)
        self._news += 1
        if self.head_came is not None:
            head_came, self.head_came = self.head_came, None
            head_came(self)
        elif self.listener is not None:
            self.listener()
        else:
            self._wake()
        if self._untaken_bytes > UNTAKEN_LIMIT_BYTES and self._source is not None:
            self._source.pause()
        return decoder.complete or self.error is not None

    def fail(self, error: str) -> None:
        """Take it that the upstream breaks the protocol."""
        self.error = error
        self._wake()

    def lose(self, error: BaseException | None) -> None:
        """Take it that the connection is gone; without an error if the upstream closed it."""
        if error is None and self._decoder is not None:
            self._decoder.feed_eof()
        self.lost = True
        self.lost_with = error
        self._source = None
        self._wake()

    def let_go(self) -> bool:
        """Nothing more comes from the source; whether what came was one whole response."""
        self._source = None
        return self.error is None and self._decoder is not None and not self._decoder.excess

    def renew(self) -> None:
        """Begin the wait of whoever waits anew: something has been sent, or has come."""
        self._news += 1

    def give_up(self) -> None:
        """Tell whoever waits that nothing has come for too long."""
        self.given_up = True
        self._wake()

    def _wake(self) -> None:
        if self.listener is not None:
            self.listener()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _more(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _framing(self, message: RawResponseMessage) -> tuple[Framing, int]:
        if self._skip_body or message.code in NO_BODY_STATUSES:
            return Framing.NONE, 0
        if message.chunked:
            return Framing.CHUNKED, 0
        length = message.headers.get("Content-Length", "")
        if not length.isdecimal():
            return Framing.UNTIL_CLOSE, 0
        return Framing.LENGTH, declared_bytes(length)
