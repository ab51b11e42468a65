"""Measures wiretape side by side with other paths, checks what it measures, and says what came out.

    python tests/bench/run.py [--quick] [--systems NAME,...] [--only PART,...] [--out DIR]

Needs Linux, a C compiler and wiretape installed in this Python. nginx is used where it is
installed; the rivals are installed into ~/.cache/wiretape-bench (or $WIRETAPE_BENCH_CACHE) the
first time. Prints tables; writes bench.json, bench.md and bench.svg into --out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import growth
import profiling
import replays
import starting
from chart import Bars, Curve, draw
from checking import FalseRecordingError
from goals import goals
from installing import Cache, NotHadError
from loads import FULL, QUICK, FailedRunError, Meter, Plan
from machine import Pinning, Quietness, allow_many_files, description
from reporting import Runs, systems_table, table
from systems import SYSTEMS, Bench

PARTS = ("side-by-side", "replay", "start", "growth", "profile")


def side_by_side(bench: Bench, meter: Meter, plan: Plan, names: list[str]) -> list[dict[str, Any]]:
    """Every load on every system, in turn, round after round; each round with fresh processes."""
    runs = []
    for index in range(plan.rounds):
        with contextlib.ExitStack() as stack:
            upstream = stack.enter_context(bench.upstream())
            servers = {}
            for name in names:
                system = SYSTEMS[name]
                if name in bench.missing or (system.rival and index >= plan.rival_rounds):
                    continue
                try:
                    servers[name] = stack.enter_context(bench.running(system, upstream))
                except NotHadError as error:
                    bench.missing[name] = str(error)
            for title, load in plan.loads.items():
                # Turned a little each time, so that none is always the one that follows another.
                order = list(servers)
                order = order[index % len(order) :] + order[: index % len(order)]
                for name in order:
                    _say(f"round {index + 1} of {plan.rounds}: {title}: {name}")
                    try:
                        run = meter.run(SYSTEMS[name], servers[name], title, load)
                    except FailedRunError as error:
                        if not SYSTEMS[name].rival:
                            raise
                        bench.missing[f"{name}, {title}, round {index + 1}"] = str(error)
                    else:
                        runs.append({"round": index, **run})
    return runs


def measure(
    bench: Bench, meter: Meter, names: list[str], parts: list[str], *, quick: bool
) -> dict[str, Any]:
    """All that was asked for, by the names under which bench.json has it."""
    results: dict[str, Any] = {"runs": []}

    def sides() -> None:
        results["runs"] = side_by_side(bench, meter, QUICK if quick else FULL, names)

    def replay() -> None:
        rounds = 2 if quick else 5
        runs = results["replays"] = []
        runs += replays.instant(bench, meter, rounds=rounds, each=5 if quick else 20)
        runs += replays.paced(bench, meter, rounds=1 if quick else 3, events=50 if quick else 200)

    def start() -> None:
        results["version"] = starting.version(bench.pinning, 5 if quick else 21)
        results["idle"] = starting.idle_memory(bench)
        results["opening"] = starting.opening(bench, 2 if quick else 5)
        results["library"] = starting.library(bench, 2000)
        results["miss"] = starting.explanation(bench, 10_000, 3 if quick else 9)

    def grow() -> None:
        results["growth"] = {}
        for name, points in grown(bench, meter, quick=quick):
            results["growth"][name] = points

    def profile() -> None:
        results["openings"] = profiling.openings(bench)
        results["profile"] = profiling.profiles(bench, meter, (QUICK if quick else FULL).loads)

    # What one part found is told even where another fails.
    for part, run in zip(PARTS, (sides, replay, start, grow, profile), strict=True):
        if part in parts:
            _say(part)
            try:
                run()
            except (NotHadError, FailedRunError, FalseRecordingError) as error:
                results.setdefault("failures", {})[part] = str(error)
    return results


def grown(bench: Bench, meter: Meter, *, quick: bool) -> Iterator[tuple[str, growth.Points]]:
    """Every growth, up to its end or, quickly, not quite."""
    chunks, session = (16_000, 100_000) if quick else (64_000, 1_000_000)
    rounds = 1 if quick else 3
    streams = [1, 4, 16, 64, 256] + [1000] * (not quick)
    answers = [10, 100, 1000] + [10_000, 100_000] * (not quick)
    library = [10, 100, 1000, 10_000] + [100_000] * (not quick)
    with bench.upstream() as upstream:
        yield "streams", growth.over_streams(bench, meter, upstream, streams, 6_000, rounds)
        flat_out = growth.over_streams_flat_out(bench, meter, upstream, streams, chunks, rounds)
        yield "streams flat out", flat_out
        yield "session", growth.over_session(bench, meter, upstream, session)
        yield "answer", growth.over_answer(bench, meter, upstream, answers, chunks, rounds)
    yield "library", growth.over_library(bench, meter, library, 2000)


def report(results: dict[str, Any], bench: Bench, noise: Quietness) -> str:
    """What is printed, in Markdown."""
    runs = Runs(results["runs"])
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    how = "Medians (least..most of the rounds). Added: over the direct path in the same round."
    parts = [f"{moment}; {description()}; {bench.pinning}.", how, f"Noise: {noise}."]
    if results["runs"]:
        parts.append(systems_table(runs))
    parts += [f"Not run: {name}: {reason}." for name, reason in bench.missing.items()]
    failures = results.get("failures", {})
    parts += [f"FAILED: {part}: {reason}." for part, reason in failures.items()]
    found = [goal for goal in goals(runs, results) if goal.value is not None]
    if found:
        parts.append(table(["goal", "found", "wanted", ""], [goal.row() for goal in found]))
    if "profile" in results:
        parts.append(profiling.text(results["profile"]))
    if "openings" in results:
        parts.append(profiling.openings_text(results["openings"]))
    return "\n\n".join(parts) + "\n"


def picture(results: dict[str, Any], note: str) -> str:
    """The chart."""
    runs = Runs(results["runs"])
    names = [name for name in runs.systems() if name != "direct"]

    def bars(title: str, load: str, figure: str, *, added: bool = False) -> Bars:
        ask = runs.added if added else runs.figure
        rows = [(name, spread) for name in names if (spread := ask(name, load, figure))]
        return Bars(title, rows)

    sides = [
        bars(
            "CPU per chunk, us; 64 streams flat out (less is better)",
            "flat out",
            "cpu_us_per_chunk",
        ),
        bars(
            "Added latency p50, us; 64 streams at 20 ms (less is better)",
            "paced",
            "latency_p50_us",
            added=True,
        ),
        bars(
            "Added latency p99, us; 64 streams at 20 ms (less is better)",
            "paced",
            "latency_p99_us",
            added=True,
        ),
        bars("Short answers per second; 64 connections (more is better)", "short", "answers_per_s"),
    ]
    titles = {
        "streams": "CPU per chunk recorded, us, by streams, 3,000 chunks a second in all",
        "streams flat out": "by streams, flat out",
        "session": "by chunks that the session held before",
        "answer": "by chunks in one answer",
        "library": "CPU per request replayed, us, by interactions",
    }
    curves = [Curve(titles[name], points) for name, points in results.get("growth", {}).items()]
    return draw(sides if names else [], curves, note)


def main() -> None:
    """Read the command line, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="some two minutes, and rougher")
    parser.add_argument("--systems", help=f"some of: {', '.join(SYSTEMS)}")
    parser.add_argument("--only", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    given = parser.parse_args()
    names = given.systems.split(",") if given.systems else list(SYSTEMS)
    parts = given.only.split(",") if given.only else list(PARTS)
    unknown = [name for name in names if name not in SYSTEMS]
    unknown += [part for part in parts if part not in PARTS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    allow_many_files()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode
    noise = Quietness()
    with tempfile.TemporaryDirectory(prefix="wiretape-bench-") as work:
        try:
            bench = Bench(Cache.of_user(), Pinning.of_this_machine(), Path(work))
            meter = Meter(bench, noise)
            results = measure(bench, meter, names, parts, quick=given.quick)
        except (NotHadError, FailedRunError, FalseRecordingError) as error:
            sys.exit(f"bench: {error}")
    text = report(results, bench, noise)
    print(text)
    given.out.mkdir(parents=True, exist_ok=True)
    facts = {"machine": description(), "pinning": str(bench.pinning), "noise": noise.to_json()}
    document = {**facts, "missing": bench.missing, **results}
    (given.out / "bench.json").write_text(json.dumps(document, indent=1) + "\n")
    (given.out / "bench.md").write_text(text)
    (given.out / "bench.svg").write_text(picture(results, f"{description()}; {noise}"))
    print(f"written: {given.out}/bench.json, bench.md, bench.svg")
    sys.exit(1 if results.get("failures") else 0)


def _say(text: str) -> None:
    print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
