"""`diff` for people at a terminal: per pair what changed, and in one dim line what wobbled.

Knows the layout; every text of a cassette goes through `rows.safe`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from wiretape.analysis.events import compact_json
from wiretape.analysis.printable import seconds
from wiretape.analysis.rows import Heading, Row, safe, safe_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from wiretape.analysis.comparison import Change
    from wiretape.analysis.diff import Diff, Pair

LEAD = 40
"""Characters of a long text that are shown before its first difference."""

LONGEST = 400


def diff_text(diff: Diff) -> RenderableType:
    """A comparison as a rich renderable that fits any width from 60 columns."""
    shown: list[RenderableType] = [_title(diff)]
    for each in diff.pairs:
        shown += [Text(), _head(each)]
        shown += [_row(change, "dim") for change in each.asked]
        shown += [_row(change, "bold") for change in each.changes]
        shown += _wobbled(each)
    return Group(*shown)


def _title(diff: Diff) -> Heading:
    title = safe_line(f"{diff.a} → {diff.b}", "bold")
    changed = sum(each.changed for each in diff.pairs)
    count = len(diff.pairs)
    noun = "interaction" if count == 1 else "interactions"
    verdict = f"{changed} of {count} {noun} changed" if changed else f"{count} {noun}, none changed"
    return Heading(title.append(f" · {verdict}", "not bold"))


def _head(pair: Pair) -> Heading:
    head = Text()
    if pair.a is None:
        head.append(f"only in B: #{pair.b} ", "bold green")
    elif pair.b is None:
        head.append(f"only in A: #{pair.a} ", "bold red")
    else:
        numbers = f"#{pair.a}" if pair.a == pair.b else f"#{pair.a} → #{pair.b}"
        head.append(f"{numbers} ", "bold")
    head.append_text(safe_line(pair.request))
    if pair.a is not None and pair.b is not None:
        head.append(" changed" if pair.changed else " same", "yellow" if pair.changed else "green")
    return Heading(head)


def _row(change: Change, style: str) -> Row:
    before, after = around(_plain(change.before), _plain(change.after))
    text = safe(f"- {before}", "red").append("\n").append_text(safe(f"+ {after}", "green"))
    label = f"asked: {change.what}" if style == "dim" else change.what
    return Row(label, text, style, width=24)


def _plain(value: Any) -> str:
    if value is None:
        return "(none)"
    return value if isinstance(value, str) else compact_json(value)


def around(before: str, after: str) -> tuple[str, str]:
    """Two texts cut around their first difference, so that it can be seen."""
    same = 0
    for one, two in zip(before, after, strict=False):
        if one != two:
            break
        same += 1
    start = max(0, same - LEAD) if max(len(before), len(after)) > LONGEST else 0
    return _window(before, start), _window(after, start)


def _window(text: str, start: int) -> str:
    lead = "…" if start else ""
    rest = text[start : start + LONGEST]
    return f"{lead}{rest}" + ("…" if start + LONGEST < len(text) else "")


def _wobbled(pair: Pair) -> Iterator[Row]:
    ids = sum(change.what.endswith(".id") for change in pair.wobbles)
    said = [f"{ids} ids"] if ids else []
    said += [_wobble(change) for change in pair.wobbles if not change.what.endswith(".id")]
    if said:
        yield Row("wobbled", safe_line(", ".join(said), "dim"), "dim")


def _wobble(change: Change) -> str:
    what, values = change.what, (change.before, change.after)
    if what.endswith("_s"):
        what = what.removesuffix("_s").replace("_", " ")
        times = [each if each is None else seconds(round(each * 1e6)) for each in values]
        return f"{what} {times[0] or '(none)'} → {times[1] or '(none)'}"
    return f"{what} {_plain(values[0])} → {_plain(values[1])}"
