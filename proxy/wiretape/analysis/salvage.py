"""JSON that stops in the middle, closed at the last point where it still means something.

Knows JSON's grammar; of the dialects only which strings are worth having in part.
"""

from __future__ import annotations

import re
from typing import Any

from wiretape.analysis.events import MISSING, parse_json

_TOKENS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
_KEY_BEFORE = re.compile(r'"([^"\\]{1,40})"\s*:\s*\Z')
_TORN_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_CLOSERS = {"{": "}", "[": "]"}

PROSE = frozenset(
    {
        "content",
        "text",
        "reasoning",
        "reasoning_content",
        "thinking",
        "refusal",
        "response",
        "delta",
        "arguments",
        "partial_json",
    }
)
"""The members whose string is worth having in part; half a name or an id misleads."""


def salvage(text: str) -> Any:
    """The JSON value that `text` begins, as far as it came; MISSING if nothing can be told.

    A string of prose is kept up to where it stops, any other member that stops is left out.
    """
    stack: list[str] = []
    whole_end, whole_stack = 0, ""
    torn_string: int | None = None
    for match in _TOKENS.finditer(text):
        token_start, found = match.start(), match.group()
        if found in _CLOSERS:
            stack.append(_CLOSERS[found])
            whole_end, whole_stack = match.end(), "".join(reversed(stack))
        elif found == ",":
            whole_end, whole_stack = token_start, "".join(reversed(stack))
        elif found in "}]":
            if not stack or stack.pop() != found:
                return MISSING
            whole_end, whole_stack = match.end(), "".join(reversed(stack))
        elif len(found) == 1 or not found.endswith('"') or _escaped_end(found):
            torn_string = token_start
        elif text[max(0, token_start - 9) : token_start].rstrip().endswith((":", "[")):
            whole_end, whole_stack = match.end(), "".join(reversed(stack))
    if torn_string is not None and _is_prose(text[:torn_string]):
        value = parse_json(_TORN_ESCAPE.sub("", text) + '"' + "".join(reversed(stack)))
        if value is not MISSING:
            return value
    return parse_json(text[:whole_end] + whole_stack) if whole_end else MISSING


def _escaped_end(found: str) -> bool:
    """Whether the quote at the end of a string token is an escaped one."""
    body = found[1:-1]
    return (len(body) - len(body.rstrip("\\"))) % 2 == 1


def _is_prose(before: str) -> bool:
    named = _KEY_BEFORE.search(before[-60:])
    return named is not None and named.group(1) in PROSE
