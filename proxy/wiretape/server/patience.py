"""How long the proxy waits for others: an upstream that falls silent, a client that asks nothing.

Neither costs anything per chunk or request: one timer looks at all of them now and then. So a
limit is kept to within a twentieth.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wiretape.server.exchange import Exchange

_STEPS = 20
_LONGEST_STEP_S = 30.0


class Connection(Protocol):
    """A client's connection."""

    def abort(self) -> None:
        """Close it at once."""


class _Rounds:
    """Calls a function again and again while it says so."""

    def __init__(self, step_s: float, look: Callable[[], bool]) -> None:
        self._step_s = step_s
        self._look = look
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Have the next look in one step, unless that is so already."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._step_s, self._round)

    def stop(self) -> None:
        """No more looks."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _round(self) -> None:
        self._timer = None
        if self._look():
            self.begin()


_Subject = TypeVar("_Subject")


class _Unchanged(Generic[_Subject]):
    """Counts for how many looks in a row something about each subject was the same."""

    def __init__(self) -> None:
        self._seen: dict[_Subject, tuple[object, int]] = {}

    def look(self, subjects: Iterable[tuple[_Subject, object]]) -> list[tuple[_Subject, int]]:
        """The subjects and their counts; who is not among them now is forgotten."""
        before, self._seen = self._seen, {}
        for subject, state in subjects:
            known, count = before.get(subject, (None, -1))
            self._seen[subject] = (state, count + 1 if state == known else 0)
        return [(subject, count) for subject, (_, count) in self._seen.items()]


def _step_s(limit_s: float) -> float:
    return min(limit_s / _STEPS, _LONGEST_STEP_S)


class UpstreamPatience:
    """Gives up on responses of which nothing has come for too long.

    Args:
        limit_s: how long is too long; 0 for never.
        exchanges: gives those that are under way.
    """

    def __init__(self, limit_s: float, exchanges: Callable[[], list[Exchange]]) -> None:
        self.limit_s = limit_s
        self._exchanges = exchanges
        self._waits: _Unchanged[Exchange] = _Unchanged()
        self._rounds = _Rounds(_step_s(limit_s), self._look)

    def watch(self) -> None:
        """Watch for as long as any are under way."""
        if self.limit_s:
            self._rounds.begin()

    def stop(self) -> None:
        """Watch no more."""
        self._rounds.stop()

    def _look(self) -> bool:
        # Where nobody waits, a slow client holds things up.
        exchanges = self._exchanges()
        silent = [(each, each.silence) for each in exchanges if each.silence is not None]
        for exchange, count in self._waits.look(silent):
            if count * _step_s(self.limit_s) >= self.limit_s:
                exchange.give_up()
        return bool(exchanges)


class ClientPatience:
    """Closes connections on which no whole request head comes for too long.

    Args:
        limit_s: how long is too long.
        idle: gives the connections on which no request is being answered, each with something
            that is another after each request.
    """

    def __init__(
        self, limit_s: float, idle: Callable[[], Iterable[tuple[Connection, object]]]
    ) -> None:
        self._limit_s = limit_s
        self._idle = idle
        self._idling: _Unchanged[Connection] = _Unchanged()
        self._rounds = _Rounds(_step_s(limit_s), self._look)

    def begin(self) -> None:
        """Begin to watch."""
        self._rounds.begin()

    def stop(self) -> None:
        """Watch no more."""
        self._rounds.stop()
        self._idling.look(())

    def _look(self) -> bool:
        for connection, count in self._idling.look(self._idle()):
            if count * _step_s(self._limit_s) >= self._limit_s:
                connection.abort()
        return True
