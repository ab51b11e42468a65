r"""JSON's escapes of characters that need none, undone: what a text says, and where it says it.

Knows bytes; nothing of secrets. Some encoders write `/` as `\/`, and `+`, `&`, `=` or `<` by their
number; JSON inside a string of JSON doubles the backslashes.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

_ESCAPE = re.compile(rb"\\(?:/|u00([2-7][0-9A-Fa-f]))")
# What may become one when more bytes come.
_BEGUN = re.compile(rb"\\(?:u(?:0(?:0[2-7]?)?)?)?")
_TELLS = re.compile(rb"\\(?:/|u00[2-7]|(?:u(?:00?)?)?\Z)")


class Unescaped:
    """Bytes with the escapes of printable ASCII characters undone.

    An escape that the end cuts off is left out, for nothing tells yet what it will be.

    Attributes:
        text: the bytes as they read.
    """

    __slots__ = ("_ends", "_places", "_removed", "text")

    def __init__(self, content: bytes) -> None:
        parts: list[bytes] = []
        self._places: list[int] = []  # where in the text each escaped character is
        self._ends: list[int] = []  # where in the content each escape ends
        self._removed = [0]  # how many bytes fewer the text has, before and after each of them
        last = removed = 0
        for match in _ESCAPE.finditer(content):
            before, end = content[last : match.start()].rstrip(b"\\"), match.end()
            start = last + len(before)
            parts += before, bytes.fromhex((match[1] or b"2f").decode())
            self._places.append(start - removed)
            removed += end - start - 1
            self._ends.append(end)
            self._removed.append(removed)
            last = end
        begun = content.rfind(b"\\", last)
        if begun >= 0 and _BEGUN.fullmatch(content, begun):
            parts.append(content[last:begun].rstrip(b"\\"))
        else:
            parts.append(content[last:])
        self.text = b"".join(parts)

    def outside(self, position: int) -> int:
        """Where in the content the character at a position of the text begins."""
        return position + self._removed[bisect_left(self._places, position)]

    def inside(self, position: int) -> int:
        """Where in the text the character is that has the byte at a position of the content."""
        before = bisect_right(self._ends, position)
        place = position - self._removed[before]
        return min(place, self._places[before]) if before < len(self._places) else place


def unescaped(content: bytes) -> Unescaped | None:
    """The bytes as they read; None where that is as they stand, which most tell quickly."""
    return None if _TELLS.search(content) is None else Unescaped(content)
