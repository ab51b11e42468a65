"""Explains a miss: picks the closest recording, and tries what would make it match.

Knows readings, fingerprints and differences; knows no index and no recording's name. Nothing
is suggested that was not tried, and no pointer under which luck would choose the answer.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wiretape.core.canonical import Reading
from wiretape.core.conversation import LEVELS, Level
from wiretape.core.differences import MAX_WEIGHED, differences
from wiretape.core.model import REDACTED
from wiretape.core.payload import ABSENT
from wiretape.core.pointer import ANY, parse_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wiretape.core.differences import Difference
    from wiretape.core.model import Request
    from wiretape.core.pointer import Pointer
    from wiretape.core.rivals import Rivals

MAX_CANDIDATE_BYTES = 250_000
"""Of the likeliest recordings, so many bytes of bodies are read (but one body in any case)."""

MAX_WEIGHED_IN_ALL = 400_000
"""So many characters, at most, say how far one recording's values are from the live ones."""

MAX_IGNORED = 3
"""More flags than this are no suggestion: record again."""

_MOSTLY = 0.5
_INDEX = re.compile(r"/[0-9]+(?=/)")
_INSTRUCTIONS = ("system", "developer")
_TEXTS = ("prompt", "input")

# Ignoring how the answer is to be framed would hand a stream to a client that wants none.
_NEVER_IGNORED = frozenset({"/stream"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recorded request that may be the closest."""

    number: int
    request: Request
    used: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """The closest recording, what differs, and what would help.

    Attributes:
        closest: the closest recording.
        differences: what differs, in the order of the document; if it is another
            conversation, what was said first and then what is no part of it come before the rest.
        another_conversation: whether it differs from its beginning and nearly throughout.
        suggestion: what would make it match, ready to paste.
    """

    closest: Candidate
    differences: tuple[Difference, ...]
    another_conversation: bool
    suggestion: str | None


def explain(
    live: Reading,
    candidates: Sequence[Candidate],
    level: Level,
    ignore: tuple[Pointer, ...],
    rivals: Rivals,
) -> Explanation:
    """Pick the closest of the candidates (all equally close by fingerprints).

    Args:
        live: the whole live request, nothing ignored.
        candidates: not empty, the likeliest first.
        level: the level that is in force.
        ignore: the pointers that are in force.
        rivals: all recordings that a suggestion could make agree.
    """
    found = min(
        (
            _Compared.of(candidate, reading, live, level, ignore)
            for candidate, reading in _read(candidates)
        ),
        key=_Compared.remoteness,
    )
    reading, differing = found.reading, list(found.differing)
    changes = found.changes(live)
    said = _said(reading, live)
    mostly = sum(changes.get(place, 0.0) for place in said) > _MOSTLY * len(said)
    # Where the path differs too, that comes first.
    another = mostly and reading.path == live.path and changes.get(said[0], 0.0) > _MOSTLY
    if another:
        # Of what was said the first is enough; the model and its settings matter as much.
        said_first = next(each for each in differing if _place(live, each) is not None)
        differing.sort(key=lambda each: (each is not said_first, _place(live, each) is not None))
    suggestion = _suggestion(found, live, level, ignore, rivals if not mostly else None)
    return Explanation(found.candidate, tuple(differing), another, suggestion)


@dataclass(frozen=True, slots=True)
class _Compared:
    """A candidate beside the live request: what differs, and how far each of these is apart."""

    candidate: Candidate
    reading: Reading
    differing: Sequence[Difference]
    distances: Sequence[float]

    @classmethod
    def of(
        cls,
        candidate: Candidate,
        reading: Reading,
        live: Reading,
        level: Level,
        ignore: tuple[Pointer, ...],
    ) -> _Compared:
        # What stands in another order may be ignored in another place: then the level hides it.
        differing = differences(reading, live, level, ignore) or differences(
            reading, live, Level.EXACT, ignore
        )
        weighed = min(MAX_WEIGHED, MAX_WEIGHED_IN_ALL // max(1, len(differing)))
        return cls(candidate, reading, differing, [each.distance(weighed) for each in differing])

    def remoteness(self) -> tuple[float, bool, int]:
        """What is smallest for the closest: unused ones come first where all else is equal."""
        return sum(self.distances), self.candidate.used, self.candidate.number

    def changes(self, live: Reading) -> dict[str, float]:
        """How far (0 to 1) each place of the conversation that differs has changed."""
        changes: dict[str, float] = {}
        for difference, distance in zip(self.differing, self.distances, strict=True):
            place = _place(live, difference)
            if place is not None:
                changes[place] = max(changes.get(place, 0.0), distance)
        return changes


def _read(candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, Reading]]:
    """Those worth reading in full, each spelling of a request once."""
    room = MAX_CANDIDATE_BYTES
    seen = set()
    for candidate in candidates:
        request = candidate.request
        reading = Reading(request.method, request.target, request.headers, request.body)
        verbatim = reading.verbatim()
        if verbatim not in seen:
            seen.add(verbatim)
            yield candidate, reading
            room -= request.body.length
            if room < 0:
                return


def _place(live: Reading, difference: Difference) -> str | None:
    """Where in the conversation a difference lies: an item's index, or the name of the texts.

    Of several texts, or of one in tokens, each counts for all: another one has another answer.
    """
    _, name, place, *_ = (*difference.pointer.split("/"), "", "")
    if name == live.conversation_field:
        return place or name
    return name if name in _TEXTS else None


def _said(recorded: Reading, live: Reading) -> list[str]:
    """The places of the conversation but for its instructions."""
    longer = max(live.items, recorded.items, key=len)
    return [
        str(index)
        for index, item in enumerate(longer)
        if not (isinstance(item, dict) and item.get("role") in _INSTRUCTIONS)
    ] or [name for name in _TEXTS if _holds_text(live, name) or _holds_text(recorded, name)]


def _holds_text(reading: Reading, name: str) -> bool:
    payload = reading.payload
    return isinstance(payload, dict) and isinstance(payload.get(name), str | list)


def _suggestion(
    found: _Compared,
    live: Reading,
    level: Level,
    ignore: tuple[Pointer, ...],
    rivals: Rivals | None,
) -> str | None:
    """The fewest flags that make the two agree; None if there are none to recommend.

    Without rivals to reckon with, nothing is to be ignored.
    """
    recorded = found.reading
    if recorded.path != live.path:
        return _base_url(recorded, live, level, ignore)
    tools = recorded.uses_tools or live.uses_tools
    looser_levels = LEVELS[LEVELS.index(level) + 1 :] if tools else ()
    for looser in looser_levels:
        if _agree(recorded, live, looser, ignore):
            return f"--match {looser.value}"
    if found.differing and all(map(_redacted, found.differing)):
        return "the --redact that it was redacted with"
    if rivals is None:
        return None
    for each in (level, *looser_levels):
        flags = _pointers(found, live, each, ignore, rivals, in_force=each is level)
        if flags:
            return " ".join([f"--match {each.value}"] * (each is not level) + flags)
    return None


def _pointers(
    found: _Compared,
    live: Reading,
    level: Level,
    ignore: tuple[Pointer, ...],
    rivals: Rivals,
    *,
    in_force: bool,
) -> list[str]:
    """The flags that leave out all that differs at a level; none if that is no good."""
    recorded = found.reading
    differing = found.differing if in_force else differences(recorded, live, level, ignore)
    pointers = _ignorable(live, differing)
    if not pointers:
        return []
    digest = live.ignoring(ignore + pointers).digest(level)
    if recorded.ignoring(ignore + pointers).digest(level) != digest or rivals.part_on(
        recorded, digest, level, ignore, pointers, in_force=in_force
    ):
        return []
    return [f"--ignore {shlex.quote(pointer.text)}" for pointer in pointers]


def _redacted(difference: Difference) -> bool:
    """Whether all that was recorded agrees, but that something stands redacted in it."""
    recorded, received = difference.recorded, difference.received
    if not isinstance(recorded, str) or not isinstance(received, str):
        return False
    first, *between = recorded.split(REDACTED)
    if not between or not received.startswith(first):
        return False
    last, place = between.pop(), len(first)
    for text in between:
        found = received.find(text, place)
        if found < 0:
            return False
        place = found + len(text)
    return received.endswith(last) and len(received) - len(last) >= place


def _base_url(
    recorded: Reading, live: Reading, level: Level, ignore: tuple[Pointer, ...]
) -> str | None:
    """The change of the client's base URL that makes the two agree, if there is one."""
    target, change = live.target, ""
    if recorded.path.endswith(live.path):
        prefix = recorded.path.removesuffix(live.path)
        target, change = prefix + target, f"a base URL that ends in {prefix}"
    elif live.path.endswith(recorded.path):
        prefix = live.path.removesuffix(recorded.path)
        target, change = target.removeprefix(prefix), f"a base URL without {prefix}"
    return change if _agree(recorded, live.redirected(target), level, ignore) else None


def _agree(recorded: Reading, live: Reading, level: Level, ignore: tuple[Pointer, ...]) -> bool:
    return recorded.ignoring(ignore).digest(level) == live.ignoring(ignore).digest(level)


def _ignorable(live: Reading, differing: Sequence[Difference]) -> tuple[Pointer, ...]:
    """Pointers at all that differs; none if that is too much, or nothing to ignore.

    A whole message is nothing to ignore: a shorter conversation would answer a longer one.
    """
    conversation = f"/{live.conversation_field}"
    pointers = [difference.pointer for difference in differing]
    if any(
        not pointer.startswith("/")
        or pointer in (*_NEVER_IGNORED, conversation)
        or ANY in pointer.split("/")  # as one to ignore it would name far more
        or pointer.rpartition("/")[0] == conversation
        for pointer in pointers
    ):
        return ()
    if len(pointers) > MAX_IGNORED and all(map(_unset, differing)):
        # A client that writes what it has not set, and one that does not: in every message alike.
        pointers = [*dict.fromkeys(_INDEX.sub(f"/{ANY}", pointer) for pointer in pointers)]
    return tuple(map(parse_pointer, pointers)) if len(pointers) <= MAX_IGNORED else ()


def _unset(difference: Difference) -> bool:
    """Whether it is null in one request, and not there in the other."""
    values = (difference.recorded, difference.received)
    return None in values and ABSENT in values
