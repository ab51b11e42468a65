"""The proxy's side towards the upstream: one request out, one response in, chunk by chunk.

aiohttp connects, pools, sends and parses heads. Bodies are decoded by `framing`, for their
exact boundaries and for what arrived before a connection broke. Nothing is recorded here.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import io
import os
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit, urlunsplit

import aiohttp
from yarl import URL

from wiretape.core.model import Headers, Outcome
from wiretape.errors import UpstreamError
from wiretape.server.framing import Batch, Framing
from wiretape.server.headers import for_upstream, from_raw
from wiretape.server.patience import UpstreamPatience
from wiretape.server.tap import (
    HEADER_LIMIT_BYTES,
    UNTAKEN_LIMIT_BYTES,
    StaleConnectionError,
    TappedConnector,
    TappedResponse,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

_HEADER_COUNT_LIMIT = 1000
_AT_ONCE_BYTES = 256 * 1024


class Exchange:
    """One response while it is received.

    Attributes:
        sent_ns: when the request had been sent, on the monotonic clock.
        status: as sent.
        reason: the reason phrase as sent.
        headers: all fields as sent, hop-by-hop ones too.
        framing: how the body's end is found.
        outcome: how it ended; None while it has not.
        error: what is wrong, where the upstream broke the protocol.
    """

    def __init__(self, response: TappedResponse) -> None:
        self._response = response
        self._tap = response.tap
        self._decoder = response.tap.decoder
        self.sent_ns = response.sent_ns
        self.status = response.status
        self.reason = response.reason or ""
        self.framing = self._decoder.framing if self._decoder else Framing.NONE
        self.headers: Headers = from_raw(response.raw_headers)
        if self.framing is Framing.UNTIL_CLOSE and "connection" not in response.headers:
            # Said, so that the recording tells this framing from one that was left open.
            self.headers += (("Connection", "close"),)
        self.outcome: Outcome | None = None
        self.error: str | None = None
        self._held = False

    @property
    def ready(self) -> bool:
        """Whether `read` would return without waiting."""
        tap, decoder = self._tap, self._decoder
        return (
            decoder is None
            or bool(decoder.batch.pieces)
            or decoder.complete
            or tap.lost
            or tap.given_up
            or tap.error is not None
        )

    async def read(self) -> tuple[Batch, Outcome | None]:
        """Take all that has arrived since the last call, waiting until something has.

        With the body's last batch, which may be empty, comes how it ended.
        """
        tap, decoder = self._tap, self._decoder
        if self._held:
            self._held = False
            self._resume()
        while not self.ready:
            await tap.wait()
        if decoder is None or decoder.complete:
            self.outcome = Outcome.COMPLETE
        elif decoder.batch.pieces:
            pass  # what came before a failure is given out before the failure is told
        elif tap.error is not None:
            self.outcome = Outcome.UPSTREAM_CLOSED
            self.error = str(tap.error)
        elif tap.given_up and not tap.lost:
            self.outcome = Outcome.UPSTREAM_TIMEOUT
        else:
            reset = isinstance(tap.lost_with, ConnectionError)
            self.outcome = Outcome.UPSTREAM_RESET if reset else Outcome.UPSTREAM_CLOSED
        if decoder is None:
            return Batch(), self.outcome
        if tap.untaken_bytes > UNTAKEN_LIMIT_BYTES and not tap.lost:
            self._resume()
        tap.untaken_bytes = 0
        return decoder.take(), self.outcome

    def hold(self) -> None:
        """Let nothing more come until the next `read`: who is to take it is slow."""
        handler = self._response.handler
        if handler.tap is self._tap and handler.transport is not None and not self._tap.complete:
            self._held = True
            handler.transport.pause_reading()

    def _resume(self) -> None:
        handler = self._response.handler
        if handler.tap is self._tap and handler.transport is not None:
            handler.transport.resume_reading()

    def close(self) -> None:
        """Let go: at once and for good if the body has not ended, else nothing happens."""
        if self.outcome is not Outcome.COMPLETE:
            self._response.close()


class Upstream:
    """Whom the proxy calls.

    Args:
        base_url: http or https, with a path if need be, without a trailing slash. A user and
            password in it are sent with requests that bring no Authorization of their own.
        connect_timeout_s: how long a connection may take to be made.
        timeout_s: how long an upstream may send nothing at all; 0 for ever.
        tls: how to check an https upstream's certificate; None for the system's way.
    """

    def __init__(
        self,
        base_url: str,
        *,
        connect_timeout_s: float = 30.0,
        timeout_s: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.base_url, self._authorization = _without_credentials(base_url)
        self._patience = UpstreamPatience(timeout_s)
        self._session = aiohttp.ClientSession(
            connector=TappedConnector(limit=0, ssl=tls if tls is not None else True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout_s),
            auto_decompress=False,
            response_class=TappedResponse,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            max_line_size=HEADER_LIMIT_BYTES,
            max_field_size=HEADER_LIMIT_BYTES,
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
        if self._authorization and not any(name.lower() == "authorization" for name, _ in fields):
            fields.append(("Authorization", self._authorization))
        if length is not None:
            fields.append(("Content-Length", str(length)))
        limit_s = self._patience.limit_s or None
        try:
            async with asyncio.timeout(limit_s) as patience:
                if not isinstance(body, bytes) and limit_s is not None:
                    body = _renewing(patience, limit_s, body)
                try:
                    response = await self._request(method, url, fields, body)
                except StaleConnectionError:
                    if not isinstance(body, bytes):
                        raise
                    response = await self._request(method, url, fields, body)
        except TimeoutError as error:
            if not patience.expired():
                raise UpstreamError(self.base_url, _reason(error), _outcome(error)) from error
            reason = f"it sent nothing for {limit_s:g} s"
            raise UpstreamError(self.base_url, reason, Outcome.UPSTREAM_TIMEOUT) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamError(self.base_url, _reason(error), _outcome(error)) from error
        assert isinstance(response, TappedResponse)  # noqa: S101  as response_class says
        self._patience.watch(response.tap)
        return Exchange(response)

    async def _request(
        self,
        method: str,
        url: str,
        fields: list[tuple[str, str]],
        body: bytes | AsyncIterator[bytes],
    ) -> aiohttp.ClientResponse:
        data: object = body or None
        if isinstance(body, bytes) and len(body) > _AT_ONCE_BYTES:
            data = io.BytesIO(body)  # which aiohttp sends piece by piece
        return await self._session.request(
            method,
            URL(url, encoded=True),
            headers=fields,
            data=data,
            allow_redirects=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        self._patience.stop()
        await self._session.close()


async def _renewing(
    patience: asyncio.Timeout, limit_s: float, body: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """A body, each piece of which renews the patience with who takes it."""
    loop = asyncio.get_running_loop()
    async for piece in body:
        yield piece
        patience.reschedule(loop.time() + limit_s)


def _without_credentials(url: str) -> tuple[str, str]:
    """A URL without its user and password, and these as a field's value; empty if it has none."""
    parts = urlsplit(url)
    user_info, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, ""
    coded = base64.b64encode(unquote_to_bytes(user_info)).decode()
    return urlunsplit(parts._replace(netloc=host)), f"Basic {coded}"


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
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        text = f"its certificate is not trusted: {error.certificate_error}"
        return f"{text}; trust its issuer with --upstream-ca FILE"
    if isinstance(error, aiohttp.ClientConnectorError):
        inner = error.os_error
        # asyncio puts the address where a system error's text should be; a failed look-up's
        # number is none of the system's, and its text is its own.
        number = inner.errno or 0
        return os.strerror(number).lower() if number > 0 else inner.strerror or str(inner)
    if isinstance(error, aiohttp.ClientResponseError):
        return f"its response is not HTTP: {error.message}"
    return str(error) or type(error).__name__
