"""Values as JSON, made a piece at a time.

`json.dumps` lets no other thread run before it is done: for a large cassette that is most of a
second, in which the proxy would pass nothing on.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT_ONCE = 1000


def encoded(value: Any) -> bytes:
    """A value as JSON, where bytes stand for JSON that was made before.

    Lists have items of one kind.
    """
    return b"".join(_pieces(value))


def _pieces(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict) and value:
        opening = b"{"
        for name, each in value.items():
            yield opening + _at_once(name) + b":"
            yield from _pieces(each)
            opening = b","
        yield b"}"
    elif isinstance(value, list) and value:
        opening = b"["
        for each in _items(value):
            yield opening
            yield from each
            opening = b","
        yield b"]"
    else:
        yield _at_once(value)


def _items(value: list[Any]) -> Iterator[Iterator[bytes] | tuple[bytes]]:
    """A list's items, many at once where they are small."""
    if isinstance(value[0], bytes | dict):
        yield from map(_pieces, value)
        return
    for start in range(0, len(value), _AT_ONCE):
        yield (_at_once(value[start : start + _AT_ONCE])[1:-1],)


def _at_once(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")
