"""Passing an answer on, with a client whose socket is full when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.downstream import Client
from support.transport import Wire, turns
from wiretape.core.model import Outcome
from wiretape.server.connection import UpstreamConnection
from wiretape.server.interaction import Unrecorded
from wiretape.server.relay import Relay

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"


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


class Noting(Unrecorded):
    """A record that keeps what it is told, and whether the head was journalled."""

    def __init__(self) -> None:
        self.pieces: list[tuple[bytes, bool]] = []
        self.outcomes: list[Outcome] = []
        self.flushed = False

    def flush(self) -> None:
        self.flushed = True

    def chunk(self, data: bytes) -> None:
        self.chunks([(data, False)])

    def chunks(self, pieces: Sequence[tuple[bytes, bool]], outcome: Outcome | None = None) -> None:
        self.pieces += pieces
        if outcome is not None:
            self.outcomes.append(outcome)

    def whole_chunks(self) -> list[bytes]:
        chunks, goes_on = [], False
        for data, part in self.pieces:
            chunks.append(chunks.pop() + data if goes_on else data)
            goes_on = part
        return chunks


class Passage:
    """An answer that is passed on, and both of its ends."""

    def __init__(self, record: Unrecorded, *, chunked: bool = True) -> None:
        self.client = Client()
        self.client.chunked = chunked
        self.wire = Wire()
        self.upstream = UpstreamConnection(lambda _: None, lambda _: None)
        self.upstream.connection_made(self.wire)
        client: Any = self.client
        relay = Relay(client, record)
        self.upstream.begin(b"", skip_body=False).head_came = relay.begin
        self.upstream.data_received(HEAD)
        self.task = asyncio.create_task(relay.run())

    async def reads_on(self) -> None:
        """The client has read all, and has room for what is to come."""
        self.client.full_with_next = False
        self.client.reads.set()
        await turns()
        assert not self.wire.paused


async def passed(
    reads: Sequence[bytes], record: Unrecorded, *, chunked: bool = True
) -> list[bytes]:
    """What a client has after each read of an answer, whose head comes before them."""
    passage = Passage(record, chunked=chunked)
    await turns()
    sent = []
    for data in reads:
        passage.upstream.data_received(data)
        sent.append(passage.client.sent)
    async with asyncio.timeout(5):
        await passage.task
    assert passage.client.sent == sent[-1]
    return sent


def passable(wire: bytes, size_lines: Sequence[bytes], chunks: Sequence[bytes]) -> bytes:
    """What of an answer's beginning is passed on: all but a size that has not come to its end."""
    start = 0
    for size_line, chunk in zip(size_lines, chunks, strict=True):
        if start < len(wire) < start + len(size_line):
            return wire[:start]
        start += len(size_line) + len(chunk) + 2
    return wire if wire.endswith(LAST) or len(wire) < start else wire[:start]


@given(st.data(), st.lists(st.binary(min_size=1, max_size=40), max_size=6))
def test_bytes_and_boundaries_are_the_upstreams_however_the_reads_fall(
    data: st.DataObject, chunks: list[bytes]
):
    size_lines = [b"%x\r\n" % len(chunk) for chunk in chunks]
    wire = b"".join(map(b"%b%b\r\n".__mod__, zip(size_lines, chunks, strict=True))) + LAST
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=2 * len(chunks) + 2).map(sorted))
    ends = sorted({*cuts, len(wire)} - {0})
    record = Noting()
    sent = asyncio.run(passed([wire[start:end] for start, end in pairwise([0, *ends])], record))
    assert sent == [b"HEAD " + passable(wire[:end], size_lines, chunks) for end in ends]
    assert record.whole_chunks() == chunks
    assert record.outcomes == [Outcome.COMPLETE]


@pytest.mark.parametrize("closing", [[b"1\r\na", b"\r\n"], [b"1\r\na\r", b"\n"]])
async def test_a_chunks_end_that_comes_by_itself_does_not_wait_for_the_next(closing: list[bytes]):
    reads = [*closing, b"1\r\nb\r\n", LAST]
    assert await passed(reads, Unrecorded()) == [*accumulate([b"HEAD ", *reads])][1:]


async def test_a_client_that_knows_no_chunks_gets_the_bytes_alone():
    reads = [b"1\r\na\r\n", b"1\r\nb", b"\r\n", LAST]
    sent = await passed(reads, Unrecorded(), chunked=False)
    assert [*sent[:3], sent[3].removesuffix(LAST)] == [b"HEAD a", *3 * [b"HEAD ab"]]


async def test_a_chunk_that_is_longer_than_it_says_is_not_passed_on():
    passage = Passage(Unrecorded())
    await turns()
    passage.upstream.data_received(b"1\r\naXY")
    await turns()
    assert passage.upstream.exchange is None
    assert b"XY" not in passage.client.sent
    passage.task.cancel()


async def test_after_the_end_nothing_is_passed_on():
    record = Noting()
    passage = Passage(record)
    await turns()
    exchange = passage.upstream.exchange
    assert exchange is not None
    exchange.give_up()
    passage.upstream.data_received(b"1\r\na\r\n")
    assert record.outcomes == [Outcome.UPSTREAM_TIMEOUT]
    assert (record.pieces, passage.client.sent) == ([], b"HEAD ")
    passage.task.cancel()


async def test_a_chunk_by_itself_ends_the_upstreams_silence():
    passage = Passage(Unrecorded())
    await turns()
    exchange = passage.upstream.exchange
    assert exchange is not None
    before = exchange.silence
    passage.upstream.data_received(b"1\r\na\r\n")
    assert exchange.silence != before
    passage.task.cancel()


async def test_a_head_that_comes_alone_is_recorded_before_it_is_passed_on():
    record = Noting()
    passage = Passage(record)
    assert passage.client.sent == b"HEAD "
    assert record.flushed
    passage.task.cancel()


async def test_a_client_that_has_read_by_the_time_somebody_looks_gets_the_rest():
    passage = Passage(Unrecorded())
    await turns()
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
    await turns()
    passage.client.full_with_next = True
    passage.upstream.data_received(b"1\r\na\r\n")
    await turns()
    assert passage.wire.paused
    await passage.reads_on()
    passage.upstream.data_received(b"0\r\n\r\n")
    async with asyncio.timeout(5):
        await passage.task


@pytest.mark.parametrize(("taken", "sent"), [(0, b"HEAD "), (2, b"HEAD 1\r\na\r\n1\r\nb\r\n")])
async def test_after_a_failure_nothing_more_is_passed_on(taken: int, sent: bytes):
    passage = Passage(Failing(taken))
    await turns()
    for chunk in (b"a", b"b", b"c", b"d"):
        passage.upstream.data_received(b"1\r\n%b\r\n" % chunk)
    with pytest.raises(ValueError, match="a bug"):
        await passage.task
    assert passage.client.sent == sent


@pytest.mark.parametrize("before", [0, 1, 2])
async def test_nothing_more_comes_while_a_client_is_slow_whichever_chunk_fills_its_socket(before):
    passage = Passage(Unrecorded())
    await turns()
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
