"""What differs between a recorded request and a live one, place by place.

Knows JSON documents and how the levels loosen conversations; it judges nothing and knows no
index. A difference is stated where the live request has it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

from wiretape.core.conversation import (
    CONVERSATIONS,
    Level,
    loosen,
    put,
    result_id,
    rounds,
    taken,
)
from wiretape.core.excerpt import near, shown
from wiretape.core.multipart import Multipart, head_and_content
from wiretape.core.payload import ABSENT, Absent, dump_json
from wiretape.core.pointer import format_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wiretape.core.canonical import Reading
    from wiretape.core.conversation import Item
    from wiretape.core.payload import Payload
    from wiretape.core.pointer import Pointer

MAX_DEPTH = 60
"""Deeper than this, values are compared whole."""

MAX_DIFFERENCES = 200
"""Past this many the comparison ends: nobody reads on, and a long list may differ everywhere."""

MAX_ALIGNED = 40_000
"""Lists whose lengths multiply to more are paired by index: aligning takes quadratic time."""

ALIGNING_ROOM = 20_000_000
"""Once aligning has taken so many characters, and a hundred for each pair of items, the lists that
are left are paired by index."""

MAX_WEIGHED = 20_000
"""So many characters of a value, at most, say how far it is from another."""

MAX_JSON_CHARACTERS = 1_000
"""A longer value is given as an excerpt in `to_json`."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where a recorded and a live request differ.

    Attributes:
        pointer: a JSON Pointer into the body, as received (as recorded for what was not
            received), or `method`, `target` or `body` where that differs as a whole; `body: ` and
            its name for a part of a multipart body.
        recorded: the recorded value, ABSENT if there is none.
        received: the live value, ABSENT if there is none.
    """

    pointer: str
    recorded: Any
    received: Any

    def text(self) -> str:
        """One printable line: the pointer and both values, cut around where they differ."""
        recorded, received = near(self.recorded, self.received)
        return f"{self.pointer}: recorded {recorded}, received {received}"

    def to_json(self) -> dict[str, Any]:
        """`pointer`, `recorded` and `received`; the key of an absent value is left out.

        A long value is an excerpt of its JSON text.
        """
        values = (self.recorded, self.received)
        cut = near(*values) if any(map(_cut_in_json, values)) else values
        named = zip(("recorded", "received"), values, cut, strict=True)
        return {"pointer": self.pointer} | {n: c for n, value, c in named if value is not ABSENT}

    def distance(self, weighed: int = MAX_WEIGHED) -> float:
        """How far the values are apart, from just over 0 (the same words) to 1 (none shared).

        Args:
            weighed: how many characters of each are looked at.
        """
        if self.recorded is ABSENT or self.received is ABSENT:
            return 1.0
        one, other = _words(self.recorded, weighed), _words(self.received, weighed)
        return 1.0 - 0.99 * 2 * len(one & other) / max(1, len(one) + len(other))


def _words(value: Any, most: int) -> set[str]:
    if isinstance(value, bytes):
        value = value[:most]
    text = value if isinstance(value, str) else shown(value)
    return set(_WORD.findall(text[:most]))


def _cut_in_json(value: Any) -> bool:
    if isinstance(value, bytes):
        return True
    text = value if isinstance(value, str) and len(value) > MAX_JSON_CHARACTERS else shown(value)
    return len(text) > MAX_JSON_CHARACTERS


def differences(
    recorded: Reading, received: Reading, level: Level, ignore: tuple[Pointer, ...] = ()
) -> list[Difference]:
    """What keeps two requests from agreeing at `level`; nothing if they do.

    Both readings have to be of whole bodies: what is ignored is passed over here, so that
    pointers stay true to the bodies.
    """
    found: list[Difference] = []
    if recorded.method != received.method:
        found.append(Difference("method", recorded.method, received.method))
    if (recorded.path, recorded.query) != (received.path, received.query):
        found.append(Difference("target", recorded.target, received.target))
    one, other = recorded.payload, received.payload
    walk = _Walk(ignore, found)
    if isinstance(one, dict) and isinstance(other, dict):
        field = recorded.conversation_field
        if field is not None and field == received.conversation_field:
            items = _aligned(recorded.items, received.items, level)
            one, other = {**one, field: items[0]}, {**other, field: items[1]}
        walk.compare(one, other, ())
    elif isinstance(one, list) and isinstance(other, list):
        walk.compare(one, other, ())
    elif isinstance(one, Multipart) and isinstance(other, Multipart):
        found += _between_parts(one.parts, other.parts)
    elif one != other:
        found.append(Difference("body", _told(one), _told(other)))
    return found


def _between_parts(recorded: dict[str, bytes], received: dict[str, bytes]) -> list[Difference]:
    found = []
    for name in recorded | received:
        one, other = recorded.get(name, ABSENT), received.get(name, ABSENT)
        if one != other:
            found.append(Difference(f"body: {name}", *_cut_down(one, other)))
    if not found and list(recorded) != list(received):
        found.append(Difference("body", list(recorded), list(received)))
    return found[:MAX_DIFFERENCES]


def _cut_down(one: bytes | Absent, other: bytes | Absent) -> tuple[bytes | Absent, bytes | Absent]:
    """Two parts' contents alone, where their header fields agree."""
    if isinstance(one, Absent) or isinstance(other, Absent):
        return one, other
    one_head, one_content = head_and_content(one)
    other_head, other_content = head_and_content(other)
    if one_head != other_head:
        return one, other
    if one_content.endswith(b"\r\n") and other_content.endswith(b"\r\n"):
        # The line break before a delimiter is the delimiter's (RFC 2046, section 5.1.1).
        return one_content[:-2], other_content[:-2]
    return one_content, other_content


def _told(payload: Payload) -> Any:
    return list(payload.parts) if isinstance(payload, Multipart) else payload


def _aligned(
    recorded: list[Item], received: list[Item], level: Level
) -> tuple[list[Item], list[Item]]:
    """Both conversations loosened, the recorded results standing where the received ones do."""
    recorded, received = loosen(recorded, level), loosen(received, level)
    if level is Level.EXACT:
        return recorded, received
    # The rounds are paired by their turn: a message put in between must not part them.
    for places, slots in zip(rounds(received), rounds(recorded), strict=False):
        if len(places) == len(slots):
            results = _matched(taken(recorded, slots), taken(received, places))
            recorded = put(recorded, slots, results)
    return recorded, received


def _matched(kept: list[Item], came: list[Item]) -> list[Item]:
    """The recorded results in the order of the received ones they belong to.

    Equal ones belong together, then those of one name, and the rest as they stand.
    """
    found: dict[int, Item] = {}
    left = dict(enumerate(kept))
    for mark in (dump_json, result_id, lambda _: ""):
        marks = [(mark(item), index) for index, item in left.items()]
        for place, item in enumerate(came):
            wanted = mark(item) if place not in found else None
            index = next((i for text, i in marks if text == wanted and i in left), None)
            if index is not None:
                found[place] = left.pop(index)
    return [found[place] for place in range(len(came))]


def _same(one: Any, other: Any) -> bool:
    """Whether two parsed values are equal; those that hold a NaN may be without being told so."""
    return bool(one == other) and _of_same_types(one, other)


def _of_same_types(one: Any, other: Any) -> bool:
    """Whether two values that are equal to Python are so in JSON, where 1 is not true."""
    if isinstance(one, dict):
        return all(_of_same_types(value, other[name]) for name, value in one.items())
    if isinstance(one, list):
        return all(map(_of_same_types, one, other))
    return type(one) is type(other)


@dataclass(slots=True)
class _Walk:
    """A walk through two documents at once that notes where they differ."""

    ignore: tuple[Pointer, ...]
    found: list[Difference]
    room: int = field(default_factory=lambda: ALIGNING_ROOM)

    def compare(self, recorded: Any, received: Any, path: tuple[str, ...]) -> None:
        if self._full() or self._ignored(path) or _same(recorded, received):
            return
        if len(path) < MAX_DEPTH:
            if isinstance(recorded, list) and isinstance(received, list):
                self._compare_lists(recorded, received, path)
                return
            if (
                isinstance(recorded, dict)
                and isinstance(received, dict)
                and self._of_one_kind(recorded, received, path)
            ):
                for name in recorded | received:
                    self.compare(
                        recorded.get(name, ABSENT), received.get(name, ABSENT), (*path, name)
                    )
                return
        if (
            isinstance(recorded, str)
            or ABSENT in (recorded, received)
            or dump_json(recorded) != dump_json(received)
        ):
            self.found.append(Difference(format_pointer(path) or "body", recorded, received))

    def _full(self) -> bool:
        return len(self.found) >= MAX_DIFFERENCES

    def _ignored(self, path: tuple[str, ...]) -> bool:
        return any(pointer.covers(path) for pointer in self.ignore)

    def _of_one_kind(
        self, recorded: dict[str, Any], received: dict[str, Any], path: tuple[str, ...]
    ) -> bool:
        """Whether two objects are worth comparing inside: a tool result and a question are not."""
        in_conversation = bool(path) and path[0] in CONVERSATIONS
        return not in_conversation or all(
            recorded.get(name) == received.get(name) or self._ignored((*path, name))
            for name in ("role", "type")
        )

    def _compare_lists(
        self, recorded: list[Any], received: list[Any], path: tuple[str, ...]
    ) -> None:
        """Tell items that were put in or left out from those that changed."""
        ones, others = self._kept(recorded, path), self._kept(received, path)
        for one, other in self._pairs([recorded[i] for i in ones], [received[i] for i in others]):
            if self._full():
                return
            one_place = None if one is None else ones[one]
            other_place = None if other is None else others[other]
            self.compare(
                ABSENT if one_place is None else recorded[one_place],
                ABSENT if other_place is None else received[other_place],
                (*path, str(one_place if other_place is None else other_place)),
            )

    def _kept(self, items: list[Any], path: tuple[str, ...]) -> Sequence[int]:
        """The indexes of a list's items but for those that are ignored whole, each by its own."""
        places = range(len(items))
        if not any(len(pointer.tokens) == len(path) + 1 for pointer in self.ignore):
            return places
        return [place for place in places if not self._ignored((*path, str(place)))]

    def _pairs(self, ones: list[Any], others: list[Any]) -> Iterator[tuple[int | None, int | None]]:
        """Which items of two lists to compare: indexes, None where the other has no counterpart."""
        pairs = len(ones) * len(others)
        if len(ones) == len(others) or pairs > MAX_ALIGNED or self.room <= 0:
            yield from zip_longest(range(len(ones)), range(len(others)))
            return
        texts = [dump_json(item) for item in ones], [dump_json(item) for item in others]
        self.room -= sum(map(len, chain(*texts))) + 100 * pairs
        alignment = SequenceMatcher(None, *texts, autojunk=False)
        for tag, start, end, other_start, other_end in alignment.get_opcodes():
            if tag != "equal":
                yield from zip_longest(range(start, end), range(other_start, other_end))
