"""aiohttp's HTTP parsers on both sides: their limits, and what they say of what is no HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wiretape.cassette.secrets import Secrets

if TYPE_CHECKING:
    from aiohttp.http import HttpProcessingError

HEADER_LIMIT_BYTES = 256 * 1024
OPTIONS: dict[str, Any] = {
    "max_line_size": HEADER_LIMIT_BYTES,
    "max_field_size": HEADER_LIMIT_BYTES,
    "max_headers": 1000,
    "auto_decompress": False,
}
"""What every parser is made with."""

_LONGEST_CHARACTERS = 200
_SECRETS = Secrets()


def complaint(error: HttpProcessingError) -> str:
    """What is wrong, on one line: the parser points with a second one at what it quotes.

    It tells no secret of what it quotes.
    """
    text = " ".join(error.message.rstrip("\n ^").split())[:_LONGEST_CHARACTERS]
    return _SECRETS.redact_text(text)
