"""Replaying: as fast as it goes, and at the recorded pace."""

from __future__ import annotations

from typing import Any

from loads import CHUNKS_BESIDE_EVENTS, FailedRunError, Meter
from recordings import Recorded, write_cassette
from systems import PATH, Bench, ask, free_port, wiretape

_STREAMS = 32
_EVENTS = 198  # 200 chunks
_PACED_STREAMS = 100
_PACED_GAP_US = 13_370
_PACED_SPREAD_US = 1_000_000


def instant(bench: Bench, meter: Meter, *, rounds: int, each: int) -> list[dict[str, Any]]:
    """32 connections, `each` answers of 200 chunks on each; with and without overlap."""
    runs: list[dict[str, Any]] = []
    for name, at_once in (("apart", 1), ("overlapping", _STREAMS)):
        recorded = Recorded(_STREAMS * each, _EVENTS, at_once=at_once)
        load = _load(_STREAMS, recorded, "--requests", str(each))
        runs += _replayed(bench, meter, name, recorded, rounds, load)
    return runs


def paced(bench: Bench, meter: Meter, *, rounds: int, events: int) -> list[dict[str, Any]]:
    """100 streams at the recorded speed: how far each event is from its recorded time."""
    recorded = Recorded(
        *(_PACED_STREAMS, events, _PACED_GAP_US),
        at_once=_PACED_STREAMS,
        spread_us=_PACED_SPREAD_US,
    )
    load = _load(_PACED_STREAMS, recorded, "--spread-us", str(_PACED_SPREAD_US))
    return _replayed(bench, meter, "paced", recorded, rounds, load, speed="original")


def _load(streams: int, recorded: Recorded, *more: str) -> list[str]:
    given = {"streams": streams, "n": recorded.events, "gap-us": recorded.gap_us, "replay": 1}
    return [*(word for name, value in given.items() for word in (f"--{name}", str(value))), *more]


def _replayed(  # noqa: PLR0917  they are what a replay is
    bench: Bench,
    meter: Meter,
    name: str,
    recorded: Recorded,
    rounds: int,
    load: list[str],
    speed: str = "instant",
) -> list[dict[str, Any]]:
    place = bench.place(f"replay-{name}")
    cassette = write_cassette(place / f"{name}.yaml", recorded)
    port = free_port()
    command = [
        *wiretape("replay", str(cassette), "--speed", speed, "--log-level", "error"),
        *("--listen", f"127.0.0.1:{port}"),
    ]
    runs = []
    with bench.process(command, place, port) as server:
        for index in range(rounds + 1):
            result = meter.client(server, PATH, load)
            ask(server, "POST", f"/_wiretape/sessions/{name}/rewind")
            if index:  # the first one warms up
                runs.append({"replay": name, **_figures(result, recorded.events), "raw": result})
    return runs


def _figures(result: dict[str, Any], events: int) -> dict[str, float]:
    chunks = result["answers"] * (events + CHUNKS_BESIDE_EVENTS)
    if result["odd_chunks"] or result["http_chunks"] != chunks:
        raise FailedRunError("the replay changed chunk boundaries")
    return {
        "answers_per_s": result["answers"] / result["seconds"],
        "chunks_per_s": chunks / result["seconds"],
        "cpu_us_per_chunk": result["cpu_s"] / chunks * 1e6,
        "cpu_part": result["cpu_s"] / result["seconds"],
        "error_p50_us": result["error_us"]["p50"],
        "error_p99_us": result["error_us"]["p99"],
        "drift_us": result["drift_us"],
    }
