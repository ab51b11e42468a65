"""Growth: what a chunk, a recording and a match cost as their number grows. It should stay flat."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from loads import CHUNKS_BESIDE_EVENTS, Load, Meter
from recordings import Recorded, write_cassette
from systems import PATH, SYSTEMS, Bench, ask, free_port, wiretape

_ANSWER_CHUNKS = 400
_ALONE_CHUNKS = 20
_ALONE_PER_S = 3000

Points = list[tuple[float, float]]
"""(how many, what one costs in microseconds of CPU time)."""


def growth(points: Points) -> float:
    """What one costs at the greatest numbers, over what it costs at the least: a quarter each."""
    costs = [cost for _, cost in sorted(points)]
    quarter = max(1, len(costs) // 4)
    return statistics.median(costs[-quarter:]) / statistics.median(costs[:quarter])


def _medians(counts: list[int], rounds: int, cost_us: Callable[[int], float]) -> Points:
    """The cost at each count, in turn, round after round, for a machine is slow now and then."""
    found: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(rounds):
        for count in counts:
            found[count].append(cost_us(count))
    return [(count, statistics.median(costs)) for count, costs in found.items()]


def over_streams(  # noqa: PLR0917  they are what is varied and what is not
    bench: Bench, meter: Meter, upstream: int, counts: list[int], chunks: int, rounds: int
) -> Points:
    """The cost of a chunk recorded, by how many streams there are, as models send: each alone.

    There are 3,000 chunks a second however many streams they are spread over, and answers are
    equally long, so that what a wait costs and what a request costs weigh the same.
    """

    def load(streams: int) -> Load:
        gap_us = streams * 1_000_000 // _ALONE_PER_S
        requests = max(1, chunks // streams // _ALONE_CHUNKS)
        events = _ALONE_CHUNKS - CHUNKS_BESIDE_EVENTS
        return Load(streams, events, gap_us=gap_us, requests=requests, spread_us=gap_us, warmup=1)

    return _recorded(bench, meter, upstream, counts, rounds, load)


def over_streams_flat_out(  # noqa: PLR0917  as above
    bench: Bench, meter: Meter, upstream: int, counts: list[int], chunks: int, rounds: int
) -> Points:
    """The same, as fast as everything goes.

    The load tools take longer for a chunk the more streams there are, so that the proxy, which is
    never idle meanwhile, gets fewer with a read: what grows is partly theirs.
    """

    def load(streams: int) -> Load:
        requests = max(1, chunks // streams // _ANSWER_CHUNKS)
        return Load(streams, _ANSWER_CHUNKS - CHUNKS_BESIDE_EVENTS, requests=requests)

    return _recorded(bench, meter, upstream, counts, rounds, load)


def _recorded(  # noqa: PLR0917  as above
    bench: Bench,
    meter: Meter,
    upstream: int,
    counts: list[int],
    rounds: int,
    load: Callable[[int], Load],
) -> Points:
    with bench.running(SYSTEMS["wiretape record"], upstream) as server:

        def cost_us(streams: int) -> float:
            run = meter.run(SYSTEMS["wiretape record"], server, "growth", load(streams))
            return float(run["cpu_us_per_chunk"])

        return _medians(counts, rounds, cost_us)


def over_session(bench: Bench, meter: Meter, upstream: int, chunks: int) -> Points:
    """The cost of a chunk recorded, by how many the session has recorded before."""
    load = Load(64, 500, warmup=0)
    points: Points = []
    with bench.running(SYSTEMS["wiretape record"], upstream) as server:
        before = 0
        while before < chunks:
            options = [*load.options(), "--key", f"after-{before}"]
            result = meter.client(server, f"/@long{PATH}", options)
            each = load.chunks * result["answers"]
            points.append((max(before, 10), result["cpu_s"] / each * 1e6))
            before += each
    return points


def over_answer(  # noqa: PLR0917  as above
    bench: Bench, meter: Meter, upstream: int, counts: list[int], chunks: int, rounds: int
) -> Points:
    """The cost of a chunk recorded, by how many its answer has; the request's own cost taken off.

    Up to eight streams; answers follow one another until there have been as many chunks.
    """
    with bench.running(SYSTEMS["wiretape record"], upstream) as server:

        def answer_us(count: int) -> float:
            streams = min(8, max(1, chunks // count))
            requests = max(1, chunks // count // streams)
            load = Load(streams, count - CHUNKS_BESIDE_EVENTS, requests=requests)
            run = meter.run(SYSTEMS["wiretape record"], server, "growth", load)
            return float(run["cpu_us_per_answer"])

        shortest = 1 + CHUNKS_BESIDE_EVENTS
        costs_us = dict(_medians([shortest, *counts], rounds, answer_us))
        return [
            (count, (costs_us[count] - costs_us[shortest]) / (count - shortest)) for count in counts
        ]


def over_library(bench: Bench, meter: Meter, counts: list[int], requests: int) -> Points:
    """The cost of a request replayed, by how many interactions the cassette holds."""
    points: Points = []
    for count in counts:
        place, port = bench.place(f"matching-{count}"), free_port()
        write_cassette(place / "many.yaml", Recorded(count, 1))
        command = [
            *wiretape("replay", str(place / "many.yaml"), "--log-level", "error"),
            *("--repeat", "loop", "--listen", f"127.0.0.1:{port}"),
        ]
        streams = min(count, 10)
        with bench.process(command, place, port) as server:
            each = min(count, requests) // streams
            options = ["--streams", str(streams), "--requests", str(each), "--n", "1"]
            costs = []
            for _ in range(1 + max(1, requests // (each * streams))):
                result = meter.client(server, PATH, [*options, "--gap-us", "100", "--replay", "1"])
                ask(server, "POST", "/_wiretape/sessions/many/rewind")
                costs.append(result["cpu_s"] / result["answers"] * 1e6)
            points.append((count, sum(costs[1:]) / len(costs[1:])))
    return points
