"""How values are shown to people: as JSON on one line, cut around what matters.

Knows text only. What it returns is printable: nothing in a recorded or live body can move a
terminal's cursor or break a line.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from wiretape.core.payload import Absent

Text = TypeVar("Text", str, bytes)

WIDTH = 72
"""The most characters of a value that are shown, marks aside."""

_BEFORE = 24
_MARK = "…"

_NEAR = 1_000
"""So much of a long text on either side of a difference leaves more than enough once it is JSON."""


def shown(value: Any) -> str:
    """A JSON value, or bytes, on one printable line; `(absent)` for what is not there."""
    if isinstance(value, Absent):
        return "(absent)"
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    text = json.dumps(value, ensure_ascii=False, check_circular=False)
    if not text.isprintable():
        for character in [each for each in set(text) if not each.isprintable()]:
            text = text.replace(character, json.dumps(character)[1:-1])
    return text


def near(recorded: Any, received: Any) -> tuple[str, str]:
    """Two values as `excerpts` of what is `shown` of them, whatever their length."""
    start = 0
    if type(recorded) is type(received) and isinstance(recorded, str | bytes):
        start = max(0, _common(recorded, received) - _NEAR)
    return excerpts(shown(_part(recorded, start)), shown(_part(received, start)))


def _part(value: Any, start: int) -> Any:
    return value[start : start + 2 * _NEAR] if isinstance(value, str | bytes) else value


def excerpts(recorded: str, received: str) -> tuple[str, str]:
    """Both texts, cut where they are long so that the first difference is seen."""
    if max(len(recorded), len(received)) <= WIDTH:
        return recorded, received
    start = max(0, _common(recorded, received) - _BEFORE)
    return _cut(recorded, start), _cut(received, start)


def _cut(text: str, start: int) -> str:
    end = start + WIDTH
    return (_MARK if start else "") + text[start:end] + (_MARK if end < len(text) else "")


def _common(one: Text, other: Text) -> int:
    """The length of the common prefix, by halving: a loop is too slow for megabytes."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one.startswith(other[least:middle], least):
            least = middle
        else:
            most = middle - 1
    return least
