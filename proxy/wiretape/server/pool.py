"""The connections to one upstream: made when there is none to spare, and kept for a while."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from wiretape.core.addresses import SCHEME_PORTS, is_address
from wiretape.server.clock import monotonic_ns
from wiretape.server.connection import UpstreamConnection
from wiretape.server.tunnel import tunnel_to

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from wiretape.core.addresses import Address
    from wiretape.server.exchange import Exchange

# Shorter than servers keep theirs, for a request must not meet one that is about to be closed:
# uvicorn's and Node's default is five seconds.
_KEEP_S = 4.0
# llama.cpp's closes after each streamed answer, whatever its head says: within 0.1 ms as a rule,
# and within 2.5 ms where far more is to be computed at once than the machine can.
_CLOSING_NS = 10_000_000
_HAPPY_EYEBALLS_S = 0.25  # RFC 8305, section 5


class Pool:
    """The connections to one upstream.

    Args:
        base_url: http or https.
        timeout_s: how long a connection may take to be made.
        tls: how to check an https upstream's certificate; None for an http one.

    Attributes:
        is_own: whether it is this process that is at the other end, too, of a connection from the
            one address to the other.
    """

    def __init__(self, base_url: str, timeout_s: float, tls: ssl.SSLContext | None) -> None:
        parts = urlsplit(base_url)
        self._host = parts.hostname or ""
        self._is_address = is_address(self._host)
        self._port = parts.port or SCHEME_PORTS[parts.scheme]
        self.is_own: Callable[[Address, Address], bool] = lambda _here, _there: False
        self._timeout_s = timeout_s
        self._tls = tls
        self._tunnel = tunnel_to(self._host, self._port) if tls else None
        self._all: set[UpstreamConnection] = set()
        self._idle: dict[UpstreamConnection, int] = {}  # since when, in ns; the latest last
        # Whether connections are kept on which an answer was streamed, as far as has been seen.
        self._keeps_streamed = False
        self._none_left = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def spare(self) -> UpstreamConnection | None:
        """A connection that was kept; the upstream may be about to close it."""
        now_ns = monotonic_ns()
        while (connection := self._latest(now_ns)) is not None:
            since_ns = self._idle.pop(connection)
            if connection.quiet() and now_ns - since_ns < _KEEP_S * 1e9:  # the timer may be late
                return connection
            connection.abort()
        return None

    def _latest(self, now_ns: int) -> UpstreamConnection | None:
        """The one that has been idle for the shortest time of those that may be used."""
        for connection, since_ns in reversed(self._idle.items()):
            fresh = now_ns - since_ns < _CLOSING_NS
            if self._keeps_streamed or not (fresh and connection.streamed):
                return connection
        return None

    async def connect(self) -> UpstreamConnection:
        """A new connection.

        Raises:
            OSError: it cannot be made, or leads back to this process; a TimeoutError if it takes
                too long, an ssl.SSLError if the upstream's certificate is no good.
        """
        loop = asyncio.get_running_loop()
        more: dict[str, Any] = {}
        # An address has nothing to be chosen from, and the choosing takes as long as connecting;
        # uvloop's knows nothing of it.
        if not self._is_address and isinstance(loop, asyncio.BaseEventLoop):
            more["happy_eyeballs_delay"] = _HAPPY_EYEBALLS_S
        async with asyncio.timeout(self._timeout_s):
            if self._tunnel is not None and self._tls is not None:
                connection = await self._tunnel.connect(self._new, self._tls)
            else:
                _, connection = await loop.create_connection(
                    self._new, self._host, self._port, ssl=self._tls, **more
                )
        self._all.add(connection)
        ends = connection.ends
        if ends is not None and self.is_own(*ends):  # each request would come back as another
            connection.abort()
            raise OSError("it is this proxy itself; say where the model is with --upstream")
        return connection

    def _new(self) -> UpstreamConnection:
        return UpstreamConnection(self._freed, self._lost)

    def exchanges(self) -> list[Exchange]:
        """Those that are under way on these connections."""
        return [each.exchange for each in self._all if each.exchange is not None]

    async def close(self) -> None:
        """Close all connections, those in use too."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._none_left.clear()
        for connection in self._all:
            connection.abort()
        if self._all:
            await self._none_left.wait()

    def _freed(self, connection: UpstreamConnection) -> None:
        if connection.reused:
            self._keeps_streamed = True
        self._idle[connection] = monotonic_ns()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_KEEP_S, self._expire)

    def _lost(self, connection: UpstreamConnection) -> None:
        since_ns = self._idle.pop(connection, None)
        fresh = since_ns is not None and monotonic_ns() - since_ns < _CLOSING_NS
        if connection.streamed and (fresh or connection.refused):
            self._keeps_streamed = False
        self._all.discard(connection)
        if not self._all:
            self._none_left.set()

    def _expire(self) -> None:
        """Close what has been idle for too long, and come back when the next one will have been."""
        self._timer = None
        while self._idle:
            connection, since_ns = next(iter(self._idle.items()))
            left_s = _KEEP_S - (monotonic_ns() - since_ns) / 1e9
            if left_s > 0:
                self._timer = asyncio.get_running_loop().call_later(left_s, self._expire)
                break
            del self._idle[connection]
            connection.abort()
