"""What deserves a look in an answer: parallel, refined and repeated calls, stalls, odd endings.

Knows transcripts; judges one interaction at a time.
"""

from __future__ import annotations

import enum
import itertools
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wiretape.analysis.answer import GENERATING
from wiretape.analysis.events import EventKind, canonical
from wiretape.analysis.messages import call_line
from wiretape.analysis.printable import cut
from wiretape.core.model import Outcome

if TYPE_CHECKING:
    from wiretape.analysis.answer import ToolCall, Transcript
    from wiretape.core.model import Interaction

STALL_US = 1_000_000
"""No gap shorter than this is a stall."""

STALL_FACTOR = 10
"""A stall is longer than this many times the stream's median gap."""

FEW_GAPS = 8
"""Up to so many gaps, a gap is compared with the others alone."""

LOOK_BACK = 100
"""A call is compared with this many calls before it."""

LONGEST_CALL = 120
"""Characters of a call named in a mark's text."""


class MarkKind(enum.Enum):
    """What was noticed."""

    PARALLEL_CALLS = "parallel_calls"
    REFINED_CALL = "refined_call"
    REPEATED_CALL = "repeated_call"
    INVALID_ARGUMENTS = "invalid_arguments"
    NO_FINISH = "no_finish"
    STALL = "stall"
    CANCELLED = "cancelled"
    CUT_OFF = "cut_off"
    ERROR = "error"
    BROKEN = "broken"
    SPLIT_EVENTS = "split_events"


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing worth a look.

    Attributes:
        kind: what was noticed.
        interaction: its number.
        text: the same for people, in one line; may hold text from the cassette.
        calls: positions of the tool calls it is about, in the main choice.
        chunks: indexes of the chunks it is about.
    """

    kind: MarkKind
    interaction: int
    text: str
    calls: tuple[int, ...] = ()
    chunks: tuple[int, ...] = ()


def marks_of(transcript: Transcript) -> tuple[Mark, ...]:
    """The marks of one interaction: calls first, then timing, then how it ended."""
    return tuple(
        _call_marks(transcript)
        + _stalls(transcript)
        + _failures(transcript)
        + _breaks(transcript)
        + _ending(transcript)
        + _splits(transcript)
    )


def marks_told(transcript: Transcript) -> tuple[Mark, ...]:
    """The same for people, to whom several stalls of one answer are one thing."""
    marks = marks_of(transcript)
    stalls = [mark for mark in marks if mark.kind is MarkKind.STALL]
    if len(stalls) < 2:  # noqa: PLR2004  which stands for itself
        return marks
    chunks = tuple(sorted({chunk for mark in stalls for chunk in mark.chunks}))
    longest_us = max(gap_us for _, gap_us in _stalled(transcript.interaction))
    text = f"{len(stalls)} stalls, longest {longest_us / 1e6:.2f} s"
    together = Mark(MarkKind.STALL, stalls[0].interaction, text, (), chunks)
    told = [together if mark is stalls[0] else mark for mark in marks if mark not in stalls[1:]]
    return tuple(told)


def refines(earlier: ToolCall, later: ToolCall) -> bool:
    """Whether a call asks for the same as an earlier one and more: `ls`, then `ls -l`.

    The same function, and either arguments were added and none changed, or each argument that
    changed is a string that goes on where the earlier one stopped, at a word's end or inside an
    option (`ls -l`, then `ls -la`).
    """
    if earlier.name != later.name:
        return False
    before, after = earlier.arguments, later.arguments
    if not isinstance(before, dict) or not isinstance(after, dict):
        return isinstance(before, str) and isinstance(after, str) and _goes_on(before, after)
    if not before or not before.keys() <= after.keys():
        return False
    extended = len(after) > len(before)
    for name, old in before.items():
        if _goes_on(old, after[name]):
            extended = True
        elif not _same(old, after[name]):
            return False
    return extended


def repeats(earlier: ToolCall, later: ToolCall) -> bool:
    """Whether a call is the same as an earlier one; key order and spacing do not count."""
    if earlier.name != later.name or earlier.valid != later.valid:
        return False
    if not earlier.valid:
        return earlier.arguments_raw == later.arguments_raw
    return _same(earlier.arguments, later.arguments)


def _same(one: Any, two: Any) -> bool:
    """Whether two values are the same JSON; in Python, 1 == True."""
    return bool(one == two) and canonical(one) == canonical(two)


def _goes_on(before: Any, after: Any) -> bool:
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    start = before.rstrip()
    if not start or len(after.rstrip()) <= len(start) or not after.startswith(start):
        return False
    following = after[len(start)]
    return not (following.isalnum() or following == "_") or start.split()[-1].startswith("-")


def _call_marks(transcript: Transcript) -> list[Mark]:
    number, calls = transcript.interaction.number, transcript.tool_calls
    found: list[Mark] = []
    if len(calls) > 1:
        text = f"{len(calls)} parallel calls in one answer"
        every = tuple(range(len(calls)))
        found.append(Mark(MarkKind.PARALLEL_CALLS, number, text, every, _chunks(*calls)))
    for later in calls:
        for earlier in reversed(calls[max(0, later.index - LOOK_BACK) : later.index]):
            kind = _relation(earlier, later)
            if kind is not None:
                verb = "repeats" if kind is MarkKind.REPEATED_CALL else "refines"
                text = f"{_named(later)} {verb} {_named(earlier)}"
                pair = (earlier.index, later.index)
                found.append(Mark(kind, number, text, pair, _chunks(earlier, later)))
                break
    for call in calls:
        if not call.valid:
            what = "are empty" if not call.arguments_raw else "are not valid JSON"
            text = f"the arguments of call {call.index + 1} {call.name or '?'} {what}"
            found.append(Mark(MarkKind.INVALID_ARGUMENTS, number, text, (call.index,), call.chunks))
    return found


def _named(call: ToolCall) -> str:
    text = call_line(call.name, call.arguments, call.arguments_raw)
    return f"call {call.index + 1} {cut(text, LONGEST_CALL)}"


def _relation(earlier: ToolCall, later: ToolCall) -> MarkKind | None:
    if repeats(earlier, later):
        return MarkKind.REPEATED_CALL
    return MarkKind.REFINED_CALL if refines(earlier, later) else None


def _chunks(*calls: ToolCall) -> tuple[int, ...]:
    return tuple(sorted({chunk for call in calls for chunk in call.chunks}))


def _stalls(transcript: Transcript) -> list[Mark]:
    interaction = transcript.interaction
    return [
        Mark(
            MarkKind.STALL,
            interaction.number,
            f"a stall of {gap_us / 1e6:.2f} s after chunk {position + 1}",
            (),
            (position, position + 1)[: len(interaction.chunks) - position],
        )
        for position, gap_us in _stalled(interaction)
    ]


def _stalled(interaction: Interaction) -> list[tuple[int, int]]:
    """After which chunks nothing came for unusually long, and for how long."""
    times = [chunk.at_us for chunk in interaction.chunks]
    if interaction.end and times:
        times.append(interaction.end.at_us)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    median = statistics.median(gaps) if len(gaps) > FEW_GAPS else None
    return [
        (position, gap)
        for position, gap in enumerate(gaps)
        if gap > STALL_US
        and gap > STALL_FACTOR * (_others(gaps, position) if median is None else median)
    ]


def _others(gaps: list[int], position: int) -> float:
    """The median of the other gaps: among a few, one long gap weighs too much in it."""
    others = gaps[:position] + gaps[position + 1 :]
    return statistics.median(others) if others else 0


def _failures(transcript: Transcript) -> list[Mark]:
    number = transcript.interaction.number
    return [
        Mark(MarkKind.ERROR, number, f"an error: {each.message}", (), (each.chunk,))
        for each in transcript.failures
    ]


def _breaks(transcript: Transcript) -> list[Mark]:
    interaction = transcript.interaction
    found: list[Mark] = []
    for each in transcript.breaks:
        kind = MarkKind.BROKEN
        if each is transcript.breaks[-1] and interaction.outcome is not Outcome.COMPLETE:
            cancelled = interaction.outcome is Outcome.CLIENT_DISCONNECTED
            kind = MarkKind.CANCELLED if cancelled else MarkKind.CUT_OFF
        where = "" if each.chunk is None else f" (chunk {each.chunk + 1}, byte {each.offset})"
        chunks = () if each.chunk is None else (each.chunk,)
        found.append(Mark(kind, interaction.number, each.what + where, (), chunks))
    return found


def _ending(transcript: Transcript) -> list[Mark]:
    interaction = transcript.interaction
    if transcript.dialect not in GENERATING or transcript.failures:
        return []
    if interaction.outcome is not Outcome.COMPLETE:
        return []
    if transcript.choices and all(choice.finish for choice in transcript.choices):
        return []
    text = "no finish reason: the answer just stops"
    return [Mark(MarkKind.NO_FINISH, interaction.number, text)]


def _splits(transcript: Transcript) -> list[Mark]:
    split = [
        event
        for event in transcript.events
        if event.kind in {EventKind.SSE, EventKind.NDJSON}
        and event.error is None
        and event.first_chunk < event.last_chunk
    ]
    if not split:
        return []
    noun = "event came" if len(split) == 1 else "events came"
    chunks = tuple(sorted({event.last_chunk for event in split}))
    text = f"{len(split)} {noun} in several chunks"
    return [Mark(MarkKind.SPLIT_EVENTS, transcript.interaction.number, text, (), chunks)]
