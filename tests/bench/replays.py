"""Replaying: as fast as it goes, and at the recorded pace."""

from __future__ import annotations

import contextlib
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from loads import CHUNKS_BESIDE_EVENTS, FailedRunError, Meter
from recordings import Recorded, write_cassette
from systems import HERE, PATH, Bench, Server, ask, free_port, wiretape

_STREAMS = 32
_EVENTS = 198  # 200 chunks
_PACED_STREAMS = 100
_PACED_GAP_US = 13_370
_PACED_SPREAD_US = 1_000_000


def instant(bench: Bench, meter: Meter, *, rounds: int, each: int) -> list[dict[str, Any]]:
    """32 connections, `each` answers of 200 chunks on each; with and without overlap.

    Those that did not overlap also by the least that aiohttp can do.
    """
    runs: list[dict[str, Any]] = []
    for name, at_once in (("apart", 1), ("overlapping", _STREAMS)):
        recorded = Recorded(_STREAMS * each, _EVENTS, at_once=at_once)
        load = _load(_STREAMS, recorded, "--requests", str(each))
        cassette = _written(bench, name, recorded)
        with contextlib.ExitStack() as stack:
            servers = {name: stack.enter_context(_replaying(bench, cassette, "instant"))}
            if at_once == 1:
                servers["aiohttp"] = stack.enter_context(_answering(bench, cassette))
            runs += _measured(meter, servers, recorded, rounds, load)
    return runs


def paced(bench: Bench, meter: Meter, *, rounds: int, events: int) -> list[dict[str, Any]]:
    """100 streams at the recorded speed: how far each event is from its recorded time.

    The same by a program in C on the same processor: what the machine itself allows.
    """
    recorded = Recorded(
        *(_PACED_STREAMS, events, _PACED_GAP_US),
        at_once=_PACED_STREAMS,
        spread_us=_PACED_SPREAD_US,
    )
    load = _load(_PACED_STREAMS, recorded, "--spread-us", str(_PACED_SPREAD_US))
    with (
        _replaying(bench, _written(bench, "paced", recorded), "original") as replaying,
        _in_c(bench) as in_c,
    ):
        return _measured(meter, {"paced": replaying, "paced-in-c": in_c}, recorded, rounds, load)


def _load(streams: int, recorded: Recorded, *more: str) -> list[str]:
    given = {"streams": streams, "n": recorded.events, "gap-us": recorded.gap_us, "replay": 1}
    return [*(word for name, value in given.items() for word in (f"--{name}", str(value))), *more]


def _written(bench: Bench, name: str, recorded: Recorded) -> Path:
    return write_cassette(bench.place(f"replay-{name}") / f"{name}.yaml", recorded)


def _replaying(bench: Bench, cassette: Path, speed: str) -> AbstractContextManager[Server]:
    port = free_port()
    command = [
        *wiretape("replay", str(cassette), "--speed", speed, "--log-level", "error"),
        *("--listen", f"127.0.0.1:{port}"),
    ]
    return bench.process(command, cassette.parent, port)


def _answering(bench: Bench, cassette: Path) -> AbstractContextManager[Server]:
    port = free_port()
    command = [sys.executable, str(HERE / "answering.py"), str(port), str(cassette)]
    return bench.process(command, bench.place("answering"), port)


def _in_c(bench: Bench) -> AbstractContextManager[Server]:
    port = free_port()
    command = [str(bench.cache.load_tool("upstream")), str(port), "due"]
    return bench.process(command, bench.place("in-c"), port)


def _measured(
    meter: Meter, servers: dict[str, Server], recorded: Recorded, rounds: int, load: list[str]
) -> list[dict[str, Any]]:
    runs = []
    for index in range(rounds + 1):
        for name, server in servers.items():
            result = meter.client(server, PATH, load)
            ask(server, "POST", f"/_wiretape/sessions/{name}/rewind")
            if index:  # the first one warms up
                figures = _figures(result, recorded.events)
                runs.append({"replay": name, "round": index, **figures, "raw": result})
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
