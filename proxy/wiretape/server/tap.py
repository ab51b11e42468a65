"""aiohttp's client connection, listened in on: it is given the heads, and the bodies go to a tap.

This is where aiohttp's inner workings are relied on; tests/unit/server/test_tap.py holds them.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from wiretape.server.clock import monotonic_ns
from wiretape.server.framing import BodyDecoder, Framing, FramingError

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.http import RawResponseMessage
    from aiohttp.streams import StreamReader

HEADER_LIMIT_BYTES = 256 * 1024
UNTAKEN_LIMIT_BYTES = 64 * 1024
"""Reading stops when this much waits for a slow client, and goes on when it has been taken."""

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_NO_BODY_STATUSES = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class StaleConnectionError(aiohttp.ServerDisconnectedError):
    """A kept-alive connection was closed by the upstream before it saw the request."""


class Tap:
    """One response as it arrives on a connection, from its head's first byte."""

    def __init__(self, *, skip_body: bool) -> None:
        self.decoder: BodyDecoder | None = None
        self.error: FramingError | None = None
        self.lost = False
        self.lost_with: BaseException | None = None
        self.untaken_bytes = 0
        self.began = False
        self.given_up = False
        self.waiter: asyncio.Future[None] | None = None
        self._skip_body = skip_body

    @property
    def complete(self) -> bool:
        """Whether the whole body has come."""
        return self.decoder is not None and self.decoder.complete

    def head(self, message: RawResponseMessage) -> None:
        """Take the final head, which says how the body is framed."""
        self.decoder = BodyDecoder(*_framing(message, skip_body=self._skip_body))

    def body(self, data: bytes) -> None:
        """Take some of the body; wakes whoever waits."""
        assert self.decoder is not None  # noqa: S101  a body follows its head
        try:
            self.decoder.feed(data)
        except FramingError as error:
            self.error = error
        self.untaken_bytes += len(data)
        self.wake()

    def wake(self) -> None:
        """Let whoever waits look again."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def give_up(self) -> None:
        """Tell whoever waits that nothing has come for too long."""
        self.given_up = True
        self.wake()

    async def wait(self) -> None:
        """Wait for `wake`."""
        self.waiter = asyncio.get_running_loop().create_future()
        try:
            await self.waiter
        finally:
            self.waiter = None


class TappedHandler(ResponseHandler):
    """aiohttp's connection, which is given the heads; the bodies go to the tap."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.tap = Tap(skip_body=False)
        self.uses = 0
        self._head = b""
        self._body: StreamReader | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected. A read takes no more than may wait, for it may wait for long."""
        super().connection_made(transport)
        if hasattr(transport, "max_size"):  # as asyncio's own plain transports have it
            transport.max_size = UNTAKEN_LIMIT_BYTES

    def set_response_params(self, *, skip_payload: bool = False, **params: Any) -> None:
        """Aiohttp begins to use the connection for another request."""
        self.uses += 1
        self.tap = Tap(skip_body=skip_payload)
        self._head = b""
        self._body = None
        super().set_response_params(skip_payload=skip_payload, **params)

    def data_received(self, data: bytes) -> None:
        """Bytes have come from the upstream."""
        tap = self.tap
        tap.began = True
        if tap.complete:
            # Nothing was asked for: whatever this is, it must not answer the next request.
            self.abort()
            return
        body = data if tap.decoder is not None else self._receive_heads(data)
        if body:
            tap.body(body)
            if tap.untaken_bytes > UNTAKEN_LIMIT_BYTES and self.transport is not None:
                self.transport.pause_reading()
        if tap.error is not None:
            self.abort()
        elif tap.decoder is not None and tap.decoder.complete:
            self._finish_body()

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Aiohttp's parser has read a head; all bodies are empty to it."""
        message, payload = data
        if not 100 <= message.code < 200:  # noqa: PLR2004  interim responses have no body
            self.tap.head(message)
            self._body = payload
        super().feed_data(data, size)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone; without an error if the upstream closed it."""
        tap = self.tap
        if exc is None and tap.decoder is not None:
            tap.decoder.feed_eof()
            if tap.complete:
                self._finish_body()
        tap.lost = True
        tap.lost_with = exc
        tap.wake()
        super().connection_lost(exc)

    def _receive_heads(self, data: bytes) -> bytes:
        """Give heads to aiohttp, one at a time, and return what follows the last of them."""
        data = self._head + data
        self._head = b""
        while self.tap.decoder is None:
            end = _HEAD_END.search(data)
            if end is None:
                if len(data) > HEADER_LIMIT_BYTES:
                    super().data_received(data)  # which refuses it
                self._head = data
                return b""
            head, data = data[: end.end()], data[end.end() :]
            super().data_received(head)
            if self.transport is None or self.transport.is_closing():
                return b""
        return data

    def _finish_body(self) -> None:
        # The end of the body frees the connection for the next request.
        body, self._body = self._body, None
        if body is not None and not body.is_eof():
            body.feed_eof()


class TappedResponse(aiohttp.ClientResponse):
    """aiohttp's response, which keeps the tap of its own body.

    Attributes:
        sent_ns: when the request was handed to the socket.
    """

    sent_ns: int
    tap: Tap
    handler: TappedHandler

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Wait for the head, on the connection that the request was sent on."""
        handler = connection.protocol
        assert isinstance(handler, TappedHandler)  # noqa: S101  the connector makes no other
        self.sent_ns = monotonic_ns()
        self.tap = handler.tap
        self.handler = handler
        try:
            return await super().start(connection)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if handler.uses > 1 and not self.tap.began:
                raise StaleConnectionError(str(error)) from error
            raise


class TappedConnector(aiohttp.TCPConnector):
    """A pool of tapped connections."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # The one private name of aiohttp's used here; tests/unit/server/test_tap.py holds it.
        loop = asyncio.get_running_loop()
        self._factory = lambda: TappedHandler(loop)  # type: ignore[assignment]  # a partial there


def _framing(message: RawResponseMessage, *, skip_body: bool) -> tuple[Framing, int]:
    if skip_body or message.code in _NO_BODY_STATUSES:
        return Framing.NONE, 0
    if message.chunked:
        return Framing.CHUNKED, 0
    length = message.headers.get("Content-Length")
    if length is not None:
        with suppress(ValueError):
            return Framing.LENGTH, int(length)
    return Framing.UNTIL_CLOSE, 0
