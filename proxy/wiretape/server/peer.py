"""How far what was sent has come: to the other side's machine, and there to its program.

TCP tells a sender what has reached the other side's machine, not what its program has read. Two
streams written one after the other can so be read the other way round. Linux tells the length
of a local socket's receive queue through sock_diag(7), for sockets in the same network
namespace; elsewhere, and for other systems, nothing is known.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import select
import socket
import struct
import sys
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

# From <linux/netlink.h>, <linux/sock_diag.h> and <linux/inet_diag.h>.
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_ANY_STATE = 0xFFFFFFFF
_NO_COOKIE = b"\xff" * 8
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_REQUEST = struct.Struct("=BBBxI")  # family, protocol, extensions, states
_ANSWER_PREFIX = struct.Struct("=BBBB48xII")  # family, state, timer, retrans, id, expires, rqueue
_ANSWER_LIMIT_BYTES = 8192
# Elsewhere than on Linux only that both sides have closed, or that there was a reset, can be seen.
_CLOSED = getattr(select, "POLLRDHUP", 0)
_MAPPED_PREFIX = "::ffff:"


def unsent_bytes(transport: asyncio.WriteTransport) -> int:
    """How much of what was written has not reached the other machine, as far as is known."""
    waiting = transport.get_write_buffer_size()
    sock: socket.socket | None = transport.get_extra_info("socket")
    try:
        raw = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0") if sock else b""
    except (OSError, ValueError):  # which it is where it has been closed under TLS
        return waiting
    return waiting + int.from_bytes(raw, "little")


def has_left(transport: asyncio.BaseTransport) -> bool:
    """Whether the other side has closed, or is gone: seen too while nothing is read from it."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(sock.fileno(), _CLOSED)
    return bool(poll.poll(0))


class ReceiveQueues:
    """Looks at the receive queues of clients, from the first time it is asked to."""

    def __init__(self) -> None:
        self._netlink: socket.socket | None = None
        self._opens = sys.platform == "linux"

    def unread_bytes(self, transport: asyncio.BaseTransport) -> int | None:
        """How much of what the client was sent its program has not read; None if not known."""
        ours, theirs = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if self._opens:
            self._open()
        if self._netlink is None or not ours or not theirs:
            return None
        request = _request(theirs, ours)
        if request is None:
            return None
        try:
            self._netlink.send(request)
            answer = self._netlink.recv(_ANSWER_LIMIT_BYTES)
        except OSError:
            return None
        _, kind, _, _, _ = _HEADER.unpack_from(answer)
        if kind != _SOCK_DIAG_BY_FAMILY:
            return None  # an error: the socket is elsewhere, or gone
        fields = _ANSWER_PREFIX.unpack_from(answer, _HEADER.size)
        return int(fields[-1])

    def _open(self) -> None:
        self._opens = False
        with contextlib.suppress(OSError):
            self._netlink = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG
            )
            self._netlink.settimeout(0)  # the kernel answers within the send

    def close(self) -> None:
        """Let go of the kernel's ear."""
        self._opens = False
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None


@functools.lru_cache(maxsize=256)
def _request(source: tuple[str, int], destination: tuple[str, int]) -> bytes | None:
    """Ask for the socket that is bound to `source` and connected to `destination`."""
    addresses = [source[0], destination[0]]
    if all(address.startswith(_MAPPED_PREFIX) for address in addresses):
        addresses = [address.removeprefix(_MAPPED_PREFIX) for address in addresses]
    family = socket.AF_INET6 if ":" in addresses[0] else socket.AF_INET
    try:
        packed = [socket.inet_pton(family, address).ljust(16, b"\0") for address in addresses]
    except OSError:
        return None
    ports = struct.pack("!HH", source[1], destination[1])
    interface = b"\0" * 4
    identity = ports + packed[0] + packed[1] + interface + _NO_COOKIE
    payload = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, _ANY_STATE) + identity
    length = _HEADER.size + len(payload)
    return _HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0) + payload
