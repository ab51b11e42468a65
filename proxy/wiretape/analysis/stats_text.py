"""`stats` for people at a terminal: how answers ended, which calls they made, how fast.

Knows the layout; every name of a cassette goes through `rows.safe_line`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from wiretape.analysis.printable import counted, seconds
from wiretape.analysis.rows import Unpadded, safe_line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from wiretape.analysis.stats import Row, Spread, Stats


def stats_text(stats: Stats) -> RenderableType:
    """Three tables that fit 80 columns: endings, calls, times."""
    count = counted(sum(row.interactions for row in stats.rows), "interaction")
    title = Text(f"{count} in {counted(stats.cassettes, 'cassette')}", "bold")
    if not stats.rows:
        return title
    tables = (_endings(stats), _calls(stats), _times(stats))
    return Group(title, *(each for table in tables for each in (Text(), Unpadded(table))))


def _table(*columns: str, left: tuple[str, ...] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False, show_edge=False)
    table.add_column("model, endpoint", overflow="fold")
    for name in columns:
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    return table


def _endings(stats: Stats) -> Table:
    """A refusal is whole, as outcomes go: only the status tells it."""
    named = ("status", "outcome", "finish")
    table = _table("n", *named, left=named)
    for row in stats.rows:
        counts = map(_counts, (row.statuses, row.outcomes, row.finish_reasons))
        table.add_row(_named(row), f"{row.interactions:,}", *counts)
    return table


def _calls(stats: Stats) -> Table:
    """Only rows with answers: a list of models cannot call anything."""
    table = _table("answers", "calls", "parallel", "refined", "repeated", "invalid")
    for row in stats.rows:
        if row.parallel_share is None or row.mean_calls is None:
            continue
        counts = (f"{count:,}" for count in (row.refined, row.repeated, row.invalid))
        share = f"{row.parallel} ({row.parallel_share:.0%})"
        numbers = (f"{row.answers:,}", f"{row.calls:,} ({row.mean_calls:.1f})", share, *counts)
        table.add_row(_named(row), *numbers)
    return table


def _times(stats: Stats) -> Table:
    table = _table("", "head", "first token", "gap", "tokens/s")
    for row in stats.rows:
        table.add_row(
            _named(row),
            Text("p50\np90\np99", "dim"),
            *(_spread(each) for each in (row.head_s, row.first_token_s, row.gap_s)),
            "\n".join("" if each is None else f"{each:.1f}" for each in _values(row.tokens_per_s)),
        )
    return table


def _named(row: Row) -> Text:
    name = safe_line(row.model, "bold") if row.model else Text("(no model)", "dim")
    return name.append("\n").append_text(safe_line(row.endpoint, "not bold"))


def _counts(counts: dict[str, int]) -> Text:
    return Text("\n").join(safe_line(f"{name} {count:,}") for name, count in counts.items())


def _values(spread: Spread) -> tuple[float | None, ...]:
    return spread.p50, spread.p90, spread.p99


def _spread(spread: Spread) -> str:
    values = _values(spread)
    return "\n".join("" if each is None else seconds(round(each * 1e6)) for each in values)
