"""`stats`: how models behaved over many cassettes, one row per model and endpoint.

Knows which figures are kept; lays nothing out for the terminal.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wiretape.analysis.marks import MarkKind, marks_of
from wiretape.analysis.question import path_of
from wiretape.analysis.tokens import input_tokens, output_tokens, tokens_per_second
from wiretape.analysis.transcript import transcripts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wiretape.analysis.answer import Transcript
    from wiretape.core.model import Cassette

PERCENTILES = (50, 90, 99)


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles by nearest rank: each is a value that was measured.

    Attributes:
        count: how many values there were.
        p50, p90, p99: None if there were none.
    """

    count: int
    p50: float | None
    p90: float | None
    p99: float | None

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of some values, in any order."""
        ranked = sorted(values)
        return cls(len(ranked), *(percentile(ranked, percent) for percent in PERCENTILES))

    def to_json(self) -> dict[str, float | int | None]:
        """The same as an object."""
        return {"count": self.count, "p50": self.p50, "p90": self.p90, "p99": self.p99}


def percentile(ranked: Sequence[float], percent: int) -> float | None:
    """The nearest-rank percentile of sorted values; None if there are none."""
    if not ranked:
        return None
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]


@dataclass(frozen=True, slots=True)
class Row:
    """One model at one endpoint.

    Attributes:
        model: as asked for, else as answered; None where neither names one.
        endpoint: the path, without its query.
        interactions: how many there were.
        outcomes: how many ended in each way; `unfinished` where the recording stopped first.
        statuses: how many had each HTTP status, as text; `none` where no response came.
        finish_reasons: of each choice of each answer, as sent; `none` where it has none.
        answers: how many interactions have an answer of a model.
        calls: how many tool calls the main choices hold.
        calls_per_answer: how many answers have so many calls.
        parallel: how many answers have more than one call.
        refined, repeated, invalid: how many calls refine an earlier one, repeat one, or have
            arguments that are not JSON.
        tokens_in, tokens_out: sums of what servers counted.
        head_s, first_token_s: from the request, in seconds.
        gap_s: between neighbouring chunks of one response, in seconds.
        tokens_per_s: see `tokens.tokens_per_second`.
    """

    model: str | None
    endpoint: str
    interactions: int
    outcomes: dict[str, int]
    statuses: dict[str, int]
    finish_reasons: dict[str, int]
    answers: int
    calls: int
    calls_per_answer: dict[int, int]
    parallel: int
    refined: int
    repeated: int
    invalid: int
    tokens_in: int
    tokens_out: int
    head_s: Spread
    first_token_s: Spread
    gap_s: Spread
    tokens_per_s: Spread

    @property
    def parallel_share(self) -> float | None:
        """Of the answers, the share with more than one call; None if there are no answers."""
        return self.parallel / self.answers if self.answers else None

    @property
    def mean_calls(self) -> float | None:
        """Calls per answer; None if there are no answers."""
        return self.calls / self.answers if self.answers else None

    def to_json(self) -> dict[str, Any]:
        """The row as an object, with its shares."""
        shown: dict[str, Any] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, Spread):
                value = value.to_json()
            elif isinstance(value, dict):
                value = {str(key): count for key, count in value.items()}
            shown[name] = value
        return {**shown, "parallel_share": self.parallel_share, "mean_calls": self.mean_calls}


@dataclass(frozen=True, slots=True)
class Stats:
    """How models behaved.

    Attributes:
        cassettes: how many were read.
        rows: by model, then by endpoint.
    """

    cassettes: int
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """`{"cassettes": N, "rows": [...]}`."""
        return {"cassettes": self.cassettes, "rows": [row.to_json() for row in self.rows]}

    def csv_rows(self) -> list[list[str]]:
        """A header and a line per row: `head_s.p50` and the like for the parts of a figure.

        Counts by name are one cell each, `complete=3 client_disconnected=1`.
        """
        flat = [dict(_flat(row.to_json())) for row in self.rows]
        if not flat:
            return []
        header = list(flat[0])
        return [header, *([line[name] for name in header] for line in flat)]


def _flat(row: dict[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in row.items():
        if isinstance(value, dict) and value.keys() >= {"p50", "p90", "p99"}:
            yield from ((f"{name}.{part}", _cell(given)) for part, given in value.items())
        elif isinstance(value, dict):
            yield name, " ".join(f"{key}={count}" for key, count in value.items())
        else:
            yield name, _cell(value)


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


@dataclass(slots=True)
class _Tally:
    """A row being counted."""

    numbers: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    finish_reasons: Counter[str] = field(default_factory=Counter)
    calls_per_answer: Counter[int] = field(default_factory=Counter)
    head_s: list[float] = field(default_factory=list)
    first_token_s: list[float] = field(default_factory=list)
    gap_s: list[float] = field(default_factory=list)
    tokens_per_s: list[float] = field(default_factory=list)


def stats(cassettes: Iterable[Cassette]) -> Stats:
    """Count over cassettes, one at a time: an iterator need not hold them all."""
    tallies: dict[tuple[str, str], _Tally] = {}
    names: dict[tuple[str, str], str | None] = {}
    count = 0
    for cassette in cassettes:
        count += 1
        for transcript in transcripts(cassette):
            model = transcript.question.model or transcript.model
            key = (model or "", path_of(transcript.interaction.request.target))
            names[key] = model
            _add(tallies.setdefault(key, _Tally()), transcript)
    rows = (_row(names[key], key[1], tallies[key]) for key in sorted(tallies))
    return Stats(count, tuple(rows))


def _add(tally: _Tally, transcript: Transcript) -> None:
    interaction = transcript.interaction
    outcome, response = interaction.outcome, interaction.response
    tally.numbers["interactions"] += 1
    tally.outcomes[outcome.value if outcome else "unfinished"] += 1
    tally.statuses[str(response.status) if response else "none"] += 1
    for choice in transcript.choices:
        tally.finish_reasons[choice.finish_reason or "none"] += 1
    if transcript.choices:
        tally.numbers["answers"] += 1
        tally.numbers["calls"] += len(transcript.tool_calls)
        tally.numbers["parallel"] += len(transcript.tool_calls) > 1
        tally.calls_per_answer[len(transcript.tool_calls)] += 1
    marked = Counter(mark.kind for mark in marks_of(transcript))
    tally.numbers["refined"] += marked[MarkKind.REFINED_CALL]
    tally.numbers["repeated"] += marked[MarkKind.REPEATED_CALL]
    tally.numbers["invalid"] += marked[MarkKind.INVALID_ARGUMENTS]
    tally.numbers["tokens_in"] += input_tokens(transcript) or 0
    tally.numbers["tokens_out"] += output_tokens(transcript) or 0
    _time(tally, transcript)


def _time(tally: _Tally, transcript: Transcript) -> None:
    interaction = transcript.interaction
    began_us = interaction.request.at_us
    if interaction.response:
        tally.head_s.append((interaction.response.at_us - began_us) / 1e6)
    first_us = transcript.first_said_us
    if first_us is not None:
        tally.first_token_s.append((first_us - began_us) / 1e6)
    times = [chunk.at_us for chunk in interaction.chunks]
    tally.gap_s += [(later - earlier) / 1e6 for earlier, later in itertools.pairwise(times)]
    speed = tokens_per_second(transcript)
    if speed is not None:
        tally.tokens_per_s.append(speed)


def _row(model: str | None, endpoint: str, tally: _Tally) -> Row:
    count = tally.numbers
    return Row(
        model,
        endpoint,
        count["interactions"],
        dict(tally.outcomes.most_common()),
        dict(tally.statuses.most_common()),
        dict(tally.finish_reasons.most_common()),
        count["answers"],
        count["calls"],
        dict(sorted(tally.calls_per_answer.items())),
        count["parallel"],
        count["refined"],
        count["repeated"],
        count["invalid"],
        count["tokens_in"],
        count["tokens_out"],
        Spread.of(tally.head_s),
        Spread.of(tally.first_token_s),
        Spread.of(tally.gap_s),
        Spread.of(tally.tokens_per_s),
    )
