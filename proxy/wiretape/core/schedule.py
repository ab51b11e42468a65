"""When each recorded step is delivered: a state machine of (now, events) in, due steps out.

It reads no clock and awaits nothing: times are nanoseconds of any monotonic clock of the caller's.
Who overlapped whom is `interleave`'s affair.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from wiretape.core.interleave import clusters, recorded, shuffled
from wiretape.core.lanes import NO_LIMIT, Cluster, Due, Lane, build_cluster
from wiretape.core.tempo import Order, Speed
from wiretape.core.track import Batch, Stall, Track

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

__all__ = ["Batch", "Order", "Schedule", "Speed", "Stall", "Track"]

NS_PER_US = 1000
NEVER = -NO_LIMIT


class Schedule:
    """The replay of one session, from its first request on; rewinding takes a new one.

    Args:
        tracks: all recorded interactions of the session's library.
        order: whether, and in which order, overlapping ones wait for each other.
        speed: how fast.
        order_timeout_ns: how long a step may be held by a request that does not come, or by a
            client that does not read.
        clock_tolerance_ns: how much earlier or later than on the clock of those it overlapped a
            request may come to be answered by that clock all the same.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        order: Order,
        speed: Speed,
        order_timeout_ns: int,
        clock_tolerance_ns: int = 0,
    ) -> None:
        # An int for the recorded speed, so that its times are exact.
        self._scale: float = 0
        if speed.factor is not None:
            self._scale = NS_PER_US if speed.factor == 1 else NS_PER_US / speed.factor
        self._order_timeout_ns = order_timeout_ns
        self._clock_tolerance_ns = clock_tolerance_ns
        self._tracks = {track.key: track for track in tracks}
        self._coming: dict[Hashable, Lane] = {}
        self._plays: dict[int, Lane] = {}
        self._next_play = 0
        self._ready: list[Due] = []
        self._timers: list[Due] = []
        self._stalls: list[Stall] = []
        self._now_ns = NEVER
        if order.kind == "free":
            return
        for group in clusters(tracks):
            placements = recorded(group) if order.seed is None else shuffled(group, order.seed)
            for lane in build_cluster(group, placements, self._scale).lanes:
                self._coming[lane.track.key] = lane

    def stalls(self) -> Sequence[Stall]:
        """Every time the order was broken so far, in order."""
        return tuple(self._stalls)

    def arrive(
        self, key: Hashable, now_ns: int, *, again: bool = False, came_ns: int | None = None
    ) -> int:
        """A live request has matched a track.

        Args:
            key: the track's.
            now_ns: the time; all times are taken as never going back.
            again: it is a repeated use, which takes no part in the order. A track's second
                arrival is one in any case.
            came_ns: when the request came, if that was before now.

        Returns:
            A handle for this use. A track without steps is over at once.

        Raises:
            KeyError: there is no such track.
        """
        now_ns = self._tick(now_ns)
        track = self._tracks[key]
        play = self._next_play
        self._next_play += 1
        if not track.positions:
            return play
        lane = None if again else self._coming.pop(key, None)
        if lane is None:
            lane = Lane(track, self._scale, track.positions)
        came_ns = now_ns if came_ns is None else min(came_ns, now_ns)
        moved = lane.start(play, came_ns, self._clock_tolerance_ns)
        self._plays[play] = lane
        if lane.cluster is not None and not lane.joined:
            self._rejoin(lane.cluster, lane)
        self._settle_others(lane)
        self._settle(lane)
        for other in moved:
            if other.queued is not None or other.held:
                self._settle(other)
        return play

    def due(self, now_ns: int, most_steps: int = NO_LIMIT) -> list[Batch]:
        """What to deliver now, in order of delivery; it counts as delivered from here on.

        Args:
            now_ns: the time.
            most_steps: stop after so many steps, for a caller that must not be kept busy, or
                wants to `pause` in between; `next_wake_ns` is then not after `now_ns`.
        """
        now_ns = self._tick(now_ns)
        batches: list[Batch] = []
        ready = self._ready
        timers = self._timers
        while most_steps > 0:
            # In order of ideal times, whenever this is called: what a step inherits from the
            # ones before it must not depend on how late the caller is.
            if ready and ready[0][0] <= now_ns and not (timers and timers[0][0] < ready[0][0]):
                entry = heappop(ready)
                lane = entry[3]
                if lane.queued is entry:
                    lane.queued = None
                    batches.append(self._deliver(lane, now_ns, most_steps))
                    most_steps -= batches[-1].count
            elif timers and timers[0][0] <= now_ns:
                entry = heappop(timers)
                lane = entry[3]
                if lane.timer is entry and lane.cluster is not None:
                    self._give_up(lane.cluster, lane, entry[0])
            else:
                break
        return batches

    def next_wake_ns(self) -> int | None:
        """When to call `due` if nothing happens before, perhaps in the past; None for never."""
        ready = self._ready
        timers = self._timers
        while ready and ready[0][3].queued is not ready[0]:
            heappop(ready)
        while timers and timers[0][3].timer is not timers[0]:
            heappop(timers)
        return min((heap[0][0] for heap in (ready, timers) if heap), default=None)

    def pause(self, play: int) -> None:
        """The client's socket is full: nothing more of it until `resume`.

        Its own times are not moved: what fell due meanwhile is due at once on `resume`. A play
        that is over is no error, here and below.
        """
        lane = self._plays.get(play)
        if lane is None or lane.paused:
            return
        lane.paused = True
        lane.queued = lane.timer = lane.held_since_ns = None
        self._settle_others(lane)

    def resume(self, play: int, now_ns: int) -> None:
        """The client reads again."""
        self._tick(now_ns)
        lane = self._plays.get(play)
        if lane is None or not lane.paused:
            return
        lane.paused = False
        self._settle_others(lane)
        if lane.watching is None:
            self._settle(lane)

    def leave(self, play: int, now_ns: int) -> None:
        """The client has gone away: its remaining steps are in nobody's way."""
        now_ns = self._tick(now_ns)
        lane = self._plays.pop(play, None)
        if lane is None:
            return
        lane.over = True
        lane.queued = lane.timer = lane.watching = None
        lane.held = False
        if lane.joined and lane.cluster is not None:
            lane.cluster.drop(lane, lane.place)
        self._settle_others(lane, now_ns)

    def _tick(self, now_ns: int) -> int:
        self._now_ns = max(self._now_ns, now_ns)
        return self._now_ns

    def _deliver(self, lane: Lane, now_ns: int, most_steps: int) -> Batch:
        first = lane.step
        if lane.cluster is None:
            lane.advance(NO_LIMIT, now_ns, most_steps)
        else:
            self._advance(lane.cluster, lane, now_ns, most_steps)
        if lane.over:
            del self._plays[lane.play]
        else:
            self._settle(lane)
        return Batch(lane.play, first, lane.step - first, ordered=lane.cluster is not None)

    def _advance(self, cluster: Cluster, lane: Lane, until_ns: int, most_steps: int) -> None:
        """Deliver from a lane that takes part in the order, and let those go on that it passes."""
        for heap in (self._ready, self._timers):
            if heap and heap[0][0] < until_ns:
                until_ns = heap[0][0]
        place = lane.place
        lane.advance(cluster.limit(lane), until_ns, most_steps)
        if lane.over and lane.joined:
            cluster.drop(lane, place)
        elif lane.joined:
            cluster.move(lane, place)
        elif not lane.over:
            self._rejoin(cluster, lane)
        waiters = lane.waiters
        while waiters and (lane.over or waiters[0][0] < lane.place):
            waiter = heappop(waiters)[1]
            if waiter.watching is lane:
                self._put_off(waiter, lane.last_ns)
                self._settle(waiter)

    def _settle(self, lane: Lane, freed_ns: int = NEVER) -> None:
        """Find out what a lane's next step waits for: another lane, absent ones, or its time.

        Args:
            lane: any that is not over.
            freed_ns: when something left its way other than by being delivered: if that was the
                last thing in its way, its step is due no sooner.
        """
        lane.queued = lane.watching = None
        lane.held = False
        if lane.cluster is not None:
            blocker, absent = lane.cluster.in_the_way(lane)
            if blocker is None and absent:
                self._hold(lane, absent)
                return
            lane.timer = lane.held_since_ns = None
            if blocker is not None:
                lane.watching = blocker
                heappush(blocker.waiters, (lane.place, lane))
                return
        self._put_off(lane, freed_ns)
        if not lane.paused:
            lane.queued = (lane.ideal_ns(), lane.place, lane.play, lane)
            heappush(self._ready, lane.queued)

    def _put_off(self, lane: Lane, until_ns: int) -> None:
        """By the order, a lane's next step is due no sooner."""
        if until_ns > lane.floor_ns:
            lane.floor_ns = until_ns
            if lane.paused:  # then it may keep others waiting for longer
                self._settle_others(lane)

    def _hold(self, lane: Lane, absent: Sequence[Lane]) -> None:
        lane.held = True
        for other in absent:
            other.holding[lane] = None
        if lane.paused:
            return  # it waits as well, but nobody is to blame
        if lane.held_since_ns is None:
            # Not before now: whatever made it late until here, those absent did not.
            lane.held_since_ns = max(lane.ideal_ns(), self._now_ns)
        deadline_ns = min(self._deadline_ns(lane, other) for other in absent)
        lane.timer = (deadline_ns, lane.place, lane.play, lane)
        heappush(self._timers, lane.timer)

    def _deadline_ns(self, lane: Lane, absent: Lane) -> int:
        """Until when an absent lane may hold this one, its own recorded pace apart."""
        since_ns = lane.held_since_ns or 0
        if absent.play >= 0:
            since_ns = max(since_ns, absent.ideal_ns())
        return since_ns + self._order_timeout_ns

    def _give_up(self, cluster: Cluster, lane: Lane, deadline_ns: int) -> None:
        """The lane's time to wait is over: go on without those who kept it waiting so long.

        With a request that did not come go all that were recorded before the step and did not
        come either, so that a client that leaves many out is held once, not once for each.
        """
        position = lane.track.positions[lane.step]
        gone = [
            other
            for other in cluster.in_the_way(lane)[1]
            if self._deadline_ns(lane, other) <= deadline_ns
        ]
        if any(other.play < 0 for other in gone):
            gone += [
                other
                for other in cluster.lanes
                if other.joined
                and other.play < 0
                and other.place > lane.place
                and other.request < position
                and other.end > lane.request
            ]
        freed: dict[Lane, None] = {}
        for other in gone:
            cluster.drop(other, other.place)
            freed.update((held, None) for held in other.holding if held.held)
            other.holding.clear()
            self._stalls.append(
                Stall(
                    waiting=lane.track.key,
                    missing=other.track.key,
                    waited_ns=deadline_ns - (lane.held_since_ns or 0),
                    position=position,
                    paused=other.play >= 0,
                )
            )
        for held in freed:
            self._settle(held, deadline_ns)

    def _rejoin(self, cluster: Cluster, lane: Lane) -> None:
        """A lane that was given up takes part again, also before what is ready but not due yet."""
        cluster.join(lane)
        for other in cluster.lanes:
            if lane.blocks(other):
                other.lowest = min(other.lowest, lane.place)
                if other.queued is not None or other.held:
                    self._settle(other)

    def _settle_others(self, lane: Lane, freed_ns: int = NEVER) -> None:
        """Look again at all who wait for a lane that has come, gone, stopped or gone on."""
        waiting = [waiter for _, waiter in lane.waiters if waiter.watching is lane]
        waiting += [held for held in lane.holding if held.held]
        lane.waiters = []
        lane.holding = {}
        for other in waiting:
            self._settle(other, freed_ns)
