"""Which recorded interactions overlapped, and in which order their steps are to be delivered.

Knows positions in the recording only: nothing of now, of clients, or of how far a replay is.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wiretape.core.track import Track


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a track's steps stand in the order that is to be kept.

    Attributes:
        places: the place of each step, ascending.
        start: no step of a track that was requested later has a place before this one.
    """

    places: Sequence[int]
    start: int


def clusters(tracks: Iterable[Track]) -> list[list[Track]]:
    """The ordered tracks that have steps, grouped where they overlap, directly or by way of others.

    Two tracks overlap where the spans from request to end meet. Groups of one are left out, as
    they wait for nobody. Each group is sorted by request.
    """
    ordered = [track for track in tracks if track.ordered and track.positions]
    ordered.sort(key=attrgetter("request_position"))
    groups: list[list[Track]] = []
    group: list[Track] = []
    reach = -1
    for track in ordered:
        if track.request_position > reach:
            if len(group) > 1:
                groups.append(group)
            group = [track]
            reach = track.end_position
        else:
            group.append(track)
            reach = max(reach, track.end_position)
    if len(group) > 1:
        groups.append(group)
    return groups


def recorded(group: Iterable[Track]) -> list[Placement]:
    """The order as it was: every step at its own position. Parallel to `group`."""
    return [Placement(track.positions, track.request_position) for track in group]


def shuffled(group: Sequence[Track], seed: int) -> list[Placement]:
    """Another order that could have been recorded: places 0, 1, 2 ... Parallel to `group`.

    A track may begin once every step recorded before its request is placed, so that nothing
    that may have led to the request comes after its answer. Among the tracks that may go on,
    each is as likely to give the next step.

    The draw depends on the seed and on the group alone, so that a seed means the same with more
    or fewer cassettes beside it; and it uses only what the random module promises to keep the
    same over Python's versions, seeding and `random`.
    """
    rng = random.Random(f"{seed}:{group[0].request_at_us}")  # noqa: S311  a reproducible draw
    steps = sorted(position for track in group for position in track.positions)
    places: list[list[int]] = [[] for _ in group]
    starts = [bisect_left(steps, track.request_position) for track in group]
    placed: set[int] = set()
    # How many of the recorded steps, from the first one on, are placed without a gap.
    settled = 0
    coming = 0
    available: list[int] = []
    for place in range(len(steps)):
        while coming < len(group) and starts[coming] <= settled:
            available.append(coming)
            coming += 1
        drawn = int(rng.random() * len(available))
        index = available[drawn]
        own = places[index]
        placed.add(group[index].positions[len(own)])
        own.append(place)
        if len(own) == len(group[index].positions):
            available[drawn] = available[-1]
            available.pop()
        while settled < len(steps) and steps[settled] in placed:
            settled += 1
    return [Placement(own, start) for own, start in zip(places, starts, strict=True)]
