"""The way to an https upstream through the proxy that the environment names (RFC 9110, 9.3.6).

Knows HTTPS_PROXY and NO_PROXY, as urllib does, and CONNECT; nothing of what goes through.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from wiretape.core.addresses import SCHEME_PORTS, Address, ascii_name, is_loopback
from wiretape.server.headers import basic_authorization
from wiretape.server.unreachable import why_unreachable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_Protocol = TypeVar("_Protocol", bound=asyncio.Protocol)

_HEAD_END = b"\r\n\r\n"
_HEAD_LIMIT_BYTES = 64 * 1024
_SHOWN_BYTES = 200
_CREDENTIALS_WANTED = (b"407", b"401")  # the latter from tinyproxy, for wrong ones


class TunnelError(OSError):
    """The proxy on the way does not let the connection through."""


def tunnel_to(host: str, port: int) -> Tunnel | None:
    """The way to a host that speaks TLS; None for the straight one.

    This machine's own names need no proxy, whatever NO_PROXY says.
    """
    proxies = getproxies_environment()
    if "https" not in proxies or is_loopback(host) or proxy_bypass(f"{host}:{port}"):
        return None
    return Tunnel(proxies["https"], host, port)


class Tunnel:
    """A way through a proxy.

    Args:
        proxy_url: the proxy's, with a user and password if it wants them; `http://` may be left
            out.
        host: where to.
        port: where to.
    """

    def __init__(self, proxy_url: str, host: str, port: int) -> None:
        self._proxy: Address | None = None
        user_info = ""
        with suppress(ValueError):  # of what is no URL, as a password with a slash makes it
            parts = urlsplit(proxy_url if "://" in proxy_url else f"http://{proxy_url}")
            user_info = parts.netloc.rpartition("@")[0]
            rest = parts.path.strip("/") or parts.query or parts.fragment
            if parts.scheme == "http" and parts.hostname and not rest:
                self._proxy = Address(parts.hostname, parts.port or SCHEME_PORTS["http"])
        self._host = ascii_name(host)
        target = Address(self._host, port)
        fields = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
        if user_info:
            fields += f"Proxy-Authorization: {basic_authorization(user_info)}\r\n"
        self._request = f"{fields}\r\n".encode()

    async def connect(self, make: Callable[[], _Protocol], tls: ssl.SSLContext) -> _Protocol:
        """Connect, and have a protocol speak TLS with the host at the other end.

        Raises:
            TunnelError: the proxy cannot be reached, or lets nothing through.
            OSError: what TLS and its certificate can fail with.
        """
        loop = asyncio.get_running_loop()
        transport = await self._open(loop)
        protocol = make()
        try:
            secure = await loop.start_tls(transport, protocol, tls, server_hostname=self._host)
        except BaseException:
            transport.abort()
            raise
        protocol.connection_made(cast("asyncio.Transport", secure))
        return protocol

    async def _open(self, loop: asyncio.AbstractEventLoop) -> asyncio.Transport:
        """A connection to the proxy, which the host has been connected to."""
        if self._proxy is None:
            # What it is set to may hold a password, and where that begins cannot be told.
            raise TunnelError(
                "HTTPS_PROXY names no proxy that can be gone through: set it to http://HOST:PORT,"
                " or http://USER:PASSWORD@HOST:PORT with what is special in them percent-encoded"
            )
        try:
            transport, asking = await loop.create_connection(
                lambda: _Asking(loop, self._request), self._proxy.host, self._proxy.port
            )
        except (OSError, UnicodeError) as error:
            raise self._failed(f"cannot be reached: {why_unreachable(error)}") from error
        try:
            line = await asking.answer
        except BaseException as error:
            transport.abort()
            if isinstance(error, OSError):
                raise self._failed("closed the connection without an answer") from error
            raise
        status = line.split(b" ", 2)[1] if b" " in line else b""
        if status != b"200":
            transport.abort()
            shown = line[:_SHOWN_BYTES].decode("ascii", "replace")
            wanted = status in _CREDENTIALS_WANTED
            hint = "; give it as http://USER:PASSWORD@HOST:PORT" if wanted else ""
            raise self._failed(f"answered {shown!r}{hint}")
        return transport

    def _failed(self, how: str) -> TunnelError:
        return TunnelError(f"the proxy {self._proxy}, which HTTPS_PROXY names, {how}")


class _Asking(asyncio.Protocol):
    """Asks a proxy for a connection.

    Attributes:
        answer: the first line of what it says.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, request: bytes) -> None:
        self.answer: asyncio.Future[bytes] = loop.create_future()
        self._request = request
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._head += data
        over = _HEAD_END in self._head or len(self._head) > _HEAD_LIMIT_BYTES
        if over and not self.answer.done():
            self.answer.set_result(self._head.partition(b"\r\n")[0])

    def connection_lost(self, exc: BaseException | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc or ConnectionResetError())
            self.answer.exception()  # or it is logged as nobody's, if who asked has left
