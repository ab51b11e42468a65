"""What is aimed at, and what was found of it."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from growth import growth
from reporting import Runs, Spread

# Of answers of 200 chunks replayed at once, httptape gave 495 a second on the machine on which
# aiohttp, with a write for each chunk, gave 595: its goal can be told where it cannot be had.
TEN_HTTPTAPES = 10 * 495 / 595

_OURS, _LEAST, _FLOOR = "wiretape record", "aiohttp", "asyncio floor"


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of what is aimed at.

    Attributes:
        name: what is measured.
        value: what was found; None if it was not measured.
        limit: what it is held against; None to tell it only.
        at_least: whether more is better.
        unit: of both.
    """

    name: str
    value: float | None
    limit: float | None
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """None if it was not measured, or is only told."""
        if self.value is None or self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def row(self) -> list[str]:
        """As a table has it."""
        sign = ">=" if self.at_least else "<="
        said = {True: "met", False: "MISSED", None: ""}[self.met]
        value = "" if self.value is None else f"{self.value:,.3g} {self.unit}".strip()
        wanted = "" if self.limit is None else f"{sign} {self.limit:,.4g} {self.unit}".strip()
        return [self.name, value, wanted, said]


class Found:
    """What was measured, by the names that goals have for it; None for what was not.

    Args:
        runs: of systems side by side.
        results: everything else, as bench.json has it.
    """

    def __init__(self, runs: Runs, results: dict[str, Any]) -> None:
        self.runs = runs
        self._results = results

    def replayed(self, kind: str, name: str) -> float | None:
        """A figure of one kind of replay."""
        runs = self._results.get("replays", [])
        return median(Spread.of(run[name] for run in runs if run["replay"] == kind))

    def replay_ratio(self, kind: str, other: str, name: str) -> float | None:
        """A figure of one kind of replay over another's in the same round."""
        rounds: dict[int, dict[str, float]] = {}
        for run in self._results.get("replays", []):
            rounds.setdefault(run["round"], {})[run["replay"]] = run[name]
        both = [each for each in rounds.values() if kind in each and other in each]
        return median(Spread.of(each[kind] / each[other] for each in both))

    def measured(self, section: str, read: Callable[[Any], float]) -> float | None:
        """Something read from a section of the results."""
        return float(read(self._results[section])) if section in self._results else None

    def latency(self, load: str, part: str, ours: str = _OURS) -> float | None:
        """What a recording adds to the direct path, over what nginx adds."""
        return median(self.runs.added_ratio(ours, "nginx", load, f"latency_{part}_us"))

    def growth(self, name: str) -> float | None:
        """How much dearer one gets as they grow in number."""
        points = self._results.get("growth", {}).get(name)
        return growth(points) if points else None


def median(spread: Spread | None) -> float | None:
    """The median of what was measured."""
    return None if spread is None else spread.median


def _opened(part: str) -> Callable[[Any], float]:
    return lambda opening: statistics.median(opening["as recorded"][part])


def _started(version: Any) -> float:
    bare, command = version["python -c pass"], version["wiretape --version"]
    return statistics.median(command) - statistics.median(bare)


def goals(runs: Runs, results: dict[str, Any]) -> list[Goal]:
    """Every goal, with what was found."""
    found = Found(runs, results)
    cpu = "cpu_us_per_chunk"
    return [
        Goal(
            "recording CPU per chunk / aiohttp",
            median(runs.ratio(_OURS, _LEAST, "flat out", cpu)),
            0.65,
            "x",
        ),
        Goal(
            "recording CPU per chunk / nginx",
            median(runs.ratio(_OURS, "nginx", "flat out", cpu)),
            1.0,
            "x",
        ),
        Goal("added p50 / nginx's", found.latency("paced", "p50"), 1.5, "x"),
        Goal("the same, of the floor", found.latency("paced", "p50", _FLOOR), None, "x"),
        Goal("added p99 / nginx's", found.latency("paced", "p99"), 2.5, "x"),
        Goal("the same, of the floor", found.latency("paced", "p99", _FLOOR), None, "x"),
        Goal("added p99, 256 together / nginx's", found.latency("together", "p99"), 20, "x"),
        Goal("the same, of the floor", found.latency("together", "p99", _FLOOR), None, "x"),
        # What nginx adds here is mostly less than the direct path's own p99 varies by.
        Goal(
            "the same, with the direct path in it",
            median(runs.ratio(_OURS, "nginx", "together", "latency_p99_us")),
            None,
            "x",
        ),
        # Those that are to begin make way for those that have, so that this is what they wait.
        Goal(
            "first byte p99, 256 together",
            median(runs.figure(_OURS, "together", "first_byte_p99_us")),
            None,
            "us",
        ),
        Goal(
            "the same, aiohttp",
            median(runs.figure(_LEAST, "together", "first_byte_p99_us")),
            None,
            "us",
        ),
        Goal(
            "short answers/s / aiohttp",
            median(runs.ratio(_OURS, _LEAST, "short", "answers_per_s")),
            1.2,
            "x",
            at_least=True,
        ),
        Goal(
            "instant replay, no overlap / aiohttp",
            found.replay_ratio("apart", "aiohttp", "chunks_per_s"),
            TEN_HTTPTAPES,
            "x",
            at_least=True,
        ),
        Goal("the same", found.replayed("apart", "chunks_per_s"), None, "chunks/s"),
        Goal(
            "instant replay, 32 overlapping",
            found.replayed("overlapping", "chunks_per_s"),
            None,
            "chunks/s",
        ),
        Goal("pace, error p50", found.replayed("paced", "error_p50_us"), 250, "us"),
        Goal("pace, error p99", found.replayed("paced", "error_p99_us"), 1000, "us"),
        Goal("the same in C, p50", found.replayed("paced-in-c", "error_p50_us"), None, "us"),
        Goal("the same in C, p99", found.replayed("paced-in-c", "error_p99_us"), None, "us"),
        Goal("pace, CPU per chunk", found.replayed("paced", "cpu_us_per_chunk"), None, "us"),
        Goal("pace, drift", found.replayed("paced", "drift_us"), 100, "us"),
        Goal("opening 20,000 chunks", found.measured("opening", _opened("ready_s")), 0.2, "s"),
        Goal(
            "the same / full YAML load",
            found.measured(
                "opening", lambda it: _opened("ready_s")(it) / _opened("full_yaml_s")(it)
            ),
            0.2,
            "x",
        ),
        Goal(
            "library, start to first answer",
            found.measured("library", lambda it: it["first_answer_s"]),
            1.0,
            "s",
        ),
        Goal("--version over bare Python", found.measured("version", _started), 0.15, "s"),
        Goal("idle memory", found.measured("idle", lambda it: max(it.values())), 60, "MiB"),
        Goal("telling a miss", found.measured("miss", lambda it: it["median_ms"]), 100, "ms"),
        Goal("growth: streams", found.growth("streams"), 1.5, "x"),
        Goal("the same, flat out", found.growth("streams flat out"), None, "x"),
        Goal("growth: chunks of a session", found.growth("session"), 1.5, "x"),
        Goal("growth: chunks of an answer", found.growth("answer"), 1.5, "x"),
        Goal("growth: library", found.growth("library"), 1.5, "x"),
    ]
