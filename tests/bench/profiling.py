"""Where the time goes: wiretape under the loads again, with a clock on each of its steps.

`traced` is the clock; this runs it and says what it found. What is measured here is slower than
wiretape by what the clock takes, so nothing of it is held against a goal.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import replays
from loads import FailedRunError, Load, Meter
from recordings import write_cassette
from reporting import table
from starting import BIG, write_library
from systems import COMMAND, HERE, PATH, SYSTEMS, Bench, Server, System
from traced import LOOP

_TRACE = "trace.json"
_RECORD = SYSTEMS["wiretape record"]
_LEAST_SHARE = 0.01
_LISTED = 6
_CASSETTES = 2000


def profiles(bench: Bench, meter: Meter, loads: dict[str, Load]) -> dict[str, Any]:
    """What each load, and each way to replay, spends its time on: see `_told`, by name.

    Raises:
        FailedRunError: an answer was not whole, or there is no trace.
        FalseRecordingError: wiretape recorded something else than what crossed it.
    """
    found = {}
    for title, load in loads.items():
        with bench.upstream() as upstream:
            with bench.running(_traced_system(load), upstream) as server:
                run = meter.run(_RECORD, server, title, load)["raw"]
            told = _told(_trace(server), run["answers"], load.chunks)
        found[f"recording, {title}"] = told | {"latency_us": run["latency_us"]}
    for title, replay in {
        "at once": replays.apart(20),
        "at its pace": replays.at_pace(200),
    }.items():
        with replays.replaying(bench, replay, _traced) as server:
            run = meter.client(server, PATH, replay.load)
        found[f"replaying, {title}"] = _told(_trace(server), run["answers"], replay.chunks)
    return found


def openings(bench: Bench) -> dict[str, list[tuple[str, str, float]]]:
    """What reading cassettes spends its time on: functions, calls and seconds, by what is read."""
    one = bench.place("opened")
    write_cassette(one / "big.yaml", BIG)
    many = write_library(bench, _CASSETTES)
    found = {}
    for title, place in (
        ("one cassette of 20,000 chunks", one),
        (f"{_CASSETTES:,} cassettes of 10 chunks", many),
    ):
        command = [*bench.pinning.for_proxy(), sys.executable, str(HERE / "opened.py"), str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise FailedRunError(done.stderr)
        found[title] = json.loads(done.stdout)
    return found


def text(found: dict[str, Any]) -> str:
    """The profiles in Markdown."""
    return "\n\n".join(part for title, each in found.items() for part in _parts(title, each))


def openings_text(found: dict[str, list[tuple[str, str, float]]]) -> str:
    """The same of openings."""
    parts = []
    for title, functions in found.items():
        parts.append(f"Where the time goes, opening {title}, under Python's profiler:")
        rows = [(name, str(calls), f"{spent_s:.3f}") for name, calls, spent_s in functions]
        parts.append(table(["function", "calls", "seconds in itself"], rows))
    return "\n\n".join(parts)


def _traced_system(load: Load) -> System:
    def command(*given: Any) -> list[str]:
        assert _RECORD.command is not None
        return _traced(_RECORD.command(*given), load.warmup * load.streams)

    return System(f"{_RECORD.name}, traced", _RECORD.records, command)


def _traced(command: list[str], warmups: int = 0) -> list[str]:
    """A command of wiretape's with the clock."""
    python, arguments = command[0], command[len(COMMAND) :]
    return [python, str(HERE / "traced.py"), _TRACE, str(warmups), *arguments]


def _trace(server: Server) -> dict[str, Any]:
    """What it found, once it has ended."""
    try:
        trace: dict[str, Any] = json.loads((server.place / _TRACE).read_text())
    except FileNotFoundError:
        raise FailedRunError("wiretape did not end in time to tell its trace") from None
    return trace


def _told(trace: dict[str, Any], answers: int, chunks_each: int) -> dict[str, Any]:
    """What a trace comes to, in microseconds, the closing of the session in it.

    Returns:
        `answers` and all their `chunks`; `steps`: how often each was called and what it took, by
        name; `turns` of the event loop, likewise; `loop_us`: what of the turns was no step's;
        `long_turns`: how many, and what each step took in all of them.
    """
    steps = {name: sorted(taken) for name, taken in trace["steps_ns"].items()}
    turns = sorted(trace["turns_ns"])
    in_long: dict[str, float] = {}
    for turn in trace["long_turns_ns"]:
        for name, taken in turn.items():
            in_long[name] = in_long.get(name, 0.0) + taken / 1e3
    return {
        "answers": answers,
        "chunks": answers * chunks_each,
        "steps": {name: _summed(taken) for name, taken in steps.items()},
        "turns": _summed(turns),
        "loop_us": (sum(turns) - sum(map(sum, steps.values()))) / 1e3,
        "long_turns": {"count": len(trace["long_turns_ns"]), "steps_us": in_long},
    }


def _summed(ordered_ns: Sequence[int]) -> dict[str, float]:
    return {
        "count": len(ordered_ns),
        "all_us": sum(ordered_ns) / 1e3,
        "p50_us": statistics.median(ordered_ns or [0]) / 1e3,
        "p99_us": ordered_ns[len(ordered_ns) * 99 // 100] / 1e3 if ordered_ns else 0.0,
    }


def _parts(title: str, found: dict[str, Any]) -> Iterable[str]:
    chunks, turns = found["chunks"], found["turns"]
    head = (
        f"Where the time goes, {title}: {found['answers']:,} answers of"
        f" {chunks // found['answers']:,} chunks, with the clock on each step"
    )
    if "latency_us" in found:
        latency = found["latency_us"]
        head += f"; latency p50 {latency['p50']:,.0f} us, p99 {latency['p99']:,.0f} us"
    yield f"{head}."
    loop = {"count": turns["count"], "all_us": found["loop_us"]}
    steps = {**found["steps"], LOOP: loop}
    by_size = sorted(steps.items(), key=lambda step: -step[1]["all_us"])
    least_us = _LEAST_SHARE * turns["all_us"]
    lines = [_line(name, each, chunks) for name, each in by_size if each["all_us"] > least_us]
    lines.append(_line("a turn of the loop, all in all", turns, chunks))
    yield table(["step", "times a chunk", "p50 us", "p99 us", "us a chunk"], lines)
    long_turns = found["long_turns"]
    if long_turns["count"]:
        in_long = sorted(long_turns["steps_us"].items(), key=lambda step: -step[1])
        total_us = sum(long_turns["steps_us"].values())
        named = ", ".join(f"{name} {took_us / total_us:.0%}" for name, took_us in in_long[:_LISTED])
        mean_ms = total_us / long_turns["count"] / 1e3
        yield (
            f"Of {turns['count']:,} turns {long_turns['count']:,} took over 1 ms, {mean_ms:.1f} ms"
            f" in the mean: {named}."
        )


def _line(name: str, step: dict[str, float], chunks: int) -> list[str]:
    each = [f"{step[part]:.1f}" if part in step else "" for part in ("p50_us", "p99_us")]
    return [name, f"{step['count'] / chunks:.3f}", *each, f"{step['all_us'] / chunks:.2f}"]
