"""How two answers differ: what changed in behaviour, and what only wobbled.

Knows which differences count: what was said, called and how it ended do; ids, times and the way
in which an answer was cut into chunks do not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wiretape.analysis.answer import Dialect
from wiretape.analysis.events import MISSING, canonical, finite
from wiretape.analysis.messages import call_line
from wiretape.analysis.tokens import input_tokens, output_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wiretape.analysis.answer import Choice, ToolCall, Transcript


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        what: what differs: `content`, `calls[1].arguments`, `usage.output` and the like.
        before: in A, as a JSON value; None if it is not there.
        after: in B.
    """

    what: str
    before: Any
    after: Any

    def to_json(self) -> dict[str, Any]:
        """The same as an object."""
        return {"what": self.what, "a": finite(self.before), "b": finite(self.after)}


def behaviour(a: Transcript, b: Transcript) -> tuple[list[Change], list[Change]]:
    """How two answers differ: what changed, and what only wobbled."""
    counts = _counts(a, b)
    # Whether a server counts tokens at all says nothing about what the model did.
    uncounted = [change for change in counts if _one_sided(change)]
    counted = [change for change in counts if not _one_sided(change)]
    changes = [*_ends(a, b), *_choices(a, b), *counted, *_others(a, b)]
    return changes, [*_names(a, b), *uncounted, *_times(a, b)]


def differ(*pairs: tuple[str, Any, Any]) -> Iterator[Change]:
    """The pairs that are not equal as JSON: in Python, 1 == True."""
    return (
        Change(what, before, after)
        for what, before, after in pairs
        if canonical(before) != canonical(after)
    )


def _ends(a: Transcript, b: Transcript) -> Iterator[Change]:
    one, two = a.interaction, b.interaction
    return differ(
        (
            "status",
            one.response.status if one.response else None,
            two.response.status if two.response else None,
        ),
        (
            "outcome",
            one.outcome.value if one.outcome else None,
            two.outcome.value if two.outcome else None,
        ),
        ("errors", [each.message for each in a.failures], [each.message for each in b.failures]),
    )


def _choices(a: Transcript, b: Transcript) -> Iterator[Change]:
    yield from differ(("choices", len(a.choices), len(b.choices)))
    for position, (one, two) in enumerate(zip(a.choices, b.choices, strict=False)):
        prefix = f"choices[{position}]." if position else ""
        yield from differ(
            (f"{prefix}role", one.role, two.role),
            (f"{prefix}content", one.content, two.content),
            (f"{prefix}reasoning", one.reasoning, two.reasoning),
            (f"{prefix}refusal", one.refusal, two.refusal),
        )
        yield from _calls(one, two, prefix)
        yield from differ((f"{prefix}finish", one.finish, two.finish))


def _calls(a: Choice, b: Choice, prefix: str) -> Iterator[Change]:
    one, two = a.tool_calls, b.tool_calls
    if _same_calls(one, two):
        return
    for position in range(max(len(one), len(two))):
        what = f"{prefix}calls[{position}]"
        before = one[position] if position < len(one) else None
        after = two[position] if position < len(two) else None
        if before is None or after is None or before.name != after.name:
            yield Change(what, _line(before), _line(after))
        else:
            yield from differ((f"{what}.arguments", _given(before), _given(after)))


def _same_calls(one: tuple[ToolCall, ...], two: tuple[ToolCall, ...]) -> bool:
    """Whether the calls are the same, in whichever order: parallel calls have none."""
    return Counter(map(_identity, one)) == Counter(map(_identity, two))


def _identity(call: ToolCall) -> tuple[str, str]:
    return call.name, canonical(_given(call))


def _given(call: ToolCall) -> Any:
    return {"not JSON": call.arguments_raw} if call.arguments is MISSING else call.arguments


def _line(call: ToolCall | None) -> str | None:
    return call_line(call.name, call.arguments, call.arguments_raw) if call else None


def _counts(a: Transcript, b: Transcript) -> list[Change]:
    return list(
        differ(
            ("usage.input", input_tokens(a), input_tokens(b)),
            ("usage.output", output_tokens(a), output_tokens(b)),
        )
    )


def _one_sided(change: Change) -> bool:
    return change.before is None or change.after is None


def _others(a: Transcript, b: Transcript) -> Iterator[Change]:
    yield from differ(("summary", a.summary, b.summary))
    if a.dialect is Dialect.OTHER and b.dialect is Dialect.OTHER:
        yield from differ(("body", _body(a), _body(b)))


def _body(transcript: Transcript) -> list[Any]:
    events = transcript.events
    return [event.data if event.json is MISSING else event.json for event in events]


def _names(a: Transcript, b: Transcript) -> Iterator[Change]:
    yield from differ(("model", a.model, b.model))
    for one, two in zip(a.choices, b.choices, strict=False):
        yield from differ(("finish_reason", one.finish_reason, two.finish_reason))
        if not _same_calls(one.tool_calls, two.tool_calls):
            continue
        orders = [[_line(call) for call in choice.tool_calls] for choice in (one, two)]
        identities = [list(map(_identity, choice.tool_calls)) for choice in (one, two)]
        if identities[0] != identities[1]:
            yield Change("order of calls", *orders)
            continue
        for before, after in zip(one.tool_calls, two.tool_calls, strict=True):
            what = f"calls[{before.index}]"
            yield from differ(
                (f"{what}.id", before.id, after.id),
                (f"{what}.arguments_raw", before.arguments_raw, after.arguments_raw),
            )


def _times(a: Transcript, b: Transcript) -> Iterator[Change]:
    yield from differ(
        *(
            (name, before, after)
            for (name, before), after in zip(_moments(a).items(), _moments(b).values(), strict=True)
        ),
        ("chunks", len(a.interaction.chunks), len(b.interaction.chunks)),
    )


def _moments(transcript: Transcript) -> dict[str, float | None]:
    """Seconds since the request."""
    interaction = transcript.interaction
    response, end = interaction.response, interaction.end
    began_us, first_us = interaction.request.at_us, transcript.first_said_us

    def since(at_us: int | None) -> float | None:
        return None if at_us is None else (at_us - began_us) / 1e6

    return {
        "head_s": since(response.at_us if response else None),
        "first_token_s": since(first_us),
        "duration_s": since(end.at_us if end else None),
    }
