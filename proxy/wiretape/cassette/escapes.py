r"""JSON's escapes of characters that need none, undone: what a text says, and where it says it.

Knows bytes; nothing of secrets. Some encoders write `/` as `\/`, and `+`, `&`, `=` or `<`, or
all that is not ASCII, by their numbers; JSON inside a string of JSON doubles the backslashes.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

# JSON in JSON in JSON in JSON: each doubles the backslashes and adds one.
_MOST_BACKSLASHES = 15
ESCAPE_BYTES = 2 * (_MOST_BACKSLASHES + len("u002B"))
"""The longest that one of these escapes is: that of a character that takes two numbers (UTF-16)."""

# Patterns that begin with the backslash itself are searched for fastest. Control characters stay
# escaped, and so does half a pair.
_CODE = rb"u(?!00[01]|[Dd][89A-Fa-f])([0-9A-Fa-f]{4})"
_HIGH = rb"u([Dd][89ABab][0-9A-Fa-f]{2})"
_LOW = rb"u([Dd][C-Fc-f][0-9A-Fa-f]{2})"
_NUMBER = re.compile(rb"\\\\{0,14}+(?:%b|%b\\{1,15}+%b)" % (_CODE, _HIGH, _LOW))
_ESCAPE = re.compile(rb"\\\\{0,14}+(?:/|%b|%b\\{1,15}+%b)" % (_CODE, _HIGH, _LOW))
# What may become one when more bytes come.
_REST = rb"(?:u(?!00[01]|[Dd][C-Fc-f])[0-9A-Fa-f]{0,3})?\Z"
_REST_OF_LOW = rb"(?:u(?:[Dd](?:[C-Fc-f][0-9A-Fa-f]?)?)?)?\Z"
_BEGUN = re.compile(rb"\\{1,15}+(?:%b|%b(?:\\{1,15}+%b|\Z))" % (_REST, _HIGH, _REST_OF_LOW))
_TELLS = re.compile(rb"\\(?:/|u(?!00[01])[0-9A-Fa-f]{4}|%b)" % _REST)


class Unescaped:
    """Bytes with the escapes undone, but for those of control characters.

    An escape that the end cuts off is left out, for nothing tells yet what it will be.

    Attributes:
        text: the bytes as they read.
    """

    __slots__ = ("_content", "_ends", "_places", "_removed", "text")

    def __init__(self, content: bytes) -> None:
        begun = _BEGUN.search(content, max(0, len(content) - ESCAPE_BYTES))
        if begun is not None:
            content = content[: begun.start()].rstrip(b"\\")
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
            removed += match.end() - match.start() - len(_character(match))
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
    code, high, low = match.groups()
    if code is None and high is None:
        return b"/"
    number = code or high + low
    return bytes.fromhex(number.decode()).decode("utf-16-be").encode()


def unescaped(content: bytes) -> Unescaped | None:
    """The bytes as they read; None where that is as they stand, which most tell quickly."""
    return None if _TELLS.search(content) is None else Unescaped(content)
