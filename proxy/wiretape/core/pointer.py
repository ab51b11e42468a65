"""JSON Pointers (RFC 6901) in which `*` stands for any key or index: what `--ignore` names.

Knows documents as parsed JSON and nothing of requests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wiretape.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ANY = "*"
_BAD_ESCAPE = re.compile(r"~(?![01])")
_INDEX = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class Pointer:
    """One place, or with `*` several places, in a JSON document.

    Attributes:
        text: as the user wrote it.
        tokens: its reference tokens, unescaped; `*` matches every key and every index.
    """

    text: str
    tokens: tuple[str, ...]

    def covers(self, path: Sequence[str]) -> bool:
        """Whether this pointer names the place that `path` (unescaped tokens) leads to."""
        return len(path) == len(self.tokens) and all(
            token in (ANY, step) for token, step in zip(self.tokens, path, strict=True)
        )


def parse_pointer(text: str) -> Pointer:
    """Read a pointer such as `/messages/*/content`.

    Raises:
        UsageError: it is not a JSON Pointer, or it is the empty one, which names everything.
    """
    if not text.startswith("/"):
        raise UsageError(
            f'not a JSON Pointer: {text!r} does not begin with "/" (try /messages/0/content)'
        )
    if _BAD_ESCAPE.search(text):
        raise UsageError(
            f'not a JSON Pointer: {text!r} has a "~" that is neither "~0" (for "~")'
            ' nor "~1" (for "/")'
        )
    tokens = text[1:].split("/")
    return Pointer(text, tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens))


def format_pointer(path: Iterable[str]) -> str:
    """The text of the pointer with these unescaped tokens."""
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in path)


def remove(document: Any, pointers: Iterable[Pointer]) -> None:
    """Take out of `document`, in place, whatever the pointers name.

    All pointers are read against the document as it was: removing `/a/0` and `/a/1` removes
    the first two, whichever is named first. What is not there is no error.
    """
    keys: list[tuple[dict[str, Any], str]] = []
    indexes: dict[int, tuple[list[Any], set[int]]] = {}
    for pointer in pointers:
        parents = [document]
        for token in pointer.tokens[:-1]:
            parents = [child for parent in parents for child in _children(parent, token)]
        last = pointer.tokens[-1]
        for parent in parents:
            if isinstance(parent, dict):
                keys += [(parent, key) for key in (parent if last == ANY else (last,))]
            elif isinstance(parent, list):
                found = indexes.setdefault(id(parent), (parent, set()))[1]
                found.update(_indexes(parent, last))
    for mapping, key in keys:
        mapping.pop(key, None)
    for items, doomed in indexes.values():
        items[:] = [item for index, item in enumerate(items) if index not in doomed]


def _children(parent: Any, token: str) -> list[Any]:
    if isinstance(parent, dict):
        if token == ANY:
            return list(parent.values())
        return [parent[token]] if token in parent else []
    if isinstance(parent, list):
        return [parent[index] for index in _indexes(parent, token)]
    return []


def _indexes(items: list[Any], token: str) -> Iterable[int]:
    if token == ANY:
        return range(len(items))
    if _INDEX.fullmatch(token) and int(token) < len(items):
        return (int(token),)
    return ()
