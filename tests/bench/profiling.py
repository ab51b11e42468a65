"""Where the time goes: wiretape under the loads again, with a clock on each of its steps.

`traced` is the clock; this runs it and says what it found. What is measured here is slower than
wiretape by what the clock takes, so nothing of it is held against a goal.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

import replays
from loads import Load, Meter
from reporting import table
from systems import HERE, PATH, SYSTEMS, Bench, Server, System

_MODULE = ["-m", "wiretape.cli"]
_TRACE = "trace.json"
_RECORD = SYSTEMS["wiretape record"]
_LEAST_SHARE = 0.01
_LISTED = 6


def profiles(bench: Bench, meter: Meter, loads: dict[str, Load]) -> dict[str, Any]:
    """What each load, and each way to replay, spends its time on: see `_told`, by name."""
    found = {}
    for title, load in loads.items():
        with bench.upstream() as upstream:
            with bench.running(_traced_system(load), upstream) as server:
                run = meter.run(_RECORD, server, title, load)
            trace = _trace(server)
        answers = run["raw"]["answers"]
        latencies = run["latency_p50_us"], run["latency_p99_us"]
        found[f"recording, {title}"] = _told(trace, answers, load.chunks, latencies)
    for title, replay in {
        "at once": replays.apart(20),
        "at its pace": replays.at_pace(200),
    }.items():
        with replays.replaying(bench, replay, _traced) as server:
            result = meter.client(server, PATH, replay.load)
        error = result["error_us"]
        latencies = error["p50"], error["p99"]
        chunks = replay.chunks
        found[f"replaying, {title}"] = _told(_trace(server), result["answers"], chunks, latencies)
    return found


def text(found: dict[str, Any]) -> str:
    """The profiles in Markdown."""
    return "\n\n".join(part for title, each in found.items() for part in _parts(title, each))


def _traced_system(load: Load) -> System:
    def command(*given: Any) -> list[str]:
        assert _RECORD.command is not None
        return _traced(_RECORD.command(*given), load.warmup * load.streams)

    return System(f"{_RECORD.name}, traced", _RECORD.records, command)


def _traced(command: list[str], warmups: int = 0) -> list[str]:
    """A command of wiretape's with the clock."""
    python, *module = command[: 1 + len(_MODULE)]
    assert module == _MODULE
    script = str(HERE / "traced.py")
    return [python, script, _TRACE, str(warmups), *command[1 + len(_MODULE) :]]


def _trace(server: Server) -> dict[str, Any]:
    """What it found, once it has ended."""
    trace: dict[str, Any] = json.loads((server.place / _TRACE).read_text())
    return trace


def _told(
    trace: dict[str, Any], answers: int, chunks_each: int, latencies_us: tuple[float, float]
) -> dict[str, Any]:
    """What a trace comes to, in microseconds.

    Returns:
        `answers` and all their `chunks`; `latencies_us`, p50 and p99, as the client saw them;
        `steps`: how often each was called and what it took, by name; `turns` of the event loop,
        likewise; `loop_us`: what of the turns was no step's; `long_turns`: how many, and what each
        step took in all of them.
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
        "latencies_us": latencies_us,
        "steps": {name: _summed(taken) for name, taken in steps.items()},
        "turns": _summed(turns),
        "loop_us": (sum(turns) - sum(map(sum, steps.values()))) / 1e3,
        "long_turns": {"count": len(trace["long_turns_ns"]), "steps_us": in_long},
    }


def _summed(ordered_ns: Sequence[int]) -> dict[str, float]:
    return {
        "count": len(ordered_ns),
        "all_us": sum(ordered_ns) / 1e3,
        "p50_us": statistics.median(ordered_ns) / 1e3,
        "p99_us": ordered_ns[len(ordered_ns) * 99 // 100] / 1e3,
    }


def _parts(title: str, found: dict[str, Any]) -> Iterable[str]:
    chunks, turns = found["chunks"], found["turns"]
    p50_us, p99_us = found["latencies_us"]
    yield (
        f"Where the time goes, {title}: {found['answers']:,} answers of"
        f" {chunks // found['answers']:,} chunks; with the clock on each step the client's p50 is"
        f" {p50_us:,.0f} us, its p99 {p99_us:,.0f} us."
    )
    loop = {"count": turns["count"], "all_us": found["loop_us"]}
    steps = {**found["steps"], "asyncio: the loop itself": loop}
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
