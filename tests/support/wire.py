"""A client that sees the wire: chunk boundaries and endings as no HTTP library shows them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

# Long enough for any machine; a test that waits this long has failed already.
PATIENCE_S = 20.0


@dataclass
class Answer:
    """A response as it stood on the wire.

    `ending`: "complete", "closed" (EOF before the body was whole) or "reset".
    """

    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    ending: str = "open"
    kept_alive: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def end_to_end(self) -> list[tuple[str, str]]:
        """The fields that a proxy must keep, less wiretape's own."""
        own = {"connection", "keep-alive", "transfer-encoding"}
        return [
            (key, value)
            for key, value in self.headers
            if key.lower() not in own and not key.lower().startswith("wiretape-")
        ]

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One connection to a server, for one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.answer = Answer()
        self._method = ""
        self._left = 0
        self._kind = ""

    async def send(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        fields = {"Host": "localhost", **(headers or {})}
        if body and "Transfer-Encoding" not in fields:
            fields.setdefault("Content-Length", str(len(body)))
        lines = [f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items()), "\r\n"]
        self._method = method
        self.writer.write("\r\n".join(lines).encode("latin-1") + body)
        await self.writer.drain()

    async def head(self) -> Answer:
        """Read up to the end of the response's head."""
        self.answer = answer = Answer()
        try:
            async with asyncio.timeout(PATIENCE_S):
                raw = b"HTTP/1.1 1"
                while raw.startswith(b"HTTP/1.1 1"):  # interim responses are each hop's own
                    raw = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            answer.ending = "closed"
            return answer
        except ConnectionResetError:
            answer.ending = "reset"
            return answer
        status_line, *fields = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        _, status, answer.reason = status_line.split(" ", 2)
        answer.status = int(status)
        answer.headers = [
            (name, value.strip()) for name, _, value in (each.partition(":") for each in fields)
        ]
        self._frame(answer)
        return answer

    def _frame(self, answer: Answer) -> None:
        if self._method == "HEAD" or answer.status in {204, 304}:
            self._kind, answer.ending = "none", "complete"
        elif "chunked" in (answer.header("Transfer-Encoding") or ""):
            self._kind = "chunked"
        elif (length := answer.header("Content-Length")) is not None:
            self._kind, self._left = "length", int(length)
            if not self._left:
                answer.ending = "complete"
        else:
            self._kind = "close"

    async def chunk(self) -> bytes | None:
        """The next chunk (chunked), or what the next read brings; None at the end."""
        answer = self.answer
        if answer.ending != "open":
            return None
        try:
            async with asyncio.timeout(PATIENCE_S):
                data = await self._next()
        except asyncio.IncompleteReadError as error:
            answer.ending = "closed"
            if error.partial:
                answer.chunks.append(error.partial)
            return None
        except ConnectionResetError:
            answer.ending = "reset"
            return None
        if data is not None:
            answer.chunks.append(data)
        return data

    async def _next(self) -> bytes | None:
        answer = self.answer
        if self._kind == "chunked":
            size = int((await self.reader.readuntil(b"\r\n")).partition(b";")[0], 16)
            if size == 0:
                await self.reader.readuntil(b"\r\n")
                answer.ending = "complete"
                return None
            data = await self.reader.readexactly(size)
            await self.reader.readexactly(2)
            return data
        data = await self.reader.read(self._left or 65536)
        if self._kind == "length":
            self._left -= len(data)
            if not data:
                answer.ending = "closed"
            elif not self._left:
                answer.ending = "complete"
            return data or None
        if not data:
            answer.ending = "complete"
        return data or None

    async def rest(self) -> Answer:
        """Read to the end."""
        while await self.chunk() is not None:
            pass
        return self.answer

    def close(self) -> None:
        self.writer.close()


async def connect(url: str) -> Connection:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return Connection(*await asyncio.open_connection(parts.hostname, parts.port, limit=2**20))


async def ask(
    url: str,
    method: str,
    target: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> Answer:
    """One request on a connection of its own, read to its end."""
    connection = await connect(url)
    try:
        await connection.send(method, target, body, headers)
        await connection.head()
        return await connection.rest()
    finally:
        connection.close()
        with contextlib.suppress(ConnectionError):
            await connection.writer.wait_closed()


async def ask_json(url: str, target: str, payload: Any) -> Answer:
    """POST JSON."""
    body = json.dumps(payload).encode()
    return await ask(url, "POST", target, body, {"Content-Type": "application/json"})
