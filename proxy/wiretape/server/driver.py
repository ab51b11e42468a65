"""A client that asks again what a cassette's clients asked, when they asked it.

Speaks real HTTP to any base URL and keeps what came back, boundaries and endings included.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wiretape.core.model import Outcome, header
from wiretape.errors import UpstreamError
from wiretape.server.clock import monotonic_ns
from wiretape.server.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wiretape.core.model import Cassette, Headers, Interaction
    from wiretape.core.tempo import Speed


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


class _Progress:
    """How much of each answer has come, for requests that were sent after it had come before."""

    def __init__(self) -> None:
        self.heads: set[int] = set()
        self.bytes: dict[int, int] = {}
        self.ended: set[int] = set()
        self._changed = asyncio.Condition()

    async def note(self, number: int, *, size: int = 0, ended: bool = False) -> None:
        async with self._changed:
            self.heads.add(number)
            self.bytes[number] = self.bytes.get(number, 0) + size
            if ended:
                self.ended.add(number)
            self._changed.notify_all()

    async def reach(self, before: Sequence[tuple[int, int, bool]]) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: all(self._has(*each) for each in before))

    def _has(self, number: int, size: int, ended: bool) -> bool:  # noqa: FBT001  a tuple's fields
        if number in self.ended:
            return True
        return not ended and number in self.heads and self.bytes.get(number, 0) >= size


async def drive(cassette: Cassette, base_url: str, speed: Speed) -> list[Received]:
    """Send every request of a cassette that has its body, and gather the answers.

    A request goes out once all has come that had come before it in the recording, and, unless
    the speed is instant, not before its recorded time.

    Returns:
        One item for each request sent, in order of the recorded requests.
    """
    upstream = Upstream(base_url)
    interactions = [
        each for each in cassette.interactions() if each.request.body.content is not None
    ]
    progress = _Progress()
    start_ns = monotonic_ns()
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(
                    _ask(
                        upstream,
                        interaction,
                        before,
                        progress,
                        _due_ns(start_ns, interaction, speed),
                    )
                )
                for interaction, before in zip(interactions, _before(interactions), strict=True)
            ]
    finally:
        await upstream.close()
    return [task.result() for task in running]


def _due_ns(start_ns: int, interaction: Interaction, speed: Speed) -> int:
    if speed.factor is None:
        return 0
    return start_ns + round(interaction.request.at_us * 1000 / speed.factor)


def _before(interactions: Sequence[Interaction]) -> list[list[tuple[int, int, bool]]]:
    """For each interaction: what had come of the earlier ones before it was sent.

    Items are (number, bytes of the body, ended). Ones that had ended before the request of one
    listed already are implied by that one.
    """
    before: list[list[tuple[int, int, bool]]] = []
    for index, interaction in enumerate(interactions):
        sent = interaction.positions[0]
        seen: list[tuple[int, int, bool]] = []
        for earlier in interactions[:index]:
            arrived = [position for position in earlier.positions[1:] if position < sent]
            if not arrived:
                continue
            chunks = len(arrived) - (earlier.response is not None)
            ended = len(arrived) == len(earlier.positions) - 1
            size = sum(len(chunk.data) for chunk in earlier.chunks[:chunks])
            seen.append((earlier.number, size, ended))
        before.append(seen)
    return before


async def _ask(
    upstream: Upstream,
    interaction: Interaction,
    before: Sequence[tuple[int, int, bool]],
    progress: _Progress,
    due_ns: int,
) -> Received:
    await progress.reach(before)
    wait_ns = due_ns - monotonic_ns()
    if wait_ns > 0:
        await asyncio.sleep(wait_ns / 1e9)
    request = interaction.request
    received = Received(request.interaction, request.interaction, monotonic_ns())
    try:
        exchange = await upstream.send(
            request.method, request.target, request.headers, request.body.content or b""
        )
    except UpstreamError as error:
        received.outcome = error.outcome
        await progress.note(request.interaction, ended=True)
        return received
    received.head_ns = monotonic_ns()
    received.status = exchange.status
    received.headers = exchange.headers
    named = header(exchange.headers, "wiretape-interaction")
    if named is not None and named.isdigit():
        received.number = int(named)
    await progress.note(request.interaction)
    outcome = None
    while outcome is None:
        batch, outcome = await exchange.read()
        now_ns = monotonic_ns()
        received.pieces += [(data, part, now_ns) for data, part in batch.pieces]
        size = sum(len(data) for data, _ in batch.pieces)
        await progress.note(request.interaction, size=size, ended=outcome is not None)
    received.outcome = outcome
    exchange.close()
    return received
