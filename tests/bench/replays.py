"""Replaying: as fast as it goes, and at the recorded pace."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loads import CHUNKS_BESIDE_EVENTS, FailedRunError, Meter
from recordings import Recorded, write_cassette
from systems import HERE, PATH, Bench, Server, ask, free_port, wiretape

_SESSION = "replay"
_CASSETTE = f"{_SESSION}.yaml"
_STREAMS = 32
_EVENTS = 198  # 200 chunks
_PACED_STREAMS = 100
_PACED_GAP_US = 13_370
_PACED_SPREAD_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Replay:
    """A cassette and who asks for it, how often.

    Attributes:
        name: as in results.
        recorded: what is in the cassette.
        streams: connections.
        each: requests on each of them.
        speed: as the command has it.
    """

    name: str
    recorded: Recorded
    streams: int
    each: int
    speed: str

    @property
    def load(self) -> list[str]:
        """For the client's command line."""
        given = {
            "streams": self.streams,
            "requests": self.each,
            "n": self.recorded.events,
            "gap-us": self.recorded.gap_us,
            "spread-us": self.recorded.spread_us,
            "replay": 1,
        }
        return [word for name, value in given.items() for word in (f"--{name}", str(value))]

    @property
    def chunks(self) -> int:
        """Of each answer."""
        return self.recorded.events + CHUNKS_BESIDE_EVENTS


def apart(each: int) -> Replay:
    """At once, `each` answers of 200 chunks on each of 32 connections; none of them overlap."""
    return Replay("apart", Recorded(_STREAMS * each, _EVENTS), _STREAMS, each, "instant")


def overlapping(each: int) -> Replay:
    """The same, of answers of which 32 overlap."""
    recorded = Recorded(_STREAMS * each, _EVENTS, at_once=_STREAMS)
    return Replay("overlapping", recorded, _STREAMS, each, "instant")


def at_pace(events: int) -> Replay:
    """At the recorded speed, 100 streams."""
    recorded = Recorded(
        *(_PACED_STREAMS, events, _PACED_GAP_US),
        at_once=_PACED_STREAMS,
        spread_us=_PACED_SPREAD_US,
    )
    return Replay("paced", recorded, _PACED_STREAMS, 1, "original")


def instant(bench: Bench, meter: Meter, *, rounds: int, each: int) -> list[dict[str, Any]]:
    """As fast as it goes, with and without overlap.

    Those that did not overlap also by the least that aiohttp can do.
    """
    runs: list[dict[str, Any]] = []
    for replay in (apart(each), overlapping(each)):
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(replaying(bench, replay))
            servers = {replay.name: server}
            if replay.name == "apart":
                servers["aiohttp"] = stack.enter_context(_answering(bench, _cassette(server)))
            runs += _measured(meter, servers, replay, rounds)
    return runs


def paced(bench: Bench, meter: Meter, *, rounds: int, events: int) -> list[dict[str, Any]]:
    """100 streams at the recorded speed: how far each event is from its recorded time.

    The same by a program in C on the same processor: what the machine itself allows.
    """
    replay = at_pace(events)
    with replaying(bench, replay) as server, _in_c(bench) as in_c:
        return _measured(meter, {replay.name: server, "paced-in-c": in_c}, replay, rounds)


def replaying(
    bench: Bench, replay: Replay, wrapped: Callable[[list[str]], list[str]] = list
) -> AbstractContextManager[Server]:
    """wiretape with the cassette, its command as `wrapped` has it."""
    place, port = bench.place(f"replay-{replay.name}"), free_port()
    cassette = write_cassette(place / _CASSETTE, replay.recorded)
    command = [
        *wiretape("replay", str(cassette), "--speed", replay.speed, "--log-level", "error"),
        *("--listen", f"127.0.0.1:{port}"),
    ]
    return bench.process(wrapped(command), place, port)


def _cassette(server: Server) -> Path:
    return server.place / _CASSETTE


def _answering(bench: Bench, cassette: Path) -> AbstractContextManager[Server]:
    port = free_port()
    command = [sys.executable, str(HERE / "answering.py"), str(port), str(cassette)]
    return bench.process(command, bench.place("answering"), port)


def _in_c(bench: Bench) -> AbstractContextManager[Server]:
    port = free_port()
    command = [str(bench.cache.load_tool("upstream")), str(port), "due"]
    return bench.process(command, bench.place("in-c"), port)


def _measured(
    meter: Meter, servers: dict[str, Server], replay: Replay, rounds: int
) -> list[dict[str, Any]]:
    runs = []
    for index in range(rounds + 1):
        for name, server in servers.items():
            result = meter.client(server, PATH, replay.load)
            ask(server, "POST", f"/_wiretape/sessions/{_SESSION}/rewind")
            if index:  # the first one warms up
                figures = _figures(result, replay.chunks)
                runs.append({"replay": name, "round": index, **figures, "raw": result})
    return runs


def _figures(result: dict[str, Any], chunks_each: int) -> dict[str, float]:
    chunks = result["answers"] * chunks_each
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
