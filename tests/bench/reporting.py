"""From runs to what is said: medians with their spread, ratios of neighbours, a table."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
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
                else ("kept" if not changed.median else f"{changed.median * 100:.2g} % changed"),
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
