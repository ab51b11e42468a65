"""A client that leaves in the very turn of the event loop in which its answer begins."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from support.downstream import Client
from support.transport import Wire, turns
from wiretape.core.model import EMPTY_BODY
from wiretape.errors import JournalError
from wiretape.server.connection import UpstreamConnection
from wiretape.server.forwarder import Forwarder, Incoming
from wiretape.server.interaction import Unrecorded
from wiretape.server.request import StreamedBody

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from wiretape.core.model import Body, Outcome

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK, LAST = b"1\r\na\r\n", b"0\r\n\r\n"


class Record(Unrecorded):
    """Notes what it is told; fails at the first chunk if it is to."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.failure: Exception | None = None

    def begin(self, *_: Any, **__: Any) -> Record:
        return self

    def head(self, status: int, _: Any) -> None:
        self.told.append(status)

    def chunk(self, data: bytes) -> None:
        self.chunks([(data, False)])

    def chunks(self, pieces: Any, outcome: Outcome | None = None) -> None:
        if self.failure is not None:
            raise self.failure
        self.told += [data for data, _ in pieces]
        if outcome is not None:
            self.told.append(outcome.value)

    def client_left(self) -> None:
        self.told.append("left")


class Upload(StreamedBody):
    """A body of which nothing more comes."""

    declared_length, failure = 1, None

    def __init__(self) -> None:
        pass

    def body(self) -> Body:
        return EMPTY_BODY


class Asked:
    """A request that has been sent on, and both of its ends."""

    def __init__(self, *, keeps_reading: bool, body: Any = b"{}") -> None:
        self.record, self.client, self.wire = Record(), Client(), Wire()
        self.connection = UpstreamConnection(lambda _: None, lambda _: None)
        self.connection.connection_made(self.wire)
        self.readings: list[asyncio.Task[None]] = []
        parts: Any = (self.client, self.record, self.take_over if keeps_reading else None)
        upstream: Any = self
        forward = Forwarder(upstream).forward(Incoming("POST", "/", (), body), *parts)
        self.task = asyncio.create_task(forward)

    async def send(self, *_: Any, head_came: Any, **__: Any) -> object:
        """In the place of an `Upstream`."""
        exchange = self.connection.begin(b"", skip_body=False)
        exchange.head_came = head_came
        try:
            await exchange.head()
        except asyncio.CancelledError:
            exchange.close()
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)
            raise
        return exchange

    def take_over(self, reading: Coroutine[None, None, None], _: Callable[[], None]) -> None:
        self.readings.append(asyncio.create_task(reading))

    async def left_with(self, data: bytes) -> None:
        """The client leaves as this comes."""
        await turns()
        self.connection.data_received(data)
        self.task.cancel()
        await turns()
        assert self.task.cancelled()


@pytest.mark.parametrize("beginning", [HEAD, HEAD + CHUNK])
async def test_what_is_read_on_is_recorded_once(beginning: bytes):
    asked = Asked(keeps_reading=True)
    await asked.left_with(beginning)
    for data in (CHUNK, LAST):
        asked.connection.data_received(data)
    async with asyncio.timeout(5):
        await asked.readings[0]
    chunks = beginning.count(CHUNK) + 1
    assert asked.record.told == [200, *chunks * [b"a"], "complete", "left"]
    assert asked.client.sent == b"HEAD " + beginning.removeprefix(HEAD)


async def test_an_answer_that_begins_after_its_client_has_left_is_for_the_record_alone():
    asked = Asked(keeps_reading=True)
    await asked.left_with(b"")
    for data in (HEAD + CHUNK, CHUNK, LAST):
        asked.connection.data_received(data)
    async with asyncio.timeout(5):
        await asked.readings[0]
    assert asked.record.told == [200, b"a", b"a", "complete", "left"]
    assert asked.client.sent == b""


@pytest.mark.parametrize("head", [HEAD, b"HTTP/1.1 200 OK\r\n\r\npart"])
async def test_an_upload_that_breaks_off_as_its_answer_begins_is_not_read_on(head: bytes):
    asked = Asked(keeps_reading=True, body=Upload())
    await asked.left_with(head)
    assert asked.wire.closed
    assert not asked.readings
    assert asked.record.told[-1] == "left"
    assert not {"complete", "upstream_closed"} & {*asked.record.told}


async def test_what_is_not_read_on_is_let_go():
    asked = Asked(keeps_reading=False)
    await asked.left_with(HEAD + CHUNK)
    assert asked.record.told == [200, b"a", "left"]
    assert asked.wire.closed


@pytest.mark.parametrize("keeps_reading", [False, True])
async def test_a_whole_answer_needs_no_reading(*, keeps_reading: bool):
    asked = Asked(keeps_reading=keeps_reading)
    await asked.left_with(HEAD + CHUNK + LAST)
    assert asked.record.told == [200, b"a", "complete", "left"]
    assert not asked.readings
    assert not asked.wire.closed


@pytest.mark.parametrize("keeps_reading", [False, True])
async def test_an_answer_that_cannot_be_recorded_is_not_read(
    *, keeps_reading: bool, tmp_path: Path
):
    asked = Asked(keeps_reading=keeps_reading)
    asked.record.failure = JournalError(tmp_path, "the disk is full")
    await asked.left_with(HEAD + CHUNK)
    assert not asked.readings
    assert asked.wire.closed
    assert asked.client.sent == b""
