"""How values are shown to people: as JSON on one line, cut around what matters.

Knows text only. What it returns is printable: nothing in a recorded or live body can move a
terminal's cursor or break a line.
"""

from __future__ import annotations

import json
from typing import Any

from wiretape.core.payload import Absent

WIDTH = 72
"""The most characters of a value that are shown, marks aside."""

_BEFORE = 24
_MARK = "…"


def shown(value: Any) -> str:
    """A JSON value, or bytes, on one printable line; `(absent)` for what is not there."""
    if isinstance(value, Absent):
        return "(absent)"
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    text = json.dumps(value, ensure_ascii=False, check_circular=False)
    return text if text.isprintable() else "".join(map(_printable, text))


def excerpts(recorded: str, received: str) -> tuple[str, str]:
    """Both texts, cut where they are long so that the first difference is seen."""
    if max(len(recorded), len(received)) <= WIDTH:
        return recorded, received
    start = max(0, _common(recorded, received) - _BEFORE)
    return _cut(recorded, start), _cut(received, start)


def _cut(text: str, start: int) -> str:
    end = start + WIDTH
    return (_MARK if start else "") + text[start:end] + (_MARK if end < len(text) else "")


def _common(one: str, other: str) -> int:
    """The length of the common prefix, by halving: a loop is too slow for megabytes."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one.startswith(other[least:middle], least):
            least = middle
        else:
            most = middle - 1
    return least


def _printable(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]
