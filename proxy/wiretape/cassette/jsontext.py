"""Where the texts of JSON end, also those that go on in the next bytes.

Knows bytes between quotes; nothing of what they say.
"""

from __future__ import annotations

import re

_REST = re.compile(rb'(?:[^"\\]++|\\.|\\\Z)*+', re.DOTALL)


def end_of_text(data: bytes, start: int = 0, *, escaped: bool = False) -> int:
    """Where the text ends that goes on at `start`: its quote's place, or the length of the bytes.

    Args:
        data: some bytes.
        start: where in them.
        escaped: whether a backslash came just before.
    """
    start += escaped
    end = data.find(b'"', start)
    if end < 0:
        return len(data)
    if data.find(b"\\", start, end) < 0:
        return end
    match = _REST.match(data, start)
    return match.end() if match else start


def breaks_off_in_escape(data: bytes, *, escaped: bool = False) -> bool:
    """Whether a text's last byte so far is a backslash that says something of the next one.

    Args:
        data: the end of the text.
        escaped: whether a backslash came just before.
    """
    if not data:
        return escaped
    data = data[int(escaped) :]
    return (len(data) - len(data.rstrip(b"\\"))) % 2 == 1


def quotes(data: bytes) -> int:
    """How many quotes there are that end a text, or begin one."""
    return data.count(b'"') - data.count(b'\\"')
