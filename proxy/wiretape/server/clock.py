"""Time for sessions: one monotonic clock, in the units that cassettes and schedules use."""

from __future__ import annotations

import time
from datetime import UTC, datetime

monotonic_ns = time.monotonic_ns
"""Now, in nanoseconds, on the clock of `asyncio` (CLOCK_MONOTONIC where there is one)."""


def utc_now() -> datetime:
    """The wall clock, with its zone."""
    return datetime.now(UTC)


class SessionClock:
    """Microseconds since a session began, unmoved by changes of the wall clock.

    Args:
        began: the wall clock at 0.
        start_us: where to go on from: 0, or later where a recording is continued.
    """

    def __init__(self, began: datetime, start_us: int = 0) -> None:
        self.began = began
        self._zero_ns = monotonic_ns() - start_us * 1000

    def now_us(self) -> int:
        """The time to stamp on what arrives now."""
        return (monotonic_ns() - self._zero_ns) // 1000
