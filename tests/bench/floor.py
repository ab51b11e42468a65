"""The least that a recording proxy on asyncio can be: a floor, and no proxy that anyone could use.

    python tests/bench/floor.py PORT UPSTREAM_PORT FILE

It joins each client to a connection of its own, passes on whatever comes, and writes each read
of the upstream's bytes to a file before the client gets it. It parses nothing, frames nothing,
redacts nothing and handles no failure. What it adds to a chunk's way is what any recorder in
Python adds on the same machine.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from typing import cast


class _Upstream(asyncio.Protocol):
    """The upstream's side of a pair."""

    def __init__(self, client: asyncio.Transport, descriptor: int) -> None:
        self.transport: asyncio.Transport | None = None
        self._client = client
        self._descriptor = descriptor

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        os.write(self._descriptor, f"- {{at: {time.monotonic_ns()}, text: {data!r}}}\n".encode())
        self._client.write(data)

    def connection_lost(self, _: BaseException | None) -> None:
        self._client.close()


class _Client(asyncio.Protocol):
    """A client's side; what it says before there is an upstream waits."""

    def __init__(self, upstream_port: int, descriptor: int) -> None:
        self._upstream_port = upstream_port
        self._descriptor = descriptor
        self._upstream: asyncio.Transport | None = None
        self._waiting = b""
        self._joining: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._joining = asyncio.create_task(self._join(cast("asyncio.Transport", transport)))

    def data_received(self, data: bytes) -> None:
        if self._upstream is None:
            self._waiting += data
        else:
            self._upstream.write(data)

    def connection_lost(self, _: BaseException | None) -> None:
        if self._upstream is not None:
            self._upstream.close()

    async def _join(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        _, upstream = await loop.create_connection(
            lambda: _Upstream(transport, self._descriptor), "127.0.0.1", self._upstream_port
        )
        self._upstream = upstream.transport
        assert self._upstream is not None
        self._upstream.write(self._waiting)


async def serve(port: int, upstream_port: int, descriptor: int) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: _Client(upstream_port, descriptor), "127.0.0.1", port, backlog=4096
    )
    gc.freeze()
    await server.serve_forever()


if __name__ == "__main__":
    journal = os.open(sys.argv[3], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), journal))
