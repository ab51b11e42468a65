"""`diff A B`: two recordings compared, interaction by interaction.

Knows what a comparison looks like; which interactions belong together is in `pairing`, which
differences count is in `comparison`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wiretape.analysis.comparison import Change, behaviour, differ
from wiretape.analysis.pairing import pair, said_to_model, without_ids
from wiretape.analysis.shape import as_object
from wiretape.analysis.transcript import transcripts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wiretape.analysis.answer import Transcript
    from wiretape.core.model import Cassette

_MESSAGE_FIELDS = frozenset({"messages", "input", "prompt", "system", "instructions"})


@dataclass(frozen=True, slots=True)
class Pair:
    """An interaction of A and the one of B that stands at the same place.

    Attributes:
        a: its number in A; None if only B has it.
        b: its number in B; None if only A has it.
        request: method and target, of A if it is there.
        asked: how the questions differ; says why the answers may, and counts for nothing.
        changes: how the behaviour differs.
        wobbles: what differs without meaning anything.
    """

    a: int | None
    b: int | None
    request: str
    asked: tuple[Change, ...] = ()
    changes: tuple[Change, ...] = ()
    wobbles: tuple[Change, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether behaviour differs, or one of the two is not there."""
        return bool(self.changes) or self.a is None or self.b is None

    def to_json(self) -> dict[str, Any]:
        """The same as an object."""
        shown: dict[str, Any] = {"a": self.a, "b": self.b, "request": self.request}
        shown["changed"] = self.changed
        for name in ("asked", "changes", "wobbles"):
            shown[name] = [change.to_json() for change in getattr(self, name)]
        return shown


@dataclass(frozen=True, slots=True)
class Diff:
    """Two recordings compared.

    Attributes:
        a, b: the cassettes' names.
        pairs: in order of A's requests; what only B has stands where it came in B.
    """

    a: str
    b: str
    pairs: tuple[Pair, ...]

    @property
    def changed(self) -> bool:
        """Whether behaviour differs anywhere."""
        return any(pair.changed for pair in self.pairs)

    def to_json(self) -> dict[str, Any]:
        """`{"a", "b", "changed", "pairs": [{"a", "b", "request", "changed", "asked", ...}]}`."""
        pairs = [pair.to_json() for pair in self.pairs]
        return {"a": self.a, "b": self.b, "changed": self.changed, "pairs": pairs}


def diff(a: Cassette, b: Cassette) -> Diff:
    """Compare the behaviour in two cassettes, interaction by interaction."""
    pairs = pair(transcripts(a), transcripts(b))
    return Diff(a.name, b.name, tuple(_pair(before, after) for before, after in pairs))


def _pair(a: Transcript | None, b: Transcript | None) -> Pair:
    either = a or b
    named = either.interaction.request if either else None
    request = f"{named.method} {named.target}" if named else ""
    if a is None or b is None:
        return Pair(
            a.interaction.number if a else None, b.interaction.number if b else None, request
        )
    changes, wobbles = behaviour(a, b)
    return Pair(
        a.interaction.number,
        b.interaction.number,
        request,
        tuple(_asked(a, b)),
        tuple(changes),
        tuple(wobbles),
    )


def _asked(a: Transcript, b: Transcript) -> Iterator[Change]:
    one, two = a.interaction.request, b.interaction.request
    yield from differ(("target", one.target, two.target))
    before, after = said_to_model(a), said_to_model(b)
    for position in range(max(len(before), len(after))):
        old = before[position] if position < len(before) else None
        new = after[position] if position < len(after) else None
        yield from differ((f"messages[{position}]", old, new))
    fields, others = as_object(a.question.body), as_object(b.question.body)
    for name in [*fields, *(name for name in others if name not in fields)]:
        if name not in _MESSAGE_FIELDS:
            old, new = without_ids(fields.get(name)), without_ids(others.get(name))
            yield from differ((name, old, new))
