"""500 MB pass in either direction, and the proxy's memory hardly grows."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest
import yaml

from support.command import Serving, serving
from support.wire import connect

SIZE = 500_000_000
BLOCK = bytes(range(256)) * 1024
LIMIT_KB = 64 * 1024


def memory_kb(tape: Serving, field: str) -> int:
    status = Path(f"/proc/{tape.process.pid}/status")
    if not status.exists():
        pytest.skip("memory is read from /proc")
    (line,) = [line for line in status.read_text().splitlines() if line.startswith(field)]
    return int(line.split()[1])


async def sink_or_source(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take a POST's body and say `ok`; answer a GET with a body of the same size."""
    head = await reader.readuntil(b"\r\n\r\n")
    if head.startswith(b"POST"):
        left = SIZE
        while left:
            left -= len(await reader.read(1 << 20))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    else:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        left = SIZE
        while left:
            writer.write(BLOCK[:left])
            left -= min(left, len(BLOCK))
            await writer.drain()
    await writer.drain()
    writer.close()


async def test_a_big_body_passes_in_little_memory(tmp_path: Path):
    server = await asyncio.start_server(sink_or_source, "127.0.0.1", 0, limit=2**20)
    upstream = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    digest = hashlib.sha256()
    async with serving(
        "record", "--upstream", upstream, "--dir", tmp_path, "--cassette", "big"
    ) as tape:
        before_kb = memory_kb(tape, "VmRSS")
        client = await connect(tape.url)
        lines = f"POST /api/blobs/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: {SIZE}\r\n\r\n"
        client.writer.write(lines.encode())
        left = SIZE
        while left:
            block = BLOCK[:left]
            digest.update(block)
            client.writer.write(block)
            left -= len(block)
            await client.writer.drain()
        await client.head()
        assert (await client.rest()).body == b"ok"
        await client.send("GET", "/big")
        await client.head()
        received = 0
        while (data := await client.reader.read(1 << 20)) and received < SIZE:
            received += len(data)
            if received == SIZE:
                break
        client.close()
        assert received == SIZE
        assert memory_kb(tape, "VmHWM") - before_kb < LIMIT_KB
        assert await tape.stop() == 0
    server.close()
    path = tmp_path / "big.yaml"
    with path.open() as file:
        beginning = "".join(next(file) for _ in range(15)).partition("- response")[0]
    (request,) = yaml.safe_load(beginning)["entries"]
    assert (request["sha256"], request["length"]) == (digest.hexdigest(), SIZE)
    path.unlink()
