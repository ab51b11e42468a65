"""Replaying: the recorded answers of one session, in their order, at their pace, to their ends.

`core.matching` says which recording answers a request and `core.schedule` what is due when;
this keeps the clock and the sockets. All writes of a session happen in `_pump`, one after the
other, so the order in which the schedule gives steps out is the order on the wire.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from wiretape.analysis.messages import last_said
from wiretape.analysis.question import read_request
from wiretape.core.matching import Key, Level, Match, Matcher, Miss
from wiretape.core.miss import RECORD_THE_REST
from wiretape.core.model import Interaction, Outcome, header
from wiretape.core.routing import is_metadata
from wiretape.core.schedule import Schedule
from wiretape.core.track import Track
from wiretape.server.alarm import Alarm
from wiretape.server.clock import monotonic_ns
from wiretape.server.replayed import replayed_ending, replayed_wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wiretape.core.model import Body, Cassette, Headers, Request
    from wiretape.core.tempo import Order
    from wiretape.core.track import Batch
    from wiretape.server.downstream import Downstream
    from wiretape.server.forwarder import Incoming
    from wiretape.server.peer import ReceiveQueues
    from wiretape.server.replayed import Wire
    from wiretape.server.settings import Settings

_log = logging.getLogger(__name__)

_RECORD = "wiretape record"
_PORTION_STEPS = 256
_MISSES_KEPT = 500
_DIVERGENCES_KEPT = 500
# How late a request may come by accident, for clients and machines have their hiccups.
_CLOCK_TOLERANCE_NS = 25_000_000
# Whether a client has read is asked at every turn of the event loop for so long, as most read at
# once; then so often; and so long at most: if that can be told, and if it cannot.
_READ_SOON_NS = 200_000
_READ_CHECK_NS = 50_000
_READ_WAIT_NS = 20_000_000
_BLIND_WAIT_NS = 1_000_000


@dataclass(slots=True)
class _Play:
    """One recorded answer on its way to one client.

    Attributes:
        wire: the bytes of its steps.
        ending: how the answer ends on the wire, as `replayed_ending` says.
        changed: set when the client's socket is full, or the answer has ended.
        stuck_bytes: how much its client had not read when it was waited for in vain.
    """

    key: Key
    downstream: Downstream
    wire: Wire
    ending: Outcome
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False
    stuck_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Divergence:
    """A request that matched, but not to the letter; its differences as JSON has them."""

    key: Key
    level: Level
    differences: tuple[dict[str, Any], ...]


class Replayer:
    """Answers a session's requests from its cassettes.

    Args:
        cassettes: in the order in which equal requests use them up.
        settings: matching, speed and order.
        record_command: what records the cassettes again, for messages.
        queues: tells whether clients have read; kept open.

    Attributes:
        used: the recordings that were given out, in order; one that is repeated stands repeated.
        misses: what was asked and not found, as the report has it; the first ones of very many.
        missed: how many that were in all.
        divergences: what matched, but not to the letter; the first ones of very many.
        diverged: how many that were in all.
        trace: set to a list to have every (interaction, step) noted there as it goes out.
    """

    def __init__(
        self,
        cassettes: Sequence[Cassette],
        settings: Settings,
        record_command: str,
        queues: ReceiveQueues,
    ) -> None:
        self.cassettes = tuple(cassettes)
        self._record_command = record_command
        self.interactions: dict[Key, Interaction] = {
            (index, interaction.number): interaction
            for index, cassette in enumerate(self.cassettes)
            for interaction in cassette.interactions()
        }
        self._settings = settings
        self._redactor = settings.redactor()
        self._matcher = Matcher(
            [(key, self._comparable(each.request)) for key, each in self.interactions.items()],
            settings.rules,
        )
        self._asks: dict[Key, str | None] = {}
        self._tracks = _tracks(self.cassettes, self.interactions)
        self._alarm: Alarm | None = None
        self._queues = queues
        self._looking: asyncio.Handle | None = None
        self.trace: list[tuple[Key, int]] | None = None
        self.rewind()

    def rewind(self) -> None:
        """Begin again, every recording unused. No answer may be on its way."""
        self._matcher.rewind()
        self._schedule = Schedule(
            self._tracks,
            self._settings.order,
            self._settings.speed,
            round(self._settings.order_timeout_s * 1e9),
            _CLOCK_TOLERANCE_NS,
        )
        self._plays: dict[int, _Play] = {}
        self._outbox: deque[Batch] = deque()
        self._latest: tuple[_Play, int] | None = None
        self.used: list[Key] = []
        self.misses: list[dict[str, Any]] = []
        self.missed = 0
        self.divergences: list[Divergence] = []
        self.diverged = 0

    @property
    def schedule(self) -> Schedule:
        """The state of order and pace."""
        return self._schedule

    @property
    def order(self) -> Order:
        """In which order overlapping answers go out; the seed of a shuffle is in it."""
        return self._settings.order

    def unused(self) -> list[Key]:
        """The recordings that no request has used; metadata does not count."""
        return self._matcher.unused()

    def describe(self, key: Key) -> str:
        """A recording as a message names it."""
        cassette = self.cassettes[key[0]]
        request = self.interactions[key].request
        return f"#{key[1]} {request.method} {request.target} in {cassette.name}"

    def asks(self, key: Key) -> str | None:
        """What a recorded request says at last, in brief; None where it holds no conversation."""
        # Reports are asked for again and again, and to read a request takes a while.
        if key not in self._asks:
            request = self._comparable(self.interactions[key].request)
            # In what is encoded no secret was looked for.
            encoded = header(request.headers, "content-encoding") is not None
            self._asks[key] = None if encoded else last_said(read_request(request).messages)
        return self._asks[key]

    def find(self, incoming: Incoming, body: Body) -> Match | None:
        """Find the recording that answers a request, and note it as used."""
        request = self._asked(incoming, body)
        found = self._matcher.find(*request)
        if found is not None:
            self.used.append(found.key)
            if found.level is not Level.EXACT:
                self.diverged += 1
                # To find what differs costs far more than to match.
                if len(self.divergences) < _DIVERGENCES_KEPT:
                    self.divergences.append(self._divergence(found, request))
        return found

    def _divergence(self, found: Match, request: tuple[str, str, Headers, Body]) -> Divergence:
        # Results in another order are expected; other results are worth telling.
        tells = found.level is Level.TOOL_OUTPUT
        differences = self._matcher.differences(found.key, *request) if tells else ()
        return Divergence(found.key, found.level, tuple(each.to_json() for each in differences))

    def miss(self, incoming: Incoming, body: Body) -> tuple[Miss, str]:
        """Note that nothing answers a request; return why, and the same in words.

        The words name the command that records what is missing.
        """
        found = self._matcher.miss(*self._asked(incoming, body))
        if found.suggestion == RECORD_THE_REST and len(self.cassettes) > 1:
            found = replace(found, suggestion=None)  # it appends to one cassette
        text = found.text(self.describe, self._record_command, self._spelled)
        self.missed += 1
        # What differs can be as long as the requests, so only what is told of it is kept.
        if len(self.misses) < _MISSES_KEPT:
            self.misses.append({**found.to_json(self.describe), "text": text})
        return found, text

    def _spelled(self, suggestion: str) -> str:
        if suggestion == RECORD_THE_REST and self._record_command.startswith(_RECORD):
            # Neither it nor `wiretape replay` has a --mode.
            return self._record_command.replace(_RECORD, f"wiretape serve {suggestion}", 1)
        return self._settings.spell_suggestion(suggestion)

    def _asked(self, incoming: Incoming, body: Body) -> tuple[str, str, Headers, Body]:
        """A live request without its secrets, as the recorded ones are compared."""
        parts = self._redactor.for_comparison(incoming.target, incoming.headers, body)
        return incoming.method, *parts

    def _comparable(self, request: Request) -> Request:
        target, headers, body = self._redactor.for_comparison(
            request.target, request.headers, request.body
        )
        if body is request.body and target == request.target:
            return request
        return replace(request, target=target, headers=headers, body=body)

    async def play(self, match: Match, downstream: Downstream, target: str) -> None:
        """Send a recorded answer to a client, until it has ended.

        Raises:
            asyncio.CancelledError: the client left, or the proxy stops.
            ConnectionError: the client left.
        """
        interaction = self.interactions[match.key]
        wire = replayed_wire(interaction, downstream, match, target)
        ending = replayed_ending(interaction)
        if ending is Outcome.UPSTREAM_CLOSED and downstream.whole_by_closing:  # by the head above
            ending = Outcome.UPSTREAM_RESET
        play = _Play(match.key, downstream, wire, ending)
        schedule = self._schedule
        handle = schedule.arrive(
            match.key, monotonic_ns(), again=match.repeated, came_ns=downstream.asked_ns
        )
        self._plays[handle] = play
        try:
            self._pump()
            while not play.ended:
                await play.changed.wait()
                play.changed.clear()
                if not play.ended:
                    await downstream.drain()
                    schedule.resume(handle, monotonic_ns())
                    self._pump()
            if play.ending is Outcome.UPSTREAM_RESET:
                await downstream.reset()
        finally:
            self._plays.pop(handle, None)
            if not play.ended:
                schedule.leave(handle, monotonic_ns())
                self._pump()
            if not self._plays:
                self.stop()  # many sessions stay open after their last request

    def stop(self) -> None:
        """Let go of the timers; nothing more is sent."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None

    def _pump(self) -> None:
        """Send what is due, and come back when more will be."""
        schedule = self._schedule
        now_ns = monotonic_ns()
        if not self._outbox:
            # By portions: a client that does not read is noticed before all is written to it,
            # and the event loop has its turn in between.
            self._outbox.extend(schedule.due(now_ns, _PORTION_STEPS))
        while self._outbox:
            if self._must_be_read_first(self._outbox[0], now_ns):
                self._look_again(now_ns)
                return
            self._send(self._outbox.popleft(), now_ns)
        self._wake_at(schedule.next_wake_ns())

    def _wake_at(self, at_ns: int | None) -> None:
        if self._alarm is None:
            if at_ns is None:
                return
            self._alarm = Alarm(self._pump)
        self._alarm.set(at_ns)

    def _must_be_read_first(self, batch: Batch, now_ns: int) -> bool:
        """Whether another stream's client has yet to read what it was sent before this.

        Without any wait between them, two streams would reach their clients in the order in
        which those happen to read their sockets. At a recorded pace there is time to read.
        """
        latest = self._latest
        if latest is None or not batch.ordered or self._settings.speed.factor is not None:
            return False
        play, sent_ns = latest
        if play is self._plays.get(batch.play):
            return False
        unread = play.downstream.unread_bytes(self._queues)
        if unread is None:
            return now_ns - sent_ns < _BLIND_WAIT_NS
        # A client that reads one stream after the other reads this one when the others are over.
        stuck = play.stuck_bytes is not None and unread >= play.stuck_bytes
        if not unread or stuck:
            return False
        if now_ns - sent_ns < _READ_WAIT_NS:
            return True
        play.stuck_bytes = unread
        return False

    def _look_again(self, now_ns: int) -> None:
        assert self._latest is not None  # noqa: S101  whose client has not read
        if now_ns - self._latest[1] > _READ_SOON_NS:
            self._wake_at(now_ns + _READ_CHECK_NS)
        elif self._looking is None:
            self._looking = asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._looking = None
        self._pump()

    def _send(self, batch: Batch, now_ns: int) -> None:
        play = self._plays.get(batch.play)
        if play is None:
            return  # its client has left in the meantime
        last = batch.first_step + batch.count
        play.downstream.write(play.wire.between(batch.first_step, last))
        if batch.ordered:
            self._latest = play, now_ns
        if self.trace is not None:
            self.trace += [(play.key, step) for step in range(batch.first_step, last)]
        if last == len(play.wire):
            play.ended = True
            play.changed.set()
            if play.ending not in _LEFT_OPEN:
                play.downstream.cut()
        elif play.downstream.paused:
            self._schedule.pause(batch.play)
            play.changed.set()


# A whole answer leaves the connection open; a reset is awaited by the play itself.
_LEFT_OPEN = {Outcome.COMPLETE, Outcome.UPSTREAM_RESET}


def _tracks(cassettes: Sequence[Cassette], interactions: dict[Key, Interaction]) -> list[Track]:
    offsets = [0]
    for cassette in cassettes:
        offsets.append(offsets[-1] + len(cassette.entries) + 1)
    return [_track(key, interaction, offsets[key[0]]) for key, interaction in interactions.items()]


def _track(key: Key, interaction: Interaction, offset: int) -> Track:
    request = interaction.request
    # Doubled, so that there is room for a step where the recording has no entry.
    positions = [(position + offset) * 2 for position in interaction.positions]
    ats_us = [chunk.at_us for chunk in interaction.chunks]
    if interaction.response is not None:
        ats_us.insert(0, interaction.response.at_us)
    if interaction.end is not None:
        ats_us.append(interaction.end.at_us)
    if not ats_us:
        # The recorder died before anything came: one step, which closes the connection.
        positions.append(positions[0] + 1)
        ats_us.append(request.at_us)
    return Track(
        key=key,
        request_position=positions[0],
        request_at_us=request.at_us,
        positions=tuple(positions[1:]),
        ats_us=tuple(ats_us),
        end_position=positions[-1],
        ordered=not is_metadata(request.method, request.target),
    )
