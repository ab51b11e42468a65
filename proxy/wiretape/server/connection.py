"""One connection to the upstream: bytes of requests out, bytes of responses into an `Exchange`.

aiohttp's parser reads the heads; bodies are decoded by `framing`, for their exact boundaries and
for what arrived before a connection broke. Which connection serves which request is `pool`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import select
from typing import TYPE_CHECKING, cast

from aiohttp.http import HttpProcessingError, HttpResponseParser

from wiretape.core.addresses import Address
from wiretape.server.clock import monotonic_ns
from wiretape.server.exchange import UNTAKEN_LIMIT_BYTES, Exchange
from wiretape.server.framing import LAST_CHUNK, Framing
from wiretape.server.parsing import (
    HEADER_LIMIT_BYTES,
    OPTIONS,
    complaint,
    mended,
    without_blanks,
)
from wiretape.server.peer import unsent_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable

    from aiohttp.base_protocol import BaseProtocol
    from aiohttp.http import RawResponseMessage

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LOWEST_STATUS = 100
_SWITCHING_PROTOCOLS = 101
_INTERIM = range(100, 200)


class UpstreamConnection(asyncio.Protocol):
    """A connection, for one exchange after the other.

    Args:
        freed: called when an exchange has ended and another may begin.
        lost: called when the connection is gone.

    Attributes:
        exchange: the one under way, until it has ended.
        streamed: whether the last answer was of a length that its head did not tell.
        reused: whether the one before that was too, so that the upstream has kept the connection.
        refused: whether it was lost with a request of which nothing has been answered.
    """

    def __init__(
        self,
        freed: Callable[[UpstreamConnection], None],
        lost: Callable[[UpstreamConnection], None],
    ) -> None:
        self.exchange: Exchange | None = None
        self.streamed = False
        self.reused = False
        self.refused = False
        self._aborted = False
        self._freed = freed
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._incoming: select.poll | None = None
        self._parser: HttpResponseParser | None = None
        self._head = b""
        self._should_close = False
        self._upload: asyncio.Task[None] | None = None
        self._writable: asyncio.Future[None] | None = None

    @property
    def ends(self) -> tuple[Address, Address] | None:
        """Its own address, and the one that it is connected to."""
        if self._transport is None:
            return None
        names = [self._transport.get_extra_info(each) for each in ("sockname", "peername")]
        return (Address(*names[0][:2]), Address(*names[1][:2])) if all(names) else None

    def begin(self, request: bytes, *, skip_body: bool) -> Exchange:
        """Send a request that is wholly in these bytes; its response comes into the exchange."""
        assert self._transport is not None  # noqa: S101  it is connected
        self._should_close = False
        self.exchange = exchange = Exchange(self, self._loop, skip_body=skip_body)
        self._transport.write(request)
        exchange.sent_ns = monotonic_ns()
        return exchange

    def begin_upload(
        self, head: bytes, body: AsyncIterable[bytes], *, chunked: bool, skip_body: bool
    ) -> Exchange:
        """Send a request whose body comes bit by bit; its response may come before all of it."""
        exchange = self.begin(head, skip_body=skip_body)
        self._upload = self._loop.create_task(self._send(body, exchange, chunked=chunked))
        return exchange

    def quiet(self) -> bool:
        """Whether nothing has come that was not asked for, as a close or an error would."""
        if self._incoming is None or self._transport is None or self._transport.is_closing():
            return False
        return not self._incoming.poll(0)

    def pause(self) -> None:
        """Let nothing more come for now."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Let more come."""
        if self._transport is not None:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close it at once and for good."""
        self._aborted = True
        self._end_upload()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected. A plain read takes no more than may wait, for it may wait for long."""
        self._transport = cast("asyncio.Transport", transport)  # a stream's, on any loop
        descriptor = self._descriptor()
        if descriptor is not None:
            self._incoming = select.poll()
            self._incoming.register(descriptor, select.POLLIN)
        if hasattr(transport, "max_size"):  # as asyncio's own plain transports have it
            transport.max_size = UNTAKEN_LIMIT_BYTES
        if self._aborted:  # for what came with the end of TLS's handshake
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes have come from the upstream."""
        exchange = self.exchange
        if exchange is None:
            # Nothing was asked for: whatever this is, it must not answer the next request.
            self.abort()
            return
        if not exchange.headed:
            data = self._receive_heads(exchange, data)
            if exchange.error is None and not exchange.headed:
                return
        if exchange.feed(data):
            self._finish(exchange)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone; without an error if the upstream closed it."""
        if isinstance(exc, ConnectionError):
            self._receive_what_is_left()
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            self.refused = not (exchange.began or self._aborted)
            exchange.unseen = not exchange.began and self._closed_before_it_read(exc)
            exchange.lose(exc)
        self._transport = None
        self._end_upload()
        self.resume_writing()
        self._lost(self)

    def pause_writing(self) -> None:
        """The upstream reads more slowly than it is sent to."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """It has read enough for more to be sent."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def _receive_what_is_left(self) -> None:
        """Read on where writing has failed.

        An upstream that refuses a long request answers, closes, and has the rest of it fail. Its
        answer is here by then, and asyncio would not look.
        """
        transport, descriptor = self._transport, self._descriptor()
        if transport is None or descriptor is None or transport.get_extra_info("sslcontext"):
            return
        with contextlib.suppress(OSError):
            while self.exchange is not None:
                data = os.read(descriptor, UNTAKEN_LIMIT_BYTES)
                if not data:
                    break
                self.data_received(data)

    def _closed_before_it_read(self, exc: BaseException | None) -> bool:
        """Whether the other side had closed before all that was sent had come there.

        Its end acknowledges what had come by then, and nothing after it does. A reset without an
        end tells nothing: what it overtook can have been read.
        """
        ended = exc is None or isinstance(exc, BrokenPipeError)
        return ended and self._transport is not None and unsent_bytes(self._transport) > 0

    def _descriptor(self) -> int | None:
        sock = None if self._transport is None else self._transport.get_extra_info("socket")
        return None if sock is None else sock.fileno()

    def _receive_heads(self, exchange: Exchange, data: bytes) -> bytes:
        """Have heads parsed, one at a time, and return what follows the final one."""
        exchange.began = True
        exchange.renew()
        seen = max(len(self._head) - 3, 0)  # a blank line may have begun in what came before
        data = self._head + data
        self._head = b""
        while True:
            end = _HEAD_END.search(data, seen)
            seen = 0
            if end is None:
                self._head = data
                if len(data) > HEADER_LIMIT_BYTES:
                    exchange.fail("its response is not HTTP: the head is too long")
                return b""
            head, data = data[: end.end()], data[end.end() :]
            try:
                message = self._parse(head)
            except HttpProcessingError as error:
                exchange.fail(f"its response is not HTTP: {complaint(error)}")
                return b""
            if message.code < _LOWEST_STATUS:
                exchange.fail(f"its response is not HTTP: status {message.code}")
                return b""
            self._should_close = message.should_close or message.upgrade
            if message.code not in _INTERIM or message.code == _SWITCHING_PROTOCOLS:
                exchange.feed_head(message)
                return data

    def _parse(self, head: bytes) -> RawResponseMessage:
        head = without_blanks(head)
        try:
            return self._parse_strictly(head)
        except HttpProcessingError:
            again = mended(head)
            if again == head:
                raise
        self._parser = None
        return self._parse_strictly(again)

    def _parse_strictly(self, head: bytes) -> RawResponseMessage:
        if self._parser is None or self._should_close:
            self._parser = HttpResponseParser(
                _NO_PROTOCOL,
                self._loop,
                HEADER_LIMIT_BYTES,
                response_with_body=False,
                **OPTIONS,
            )
        messages, _, _ = self._parser.feed_data(head)
        if not messages:
            raise HttpProcessingError(message="an empty head")
        return messages[0][0]

    def _finish(self, exchange: Exchange) -> None:
        """The response is whole, or broken; the connection is free for the next, if it may be."""
        self.exchange = None
        clean = exchange.let_go()
        uploading = self._upload is not None and not self._upload.done()
        # What has not been sent of a request that was answered early would come before the next.
        unsent = self._transport is None or self._transport.get_write_buffer_size()
        if clean and not self._should_close and not uploading and not unsent:
            self._upload = None
            self.reused = self.streamed
            self.streamed = exchange.framing is Framing.CHUNKED
            self.resume()
            self._freed(self)
        else:
            self.abort()

    async def _send(self, body: AsyncIterable[bytes], exchange: Exchange, *, chunked: bool) -> None:
        exchange.uploading = True
        try:
            async for data in body:
                if not data:
                    continue  # an empty chunk would be the last one
                exchange.uploading = False
                if self._writable is not None:
                    await self._writable
                if self._transport is None:
                    return
                self._transport.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
                exchange.sent_ns = monotonic_ns()
                exchange.renew()
                exchange.uploading = True
            exchange.uploading = False
            exchange.renew()
            if chunked and self._transport is not None:
                self._transport.write(LAST_CHUNK)
        except Exception as error:  # noqa: BLE001  whatever a client's connection can fail with
            self._upload = None
            exchange.fail(f"the request's body broke off: {error or type(error).__name__}")
            self.abort()

    def _end_upload(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.cancel()


# The parser would tell it to stop reading, were it to parse bodies.
_NO_PROTOCOL: BaseProtocol = asyncio.Protocol()  # type: ignore[assignment]  # which it never is
