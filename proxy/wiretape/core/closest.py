"""Which recorded conversations are closest to a live one, by fingerprints alone.

Knows conversations as sequences of whole numbers; knows nothing of what is said in them. A
conversation of n items is compared with another in about log2(n) steps, so that ten thousand
recordings can be ranked within a few hundredths of a second.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from operator import ne
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_OVERLAPS = 400_000
"""So many items at most are looked at one by one, of all that are equally close so far."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A request in fingerprints. They hold within one process only.

    Attributes:
        prints: a fingerprint of each item of the conversation.
        forward: at i, a fingerprint of the conversation's items 0 to i together.
        backward: at i, a fingerprint of its last i + 1 items together.
        fields: fingerprints of the other top-level fields, each with its name.
    """

    prints: Sequence[int]
    forward: Sequence[int]
    backward: Sequence[int]
    fields: Sequence[int]

    @classmethod
    def of(cls, items: Sequence[str], fields: Iterable[str]) -> Shape:
        """Take the fingerprints of canonical texts."""
        prints = array("q", map(hash, items))
        return cls(prints, _chain(prints), _chain(reversed(prints)), array("q", map(hash, fields)))

    def agreeing(self, other: Shape) -> int:
        """How many items the two conversations have in common, wherever they stand.

        One that stands twice in one and once in the other counts once.
        """
        return (Counter(self.prints) & Counter(other.prints)).total()

    def shared(self, other: Shape) -> tuple[int, int]:
        """How many items the two conversations have in common at the start, and at the end.

        No item is counted twice: the sum is at most the shorter one's length.
        """
        shorter = min(len(self.prints), len(other.prints))
        start = _agreeing(self.forward, other.forward, shorter)
        return start, _agreeing(self.backward, other.backward, shorter - start)

    def may_agree(self, other: Shape, places: int, *, whatever_items: bool) -> bool:
        """Whether two requests may be equal but for some items and fields, each changed in place.

        Args:
            other: the other one's.
            places: how many of them, at most.
            whatever_items: the fingerprints of items say nothing, only their number does.
        """
        if len(self.prints) != len(other.prints):
            return False
        fields = len(frozenset(self.fields).symmetric_difference(other.fields))
        items = 0 if whatever_items else sum(map(ne, self.prints, other.prints))
        return items + (fields + 1) // 2 <= places


def _chain(prints: Iterable[int]) -> array[int]:
    chain = array("q")
    link = 0
    for fingerprint in prints:
        link = hash((link, fingerprint))
        chain.append(link)
    return chain


def _agreeing(one: Sequence[int], other: Sequence[int], most: int) -> int:
    """The length of the common prefix, at most `most`: each link vouches for all before it."""
    least = 0
    if not most or one[0] != other[0]:
        return least
    while least < most:
        middle = (least + most + 1) // 2
        if one[middle - 1] == other[middle - 1]:
            least = middle
        else:
            most = middle - 1
    return least


def closest(live: Shape, recorded: Sequence[tuple[int, Shape]]) -> list[int]:
    """The numbers of those recorded that are closest to `live` and equally close, in order.

    Closest are those that have the most items in common at the start and the end; of these
    those with the most at the start; then with the most anywhere; then those of the nearest
    length; then those with the fewest differing fields.
    """
    best = (0, 0)
    tied: list[tuple[int, Shape]] = []
    for candidate in recorded:
        start, end = live.shared(candidate[1])
        if (start + end, start) > best:
            best = (start + end, start)
            tied = []
        if (start + end, start) == best:
            tied.append(candidate)
    prints, fields = frozenset(live.prints), frozenset(live.fields)
    overlapping = sum(len(shape.prints) for _, shape in tied) <= MAX_OVERLAPS
    ranks = [
        (
            -len(prints.intersection(shape.prints)) if overlapping else 0,
            abs(len(shape.prints) - len(live.prints)),
            len(fields) + len(shape.fields) - 2 * len(fields.intersection(shape.fields)),
        )
        for _, shape in tied
    ]
    nearest = min(ranks, default=())
    return [number for (number, _), rank in zip(tied, ranks, strict=True) if rank == nearest]
