"""Puts an answer together, piece by piece, as the dialects read it from events.

Knows spans, choices and calls; nothing of any dialect's JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wiretape.analysis.answer import (
    Break,
    Choice,
    Failure,
    Part,
    Span,
    ToolCall,
    Unknown,
)
from wiretape.analysis.events import MISSING, Event, compact_json, parse_json

if TYPE_CHECKING:
    from collections.abc import Sequence

_FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "refusal": "content_filter",
    "failed": "error",
}


@dataclass(slots=True)
class CallDraft:
    """A tool call under way; with `free_text` its arguments need not be JSON."""

    position: int
    name: str = ""
    id: str | None = None
    sent_index: int | None = None
    fragments: list[str] = field(default_factory=list)
    chunks: list[int] = field(default_factory=list)
    start_chunk: int = 0
    free_text: bool = False
    torn: bool = False

    @property
    def raw(self) -> str:
        """The arguments so far."""
        return join_text(self.fragments)

    def whole(self) -> bool:
        """Whether the arguments so far are a complete JSON object."""
        raw = self.raw
        return raw.rstrip().endswith("}") and parse_json(raw, strict=True) is not MISSING


@dataclass(slots=True)
class ChoiceDraft:
    """A choice under way."""

    index: int
    role: str | None = None
    finish_reason: str | None = None
    finish: str | None = None
    texts: dict[Part, list[str]] = field(default_factory=dict)
    calls: list[CallDraft] = field(default_factory=list)


class Assembly:
    """What the dialects write to.

    Attributes:
        model, usage, timings, summary: as in Transcript, once known.
    """

    def __init__(self, times_us: Sequence[int]) -> None:
        self.model: str | None = None
        self.usage: dict[str, Any] | None = None
        self.timings: dict[str, Any] | None = None
        self.summary: str | None = None
        self.spans: list[Span] = []
        self.failures: list[Failure] = []
        self.unknowns: list[Unknown] = []
        self.breaks: list[Break] = []
        self._times_us = times_us
        self._seen: set[tuple[str, str]] = set()
        self._choices: dict[int, ChoiceDraft] = {}

    def choice(self, index: int = 0) -> ChoiceDraft:
        """The choice of this index, begun if it is new."""
        return self._choices.setdefault(index, ChoiceDraft(index))

    def say(self, part: Part, text: str, event: Event, choice: int = 0) -> None:
        """Add text to a choice; nothing if it is empty."""
        if text:
            self.choice(choice).texts.setdefault(part, []).append(text)
            self._span(part, text, event, choice)

    def begin_call(self, event: Event, choice: int = 0) -> CallDraft:
        """Begin a tool call."""
        draft = self.choice(choice)
        self._mend(draft)
        call = CallDraft(len(draft.calls), start_chunk=event.last_chunk)
        draft.calls.append(call)
        self._touch(call, "", event, choice)
        return call

    def extend_call(self, call: CallDraft, arguments: str, event: Event, choice: int = 0) -> None:
        """Add a fragment of arguments, maybe an empty one, to a call."""
        call.fragments.append(arguments)
        self._touch(call, arguments, event, choice)

    def set_arguments(self, call: CallDraft, value: Any, event: Event, choice: int = 0) -> None:
        """Add arguments that were sent as a value, not as text.

        Of an event that stops in the middle they stay open, as their text would be, until
        something comes after them.
        """
        raw = compact_json(value)
        call.torn = event.error is not None and raw.endswith("}")
        self.extend_call(call, raw[:-1] if call.torn else raw, event, choice)

    @staticmethod
    def _mend(draft: ChoiceDraft) -> None:
        if draft.calls and draft.calls[-1].torn:
            draft.calls[-1].fragments.append("}")
            draft.calls[-1].torn = False

    def finish(
        self, reason: str | None, event: Event, choice: int = 0, *, meaning: str | None = None
    ) -> None:
        """Say why a choice ended; nothing if there is no reason.

        Args:
            reason: as sent.
            event: where it was sent.
            choice: whose it is.
            meaning: the reason in the vocabulary of `Choice.finish`, where the dialect's own word
                does not tell; else its word is looked up.
        """
        if reason:
            draft = self.choice(choice)
            self._mend(draft)
            draft.finish_reason = reason
            draft.finish = meaning or _FINISHES.get(reason, reason)
            self._span(Part.FINISH, reason, event, choice)

    def use(self, usage: Any, event: Event) -> None:
        """Add usage; later counts stand over earlier ones."""
        if isinstance(usage, dict) and usage:
            given = {name: value for name, value in usage.items() if value is not None}
            self.usage = {**usage, **(self.usage or {}), **given}
            self._span(Part.USAGE, compact_json(usage), event, 0)

    def fail(self, message: str, kind: str | None, event: Event) -> None:
        """Add an error that the server reported."""
        self.failures.append(Failure(message, kind, event.last_chunk, event.data))
        self._span(Part.ERROR, message, event, 0)

    def unknown(self, what: str, raw: str, event: Event) -> None:
        """Keep what is not known."""
        self.unknowns.append(Unknown(what, raw, event.last_chunk))
        self._span(Part.UNKNOWN, raw, event, 0)

    def unknown_fields(
        self, value: dict[str, Any], known: frozenset[str], where: str, event: Event
    ) -> None:
        """Keep the fields of an object that are not known and say something, each value once."""
        if value.keys() <= known:
            return
        for name, given in value.items():
            if name in known or given in (None, "", [], {}):
                continue
            raw = compact_json(given)
            what = f"{where}.{name}" if where else name
            if (what, raw) not in self._seen:
                self._seen.add((what, raw))
                self.unknown(what, raw, event)

    def broke(self, what: str, event: Event) -> None:
        """Say that the body is broken where this event stands."""
        self.breaks.append(Break(event.first_chunk, event.offset, what))

    def choices(self, default_role: str | None) -> tuple[Choice, ...]:
        """The choices as far as they have come, by index."""
        drafts = sorted(self._choices.values(), key=lambda draft: draft.index)
        return tuple(self._choice(draft, default_role) for draft in drafts)

    def _span(
        self, part: Part, text: str, event: Event, choice: int, call: int | None = None
    ) -> None:
        self.spans.append(Span(event.last_chunk, part, text, choice, call, event.first_chunk))

    def _touch(self, call: CallDraft, text: str, event: Event, choice: int) -> None:
        if text or not call.chunks:
            self._span(Part.TOOL_CALL, text, event, choice, call.position)
        for chunk in range(event.first_chunk, event.last_chunk + 1):
            if not call.chunks or chunk > call.chunks[-1]:
                call.chunks.append(chunk)

    def _choice(self, draft: ChoiceDraft, default_role: str | None) -> Choice:
        texts = {part: join_text(pieces) for part, pieces in draft.texts.items()}
        return Choice(
            draft.index,
            draft.role or default_role,
            texts.get(Part.CONTENT, ""),
            texts.get(Part.REASONING),
            texts.get(Part.REFUSAL),
            tuple(self._call(call) for call in draft.calls),
            draft.finish_reason,
            draft.finish,
        )

    def _call(self, call: CallDraft) -> ToolCall:
        raw = call.raw
        return ToolCall(
            call.position,
            call.id,
            call.name,
            raw if call.free_text else parse_json(raw, strict=True),
            raw,
            tuple(call.chunks),
            self._times_us[call.start_chunk],
            self._times_us[call.chunks[-1]],
            call.sent_index,
        )


def join_text(pieces: list[str]) -> str:
    """Join pieces; a surrogate pair that was escaped into two of them becomes its character."""
    text = "".join(pieces)
    if text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
