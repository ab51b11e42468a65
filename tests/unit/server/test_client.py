"""A client's connection, fed by hand: what is asked, in which order, and what ends it."""

from __future__ import annotations

import asyncio
import contextlib
import errno

import pytest

from support.transport import Wire, turns
from wiretape.server.client import ClientConnection
from wiretape.server.downstream import Answer, Downstream
from wiretape.server.request import BrokenBodyError, Request, read_body

ASKS = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
LIMIT_BYTES = 1000


class Client:
    """A connection from nowhere whose requests are held until they are let go."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.bodies: list[object] = []
        self.may_go = asyncio.Semaphore(0)
        self.left = 0
        self.connections: set[ClientConnection] = set()
        self.wire = Wire()
        self.connection = ClientConnection(self.handle, self.connections)
        self.connection.connection_made(self.wire)

    async def handle(self, request: Request, downstream: Downstream) -> None:
        self.asked.append(request)
        try:
            self.bodies.append(await read_body(request, LIMIT_BYTES, timeout_s=60))
            await self.may_go.acquire()
        except BrokenBodyError as error:
            self.bodies.append(error)
            downstream.cut()
        except asyncio.CancelledError:
            self.left += 1
            raise
        else:
            downstream.answer(Answer(200, (("Content-Length", "0"),), b""))

    async def says(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.connection.data_received(piece)
        await turns()

    async def answered(self, count: int = 1) -> int:
        """Let some requests go; how many answers there are."""
        for _ in range(count):
            self.may_go.release()
        await turns(10 * count)
        return self.wire.sent.count(b"HTTP/1.1 200")


async def test_one_is_answered_when_the_one_before_is_done():
    client = Client()
    await client.says(ASKS % 1 + ASKS % 2)
    assert [each.target for each in client.asked] == ["/1"]
    assert await client.answered() == 1
    assert [each.target for each in client.asked] == ["/1", "/2"]
    assert client.connection.answering
    assert await client.answered() == 2
    assert not client.connection.answering
    assert client.connection.asked == 2
    assert not client.wire.closed


async def test_an_answer_that_is_still_going_out_is_progress():
    client = Client()
    seen = [client.connection.progress]
    await client.says(ASKS % 1)
    seen.append(client.connection.progress)
    for unsent_bytes in (2000, 1000):
        client.wire.unsent_bytes = unsent_bytes
        seen.append(client.connection.progress)
    assert len(set(seen)) == 4
    assert client.connection.progress == seen[-1]


async def test_no_more_is_read_while_many_wait():
    client = Client()
    await client.says(b"".join(ASKS % number for number in range(10)))
    assert not client.wire.paused
    await client.says(b"".join(ASKS % number for number in range(10, 30)))
    assert client.wire.paused
    assert await client.answered(10) == 10
    assert client.wire.paused
    assert await client.answered(10) == 20
    assert not client.wire.paused
    assert await client.answered(10) == 30


async def test_a_body_bit_by_bit():
    client = Client()
    await client.says(*(BODY[start : start + 1] for start in range(len(BODY))), b"ab", b"c")
    assert not client.bodies
    await client.says(b"d" + ASKS % 2)
    assert client.bodies == [b"abcd"]
    assert await client.answered(2) == 2


async def test_a_body_that_nobody_reads_holds_its_client_back_and_is_passed_over():
    client = Client()
    length = 2_000_000
    head = BODY.replace(b"4", b"%d" % length)
    await client.says(head)
    await client.says(*[b"x" * 50_000] * 20)
    assert client.wire.paused, "it is over the limit, and nobody reads it"
    assert await client.answered() == 1
    assert not client.wire.paused
    await client.says(*[b"x" * 50_000] * 20, ASKS % 2)
    assert await client.answered() == 2


@pytest.mark.parametrize("name", [b"websocket", b"h2c"])
async def test_a_request_for_another_protocol_whose_body_comes_later(name: bytes):
    client = Client()
    upgrade = b"Upgrade: %b\r\nConnection: Upgrade\r\n\r\n" % name
    await client.says(BODY[:-2] + upgrade, b"ab", b"cd")
    assert client.bodies == [b"abcd"]
    assert await client.answered() == 1
    assert client.wire.closed


async def test_a_body_that_turns_out_to_be_none():
    client = Client()
    await client.says(CHUNKED + b"2\r\nab\r\n", b"zz\r\n", ASKS % 2)
    assert isinstance(client.bodies[0], BrokenBodyError)
    assert client.wire.closed
    assert len(client.asked) == 1


async def test_who_has_left_is_answered_no_more():
    client = Client()
    await client.says(ASKS % 1 + ASKS % 2)
    client.connection.connection_lost(None)
    await turns()
    assert client.left == 1
    assert not client.connections
    assert await client.answered() == 0
    assert len(client.asked) == 1


async def test_who_leaves_inside_a_body_is_waited_for_no_more():
    client = Client()
    await client.says(BODY + b"ab")
    client.connection.connection_lost(ConnectionResetError())
    await turns()
    assert client.left == 1
    assert not client.bodies


async def test_a_failure_closes_the_connection():
    async def fail(request: Request, _: Downstream) -> None:
        raise RuntimeError(request.target)

    client = Client()
    connection = ClientConnection(fail, client.connections)
    wire = Wire()
    connection.connection_made(wire)
    connection.data_received(ASKS % 1)
    (task,) = asyncio.all_tasks() - {asyncio.current_task()}
    with contextlib.suppress(RuntimeError):
        await task
    assert wire.closed
    assert not connection.answering


async def test_closing_cancels_what_is_being_answered():
    client = Client()
    await client.says(ASKS % 1)
    client.connection.close()
    await turns()
    assert client.left == 1
    assert client.wire.closed


async def test_a_client_that_resets_while_it_is_refused_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
):
    def reset() -> None:
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    monkeypatch.setattr("wiretape.server.client._LAST_ANSWER_S", 0)
    client = Client()
    monkeypatch.setattr(client.wire, "can_write_eof", lambda: True)
    monkeypatch.setattr(client.wire, "write_eof", reset)
    client.connection.data_received(b"no HTTP\r\n\r\n")
    task = client.connection._task  # noqa: SLF001  nobody else awaits it
    assert task is not None
    await task
    assert client.wire.sent.startswith(b"HTTP/1.1 400")
