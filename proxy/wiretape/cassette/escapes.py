r"""JSON's escapes of characters that need none, undone: what a text says, and where it says it.

Knows bytes; nothing of secrets. Some encoders write `/` as `\/`, and `+`, `&`, `=` or `<` by their
number; JSON inside a string of JSON doubles the backslashes.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

# JSON in JSON in JSON in JSON: each doubles the backslashes and adds one.
_MOST_BACKSLASHES = 15
ESCAPE_BYTES = _MOST_BACKSLASHES + len("u002B")
"""The longest that one of these escapes is."""

# Patterns that begin with the backslash itself are searched for fastest.
_NUMBER = re.compile(rb"\\\\{0,14}+u00([2-7][0-9A-Fa-f])")
_ESCAPE = re.compile(rb"\\\\{0,14}+(?:/|u00[2-7][0-9A-Fa-f])")
_CHARACTERS = {b"%02x" % number: bytes([number]) for number in range(0x20, 0x80)}
# What may become one when more bytes come.
_BEGUN = re.compile(rb"\\(?:u(?:0(?:0[2-7]?)?)?)?")
_TELLS = re.compile(rb"\\(?:/|u00[2-7]|(?:u(?:00?)?)?\Z)")


class Unescaped:
    """Bytes with the escapes of ASCII characters undone, from the space on.

    An escape that the end cuts off is left out, for nothing tells yet what it will be.

    Attributes:
        text: the bytes as they read.
    """

    __slots__ = ("_content", "_ends", "_places", "_removed", "text")

    def __init__(self, content: bytes) -> None:
        begun = content.rfind(b"\\")
        if begun >= 0 and _BEGUN.fullmatch(content, begun):
            content = content[:begun].rstrip(b"\\")
        self._content = content
        for _ in range(_MOST_BACKSLASHES):
            if b"\\/" not in content:
                break
            content = content.replace(b"\\/", b"/")
        self.text = _NUMBER.sub(_character, content)
        self._places: list[int] = []  # where in the text each escaped character is
        self._ends: list[int] = []  # where in the content each escape ends
        self._removed: list[int] = []  # how many bytes fewer the text has, before and after each

    def _find_places(self) -> None:
        # Few are ever asked where a character stands.
        self._removed.append(0)
        removed = 0
        for match in _ESCAPE.finditer(self._content):
            self._places.append(match.start() - removed)
            removed += match.end() - match.start() - 1
            self._ends.append(match.end())
            self._removed.append(removed)

    def outside(self, position: int) -> int:
        """Where in the content the character at a position of the text begins."""
        if not self._removed:
            self._find_places()
        return position + self._removed[bisect_left(self._places, position)]

    def inside(self, position: int) -> int:
        """Where in the text the character is that has the byte at a position of the content."""
        if not position:
            return 0
        if not self._removed:
            self._find_places()
        before = bisect_right(self._ends, position)
        place = position - self._removed[before]
        return min(place, self._places[before]) if before < len(self._places) else place


def _character(match: re.Match[bytes]) -> bytes:
    return _CHARACTERS[match[1].lower()]


def unescaped(content: bytes) -> Unescaped | None:
    """The bytes as they read; None where that is as they stand, which most tell quickly."""
    return None if _TELLS.search(content) is None else Unescaped(content)
