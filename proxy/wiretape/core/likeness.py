"""Which of many bodies are likeliest to be near a text: by words, in bounded time.

Knows bytes and words only. It is for telling apart what the structure of conversations could
not: thousands of recordings of one prompt each, say.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_LIKELY = 24
"""So many bodies are named."""

MAX_SEARCHED_BYTES = 8_000_000
"""So many bytes are searched for single words..."""

MAX_SPLIT_BYTES = 300_000
"""...and so many are split into words, of the bodies that the search favours."""

_MAX_WORDS = 12
_MAX_TEXT_BYTES = 20_000
_WORD = re.compile(rb"[0-9A-Za-z_\x80-\xff]+")


def words(value: Any) -> list[bytes]:
    """Distinct words of the texts in a JSON value, the most telling (with digits, long) first."""
    text = " ".join(_texts(value)).encode("utf-8", "replace")[:_MAX_TEXT_BYTES]
    return sorted(set(_WORD.findall(text)), key=_plainness)


def likeliest(wanted: Sequence[bytes], length: int, bodies: Sequence[bytes]) -> list[int]:
    """The indexes of the bodies that hold the most wanted words, the likeliest first.

    Where that does not decide, those whose length is nearest to `length` bytes come first.
    """
    indexes = range(len(bodies))
    distances = [abs(len(body) - length) for body in bodies]
    if len(bodies) <= MOST_LIKELY:
        return list(indexes)
    total = sum(map(len, bodies)) + 1
    probes = wanted[: min(_MAX_WORDS, MAX_SEARCHED_BYTES // total)]
    held = [sum(probe in body for probe in probes) for body in bodies]
    likely = sorted(indexes, key=lambda index: (-held[index], distances[index]))
    wanted_words = frozenset(wanted)
    ranks = {}
    room = MAX_SPLIT_BYTES
    for index in likely:
        room -= len(bodies[index])
        if room < 0:
            break
        shared = len(wanted_words.intersection(_WORD.findall(bodies[index])))
        ranks[index] = (-shared, distances[index])
    return (sorted(ranks, key=ranks.__getitem__) or likely)[:MOST_LIKELY]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _plainness(word: bytes) -> tuple[bool, int, bytes]:
    return word.isalpha(), -len(word), word
