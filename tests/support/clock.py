"""A clock that goes when the test says so."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Self

import pytest


class Clock:
    """In the place of an event loop's timers."""

    @classmethod
    def of_patience(cls, monkeypatch: pytest.MonkeyPatch) -> Self:
        """The one by which the proxy waits for others from now on."""
        clock = cls()
        standing_in = SimpleNamespace(get_running_loop=lambda: clock)
        monkeypatch.setattr("wiretape.server.patience.asyncio", standing_in)
        return clock

    def __init__(self) -> None:
        self.now_s = 0.0
        self.timers: dict[object, tuple[float, Callable[[], None]]] = {}

    def call_later(self, delay_s: float, call: Callable[[], None]) -> SimpleNamespace:
        timer = object()
        self.timers[timer] = self.now_s + delay_s, call
        return SimpleNamespace(cancel=lambda: self.timers.pop(timer, None))

    def goes(self, seconds: float) -> None:
        """Let time pass."""
        until_s = self.now_s + seconds
        while due := [each for each, (at_s, _) in self.timers.items() if at_s <= until_s]:
            timer = min(due, key=lambda each: self.timers[each][0])
            self.now_s, call = self.timers.pop(timer)
            call()
        self.now_s = until_s
