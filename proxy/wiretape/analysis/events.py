"""What decoding yields: events, and the one way in which their JSON is parsed.

Knows nothing of dialects, headers or how the bytes were framed.
"""

from __future__ import annotations

import enum
import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn


class Missing(enum.Enum):
    """The type of MISSING, so that a type checker can tell it from JSON's null."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
"""Stands where there is no JSON value; null is a value."""

DEEPEST = 200
"""JSON nested deeper than this is not parsed: nothing sends it, and walking it could fail."""


class EventKind(enum.Enum):
    """How an event was framed in the body."""

    SSE = "sse"
    NDJSON = "ndjson"
    JSON = "json"
    TEXT = "text"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class Event:
    """One decoded event, or what could be read of it.

    Attributes:
        data: its text: the joined data lines of an SSE event, an NDJSON line, a whole body.
            Of a binary body, its bytes as Latin-1.
        event: the SSE event type; None if none was sent.
        json: `data` parsed; MISSING if it is not JSON. Of an event with an error, what could be
            salvaged of it.
        first_chunk: index of the chunk that holds its first byte.
        last_chunk: index of the chunk that completed it.
        kind: how it was framed.
        error: what is wrong with it, in a few words: a client would not have seen this event.
        offset: where it begins, in bytes of the body (after content decoding).
    """

    data: str
    event: str | None
    json: Any
    first_chunk: int
    last_chunk: int
    kind: EventKind
    error: str | None = None
    offset: int = 0


_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)


def _too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= DEEPEST:
        return False
    depth = 0
    for match in _BRACKETS.finditer(text):
        found = match.group()
        if found in "[{":
            depth += 1
            if depth > DEEPEST:
                return True
        elif found in "]}":
            depth -= 1
    return False


def _null(_name: str) -> None:
    return None


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def parse_json(text: str, *, strict: bool = False) -> Any:
    """Parse JSON; MISSING if it is none.

    NaN and the infinities, which some servers write although RFC 8259 has none, are read as null;
    with `strict` they make the text invalid, as they would for a client's JSON.parse.
    """
    if _too_deep(text):
        return MISSING
    try:
        return json.loads(text, parse_constant=_refuse if strict else _null)
    except (ValueError, RecursionError):
        return MISSING


def compact_json(value: Any) -> str:
    """JSON without spaces, characters unescaped: how arguments sent as an object are written."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def canonical(value: Any) -> str:
    """JSON text that is equal for equal values, whatever their key order."""
    if isinstance(value, dict):
        inner = (f"{compact_json(name)}:{canonical(value[name])}" for name in sorted(value))
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float) and value.is_integer():
        return compact_json(int(value))
    return compact_json(value)


def finite(value: Any) -> Any:
    """The value with null for the numbers that JSON cannot write (1e999 reads as infinite)."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(given) for name, given in value.items()}
    if isinstance(value, list):
        return [finite(given) for given in value]
    return value
