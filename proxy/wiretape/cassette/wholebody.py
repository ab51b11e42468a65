"""Whole bodies that plainly hold no secret, told at once and with nothing to be remembered.

What comes bit by bit, or is not so plain, is for `streamredaction`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wiretape.cassette.deltas import deltas, may_be_streamed
from wiretape.cassette.pieces import joined
from wiretape.cassette.tokens import tokens_are_plain

if TYPE_CHECKING:
    from wiretape.cassette.pieces import Pieces
    from wiretape.cassette.secrets import Secrets


def none_in(secrets: Secrets, content_type: str, pieces: Pieces) -> bool:
    """Whether it is plain that a whole body holds nothing like a secret.

    Most answers that are not streamed come whole, and then there is nothing to be remembered.

    Args:
        secrets: what to look for.
        content_type: the body's.
        pieces: its chunks, as (bytes, part), from the first to the last.
    """
    suspect = secrets.suspect
    if suspect is None:
        return False
    data = joined(pieces)
    if suspect(data) is not None:
        return False
    if not tokens_are_plain(secrets, data):
        return False
    texts = deltas(data, 0, 0) if may_be_streamed(content_type) else []
    if len(texts) < 2:  # noqa: PLR2004  one text stands in the bytes as it is
        return True
    grown: dict[bytes, bytes] = {}
    for match in texts:
        grown[match[1]] = grown.get(match[1], b"") + match[2]
    return all(suspect(text) is None for text in grown.values())
