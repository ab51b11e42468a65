"""A client that asks again what a cassette's clients asked, when they asked it.

Speaks real HTTP to any base URL and keeps what came back, boundaries and endings included.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wiretape.core.model import Outcome, header
from wiretape.core.routing import CONTROL_PREFIX
from wiretape.errors import UpstreamError
from wiretape.server.alarm import Alarm
from wiretape.server.clock import monotonic_ns
from wiretape.server.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wiretape.core.model import Cassette, Headers, Interaction
    from wiretape.core.tempo import Speed


_HEALTH = f"{CONTROL_PREFIX}health"
_MOST_CONNECTIONS = 200
_PATIENCE_S = 60.0

_LONGEST_PAUSE_US = 1_000_000


@dataclass(slots=True)
class Received:
    """What came back for one recorded request.

    Attributes:
        asked: the number of the interaction whose request was sent.
        number: the interaction that answered, as the answer's `Wiretape-Interaction` says, else
            `asked`. Equal requests that are in flight together may swap theirs.
        sent_ns: when it was sent.
        status: None if no head came.
        pieces: (bytes, part, when they came).
        outcome: how it ended, as a client sees it.
    """

    asked: int
    number: int
    sent_ns: int
    status: int | None = None
    headers: Headers = ()
    head_ns: int = 0
    pieces: list[tuple[bytes, bool, int]] = field(default_factory=list)
    outcome: Outcome = Outcome.UPSTREAM_CLOSED

    @property
    def body(self) -> bytes:
        """All bytes of the body."""
        return b"".join(data for data, _, _ in self.pieces)


class _Gates:
    """Holds each request back until all has come that had come before it in the recording.

    The gates open in order: what the one before waited for, the next need not look at again.
    """

    def __init__(self, interactions: Sequence[Interaction]) -> None:
        self._events = {each.number: asyncio.Event() for each in interactions}
        self._order = [each.number for each in interactions]
        self._needs = _needs(interactions)
        self._came: dict[int, int] = {}
        self._ended: set[int] = set()
        self._next = 0
        self._open()

    async def wait(self, number: int) -> None:
        """Wait until this interaction's request may go out."""
        await self._events[number].wait()

    def note(self, number: int, *, size: int = 0, ended: bool = False) -> None:
        """Some of an answer has come: its head, so many bytes of its body, or its end."""
        self._came[number] = self._came.get(number, 0) + size
        if ended:
            self._ended.add(number)
        self._open()

    def _open(self) -> None:
        while self._next < len(self._order) and all(map(self._has, self._needs[self._next])):
            self._events[self._order[self._next]].set()
            self._next += 1

    def _has(self, need: _Need) -> bool:
        if need.number in self._ended:
            return True
        return not need.ended and self._came.get(need.number, -1) >= need.size


class _Departures:
    """Lets each request go at its time, more exactly than the event loop's own timers do."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._alarm = Alarm(self._rang)

    async def wait(self, due_ns: int) -> None:
        """Wait until this time."""
        gone = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (due_ns, next(self._numbers), gone))
        self._alarm.set(self._waiting[0][0])
        await gone

    def close(self) -> None:
        """Let go of the timer."""
        self._alarm.close()

    def _rang(self) -> None:
        while self._waiting and self._waiting[0][0] <= monotonic_ns():
            gone = heapq.heappop(self._waiting)[-1]
            if not gone.done():
                gone.set_result(None)
        if self._waiting:
            self._alarm.set(self._waiting[0][0])


@dataclass(frozen=True, slots=True)
class _Need:
    """So much of an answer: its head and `size` bytes of its body, or all of it."""

    number: int
    size: int
    ended: bool


def _needs(interactions: Sequence[Interaction]) -> list[list[_Need]]:
    """For each interaction, what had come of earlier ones since the request before its own."""
    arrivals: list[tuple[int, _Need]] = []
    for each in interactions:
        size = 0
        steps = each.positions[1:]
        first_chunk = 0 if each.response is None else 1
        for index, position in enumerate(steps):
            chunk = index - first_chunk
            if 0 <= chunk < len(each.chunks):
                size += len(each.chunks[chunk].data)
            arrivals.append((position, _Need(each.number, size, index == len(steps) - 1)))
    arrivals.sort(key=lambda arrival: arrival[0])
    needs: list[list[_Need]] = []
    index = 0
    for each in interactions:
        latest: dict[int, _Need] = {}
        while index < len(arrivals) and arrivals[index][0] < each.positions[0]:
            latest[arrivals[index][1].number] = arrivals[index][1]
            index += 1
        needs.append(list(latest.values()))
    return needs


async def drive(cassette: Cassette, base_url: str, speed: Speed) -> list[Received]:
    """Send every request of a cassette that has its body, and gather the answers.

    At instant speed a request goes out once all has come that had come before it in the
    recording; else at its recorded time, with no more than a second of each pause in which
    nothing was going on: a recording that was continued (`new_episodes`) can hold days of it.

    Returns:
        One item for each request sent, in order of the recorded requests.
    """
    upstream = Upstream(base_url)
    interactions = [
        each for each in cassette.interactions() if each.request.body.content is not None
    ]
    gates = _Gates(interactions)
    departures = _Departures()
    start = asyncio.get_running_loop().create_future()
    asked_at_us = _without_pauses(interactions)

    async def ask(interaction: Interaction) -> Received:
        started_ns = await start
        if speed.factor is None:
            await gates.wait(interaction.number)
        else:
            due_ns = started_ns + round(asked_at_us[interaction.number] * 1000 / speed.factor)
            await departures.wait(due_ns)
        received = Received(interaction.number, interaction.number, monotonic_ns())
        try:
            async with asyncio.timeout(_patience_s(interaction, speed)):
                await _ask(upstream, interaction, gates, received)
        except TimeoutError:
            received.outcome = Outcome.UPSTREAM_TIMEOUT
            gates.note(interaction.number, ended=True)
        return received

    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(ask(each)) for each in interactions]
            await _connect(upstream, _most_at_once(interactions))
            start.set_result(monotonic_ns())
    finally:
        departures.close()
        await upstream.close()
    return [task.result() for task in running]


async def _connect(upstream: Upstream, count: int) -> None:
    """Make connections, so that making them is no part of what is timed."""

    async def ping() -> None:
        exchange = await upstream.send("GET", _HEALTH, (), b"")
        while exchange.outcome is None:
            await exchange.read()

    with contextlib.suppress(UpstreamError, TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            await asyncio.gather(*(ping() for _ in range(min(count, _MOST_CONNECTIONS))))


def _most_at_once(interactions: Sequence[Interaction]) -> int:
    changes = [(each.positions[0], 1) for each in interactions]
    changes += [(each.positions[-1], -1) for each in interactions]
    return max(itertools.accumulate(change for _, change in sorted(changes)), default=0)


def _without_pauses(interactions: Sequence[Interaction]) -> dict[int, int]:
    """When each request is due, in microseconds from the start, by interaction."""
    due_us: dict[int, int] = {}
    skipped_us = busy_until_us = 0
    for each in interactions:
        at_us = each.request.at_us
        skipped_us += max(0, at_us - busy_until_us - _LONGEST_PAUSE_US)
        due_us[each.number] = at_us - skipped_us
        last = each.end or (each.chunks[-1] if each.chunks else each.response)
        busy_until_us = max(busy_until_us, at_us, last.at_us if last else at_us)
    return due_us


def _patience_s(interaction: Interaction, speed: Speed) -> float:
    """How long an answer may take before it is taken for one that never ends."""
    last = interaction.end or (interaction.chunks[-1] if interaction.chunks else None)
    took_s = (last.at_us - interaction.request.at_us) / 1e6 if last else 0.0
    return took_s / (speed.factor or 1.0) + _PATIENCE_S


async def _ask(
    upstream: Upstream, interaction: Interaction, gates: _Gates, received: Received
) -> None:
    request = interaction.request
    number = interaction.number
    try:
        exchange = await upstream.send(
            request.method, request.target, request.headers, request.body.content or b""
        )
    except UpstreamError as error:
        received.outcome = error.outcome
        gates.note(number, ended=True)
        return
    received.head_ns = monotonic_ns()
    received.sent_ns = exchange.sent_ns
    received.status = exchange.status
    received.headers = exchange.headers
    named = header(exchange.headers, "wiretape-interaction")
    if named is not None and named.isdigit():
        received.number = int(named)
    gates.note(number)
    ended = asyncio.get_running_loop().create_future()

    def take() -> None:
        """Take what has come the moment it comes, for its time is what is compared."""
        now_ns = monotonic_ns()
        outcome = exchange.outcome
        while exchange.ready and outcome is None:
            batch, outcome = exchange.take()
            received.pieces += [(data, part, now_ns) for data, part in batch.pieces]
            size = sum(len(data) for data, _ in batch.pieces)
            gates.note(number, size=size, ended=outcome is not None)
        if outcome is not None and not ended.done():
            received.outcome = outcome
            ended.set_result(None)

    exchange.listener = take
    try:
        take()
        await ended
    finally:
        exchange.listener = None
        exchange.close()
