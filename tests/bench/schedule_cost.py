"""What the replay scheduler costs by itself: to construct, per step, per wake. Run it by hand.

    python tests/bench/schedule_cost.py

No sockets, no clock but the stopwatch: the schedule is driven with made-up times.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from wiretape.core.schedule import Batch, Order, Schedule, Speed, Track

T = TypeVar("T")
RECORDED = Order("recorded")
SECOND_NS = 1_000_000_000
STEP_US = 20_000


def overlapping(streams: int, steps: int) -> list[Track]:
    """All requests first, then every stream's steps by turns."""
    tracks = []
    for index in range(streams):
        positions = [streams + step * streams + index for step in range(steps)]
        ats_us = [streams + (step + 1) * STEP_US + index for step in range(steps)]
        tracks.append(Track(index, index, index, positions, ats_us, positions[-1]))
    return tracks


def sequential(interactions: int, steps: int) -> list[Track]:
    """One after the other."""
    tracks = []
    for index in range(interactions):
        first = index * (steps + 1)
        positions = list(range(first + 1, first + 1 + steps))
        ats_us = [position * STEP_US for position in positions]
        tracks.append(Track(index, first, first * STEP_US, positions, ats_us, positions[-1]))
    return tracks


def windowed(interactions: int, steps: int, window: int) -> list[Track]:
    """As through a semaphore: `window` in flight at any time, drawn at random."""
    rng = random.Random(0)
    position = 0
    flying: list[tuple[int, int, list[int]]] = []
    tracks: list[Track] = []
    begun = 0
    while flying or begun < interactions:
        if len(flying) < window and begun < interactions:
            flying.append((begun, position, []))
            begun += 1
        else:
            drawn = rng.randrange(len(flying))
            key, request, positions = flying[drawn]
            positions.append(position)
            if len(positions) == steps:
                del flying[drawn]
                ats_us = [place * STEP_US for place in positions]
                tracks.append(Track(key, request, request * STEP_US, positions, ats_us, position))
        position += 1
    return sorted(tracks, key=lambda track: track.request_position)


def long_and_short(interactions: int, steps: int) -> list[Track]:
    """One stream that spans all, and short ones one after the other within it."""
    inner = sequential(interactions, steps)
    last = inner[-1].end_position
    shifted = [
        Track(
            track.key,
            track.request_position + 2,
            track.request_at_us,
            [position + 2 for position in track.positions],
            track.ats_us,
            track.end_position + 2,
        )
        for track in inner
    ]
    return [Track("long", 0, 0, [1, last + 3], [0, 0], last + 3), *shifted]


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """The result and the seconds it took."""
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


def drive(schedule: Schedule, arrivals: Iterable[object]) -> tuple[list[Batch], int]:
    """All arrive at once, then time goes on until all is delivered: batches, and how many wakes."""
    for key in arrivals:
        schedule.arrive(key, 0)
    batches = schedule.due(0)
    wakes = 1
    while (wake_ns := schedule.next_wake_ns()) is not None:
        batches += schedule.due(wake_ns)
        wakes += 1
    return batches, wakes


def report(
    name: str,
    tracks: list[Track],
    speed: str,
    order: Order = RECORDED,
    arrivals: Callable[[list[object]], list[object]] = list,
) -> None:
    """Measure one case and print its line."""
    steps = sum(len(track.positions) for track in tracks)
    schedule, construct_s = timed(
        lambda: Schedule(tracks, order, Speed.parse(speed), 2 * SECOND_NS)
    )
    keys = arrivals([track.key for track in tracks])
    (batches, wakes), drive_s = timed(lambda: drive(schedule, keys))
    come = set(keys)
    wanted = sum(len(track.positions) for track in tracks if track.key in come)
    assert sum(batch.count for batch in batches) == wanted
    print(
        f"{name:44} {speed:9} {len(tracks):7} tracks {steps:8} steps"
        f"  construct {construct_s * 1000:8.1f} ms  deliver {drive_s:7.3f} s"
        f"  {drive_s / steps * 1e6:7.2f} us/step  {drive_s / wakes * 1e6:9.2f} us/wake"
        f"  {len(batches):7} batches  {len(schedule.stalls())} stalls"
    )


def backwards(keys: list[object]) -> list[object]:
    """The last recorded request comes first."""
    return keys[::-1]


def jumbled(keys: list[object]) -> list[object]:
    """In no order."""
    return random.Random(1).sample(keys, len(keys))


def second_half(keys: list[object]) -> list[object]:
    """The first half never comes."""
    return keys[len(keys) // 2 :]


def odd(keys: list[object]) -> list[object]:
    """Every other one never comes."""
    return keys[1::2]


def main() -> None:
    """Print one line for each case."""
    for streams in (1, 10, 100, 1000):
        report("overlapping", overlapping(streams, 100_000 // streams), "instant")
    for streams in (1, 10, 100, 1000):
        report("overlapping", overlapping(streams, 100_000 // streams), "original")
    report("overlapping, backwards", overlapping(1000, 100), "instant", arrivals=backwards)
    report("overlapping, jumbled", overlapping(1000, 100), "instant", arrivals=jumbled)
    report("overlapping, second half only", overlapping(1000, 100), "instant", arrivals=second_half)
    report("overlapping, every other only", overlapping(1000, 100), "instant", arrivals=odd)
    report("overlapping, shuffled", overlapping(1000, 100), "instant", Order("shuffle", 1))
    report("overlapping, free", overlapping(1000, 100), "original", Order("free"))
    for interactions in (1000, 10_000, 100_000):
        report("sequential", sequential(interactions, 10), "instant")
    report("sequential", sequential(10_000, 10), "original")
    for window in (2, 10, 100):
        for speed in ("instant", "original"):
            report(f"{window} at a time, all at once", windowed(10_000, 10, window), speed)
    report("10 at a time, jumbled", windowed(10_000, 10, 10), "instant", arrivals=jumbled)
    report("10 at a time, second half", windowed(10_000, 10, 10), "instant", arrivals=second_half)
    report("10 at a time, every other", windowed(10_000, 10, 10), "instant", arrivals=odd)
    report("2 at a time, every other", windowed(10_000, 10, 2), "instant", arrivals=odd)
    for interactions in (1000, 10_000):
        report("short within a long one", long_and_short(interactions, 10), "instant")
        report("short within a long one", long_and_short(interactions, 10), "original")
        report(
            "short within a long one, jumbled",
            long_and_short(interactions, 10),
            "original",
            arrivals=jumbled,
        )


if __name__ == "__main__":
    main()
