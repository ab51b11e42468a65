"""The exact timer rings on the loop: never early, the latest time set counts, and it lets go."""

from __future__ import annotations

import asyncio
from unittest import mock

import pytest

from support.wire import PATIENCE_S
from wiretape.server import alarm
from wiretape.server.alarm import Alarm
from wiretape.server.clock import monotonic_ns

MS = 1_000_000


@pytest.fixture(params=["timerfd", "event loop"])
def timers(request: pytest.FixtureRequest):
    if request.param == "timerfd":
        yield
        return
    with mock.patch.object(alarm, "_open_timer", return_value=None):
        yield


@pytest.mark.usefixtures("timers")
async def test_it_rings_at_its_time_and_not_before():
    rang = asyncio.Event()
    clock = Alarm(rang.set)
    for at_ns in (monotonic_ns() + 20 * MS, monotonic_ns() - MS, 0):
        rang.clear()
        clock.set(at_ns)
        async with asyncio.timeout(PATIENCE_S):
            await rang.wait()
        assert monotonic_ns() >= at_ns
    clock.close()


async def another_has_rung(at_ns: int) -> None:
    """Wait for another timer: whatever was set for an earlier time before has rung by then."""
    rang = asyncio.Event()
    other = Alarm(rang.set)
    other.set(at_ns)
    async with asyncio.timeout(PATIENCE_S):
        await rang.wait()
    other.close()


@pytest.mark.usefixtures("timers")
async def test_the_latest_time_counts_and_none_is_never():
    times: list[int] = []
    rang = asyncio.Event()

    def ring() -> None:
        times.append(monotonic_ns())
        rang.set()

    clock = Alarm(ring)
    hour_ns = 3600 * 1000 * MS
    clock.set(monotonic_ns() + hour_ns)
    soon_ns = monotonic_ns() + 10 * MS
    clock.set(soon_ns)
    async with asyncio.timeout(PATIENCE_S):
        await rang.wait()
    for never in (lambda: clock.set(None), lambda: clock.set(monotonic_ns() + hour_ns)):
        for at_ns in (0, monotonic_ns() + 5 * MS):
            clock.set(at_ns)
            never()
            await another_has_rung(at_ns + MS)
    clock.set(0)
    clock.close()
    await another_has_rung(MS)
    assert len(times) == 1
    assert times[0] >= soon_ns
