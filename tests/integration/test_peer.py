"""What a client has not read is known on the same machine, and admitted not to be elsewhere."""

from __future__ import annotations

import asyncio
import sys

import pytest

from support.wire import PATIENCE_S
from wiretape.server.peer import ReceiveQueues


class Elsewhere(asyncio.Transport):
    """A transport to an address where nobody is."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        addresses = {"sockname": ("127.0.0.1", 1), "peername": ("127.0.0.1", 2)}
        return addresses.get(name, default)


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_the_unread_bytes_of_a_client_on_this_machine_are_known(host: str):
    accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    server = await asyncio.start_server(lambda _, writer: accepted.put_nowait(writer), host, 0)
    reader, client = await asyncio.open_connection(host, server.sockets[0].getsockname()[1])
    writer = await accepted.get()
    queues = ReceiveQueues()
    assert queues.unread_bytes(writer.transport) == 0
    client.transport.pause_reading()
    writer.write(b"x" * 1234)
    assert queues.unread_bytes(writer.transport) == 1234
    client.transport.resume_reading()
    async with asyncio.timeout(PATIENCE_S):
        await reader.readexactly(1234)
    assert queues.unread_bytes(writer.transport) == 0
    queues.close()
    assert queues.unread_bytes(writer.transport) is None
    for each in (client, writer):
        each.close()
        await each.wait_closed()
    server.close()


async def test_nothing_is_known_of_a_client_elsewhere():
    queues = ReceiveQueues()
    assert queues.unread_bytes(Elsewhere()) is None
    queues.close()
