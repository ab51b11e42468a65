"""`rerun`: takes of the same questions compared, by how often each behaviour came up.

Knows what counts as the same behaviour; asks nobody anything.
"""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wiretape.analysis.events import MISSING, canonical, compact_json, finite
from wiretape.analysis.marks import MarkKind, marks_of
from wiretape.analysis.messages import call_line
from wiretape.analysis.pairing import pair
from wiretape.analysis.tokens import tokens_per_second
from wiretape.analysis.transcript import transcripts

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from wiretape.analysis.answer import ToolCall, Transcript
    from wiretape.core.model import Cassette

_NOTICED = {
    "parallel": MarkKind.PARALLEL_CALLS,
    "refined": MarkKind.REFINED_CALL,
    "repeated": MarkKind.REPEATED_CALL,
    "invalid": MarkKind.INVALID_ARGUMENTS,
}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a model did: answers that differ in their words alone are the same behaviour.

    Attributes:
        ended: `complete`, another outcome, or the HTTP status of an error.
        calls: each call as people write it; in order, though order makes no difference.
        says: whether it also said something.
        finish: why it stopped, in one vocabulary for all dialects.
    """

    ended: str
    calls: tuple[str, ...]
    says: bool
    finish: str | None

    @classmethod
    def of(cls, transcript: Transcript) -> Behaviour:
        """The behaviour in one answer."""
        interaction, main = transcript.interaction, transcript.main
        ended = interaction.outcome.value if interaction.outcome else "unfinished"
        if transcript.failures:
            status = interaction.response.status if interaction.response else None
            ended = f"error {status}" if status else "error"
        calls = tuple(_line(call) for call in transcript.tool_calls)
        says = main is not None and bool(main.content or main.refusal)
        return cls(ended, calls, says, main.finish if main else None)

    @property
    def key(self) -> tuple[str, tuple[str, ...], bool, str | None]:
        """Equal for the same behaviour."""
        return self.ended, tuple(sorted(self.calls)), self.says, self.finish

    def to_json(self) -> dict[str, Any]:
        """The same as an object."""
        return {
            "ended": self.ended,
            "calls": list(self.calls),
            "says": self.says,
            "finish": self.finish,
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """How often something came up.

    Attributes:
        value: what.
        takes: the numbers of the takes.
        recorded: it is also what the recording has.
    """

    value: Any
    takes: tuple[int, ...]
    recorded: bool


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure over the takes; None where it was never measured."""

    recorded: float | None
    lowest: float | None
    median: float | None
    highest: float | None

    def to_json(self) -> dict[str, float | None]:
        """The same as an object."""
        return {
            "recorded": self.recorded,
            "min": self.lowest,
            "median": self.median,
            "max": self.highest,
        }


@dataclass(frozen=True, slots=True)
class Question:
    """One request, asked again and again.

    Attributes:
        number: of the recorded interaction.
        request: method and target.
        asked: how many takes have an answer.
        behaviours: the commonest first.
        texts: the different texts, the commonest first.
        arguments: by `calls[0].name(argument)`, the values it had, the commonest first.
        noticed: how many takes have parallel, refined, repeated calls, invalid arguments.
        measures: `head_s`, `first_token_s`, `duration_s`, `tokens_per_s`.
    """

    number: int
    request: str
    asked: int
    behaviours: tuple[Seen, ...]
    texts: tuple[Seen, ...]
    arguments: dict[str, tuple[Seen, ...]]
    noticed: dict[str, int]
    measures: dict[str, Measure]

    def to_json(self) -> dict[str, Any]:
        """The same as an object."""
        return {
            "interaction": self.number,
            "request": self.request,
            "takes": self.asked,
            "behaviours": [{**_seen(each), **each.value.to_json()} for each in self.behaviours],
            "texts": [{**_seen(each), "text": each.value} for each in self.texts],
            "arguments": {
                name: [{**_seen(each), "value": finite(each.value)} for each in values]
                for name, values in self.arguments.items()
            },
            "noticed": self.noticed,
            "measures": {name: each.to_json() for name, each in self.measures.items()},
        }


@dataclass(frozen=True, slots=True)
class Reruns:
    """A cassette and its takes.

    Attributes:
        cassette: its name.
        takes: how many there are.
        questions: in order of the recorded requests.
    """

    cassette: str
    takes: int
    questions: tuple[Question, ...]

    def to_json(self) -> dict[str, Any]:
        """`{"cassette", "takes", "questions": [{"interaction", "behaviours", ...}]}`."""
        questions = [each.to_json() for each in self.questions]
        return {"cassette": self.cassette, "takes": self.takes, "questions": questions}


def reruns(recorded: Cassette, takes: Iterable[Cassette]) -> Reruns:
    """Compare takes, numbered from 1, with each other and with the recording.

    Args:
        recorded: the interactions that were asked again, and no others.
        takes: one at a time: an iterator need not hold them all.
    """
    originals = transcripts(recorded)
    answers: dict[int, dict[int, Transcript]] = {each.interaction.number: {} for each in originals}
    count = 0
    for count, take in enumerate(takes, 1):
        for original, answer in pair(originals, transcripts(take)):
            if original is not None and answer is not None:
                answers[original.interaction.number][count] = answer
    questions = (_question(each, answers[each.interaction.number]) for each in originals)
    return Reruns(recorded.name, count, tuple(questions))


def _question(original: Transcript, answers: dict[int, Transcript]) -> Question:
    request = original.interaction.request
    noticed: Counter[str] = Counter()
    for answer in answers.values():
        kinds = {mark.kind for mark in marks_of(answer)}
        noticed.update(name for name, kind in _NOTICED.items() if kind in kinds)
    return Question(
        original.interaction.number,
        f"{request.method} {request.target}",
        len(answers),
        _ranked(
            {number: Behaviour.of(each) for number, each in answers.items()},
            lambda behaviour: behaviour.key,
            Behaviour.of(original).key,
        ),
        _ranked(
            {number: each.content for number, each in answers.items() if each.content},
            str,
            original.content,
        ),
        _arguments(original, answers),
        {name: noticed[name] for name in _NOTICED},
        {
            name: _measure(value, [_measures(each)[name] for each in answers.values()])
            for name, value in _measures(original).items()
        },
    )


def _ranked(
    values: dict[int, Any], key: Callable[[Any], Hashable], recorded: Hashable
) -> tuple[Seen, ...]:
    """What came up, the commonest first; the first of equal ones speaks for all.

    Args:
        values: by take.
        key: equal for what counts as the same.
        recorded: the key of what the recording has.
    """
    takes: dict[Hashable, list[int]] = {}
    for number, value in values.items():
        takes.setdefault(key(value), []).append(number)
    seen = [
        Seen(values[numbers[0]], tuple(numbers), found == recorded)
        for found, numbers in takes.items()
    ]
    return tuple(sorted(seen, key=lambda each: -len(each.takes)))


def _arguments(original: Transcript, answers: dict[int, Transcript]) -> dict[str, tuple[Seen, ...]]:
    recorded = _given(original.tool_calls)
    values: dict[str, dict[int, Any]] = {}
    for number, answer in answers.items():
        for name, value in _given(answer.tool_calls).items():
            values.setdefault(name, {})[number] = value
    return {
        name: _ranked(by_take, canonical, canonical(recorded[name]) if name in recorded else None)
        for name, by_take in sorted(values.items())
    }


def _given(calls: Sequence[ToolCall]) -> dict[str, Any]:
    """The arguments of calls, by the call's place, its function and the argument's name."""
    given: dict[str, Any] = {}
    for call in calls:
        if isinstance(call.arguments, dict):
            for name, value in call.arguments.items():
                given[f"calls[{call.index}].{call.name}({name})"] = value
    return given


def _measures(transcript: Transcript) -> dict[str, float | None]:
    interaction = transcript.interaction
    began_us = interaction.request.at_us
    first_us = transcript.first_said_us
    response, end = interaction.response, interaction.end
    return {
        "head_s": (response.at_us - began_us) / 1e6 if response else None,
        "first_token_s": (first_us - began_us) / 1e6 if first_us is not None else None,
        "duration_s": (end.at_us - began_us) / 1e6 if end else None,
        "tokens_per_s": tokens_per_second(transcript),
    }


def _measure(recorded: float | None, values: Sequence[float | None]) -> Measure:
    known = [value for value in values if value is not None]
    if not known:
        return Measure(recorded, None, None, None)
    return Measure(recorded, min(known), statistics.median(known), max(known))


def _line(call: ToolCall) -> str:
    if call.arguments is MISSING:
        return f"{call.name or '?'}({call.arguments_raw})"
    if isinstance(call.arguments, dict):
        ordered = dict(sorted(call.arguments.items()))
        return call_line(call.name, ordered, call.arguments_raw)
    return f"{call.name or '?'}({compact_json(call.arguments)})"


def _seen(each: Seen) -> dict[str, Any]:
    return {"count": len(each.takes), "takes": list(each.takes), "recorded": each.recorded}
