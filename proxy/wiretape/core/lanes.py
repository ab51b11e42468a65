"""The parts of a schedule: lanes, one per answer, and clusters of lanes that overlapped.

Knows how far each answer is and who stands in whose way; not when anything is done about it.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right, insort
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wiretape.core.interleave import Placement
    from wiretape.core.track import Track

NO_LIMIT = sys.maxsize

Due = tuple[int, int, int, "Lane"]
"""An entry of a heap: when (ns), the place and the play as tie-breakers, and whose it is."""


class Lane:
    """One answer on its way: what was delivered, what is next, when, and what it waits for.

    A lane of a cluster is there before its request: others may have to wait for it.

    Attributes:
        track: the recorded interaction.
        places: the place of each step in the order to be kept (`Placement`).
        lowest: a place below which nothing stands in this lane's way.
        cluster: the lanes that it overlapped; None if it takes no part in the order.
        play: the handle of this use; -1 before the request.
        step: the next step, an index.
        place: the next step's place.
        last_ns: the ideal time of the last delivered step; before it, of the arrival.
        floor_ns: the next step is not due before this, by the order.
        over: everything is delivered, or the client has left.
        paused: its client does not read.
        joined: others wait for it; false once it was given up, until it goes on.
        clock_ns: when the recording began, as it were: what its times are counted from.
        clocked: it goes by a clock that is or was its cluster's; if not, by its own.
        own_ns: what `clock_ns` would be by its own arrival.
        held: it could go on but for lanes that are absent, that is not `live`.
        held_since_ns: from when those are to blame; None unless held.
        queued, timer: its entries in the schedule's heaps; any other entry is stale.
        watching: the live lane that it waits for, if it does.
        waiters: the lanes watching this one, by their places.
        holding: lanes that this one, while absent, has held; may be out of date.
    """

    __slots__ = (
        "_ats_us",
        "_scale",
        "clock_ns",
        "clocked",
        "cluster",
        "end",
        "floor_ns",
        "held",
        "held_since_ns",
        "holding",
        "joined",
        "last_ns",
        "lowest",
        "over",
        "own_ns",
        "paused",
        "place",
        "places",
        "play",
        "queued",
        "request",
        "step",
        "timer",
        "track",
        "waiters",
        "watching",
    )

    def __init__(self, track: Track, scale: float, places: Sequence[int], lowest: int = 0) -> None:
        self.track = track
        self.places = places
        self.lowest = lowest
        self.request = track.request_position
        self.end = track.end_position
        self.cluster: Cluster | None = None
        self.play = -1
        self.step = 0
        self.place = places[0]
        self.last_ns = 0
        self.floor_ns = 0
        self.over = False
        self.paused = False
        self.joined = False
        self.clocked = False
        self.own_ns = 0
        self.held = False
        self.held_since_ns: int | None = None
        self.queued: Due | None = None
        self.timer: Due | None = None
        self.watching: Lane | None = None
        self.waiters: list[tuple[int, Lane]] = []
        self.holding: dict[Lane, None] = {}
        self._ats_us = track.ats_us
        self.clock_ns = 0
        self._scale = scale

    @property
    def live(self) -> bool:
        """Whether it moves by itself: its request has come and its client reads."""
        return self.play >= 0 and not self.paused

    def start(self, play: int, came_ns: int, tolerance_ns: int) -> list[Lane]:
        """The request has come: times count from here, or from the cluster's clock.

        Args:
            play: the handle of this use.
            came_ns: when it came.
            tolerance_ns: how far from the clock it may be to go by it all the same.

        Returns:
            Lanes whose steps have become due earlier: their clock was late.
        """
        self.play = play
        self.own_ns = came_ns - int(self.track.request_at_us * self._scale)
        self.go_by(self.own_ns)
        if self.cluster is None or not self._scale:
            return []
        return self.cluster.set_clock(self, tolerance_ns)

    def go_by(self, clock_ns: int) -> None:
        """Count times from here; what has been due by now is due at once."""
        self.clock_ns = clock_ns
        self.last_ns = self.floor_ns = clock_ns + int(self.track.request_at_us * self._scale)

    def _unheld_ns(self) -> int:
        """When the next step is due by the recorded times alone."""
        return max(self.clock_ns + int(self._ats_us[self.step] * self._scale), self.last_ns)

    def held_back(self) -> bool:
        """Whether the order has made the next step later than its time."""
        return self.floor_ns > self._unheld_ns()

    def ideal_ns(self) -> int:
        """When the next step is due, if nothing stands in its way."""
        return max(self._unheld_ns(), self.floor_ns)

    def blocks(self, other: Lane) -> bool:
        """Whether the other's next step may not come before this one's.

        That this place is the lower one implies that this request was before the other's end,
        so one comparison more tells whether the two overlapped.
        """
        return self.place < other.place and self.end > other.request

    def advance(self, limit: int, until_ns: int, most_steps: int) -> None:
        """Deliver the next step, and those after it that are before `limit` and due by then."""
        step = self.step
        ats_us = self._ats_us
        places = self.places
        stop = min(len(places), step + most_steps)
        own_ns = self._unheld_ns()
        if self.floor_ns > own_ns:
            # What follows keeps its recorded distance from a step that the order held back.
            self.clock_ns += self.floor_ns - own_ns
            self.clocked = False
            own_ns = self.floor_ns
        step += 1
        if not self._scale:
            step = stop if limit == NO_LIMIT else bisect_left(places, limit, step, stop)
        else:
            while step < stop and places[step] < limit:
                ideal_ns = max(self.clock_ns + int(ats_us[step] * self._scale), own_ns)
                if ideal_ns > until_ns:
                    break
                own_ns = ideal_ns
                step += 1
        self.last_ns = own_ns
        self.step = step
        # All that was before the first step has passed, and all after it that is before a later
        # step overlapped: from here on the search for what is in the way finds it at once.
        self.lowest = max(self.lowest, places[0])
        if step < len(places):
            self.place = places[step]
        else:
            self.over = True


class Cluster:
    """Lanes that overlapped, directly or by way of others, sorted by their next steps."""

    __slots__ = ("_clock_ns", "_front", "_owners", "lanes")

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.lanes = lanes
        self._clock_ns: int | None = None
        self._front = sorted(lane.place for lane in lanes)
        self._owners = {lane.place: lane for lane in lanes}
        for lane in lanes:
            lane.cluster = self
            lane.joined = True

    def set_clock(self, lane: Lane, tolerance_ns: int) -> list[Lane]:
        """Have a lane that has come go by the clock, or the clock by it.

        One clock spans all lanes, as it did when they were recorded: a request that is late by a
        little, as some always is, would else hold up all others, and then the next one. Of those
        that are near to each other the earliest sets it, for a request can be late by accident but
        not early. One that comes later than that sets it for those that follow.

        Returns:
            Other lanes, that have been moved to an earlier clock.
        """
        own_ns, clock_ns = lane.own_ns, self._clock_ns
        lane.clocked = True
        if clock_ns is None or own_ns > clock_ns + tolerance_ns:
            self._clock_ns = own_ns
            return []
        if own_ns >= clock_ns:
            lane.go_by(clock_ns)
            return []
        if own_ns < clock_ns - tolerance_ns:
            lane.clocked = False
            return []
        self._clock_ns = own_ns
        moved: list[Lane] = []
        for other in self.lanes:
            if not other.clocked or other.over or other.clock_ns <= own_ns:
                continue
            other.clocked = other.own_ns <= own_ns + tolerance_ns and not other.held_back()
            if other.clocked:
                other.go_by(own_ns)
                moved.append(other)
        return moved

    def join(self, lane: Lane) -> None:
        """From now on others wait for this lane."""
        lane.joined = True
        insort(self._front, lane.place)
        self._owners[lane.place] = lane

    def drop(self, lane: Lane, place: int) -> None:
        """From now on nobody waits for this lane, which was known to be at `place`."""
        lane.joined = False
        del self._front[bisect_left(self._front, place)]
        del self._owners[place]

    def move(self, lane: Lane, place: int) -> None:
        """A joined lane has moved on from `place`."""
        front = self._front
        del self._owners[place]
        self._owners[lane.place] = lane
        index = bisect_left(front, place)
        if index + 1 == len(front) or lane.place < front[index + 1]:
            front[index] = lane.place
        else:
            del front[index]
            insort(front, lane.place, index)

    def limit(self, lane: Lane) -> int:
        """The place before which nobody else has a step left, seen from the lane's next step."""
        index = bisect_right(self._front, lane.place)
        return self._front[index] if index < len(self._front) else NO_LIMIT

    def in_the_way(self, lane: Lane) -> tuple[Lane | None, list[Lane]]:
        """What the lane's next step has to wait for.

        Returns:
            The live lane nearest before it, which in turn waits for most of the others; if
            there is none, all the absent lanes in its way, else a part of them.
        """
        absent: list[Lane] = []
        front = self._front
        lowest = lane.lowest
        request = lane.request
        for index in range(bisect_left(front, lane.place) - 1, -1, -1):
            place = front[index]
            if place < lowest:
                break
            other = self._owners[place]
            if other.end > request:
                if other.live:
                    return other, absent
                absent.append(other)
        return None, absent


def build_cluster(group: Iterable[Track], placements: Iterable[Placement], scale: float) -> Cluster:
    """Lanes for tracks that overlap, which come sorted by request, and their order."""
    lanes: list[Lane] = []
    # The first place and the end of tracks that may still be open, by first place.
    opened: list[tuple[int, int]] = []
    for track, placement in zip(group, placements, strict=True):
        while opened and opened[0][1] < track.request_position:
            heappop(opened)
        start = placement.start
        lowest = min(start, opened[0][0]) if opened else start
        heappush(opened, (placement.places[0], track.end_position))
        lanes.append(Lane(track, scale, placement.places, lowest))
    return Cluster(lanes)
