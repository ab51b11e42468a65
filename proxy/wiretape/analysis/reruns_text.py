"""`rerun` for people at a terminal: what came up how often, and how long it took.

Knows the layout; every text of a cassette goes through `rows.safe_line`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from wiretape.analysis.events import compact_json
from wiretape.analysis.printable import counted, cut, seconds
from wiretape.analysis.rows import Heading, Unpadded, safe_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

    from wiretape.analysis.reruns import Behaviour, Measure, Question, Reruns, Seen

LONGEST = 160
"""Characters of one text or argument."""

MOST_TEXTS = 5
_BAR = 12
_NAMES = {
    "head_s": "head",
    "first_token_s": "first token",
    "duration_s": "end",
    "tokens_per_s": "tokens/s",
}


def reruns_text(reruns: Reruns) -> RenderableType:
    """Takes compared, as a rich renderable."""
    takes = counted(reruns.takes, "take")
    title = safe_line(reruns.cassette, "bold").append(f" · {takes}", "not bold")
    shown: list[RenderableType] = [Heading(title)]
    for question in reruns.questions:
        shown += [Text(), *_question(question)]
    return Group(*shown)


def _question(question: Question) -> Iterator[RenderableType]:
    head = Text(f"#{question.number} ", "bold").append_text(safe_line(question.request, "not bold"))
    noticed = [f"{count} with {_WORDS[name]}" for name, count in question.noticed.items() if count]
    if noticed:
        head.append(f" · of {question.asked}: {', '.join(noticed)}", "yellow")
    yield Heading(head)
    yield _counts("behaviour", question.behaviours, question.asked, _behaviour)
    if len(question.texts) > 1 or (question.texts and not question.texts[0].recorded):
        yield _counts("text", question.texts[:MOST_TEXTS], question.asked, _text)
        if len(question.texts) > MOST_TEXTS:
            more = counted(len(question.texts) - MOST_TEXTS, "more text")
            yield Text(f"   ({more})", "dim")
    for name, values in question.arguments.items():
        if len(values) > 1 or not values[0].recorded:
            yield _counts(name, values, question.asked, _value)
    yield _times(question.measures)


_WORDS = {
    "parallel": "parallel calls",
    "refined": "a refined call",
    "repeated": "a repeated call",
    "invalid": "invalid arguments",
}


def _counts(name: str, seen: tuple[Seen, ...], of: int, shown: Callable[[Seen], Text]) -> Unpadded:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=True)
    table.add_column("", width=2)
    table.add_column("takes", justify="right")
    table.add_column("", width=_BAR)
    table.add_column(safe_line(name), overflow="fold")
    for each in seen:
        count = len(each.takes)
        text = shown(each)
        if each.recorded:
            text.append("  as recorded", "green")
        bar = "█" * max(1, round(_BAR * count / max(1, of)))
        table.add_row("", f"{count}/{of}", Text(bar, "cyan"), text)
    return Unpadded(table)


def _behaviour(seen: Seen) -> Text:
    behaviour: Behaviour = seen.value
    did = [safe_line(cut(call, LONGEST), "bold") for call in behaviour.calls]
    if behaviour.says:
        did.insert(0, Text("text"))
    if not did:
        did.append(Text("nothing", "dim"))
    ended = behaviour.finish or "no finish reason"
    if behaviour.ended != "complete":
        ended = behaviour.ended.replace("_", " ")
    return Text(", ").join(did).append_text(safe_line(f" → {ended}", "dim"))


def _text(seen: Seen) -> Text:
    return safe_line(cut(seen.value, LONGEST))


def _value(seen: Seen) -> Text:
    return safe_line(cut(compact_json(seen.value), LONGEST))


def _times(measures: dict[str, Measure]) -> Unpadded:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("  ")
    for name in ("recorded", "min", "median", "max"):
        table.add_column(name, justify="right")
    for name, measure in measures.items():
        values = (measure.recorded, measure.lowest, measure.median, measure.highest)
        if all(value is None for value in values):
            continue
        table.add_row(f"  {_NAMES[name]}", *(_figure(name, value) for value in values))
    return Unpadded(table)


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if name == "tokens_per_s" else seconds(round(value * 1e6))
