"""Pieces of a body as reads bring them: (bytes, part), where `part` is as in `core.model.Chunk`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Pieces: TypeAlias = Sequence[tuple[bytes, bool]]


def joined(pieces: Pieces) -> bytes:
    """All their bytes."""
    return pieces[0][0] if len(pieces) == 1 else b"".join([data for data, _ in pieces])


def left_out(pieces: Pieces, least: int, most: int) -> tuple[int, int]:
    """Leave out as few of the last chunks as have a number of bytes.

    Returns:
        How many are left, and how many bytes more than the least were left out; 0 chunks if these
        would be more than the most.
    """
    size = 0
    for count in range(len(pieces) - 1, 0, -1):
        size += len(pieces[count][0])
        if size >= least:
            return (count, size - least) if size <= most else (0, 0)
    return 0, 0
