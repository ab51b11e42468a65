"""From runs to what is said: medians with their spread, ratios of neighbours, goals met or not."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Run = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spread:
    """Some runs' figures: the median and the outermost."""

    median: float
    least: float
    most: float
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """None if there are no values."""
        ordered = sorted(values)
        if not ordered:
            return None
        return cls(statistics.median(ordered), ordered[0], ordered[-1], len(ordered))

    def text(self, digits: int = 1) -> str:
        """Median and, where there were several runs, the outermost."""
        one = f"{self.median:,.{digits}f}"
        if self.count == 1:
            return one
        return f"{one} ({self.least:,.{digits}f}..{self.most:,.{digits}f})"

    def to_json(self) -> dict[str, float]:
        """As a mapping."""
        return {
            "median": self.median,
            "least": self.least,
            "most": self.most,
            "runs": self.count,
        }


class Runs:
    """Measured runs, to be asked about."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs

    def systems(self) -> list[str]:
        """Whatever was run, in the order of their first runs."""
        return list(dict.fromkeys(run["system"] for run in self._runs))

    def figure(self, system: str, load: str, name: str) -> Spread | None:
        """A figure of a system under a load."""
        return Spread.of(run[name] for run in self._of(system, load).values())

    def ratio(self, system: str, other: str, load: str, name: str) -> Spread | None:
        """A figure over another system's in the same round: what both suffered cancels out."""
        ours, theirs = self._of(system, load), self._of(other, load)
        return Spread.of(
            ours[each][name] / theirs[each][name] for each in ours if theirs.get(each, {}).get(name)
        )

    def added(self, system: str, load: str, name: str) -> Spread | None:
        """A latency over the direct path's in the same round."""
        ours, direct = self._of(system, load), self._of("direct", load)
        return Spread.of(ours[each][name] - direct[each][name] for each in ours if each in direct)

    def added_ratio(self, system: str, other: str, load: str, name: str) -> Spread | None:
        """Added latencies' ratio: of medians, for one round's may be nothing but noise."""
        ours, theirs = self.added(system, load, name), self.added(other, load, name)
        if ours is None or theirs is None or theirs.median <= 0:
            return None
        value = ours.median / theirs.median
        return Spread(value, value, value, 1)

    def _of(self, system: str, load: str) -> dict[int, Run]:
        return {
            run["round"]: run
            for run in self._runs
            if run["system"] == system and run["load"] == load
        }


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


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table with its columns aligned."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )


def systems_table(runs: Runs) -> str:
    """All systems side by side."""

    def cell(spread: Spread | None, digits: int = 0) -> str:
        return "" if spread is None else spread.text(digits)

    rows = []
    for system in runs.systems():
        changed = runs.figure(system, "flat out", "boundaries_changed")
        direct = system == "direct"
        rows.append(
            [
                system,
                "" if direct else cell(runs.figure(system, "flat out", "cpu_us_per_chunk"), 1),
                *(
                    "" if direct else cell(runs.added(system, "paced", f"latency_{part}_us"))
                    for part in ("p50", "p99")
                ),
                "" if direct else cell(runs.added(system, "together", "latency_p99_us")),
                cell(runs.figure(system, "short", "answers_per_s")),
                "" if direct else cell(runs.figure(system, "together", "memory_mb")),
                ""
                if changed is None
                else ("kept" if not changed.median else f"{changed.median:.0%} changed"),
            ]
        )
    head = [
        "path",
        "CPU us/chunk, 64 streams flat out",
        "added p50 us, 64 at 20 ms",
        "added p99 us",
        "added p99 us, 256 together",
        "short answers/s, 64",
        "MiB",
        "boundaries",
    ]
    return table(head, rows)


def median_of(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def goals(runs: Runs, results: dict[str, Any]) -> list[Goal]:
    """Every goal, with what was found."""
    ours, least = "wiretape record", "aiohttp"

    def of(spread: Spread | None) -> float | None:
        return None if spread is None else spread.median

    def replayed(kind: str, name: str) -> float | None:
        return of(
            Spread.of(run[name] for run in results.get("replays", []) if run["replay"] == kind)
        )

    def measured(section: str, read: Callable[[Any], float]) -> float | None:
        return float(read(results[section])) if section in results else None

    def latency(load: str, part: str) -> float | None:
        return of(runs.added_ratio(ours, "nginx", load, f"latency_{part}_us"))

    def opened(part: str) -> Callable[[Any], float]:
        return lambda opening: median_of(opening["as recorded"][part])

    def started(version: Any) -> float:
        bare, command = version["python -c pass"], version["wiretape --version"]
        return median_of(command) - median_of(bare)

    def growth(name: str) -> float | None:
        points = results.get("growth", {}).get(name)
        if not points:
            return None
        costs = [cost for _, cost in points]
        return float(max(costs) / min(costs))

    cpu = "cpu_us_per_chunk"
    return [
        Goal(
            "recording CPU per chunk / aiohttp",
            of(runs.ratio(ours, least, "flat out", cpu)),
            0.65,
            "x",
        ),
        Goal(
            "recording CPU per chunk / nginx",
            of(runs.ratio(ours, "nginx", "flat out", cpu)),
            1.0,
            "x",
        ),
        Goal("added p50 / nginx's", latency("paced", "p50"), 1.5, "x"),
        Goal("added p99 / nginx's", latency("paced", "p99"), 2.5, "x"),
        Goal("added p99, 256 together / nginx's", latency("together", "p99"), 20, "x"),
        Goal(
            "short answers/s / aiohttp",
            of(runs.ratio(ours, least, "short", "answers_per_s")),
            1.2,
            "x",
            at_least=True,
        ),
        Goal(
            "instant replay, no overlap (10 x httptape's 99,000)",
            replayed("apart", "chunks_per_s"),
            990_000,
            "chunks/s",
            at_least=True,
        ),
        Goal(
            "instant replay, 32 overlapping",
            replayed("overlapping", "chunks_per_s"),
            None,
            "chunks/s",
        ),
        Goal("pace, error p50", replayed("paced", "error_p50_us"), 250, "us"),
        Goal("pace, error p99", replayed("paced", "error_p99_us"), 1000, "us"),
        Goal("pace, CPU per chunk", replayed("paced", "cpu_us_per_chunk"), None, "us"),
        Goal("pace, drift", replayed("paced", "drift_us"), 100, "us"),
        Goal("opening 20,000 chunks", measured("opening", opened("ready_s")), 0.2, "s"),
        Goal(
            "the same / full YAML load",
            measured("opening", lambda it: opened("ready_s")(it) / opened("full_yaml_s")(it)),
            0.2,
            "x",
        ),
        Goal(
            "library, start to first answer",
            measured("library", lambda it: it["first_answer_s"]),
            1.0,
            "s",
        ),
        Goal("--version over bare Python", measured("version", started), 0.15, "s"),
        Goal("idle memory", measured("idle", lambda it: max(it.values())), 60, "MiB"),
        Goal("telling a miss", measured("miss", lambda it: it["median_ms"]), 100, "ms"),
        Goal("growth: streams", growth("streams"), 1.5, "x"),
        Goal("growth: chunks of a session", growth("session"), 1.5, "x"),
        Goal("growth: chunks of an answer", growth("answer"), 1.5, "x"),
        Goal("growth: library", growth("library"), 1.5, "x"),
    ]
