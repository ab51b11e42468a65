"""Passing an answer on, with a client whose socket is full when the test says so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.transport import Wire
from wiretape.server.connection import UpstreamConnection
from wiretape.server.interaction import Unrecorded
from wiretape.server.relay import Relay

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Client:
    """In the place of a `Downstream`."""

    chunked = True
    last_chunk = b"0\r\n\r\n"

    def __init__(self) -> None:
        self.sent = b""
        self.reads = asyncio.Event()
        self.reads.set()
        self.full_with_next = False

    @property
    def paused(self) -> bool:
        return not self.reads.is_set()

    def write_head(self, *_: Any, **__: Any) -> bytes:
        return b"HEAD "

    def write(self, data: bytes) -> None:
        self.sent += data
        if self.full_with_next:
            self.reads.clear()

    async def drain(self) -> None:
        await self.reads.wait()


class Failing(Unrecorded):
    """A record that fails once, after some chunks."""

    failed = False

    def __init__(self, taken: int) -> None:
        self.taken = taken

    def chunk(self, _: bytes) -> None:
        self.chunks()

    def chunks(self, *_: Any) -> None:
        self.taken -= 1
        if not self.failed and self.taken < 0:
            self.failed = True
            raise ValueError("a bug")


class Passage:
    """An answer that is passed on, and both of its ends."""

    def __init__(self, record: Unrecorded) -> None:
        self.client = Client()
        self.wire = Wire()
        self.upstream = UpstreamConnection(lambda _: None, lambda _: None)
        self.upstream.connection_made(self.wire)
        client: Any = self.client
        relay = Relay(client, record)
        self.upstream.begin(b"", skip_body=False).head_came = relay.begin
        self.upstream.data_received(HEAD)
        self.task = asyncio.create_task(relay.run())

    async def turns(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def reads_on(self) -> None:
        """The client has read all, and has room for what is to come."""
        self.client.full_with_next = False
        self.client.reads.set()
        await self.turns()
        assert not self.wire.paused


async def test_a_client_that_has_read_by_the_time_somebody_looks_gets_the_rest():
    passage = Passage(Unrecorded())
    await passage.turns()
    passage.client.full_with_next = True
    passage.upstream.data_received(b"1\r\na\r\n")
    assert passage.wire.paused
    await passage.reads_on()  # in the same turn of the loop
    passage.upstream.data_received(b"1\r\nb\r\n0\r\n\r\n")
    async with asyncio.timeout(5):
        await passage.task
    assert passage.client.sent == b"HEAD 1\r\na\r\n1\r\nb\r\n0\r\n\r\n"


async def test_a_slow_client_gets_the_rest_when_it_reads_again():
    passage = Passage(Unrecorded())
    await passage.turns()
    passage.client.full_with_next = True
    passage.upstream.data_received(b"1\r\na\r\n")
    await passage.turns()
    assert passage.wire.paused
    await passage.reads_on()
    passage.upstream.data_received(b"0\r\n\r\n")
    async with asyncio.timeout(5):
        await passage.task


@pytest.mark.parametrize(("taken", "sent"), [(0, b"HEAD "), (2, b"HEAD 1\r\na\r\n1\r\nb\r\n")])
async def test_after_a_failure_nothing_more_is_passed_on(taken: int, sent: bytes):
    passage = Passage(Failing(taken))
    await passage.turns()
    for chunk in (b"a", b"b", b"c", b"d"):
        passage.upstream.data_received(b"1\r\n%b\r\n" % chunk)
    with pytest.raises(ValueError, match="a bug"):
        await passage.task
    assert passage.client.sent == sent


@pytest.mark.parametrize("before", [0, 1, 2])
async def test_nothing_more_comes_while_a_client_is_slow_whichever_chunk_fills_its_socket(before):
    passage = Passage(Unrecorded())
    await passage.turns()
    for _ in range(before):
        passage.upstream.data_received(b"1\r\n-\r\n")
    assert not passage.wire.paused
    passage.client.full_with_next = True
    passage.upstream.data_received(b"1\r\na\r\n")
    assert passage.wire.paused
    passage.upstream.data_received(b"1\r\nb\r\n")  # as TLS has it that was read already
    passage.upstream.data_received(b"1\r\nc\r\n")
    whole = b"HEAD " + before * b"1\r\n-\r\n"
    assert passage.client.sent == whole + b"1\r\na\r\n"
    await passage.reads_on()
    passage.upstream.data_received(b"1\r\nd\r\n0\r\n\r\n")
    async with asyncio.timeout(5):
        await passage.task
    expected = b"".join(b"1\r\n%c\r\n" % each for each in b"abcd")
    assert passage.client.sent == whole + expected + b"0\r\n\r\n"
