"""Listening: an address, and the connections that clients make to it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from typing import TYPE_CHECKING

from wiretape.core.addresses import is_any, is_loopback, same_family
from wiretape.server.client import ClientConnection

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from wiretape.core.addresses import Address
    from wiretape.server.client import Handle

_log = logging.getLogger(__name__)

_BACKLOG = 4096
_AT_ONCE = 64  # in each turn of the event loop, so that streams under way go on meanwhile
_RETRY_S = 1.0
_STEP_S = 0.005
_STEPS = 100
# asyncio would cut off who has not taken all and closed by then. `ClientPatience` sees to who takes
# nothing, and `close` to who is still there at the end.
_TLS_CLOSE_S = 24 * 60 * 60.0


class Listener:
    """The server that a proxy listens with.

    It accepts by itself, for asyncio, once no more files can be open, tries as often as its backlog
    is long, has a traceback logged each time, and goes on after the end.

    Args:
        handle: answers one request.
    """

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._connections: set[ClientConnection] = set()
        self._stopped = False
        self._loop = asyncio.get_running_loop()
        self._tls: ssl.SSLContext | None = None
        self._sockets: list[socket.socket] = []
        self._beginning: set[asyncio.Task[None]] = set()
        self._retries: set[asyncio.TimerHandle] = set()
        self._said = False

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Begin to listen, and return the port: the given one, or for 0 any free one.

        Raises:
            OSError: it cannot listen there.
        """
        self._tls = tls
        # What all a name stands for, and how it is bound, asyncio knows.
        bound = await self._loop.create_server(asyncio.Protocol, host, port, start_serving=False)
        try:
            for each in bound.sockets:
                self._listen(each.dup())
        except OSError:
            self.stop()
            raise
        finally:
            bound.close()
        own_port: int = self._sockets[0].getsockname()[1]
        return own_port

    def takes(self, here: Address, there: Address) -> bool:
        """Whether it is this listener that has taken a connection from one address to another.

        Where it listens on all of this machine's addresses, the system has chosen the address that
        it goes to as the one that it comes from, but for loopback ones.
        """
        host = there.host.removeprefix("::ffff:")  # IPv4, in IPv6's notation
        to_itself = here.host == there.host or (is_loopback(here.host) and is_loopback(host))
        for each in self._sockets:
            own_host, own_port = each.getsockname()[:2]
            if own_port == there.port and same_family(host, own_host):
                return own_host == host or (is_any(own_host) and to_itself)
        return False

    def idle(self) -> list[tuple[ClientConnection, object]]:
        """The connections on which nothing is being answered, as `ClientPatience` wants them."""
        return [(each, each.progress) for each in self._connections if not each.answering]

    def stop(self) -> None:
        """Take no more connections, and no more requests on those that there are."""
        self._stopped = True
        for retry in self._retries:
            retry.cancel()
        while self._sockets:
            each = self._sockets.pop()
            self._loop.remove_reader(each)
            each.close()
        for connection in list(self._connections):
            connection.retire()

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

    def _listen(self, bound: socket.socket) -> None:
        self._sockets.append(bound)
        bound.settimeout(0)
        # Connections have it from there: a client whose machine is gone is found out.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        bound.listen(_BACKLOG)
        self._loop.add_reader(bound, self._accept, bound)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._wait_for_room(listening, error)
                return
            task = self._loop.create_task(self._begin(accepted))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    async def _begin(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client has left, or does not agree on TLS
            await self._loop.connect_accepted_socket(
                self._connect,
                accepted,
                ssl=self._tls,
                ssl_shutdown_timeout=None if self._tls is None else _TLS_CLOSE_S,
            )

    def _connect(self) -> ClientConnection:
        return ClientConnection(self._handle, self._connections, lambda: self._stopped)

    def _wait_for_room(self, listening: socket.socket, error: OSError) -> None:
        """Leave those that wait in the kernel, which would go on telling of them, for a while."""
        self._loop.remove_reader(listening)

        def retry() -> None:
            self._retries.discard(timer)
            self._loop.add_reader(listening, self._accept, listening)

        timer = self._loop.call_later(_RETRY_S, retry)
        self._retries.add(timer)
        if not self._said:
            self._said = True
            hint = "; raise the limit with ulimit -n" if error.errno == errno.EMFILE else ""
            _log.error(
                "no more connections can be taken until others are closed: %s%s",
                os.strerror(error.errno or 0).lower(),
                hint,
            )
