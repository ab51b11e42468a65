"""The proxy's side towards the upstream: one request out, one response in, chunk by chunk.

Writes the heads of requests and tells why no response came. Nothing is recorded here.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from wiretape.core.addresses import SCHEME_PORTS, ascii_name
from wiretape.core.model import Headers, Outcome, header
from wiretape.errors import UpstreamError
from wiretape.server.headers import basic_authorization, for_upstream
from wiretape.server.patience import UpstreamPatience
from wiretape.server.pool import Pool
from wiretape.server.tls import trusting
from wiretape.server.unreachable import why_unreachable

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from wiretape.core.addresses import Address
    from wiretape.server.connection import UpstreamConnection
    from wiretape.server.exchange import Exchange

_AT_ONCE_BYTES = 256 * 1024
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE", "CONNECT"})
# Which may be sent again when nobody knows whether they have been served (RFC 9110, 9.2.2).
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_CONNECT_TIMEOUT_S = 30.0


class Upstream:
    """Whom the proxy calls.

    Args:
        base_url: http or https, with a path if need be, without a trailing slash. A user and
            password in it are sent with requests that bring no Authorization of their own.
        timeout_s: how long an upstream may send nothing at all; 0 for ever.
        tls: how to check an https upstream's certificate; None for the system's way.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.base_url, self._authorization = _without_credentials(base_url)
        parts = urlsplit(self.base_url)
        self._path = parts.path
        self._host = host_field(self.base_url)
        # A client sends much the same fields with every request.
        self._fields = functools.lru_cache(maxsize=64)(self._fields_of)
        secure = parts.scheme == "https"
        self._pool = Pool(
            self.base_url, _CONNECT_TIMEOUT_S, (tls or trusting()) if secure else None
        )
        self._patience = UpstreamPatience(timeout_s, self._pool.exchanges)

    async def send(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes | AsyncIterator[bytes],
        *,
        length: int | None = None,
        head_came: Callable[[Exchange], None] | None = None,
    ) -> Exchange:
        """Send a request and wait for the response's head.

        Args:
            method: any.
            target: origin form, appended to the base URL as it stands.
            headers: the client's, all of them.
            body: its bytes, or a stream of them.
            length: a streamed body's length, if known; else it is sent chunked.
            head_came: is called with the response when its head has come, a turn of the event loop
                before this returns.

        Raises:
            UpstreamError: no head came.
        """
        if isinstance(body, bytes):
            length = len(body) if body or method not in _BODILESS else None
        head = self._head(method, target, headers, length, chunked=not isinstance(body, bytes))
        skip_body = method == "HEAD"

        def begin(connection: UpstreamConnection) -> Exchange:
            if isinstance(body, bytes) and len(body) <= _AT_ONCE_BYTES:
                exchange = connection.begin(head + body, skip_body=skip_body)
            else:
                pieces = _pieces(body) if isinstance(body, bytes) else body
                chunked = length is None
                exchange = connection.begin_upload(
                    head, pieces, chunked=chunked, skip_body=skip_body
                )
            exchange.head_came = head_came
            return exchange

        spare = self._pool.spare()
        exchange = begin(spare or await self._connect())
        if await self._headed(exchange):
            return exchange
        # Of a streamed body some has been taken, which could not be sent again.
        repeatable = isinstance(body, bytes) and (exchange.unseen or method in _IDEMPOTENT)
        if spare is None or not repeatable or exchange.began or exchange.given_up:
            raise self._no_head(exchange)
        # It had most likely been closed before it saw the request: a new one will not have been.
        exchange = begin(await self._connect())
        if not await self._headed(exchange):
            raise self._no_head(exchange)
        return exchange

    def avoid(self, is_own: Callable[[Address, Address], bool]) -> None:
        """Call nobody by a connection of which this says that it leads to the caller itself."""
        self._pool.is_own = is_own

    async def close(self) -> None:
        """Close all connections."""
        self._patience.stop()
        await self._pool.close()

    async def _connect(self) -> UpstreamConnection:
        try:
            return await self._pool.connect()
        except (OSError, UnicodeError) as error:  # the latter for a name that no host can have
            outcome = Outcome.UPSTREAM_UNREACHABLE
            raise UpstreamError(self.base_url, why_unreachable(error), outcome) from error

    async def _headed(self, exchange: Exchange) -> bool:
        """Wait for a response's head; if nobody waits any more, nothing more is to come."""
        self._patience.watch()
        try:
            return await exchange.head()
        except BaseException:
            exchange.close()
            raise

    def _no_head(self, exchange: Exchange) -> UpstreamError:
        if exchange.given_up:
            exchange.close()
            reason = f"it sent nothing for {self._patience.limit_s:g} s"
            return UpstreamError(self.base_url, reason, Outcome.UPSTREAM_TIMEOUT)
        reason = exchange.error or "it closed the connection without a response"
        if exchange.loss is Outcome.UPSTREAM_RESET:
            reason = "it reset the connection"
        return UpstreamError(self.base_url, reason, exchange.loss)

    def _head(
        self, method: str, target: str, headers: Headers, length: int | None, *, chunked: bool
    ) -> bytes:
        line = f"{method} {self._path}{target}"
        fields = self._fields(headers)
        if fields is None or "\n" in line or "\r" in line:
            # A client's request has none; one from a cassette can hold anything.
            reason = "the request was not sent: there is a line break in its target or a field"
            raise UpstreamError(self.base_url, reason, Outcome.UPSTREAM_UNREACHABLE)
        framing = b""
        if length is not None:
            framing = b"Content-Length: %d\r\n" % length
        elif chunked:
            framing = b"Transfer-Encoding: chunked\r\n"
        # A target may hold stray bytes.
        coded = line.encode("utf-8", "surrogateescape")
        return b"%b HTTP/1.1\r\n%b%b\r\n" % (coded, fields, framing)

    def _fields_of(self, headers: Headers) -> bytes | None:
        """A client's fields as they are sent on; None if there is a line break in one."""
        fields = for_upstream(headers)
        if self._authorization and header(fields, "authorization") is None:
            fields += (("Authorization", self._authorization),)
        lines = [f"Host: {self._host}", *(f"{name}: {value}" for name, value in fields)]
        if any("\n" in line or "\r" in line for line in lines):
            return None
        text = "\r\n".join((*lines, ""))
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError:
            return text.encode("utf-8", "replace")  # which a hand has put into a cassette


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    """A body that is too large to be copied at once."""
    for start in range(0, len(body), _AT_ONCE_BYTES):
        yield body[start : start + _AT_ONCE_BYTES]


def _without_credentials(url: str) -> tuple[str, str]:
    """A URL without its user and password, and these as a field's value; empty if it has none."""
    parts = urlsplit(url)
    user_info, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, ""
    return urlunsplit(parts._replace(netloc=host)), basic_authorization(user_info)


def host_field(base_url: str) -> str:
    """The upstream's name as Host has it: without the scheme's own port."""
    parts = urlsplit(base_url)
    host, port = parts.netloc, ""
    if parts.port is not None:
        host, _, port = host.rpartition(":")
    host = ascii_name(host)
    own_port = parts.port in {None, SCHEME_PORTS.get(parts.scheme)}
    return host if own_port else f"{host}:{port}"
