"""A recording read while it goes on: at each look only what has come since the last one.

Knows that a `.part` grows, and by whole entries but for the last; never writes to it. Entries are
also written again where they stand, when a secret shows itself late or the rest of a request has
come: `stands` tells whether that befell any that was read.
"""

from __future__ import annotations

import hashlib
import os
import sys
from typing import TYPE_CHECKING

from wiretape.cassette.loader import cassette_name, read_bytes, read_torn
from wiretape.cassette.timeline import Stage
from wiretape.cassette.writer import cassette_text
from wiretape.core.model import EMPTY_BODY, Cassette, Entry, Request, Response
from wiretape.errors import CassetteError, CassetteNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK = 1 << 20


class Following:
    """The recording in a `.part` file, as far as it has come.

    Args:
        path: the `.part`.

    Attributes:
        cassette: its name and head, without entries.
        size: how many bytes of the file have been taken.

    Raises:
        CassetteError: as `loader.load`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        content = read_bytes(path)
        mended = read_torn(content, path)
        head = mended.document.head
        self.cassette = Cassette(cassette_name(path), head.recorded, head.upstream, ())
        self.size = 0
        self._digest = hashlib.sha256()
        self._take(content, mended.length)
        self._new: list[Entry] = mended.document.timeline.entries
        self._given = 0
        self._stages: dict[int, Stage] = {}
        self._note(mended.document.timeline.stages)
        # What goes on behind an indent cannot be read apart from what it goes on with.
        self._apart = mended.document.column in {0, None}

    def entries(self) -> list[Entry]:
        """The entries that have come since the last call; at the first, all so far.

        Raises:
            CassetteNotFoundError: the recording has ended: the file has its final name.
            CassetteError: as `loader.load`.
        """
        entries, self._new = self._new, []
        entries += self._read() if self._apart else self._read_again()
        self._given += len(entries)
        return entries

    def stands(self) -> bool:
        """Whether what has been taken still stands in the file; else it is to be read anew.

        Raises:
            CassetteNotFoundError: the recording has ended: the file has its final name.
            CassetteError: it cannot be read.
        """
        digest = hashlib.sha256()
        for block in _blocks(self.path, 0, self.size):
            digest.update(block)
        return digest.digest() == self._digest.digest()

    def _read(self) -> list[Entry]:
        content = b"".join(_blocks(self.path, self.size))
        if b"\n" not in content:
            return []
        # By itself the new text speaks of requests that nobody made, so they stand before it.
        before = self._unfinished()
        opening = cassette_text(
            Cassette("", self.cassette.recorded, self.cassette.upstream, before)
        ).encode()
        mended = read_torn(opening + content, self.path)
        self._take(content, mended.length - len(opening))
        self._note(mended.document.timeline.stages)
        return mended.document.timeline.entries[len(before) :]

    def _read_again(self) -> list[Entry]:
        content = read_bytes(self.path)
        if len(content) <= self.size:
            return []
        mended = read_torn(content, self.path)
        self._take(content[self.size :], mended.length - self.size)
        return mended.document.timeline.entries[self._given :]

    def _take(self, content: bytes, length: int) -> None:
        self._digest.update(memoryview(content)[:length])
        self.size += length

    def _note(self, stages: dict[int, Stage]) -> None:
        self._stages |= stages
        for number in stages:
            if self._stages[number] is Stage.ENDED:
                del self._stages[number]

    def _unfinished(self) -> tuple[Entry, ...]:
        """Entries that lead to where each interaction under way stands."""
        entries: list[Entry] = []
        for number, stage in self._stages.items():
            entries.append(Request(number, 0, "GET", "/", (), EMPTY_BODY))
            if stage is Stage.ANSWERED:
                entries.append(Response(number, 0, 200, ()))
        return tuple(entries)


def _blocks(path: Path, offset: int, end: int = sys.maxsize) -> Iterator[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise CassetteNotFoundError(path) from None
    except OSError as error:
        raise CassetteError(path, f"cannot be read: {error.strerror}") from error
    try:
        while block := os.pread(descriptor, min(_BLOCK, end - offset), offset):
            yield block
            offset += len(block)
    finally:
        os.close(descriptor)
