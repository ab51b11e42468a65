"""Listening: an address, and the connections that clients make to it."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from wiretape.server.client import ClientConnection

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from wiretape.server.client import Handle

_BACKLOG = 4096
_STEP_S = 0.005
_STEPS = 100
# asyncio would cut off who has not taken all and closed by then. `ClientPatience` sees to who takes
# nothing, and `close` to who is still there at the end.
_TLS_CLOSE_S = 24 * 60 * 60.0


class Listener:
    """The server that a proxy listens with.

    Args:
        handle: answers one request.
    """

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._connections: set[ClientConnection] = set()
        self._stopped = False
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Begin to listen, and return the port: the given one, or for 0 any free one.

        Raises:
            OSError: it cannot listen there.
        """
        self._server = await asyncio.get_running_loop().create_server(
            self._connect,
            host,
            port,
            ssl=tls,
            ssl_shutdown_timeout=None if tls is None else _TLS_CLOSE_S,
            backlog=_BACKLOG,
        )
        for each in self._server.sockets:
            # Connections have it from there: a client whose machine is gone is found out.
            each.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        own_port: int = self._server.sockets[0].getsockname()[1]
        return own_port

    def idle(self) -> list[tuple[ClientConnection, object]]:
        """The connections on which nothing is being answered, as `ClientPatience` wants them."""
        return [(each, each.progress) for each in self._connections if not each.answering]

    def stop(self) -> None:
        """Take no more connections, and no more requests on those that there are."""
        self._stopped = True
        if self._server is not None:
            self._server.close()
        for each in list(self._connections):
            each.retire()

    async def close(self, waits: Callable[[], bool] = lambda: False) -> None:
        """Stop, and close all connections; what was written has a moment to be sent.

        Args:
            waits: whether clients that have not read all of their answers have more than that.
        """
        self.stop()
        for each in list(self._connections):
            each.close()
        steps = 0
        while self._connections and (steps < _STEPS or (self._unread() and waits())):
            await asyncio.sleep(_STEP_S)
            steps += 1
        for each in list(self._connections):
            each.abort()

    def _unread(self) -> bool:
        return any(each.unsent_bytes for each in self._connections)

    def _connect(self) -> ClientConnection:
        return ClientConnection(self._handle, self._connections, lambda: self._stopped)
