"""The texts that models stream piece by piece, in the bytes of their events.

Knows the members that the dialects write them in; nothing of secrets.
"""

from __future__ import annotations

import functools
import re

# The value up to its quote. Looking ahead for a letter leaves most other members at once.
_DELTA = re.compile(
    rb'"(?=[acdgiprstv])(content|text|arguments|partial_json|delta|thinking|reasoning'
    rb"|reasoning_content|response|refusal|input|transcript|summary|value|stringValue|answer"
    rb'|generated_text)"[ ]?:[ ]?"((?:[^"\\]++|\\.|\\\Z)++|\Z)',
    re.DOTALL,
)
_STREAMED = (
    "event-stream", "ndjson", "jsonl", "json-lines", "json-seq", "json-stream", "stream+json",
)  # fmt: skip


@functools.lru_cache(maxsize=64)
def is_streamed(content_type: str) -> bool:
    """Whether a body is said to have events, each with a piece of a text."""
    return any(word in content_type.lower() for word in _STREAMED)


@functools.lru_cache(maxsize=64)
def may_be_streamed(content_type: str) -> bool:
    """Whether a body has events, or nothing is said of what it has.

    The members of one document are no pieces of one text.
    """
    kind = content_type.partition(";")[0].strip().lower()
    return kind in {"", "text/plain", "application/octet-stream"} or is_streamed(content_type)


def deltas(event: bytes, start: int, begun: int) -> list[re.Match[bytes]]:
    """The pieces whose values begin in what is new of some bytes: a member's name, its value.

    Args:
        event: the bytes.
        start: from where in them.
        begun: how many of them are not new.
    """
    return [match for match in _DELTA.finditer(event, start) if match.start(2) >= begun]
