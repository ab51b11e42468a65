"""Letting requests begin: some in each turn of the event loop, so that many hold no stream up."""

from __future__ import annotations

import asyncio
from collections import deque

# A request takes some ten times as long as a chunk. Where many wait, an eighth of them: the last
# begins after some dozens of turns, each of which passes on what has come of the streams.
_FEWEST = 8
_SHARE = 8


class Turns:
    """Whose turn it is to begin.

    In a turn of the event loop eight may begin at once, or an eighth of those that wait if that is
    more. All others wait for a later turn, in their order.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._begun = 0

    async def wait(self) -> None:
        """Return when the caller may begin: at once, as a rule."""
        if self._begun < _FEWEST and not self._waiting:
            if not self._begun:
                self._loop.call_soon(self._next)
            self._begun += 1
            return
        turn = self._loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        waiting = self._waiting
        # Who comes in this turn waits too, if any do: they begin in the next one, and before it.
        self._begun = max(_FEWEST, len(waiting) // _SHARE) if waiting else 0
        for _ in range(min(self._begun, len(waiting))):
            turn = waiting.popleft()
            if not turn.done():  # its client may have left
                turn.set_result(None)
        if self._begun:
            self._loop.call_soon(self._next)
