"""aiohttp's HTTP parsers on both sides: their limits, and what they say of what is no HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp.http import HttpProcessingError

HEADER_LIMIT_BYTES = 256 * 1024
HEADER_COUNT_LIMIT = 1000

_LONGEST_CHARACTERS = 200


def complaint(error: HttpProcessingError) -> str:
    """What is wrong, on one line: the parser points with a second one at what it quotes."""
    return " ".join(error.message.rstrip("\n ^").split())[:_LONGEST_CHARACTERS]
