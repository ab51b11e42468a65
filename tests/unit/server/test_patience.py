"""How long others are waited for, on a clock that goes when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from support.clock import Clock
from support.transport import Wire, turns
from wiretape.server.connection import UpstreamConnection
from wiretape.server.exchange import Exchange
from wiretape.server.patience import ClientPatience, UpstreamPatience

LIMIT_S = 20.0
ALMOST_S = LIMIT_S - 1
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock.of_patience(monkeypatch)


class Waiting:
    """An answer of an upstream that is waited for, and watched."""

    def __init__(self, body: AsyncIterator[bytes] | None = None) -> None:
        self.connection = UpstreamConnection(lambda _: None, lambda _: None)
        self.connection.connection_made(Wire())
        if body is None:
            self.exchange = self.connection.begin(b"", skip_body=False)
        else:
            self.exchange = self.connection.begin_upload(b"", body, chunked=True, skip_body=False)
        self.task: asyncio.Task[object] = asyncio.create_task(self.exchange.head())
        self.under_way: list[Exchange] = [self.exchange]
        self.patience = UpstreamPatience(LIMIT_S, lambda: self.under_way)
        self.patience.watch()

    async def says(self, data: bytes) -> None:
        self.connection.data_received(data)
        await self.task
        self.task = asyncio.create_task(self.exchange.read())
        await turns()


async def test_an_upstream_that_is_slow_but_alive_is_never_given_up(clock: Clock):
    waiting = Waiting()
    await turns()
    clock.goes(ALMOST_S)
    await waiting.says(HEAD)
    for _ in range(10):
        clock.goes(ALMOST_S)
        await waiting.says(b"1\r\na\r\n")
    assert not waiting.exchange.given_up
    clock.goes(ALMOST_S)
    assert not waiting.exchange.given_up
    clock.goes(LIMIT_S - ALMOST_S + LIMIT_S / 20)
    assert waiting.exchange.given_up
    await waiting.task


async def test_nobody_is_given_up_while_the_client_does_not_read(clock: Clock):
    waiting = Waiting()
    await turns()
    await waiting.says(HEAD)
    await waiting.says(b"1\r\na\r\n")
    waiting.task.cancel()
    await turns()
    waiting.exchange.listener = lambda: None
    clock.goes(ALMOST_S)
    waiting.exchange.hold()
    clock.goes(10 * LIMIT_S)
    assert not waiting.exchange.given_up
    waiting.exchange.release()
    clock.goes(ALMOST_S)
    assert not waiting.exchange.given_up
    clock.goes(2 * LIMIT_S)
    assert waiting.exchange.given_up


async def test_nobody_is_given_up_while_the_client_owes_a_body(clock: Clock):
    more = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        await more.wait()

    waiting = Waiting(body())
    await turns()
    clock.goes(10 * LIMIT_S)
    assert not waiting.exchange.given_up
    more.set()
    await turns()
    clock.goes(ALMOST_S)
    assert not waiting.exchange.given_up
    clock.goes(2 * LIMIT_S)
    assert waiting.exchange.given_up
    await waiting.task


async def test_an_upstream_that_takes_a_body_slowly_is_waited_for_anew_with_each_piece(
    clock: Clock,
):
    async def body() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"a"

    waiting = Waiting(body())
    waiting.connection.pause_writing()
    await turns()
    for _ in range(9):
        clock.goes(ALMOST_S)
        waiting.connection.resume_writing()
        waiting.connection.pause_writing()
        await turns()
    assert not waiting.exchange.given_up
    clock.goes(2 * LIMIT_S)
    assert waiting.exchange.given_up
    await waiting.task


async def test_it_looks_only_while_something_is_under_way(clock: Clock):
    waiting = Waiting()
    await turns()
    waiting.under_way.clear()
    clock.goes(LIMIT_S)
    assert not clock.timers
    waiting.under_way.append(waiting.exchange)
    waiting.patience.watch()
    clock.goes(ALMOST_S)
    assert not waiting.exchange.given_up
    waiting.patience.watch()
    assert len(clock.timers) == 1
    waiting.patience.stop()
    clock.goes(10 * LIMIT_S)
    assert not waiting.exchange.given_up
    waiting.task.cancel()


async def test_without_a_limit_nobody_looks(clock: Clock):
    UpstreamPatience(0, list).watch()
    assert not clock.timers


class Client:
    """A connection on which nothing is being answered."""

    aborted = False

    def abort(self) -> None:
        self.aborted = True


@pytest.mark.parametrize("limit_s", [LIMIT_S, 6000.0])
async def test_who_asks_nothing_for_too_long_is_closed(limit_s: float, clock: Clock):
    asking, silent = Client(), Client()
    asked = 0
    patience = ClientPatience(limit_s, lambda: [(asking, asked), (silent, 0)])
    patience.begin()
    step_s = min(limit_s / 20, 30.0)
    clock.goes(limit_s)
    assert not silent.aborted
    asked += 1
    clock.goes(step_s)
    assert silent.aborted
    for _ in range(3):
        clock.goes(limit_s - step_s)
        asked += 1
    assert not asking.aborted
    patience.stop()
    clock.goes(10 * limit_s)
    assert not asking.aborted
