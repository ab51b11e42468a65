"""An upstream on a real socket that does what a script says, to the byte.

A script is a list of steps: bytes are sent as one write; `Gate` waits until the test opens it;
`CLOSE` and `RESET` end the connection. Without one of these the connection is kept alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

CLOSE = "close"
RESET = "reset"


class Gate(asyncio.Event):
    """A step that waits until the test calls `set()`."""


Step = bytes | str | Gate
Script = Sequence[Step]


@dataclass
class Seen:
    """A request as the upstream got it."""

    method: str
    target: str
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        match = re.search(rf"(?im)^{re.escape(name)}:[ \t]*(.*?)\r?$", self.head.decode("latin-1"))
        return match[1] if match else None


@dataclass
class ScriptedUpstream:
    """Scripts are used up in order of the requests; the last one stays."""

    scripts: list[Script | Callable[[Seen], Script]]
    seen: list[Seen] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    client_left: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read_request(reader)) is not None:
                self.seen.append(request)
                self.asked.set()
                script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                if callable(script):
                    script = script(request)
                if not await self._perform(script, reader, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            self.client_left.set()
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()

    async def _perform(
        self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        for step in script:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif isinstance(step, Gate):
                await self._wait(step, reader)
            elif step == RESET:
                reset(writer)
                return False
            else:
                return False
        return True

    async def _wait(self, gate: Gate, reader: asyncio.StreamReader) -> None:
        opened = asyncio.ensure_future(gate.wait())
        left = asyncio.ensure_future(reader.read(1))
        done, pending = await asyncio.wait({opened, left}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if left in done and opened not in done:
            self.client_left.set()
            raise ConnectionResetError


def reset(writer: asyncio.StreamWriter) -> None:
    """Reset a connection at once, whatever is still to be sent on it."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.asynccontextmanager
async def scripted_upstream(
    *scripts: Script | Callable[[Seen], Script],
) -> AsyncIterator[ScriptedUpstream]:
    upstream = ScriptedUpstream(list(scripts))
    server = await asyncio.start_server(upstream.connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    upstream.url = f"http://127.0.0.1:{port}"
    try:
        yield upstream
    finally:
        server.close()


async def _read_request(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    seen = Seen(method, target, head, b"")
    if "chunked" in (seen.header("Transfer-Encoding") or ""):
        while (size := int(await reader.readline(), 16)) > 0:
            seen.body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    else:
        seen.body = await reader.readexactly(int(seen.header("Content-Length") or 0))
    return seen


def head(status: str, *fields: str) -> bytes:
    """A response head: `head("200 OK", "Content-Type: text/plain")`."""
    return "\r\n".join((f"HTTP/1.1 {status}", *fields, "\r\n")).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST = b"0\r\n\r\n"
SSE_HEAD = head("200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
