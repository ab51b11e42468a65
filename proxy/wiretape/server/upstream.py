"""The proxy's side towards the upstream: one request out, one response in, chunk by chunk.

aiohttp connects, pools, sends and parses heads. Bodies are decoded by `framing`, for their
exact boundaries and for what arrived before a connection broke. Nothing is recorded here.
"""

from __future__ import annotations

import asyncio
import errno
import re
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from wiretape.core.model import Headers, Outcome
from wiretape.errors import UpstreamError
from wiretape.server.framing import Batch, BodyDecoder, Framing, FramingError
from wiretape.server.headers import for_upstream, from_raw

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from aiohttp.connector import Connection
    from aiohttp.http import RawResponseMessage
    from aiohttp.streams import StreamReader

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_HEADER_LIMIT_BYTES = 256 * 1024
_HEADER_COUNT_LIMIT = 1000
# Reading stops when this much waits for a slow client, and goes on when it has been taken.
_UNTAKEN_LIMIT_BYTES = 256 * 1024
_NO_BODY_STATUSES = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class _StaleConnectionError(aiohttp.ServerDisconnectedError):
    """A kept-alive connection was closed by the upstream before it saw the request."""


class _Tap:
    """One response as it arrives on a connection, from its head's first byte."""

    def __init__(self, *, skip_body: bool) -> None:
        self.decoder: BodyDecoder | None = None
        self.error: FramingError | None = None
        self.lost = False
        self.lost_with: BaseException | None = None
        self.untaken_bytes = 0
        self.began = False
        self._skip_body = skip_body
        self._waiter: asyncio.Future[None] | None = None

    @property
    def complete(self) -> bool:
        return self.decoder is not None and self.decoder.complete

    def head(self, message: RawResponseMessage) -> None:
        self.decoder = BodyDecoder(*_framing(message, skip_body=self._skip_body))

    def body(self, data: bytes) -> None:
        assert self.decoder is not None  # noqa: S101  a body follows its head
        try:
            self.decoder.feed(data)
        except FramingError as error:
            self.error = error
        self.untaken_bytes += len(data)
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None


class _TappedHandler(ResponseHandler):
    """aiohttp's connection, which is given the heads; the bodies go to the tap."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.tap = _Tap(skip_body=False)
        self.uses = 0
        self._head = b""
        self._body: StreamReader | None = None

    def set_response_params(self, *, skip_payload: bool = False, **params: Any) -> None:
        self.uses += 1
        self.tap = _Tap(skip_body=skip_payload)
        self._head = b""
        self._body = None
        super().set_response_params(skip_payload=skip_payload, **params)

    def data_received(self, data: bytes) -> None:
        tap = self.tap
        tap.began = True
        if tap.complete:
            # Nothing was asked for: whatever this is, it must not answer the next request.
            self.abort()
            return
        body = data if tap.decoder is not None else self._receive_heads(data)
        if body:
            tap.body(body)
            if tap.untaken_bytes > _UNTAKEN_LIMIT_BYTES and self.transport is not None:
                self.transport.pause_reading()
        if tap.error is not None:
            self.abort()
        elif tap.decoder is not None and tap.decoder.complete:
            self._finish_body()

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        message, payload = data
        if not 100 <= message.code < 200:  # noqa: PLR2004  interim responses have no body
            self.tap.head(message)
            self._body = payload
        super().feed_data(data, size)

    def connection_lost(self, exc: BaseException | None) -> None:
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
                if len(data) > _HEADER_LIMIT_BYTES:
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


class _TappedResponse(aiohttp.ClientResponse):
    """aiohttp's response, which keeps the tap of its own body."""

    tap: _Tap
    handler: _TappedHandler

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        handler = connection.protocol
        assert isinstance(handler, _TappedHandler)  # noqa: S101  the connector makes no other
        self.tap = handler.tap
        self.handler = handler
        try:
            return await super().start(connection)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if handler.uses > 1 and not self.tap.began:
                raise _StaleConnectionError(str(error)) from error
            raise


class _TappedConnector(aiohttp.TCPConnector):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # The one private name of aiohttp's used here; tests/unit/server/test_upstream.py holds it.
        loop = asyncio.get_running_loop()
        self._factory = lambda: _TappedHandler(loop)  # type: ignore[assignment]  # a partial there


class Exchange:
    """One response while it is received.

    Attributes:
        status: as sent.
        reason: the reason phrase as sent.
        headers: all fields as sent, hop-by-hop ones too.
        framing: how the body's end is found.
        outcome: how it ended; None while it has not.
        error: what is wrong, where the upstream broke the protocol.
    """

    def __init__(self, response: _TappedResponse) -> None:
        self._response = response
        self._tap = response.tap
        self._decoder = response.tap.decoder
        self.status = response.status
        self.reason = response.reason or ""
        self.framing = self._decoder.framing if self._decoder else Framing.NONE
        self.headers: Headers = from_raw(response.raw_headers)
        if self.framing is Framing.UNTIL_CLOSE and "connection" not in response.headers:
            # Said, so that the recording tells this framing from one that was left open.
            self.headers += (("Connection", "close"),)
        self.outcome: Outcome | None = None
        self.error: str | None = None

    @property
    def ready(self) -> bool:
        """Whether `read` would return without waiting."""
        tap, decoder = self._tap, self._decoder
        return (
            decoder is None
            or bool(decoder.batch.pieces)
            or decoder.complete
            or tap.lost
            or tap.error is not None
        )

    async def read(self) -> tuple[Batch, Outcome | None]:
        """Take all that has arrived since the last call, waiting until something has.

        With the body's last batch, which may be empty, comes how it ended.
        """
        tap, decoder = self._tap, self._decoder
        while not self.ready:
            await tap.wait()
        if decoder is None or decoder.complete:
            self.outcome = Outcome.COMPLETE
        elif decoder.batch.pieces:
            pass  # what came before a failure is given out before the failure is told
        elif tap.error is not None:
            self.outcome = Outcome.UPSTREAM_CLOSED
            self.error = str(tap.error)
        else:
            reset = isinstance(tap.lost_with, ConnectionError)
            self.outcome = Outcome.UPSTREAM_RESET if reset else Outcome.UPSTREAM_CLOSED
        if decoder is None:
            return Batch(), self.outcome
        if tap.untaken_bytes > _UNTAKEN_LIMIT_BYTES and not tap.lost:
            handler = self._response.handler
            if handler.tap is tap and handler.transport is not None:
                handler.transport.resume_reading()
        tap.untaken_bytes = 0
        return decoder.take(), self.outcome

    def close(self) -> None:
        """Let go: at once and for good if the body has not ended, else nothing happens."""
        if self.outcome is not Outcome.COMPLETE:
            self._response.close()


class Upstream:
    """Whom the proxy calls.

    Args:
        base_url: http or https, with a path if need be, without a trailing slash.
        connect_timeout_s: how long a connection may take to be made.
        tls: how to check an https upstream's certificate; None for the system's way.
    """

    def __init__(
        self,
        base_url: str,
        *,
        connect_timeout_s: float = 30.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.base_url = base_url
        self._session = aiohttp.ClientSession(
            connector=_TappedConnector(limit=0, ssl=tls if tls is not None else True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout_s),
            auto_decompress=False,
            response_class=_TappedResponse,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            max_line_size=_HEADER_LIMIT_BYTES,
            max_field_size=_HEADER_LIMIT_BYTES,
            max_headers=_HEADER_COUNT_LIMIT,
        )

    async def send(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes | AsyncIterator[bytes],
        *,
        length: int | None = None,
    ) -> Exchange:
        """Send a request and wait for the response's head.

        Args:
            method: any.
            target: origin form, appended to the base URL as it stands.
            headers: the client's, all of them.
            body: its bytes, or a stream of them.
            length: a streamed body's length, if known; else it is sent chunked.

        Raises:
            UpstreamError: no head came.
        """
        url = self.base_url + target
        fields = for_upstream(headers)
        if length is not None:
            fields.append(("Content-Length", str(length)))
        try:
            try:
                response = await self._request(method, url, fields, body)
            except _StaleConnectionError:
                if not isinstance(body, bytes):
                    raise
                response = await self._request(method, url, fields, body)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise UpstreamError(self.base_url, _reason(error), _outcome(error)) from error
        assert isinstance(response, _TappedResponse)  # noqa: S101  as response_class says
        return Exchange(response)

    async def _request(
        self,
        method: str,
        url: str,
        fields: list[tuple[str, str]],
        body: bytes | AsyncIterator[bytes],
    ) -> aiohttp.ClientResponse:
        return await self._session.request(
            method,
            URL(url, encoded=True),
            headers=fields,
            data=body or None,
            allow_redirects=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


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


def _outcome(error: Exception) -> Outcome:
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
        return Outcome.UPSTREAM_UNREACHABLE
    if isinstance(error, TimeoutError):
        return Outcome.UPSTREAM_TIMEOUT
    if isinstance(error, ConnectionError) or (
        isinstance(error, OSError) and error.errno in {errno.ECONNRESET, errno.EPIPE}
    ):
        return Outcome.UPSTREAM_RESET
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientResponseError):
        return Outcome.UPSTREAM_CLOSED
    return Outcome.UPSTREAM_UNREACHABLE


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        inner = error.os_error
        return inner.strerror or str(inner)
    if isinstance(error, aiohttp.ClientResponseError):
        return f"its response is not HTTP: {error.message}"
    return str(error) or type(error).__name__
