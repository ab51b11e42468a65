"""Beginning by turns: how many begin in one, in which order, and that all of them do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.transport import turns
from wiretape.core.model import Mode
from wiretape.server.app import App
from wiretape.server.settings import Settings
from wiretape.server.turns import Turns


class Burst:
    """Many that ask to begin at the same moment."""

    def __init__(self, count: int) -> None:
        self.turns = Turns()
        self.begun: list[int] = []
        self.tasks = [asyncio.create_task(self.begin(number)) for number in range(count)]

    async def begin(self, number: int) -> None:
        await self.turns.wait()
        self.begun.append(number)

    async def begins_in_each_turn(self) -> list[int]:
        """How many begin in each turn of the loop, up to the last of them."""
        counts = []
        while len(self.begun) < sum(not task.cancelled() for task in self.tasks):
            before = len(self.begun)
            await asyncio.sleep(0)
            counts.append(len(self.begun) - before)
        return counts


async def test_a_few_begin_at_once():
    burst = Burst(8)
    assert await burst.begins_in_each_turn() == [8]


async def test_of_many_some_begin_in_each_turn_and_none_is_left_out():
    burst = Burst(200)
    counts = await burst.begins_in_each_turn()
    assert burst.begun == list(range(200))
    assert max(counts) == (200 - 8) // 8
    assert len(counts) < 40


async def test_who_comes_while_others_wait_does_not_overtake_them():
    for count in (12, 20):  # the last of whom wait for the next turn, or for one after that
        burst = Burst(count)
        await asyncio.sleep(0)
        await asyncio.gather(asyncio.create_task(burst.begin(count)), *burst.tasks)
        assert burst.begun == list(range(count + 1))


async def test_who_leaves_while_it_waits_holds_nobody_up():
    burst = Burst(30)
    await asyncio.sleep(0)
    for task in burst.tasks[10:25]:
        task.cancel()
    await burst.begins_in_each_turn()
    assert burst.begun == [*range(10), *range(25, 30)]


async def test_after_a_burst_one_begins_at_once():
    burst = Burst(100)
    await burst.begins_in_each_turn()
    await turns(3)
    late = asyncio.create_task(burst.begin(100))
    await asyncio.sleep(0)
    assert late.done()


async def test_requests_are_handled_by_turns(monkeypatch: pytest.MonkeyPatch):
    handled: list[object] = []

    async def dispatch(_: App, request: object, *__: object) -> None:
        handled.append(request)

    monkeypatch.setattr(App, "_dispatch", dispatch)
    app = App(Settings(Mode.REPLAY))
    requests: Any = range(20)
    tasks = [asyncio.create_task(app.handle(each, requests)) for each in requests]
    await asyncio.sleep(0)
    assert handled == [*range(8)]
    await asyncio.gather(*tasks)
    assert handled == [*range(20)]
