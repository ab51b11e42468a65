"""Text watched for secrets as it grows, and the chunks that it came in.

Knows where in which chunk each byte of a text stands; nothing of events, which say what belongs to
one text.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from wiretape.cassette.escapes import ESCAPE_BYTES
from wiretape.cassette.secrets import CONTEXT_BYTES, Found, stand_in

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from wiretape.cassette.pieces import Pieces
    from wiretape.cassette.secrets import Secrets

WATCHED_BYTES = 512
"""How far a secret may stretch before it can be told from other text."""

LONGEST_BYTES = 8 * 1024
"""A secret is followed up to this length."""

LONGEST_BESIDE_BYTES = 256 * 1024
"""What stands beside one token is remembered up to this length while nobody knows of a secret."""

# Line ends inside a secret, as private keys have them, and what else a scalar cannot hold as it is
# (`scalars.ODD`) are layout: chunks keep their form, and so their length as written, when a secret
# in them is replaced. So are the beginnings of an event's lines.
_ODD = rb"(?:[\x00-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\xef\xbb\xbf|\xef\xbf[\xbe\xbf])+"
_LAYOUT = re.compile(_ODD + rb"(?:data: ?)?")
_LAYOUT_OF_EVENTS = re.compile(_ODD + rb"(?:(?:event|id|retry):[^\r\n]*[\r\n]+)*(?:data: ?)?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how a chunk's entry was written.

    Attributes:
        at_us: its stamp.
        position: where in the journal, in bytes.
        text: its own text.
    """

    at_us: int
    position: int
    text: str


@dataclass(eq=False, slots=True)
class Written:
    """A chunk that may have to be written again.

    Attributes:
        data: its bytes as they came.
        part: as in `core.model.Chunk`.
        place: where it was written; for its owner to set.
    """

    data: bytes
    part: bool
    place: Place | None = None
    _changed: bytearray | None = None

    @property
    def safe(self) -> bytes:
        """Its bytes as they are to be written."""
        return self.data if self._changed is None else bytes(self._changed)

    def put(self, offset: int, content: bytes | bytearray) -> None:
        """Have some of its bytes written otherwise."""
        # In place: a large body is one chunk, and a long secret has thousands of pieces in it.
        if self._changed is None:
            self._changed = bytearray(self.data)
        self._changed[offset : offset + len(content)] = content


class Safe(NamedTuple):
    """How chunks are to be written.

    Attributes:
        pieces: in place of those given.
        watched: those of them that may have to be written again, by their index.
        again: earlier ones that are to be written again.
    """

    pieces: Pieces
    watched: Sequence[tuple[int, Written]]
    again: Sequence[Written]


@dataclass(eq=False, slots=True)
class Beside:
    """What tells a piece of a lane too, and so is made harmless where that turns out secret.

    Attributes:
        chunks: those that may have to be written again for it.
        size: how many bytes it has.
        secret: whether it has turned out so.
    """

    chunks: list[Written] = field(default_factory=list)
    size: int = 0
    secret: bool = False
    _spans: list[tuple[Written, int, bytes]] = field(default_factory=list)

    def add(self, chunk: Written, offset: int, harmless: bytes) -> list[Written]:
        """Add some bytes of a chunk, as they are where they tell nothing; as `Lane.feed`."""
        self.size += len(harmless)
        if self.size > LONGEST_BESIDE_BYTES and not self.secret:
            return []
        self._spans.append((chunk, offset, harmless))
        if not self.chunks or self.chunks[-1] is not chunk:
            self.chunks.append(chunk)
        return self.hide() if self.secret else []

    def last(self, new: Container[int]) -> Iterator[Written]:
        """Of its chunks, the last ones that are among these, told by their ids."""
        return itertools.takewhile(lambda each: id(each) in new, reversed(self.chunks))

    def hide(self) -> list[Written]:
        """Make it harmless, now and later; return the chunks whose safe bytes that changed."""
        self.secret = True
        for chunk, offset, harmless in self._spans:
            chunk.put(offset, harmless)
        touched, self.chunks, self._spans = self.chunks, [], []
        return touched


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes of a chunk in a lane: where they are in the chunk, and where in all the lane had."""

    chunk: Written
    offset: int
    start: int
    length: int
    beside: Beside | None


class Lane:
    """Text that belongs together: a whole body, or what the events of one kind add up to.

    Args:
        secrets: what to look for.
        kinds: gets what was found.
        events: the text is the bytes of events, over whose ends no pattern of the user's reaches.

    Attributes:
        text: its end, as far back as a secret may have begun.
        pieces: what the text is made of, where that may have to be written again.
        watched: whether the text's end may be the beginning of a secret.
    """

    __slots__ = (
        "_cut",
        "_events",
        "_kinds",
        "_looks_like",
        "_part",
        "_secrets",
        "_settled",
        "pieces",
        "text",
        "watched",
    )

    def __init__(self, secrets: Secrets, kinds: set[str], *, events: bool = False) -> None:
        self._kinds = kinds
        self._events = events
        self.text = b""
        self.pieces: list[_Piece] = []
        self.watched = False
        self._secrets = secrets
        self._looks_like = secrets.suspect
        self._settled = 0
        self._part = 0  # where in the text its last part begins
        self._cut = 0  # how much of its text came before what is kept

    def feed(
        self, chunk: Written, offset: int, data: bytes, beside: Beside | None = None
    ) -> list[Written]:
        """Add some bytes of a chunk; return the chunks whose safe bytes that changed."""
        self.add(chunk, offset, data, beside)
        return self.look(len(data))

    def add(self, chunk: Written, offset: int, data: bytes, beside: Beside | None = None) -> None:
        """Add some bytes of a chunk, which are to be looked at when all of it has been added."""
        self.pieces.append(_Piece(chunk, offset, self._cut + len(self.text), len(data), beside))
        self.text += data

    def look(self, new_bytes: int) -> list[Written]:
        """Look at what has been added, of so many bytes; as `feed`."""
        touched: list[Written] = []
        start = None
        if self.watched or self._suspect(new_bytes) is not None:
            for found in self._find():
                touched += self._replace(found)
                self._settled = max(self._settled, found.end)
                rest = len(self.text) - found.end
                # The beginning of an escape says not yet whether the secret goes on.
                if rest <= ESCAPE_BYTES and found.end - found.start < LONGEST_BYTES:
                    start = found.start if start is None else min(start, found.start)
        if start is None:
            start = self._suspect(0)
        self.watched = start is not None
        self._keep_from(len(self.text) if start is None else start)
        return touched

    def begin_part(self, size: int = 0) -> None:
        """Take it that the text's end, of this size, may also be read without what is before it."""
        self._part = max(0, len(self.text) - size)

    def with_plain(self, data: bytes, known: bytes) -> bytes | None:
        """The text with some bytes added; None if it would hold anything like a secret.

        Args:
            data: the bytes.
            known: a text that holds nothing like one.
        """
        text = self.text + data
        if self.watched or self._looks_like is None:
            return None
        return text if text == known or self._looks_like(text) is None else None

    def add_if_plain(self, data: bytes) -> bool:
        """Add some bytes, if they make nothing like a secret."""
        text = self.text + data
        if self.watched or self._looks_like is None or self._looks_like(text) is not None:
            return False
        self.text = text[-CONTEXT_BYTES:]
        if self._settled:
            self._settled = max(0, self._settled - len(text) + len(self.text))
        return True

    def add_plain(self, text: bytes) -> None:
        """Go on with what `with_plain` gave."""
        self.text = text[-CONTEXT_BYTES:]
        cut = len(text) - len(self.text)
        if self._settled:
            self._settled = max(0, self._settled - cut)
        if self._part:
            self._part = max(0, self._part - cut)

    def _find(self) -> list[Found]:
        """The secrets in the text, and those in its last part that what is before it hides."""
        found = self._secrets.find(self.text, events=self._events)
        part = self._part
        if part:
            of_part = self._secrets.find(self.text[part:])
            found += [Found(each.kind, each.start + part, each.end + part) for each in of_part]
            found.sort(key=lambda each: each.start)
        return found

    def _suspect(self, new_bytes: int) -> int | None:
        """Where the first thing is that may be, or become, a secret not yet found."""
        start = max(self._settled, len(self.text) - WATCHED_BYTES - new_bytes)
        if self._secrets.suspect is None:
            return start
        return self._secrets.suspect(self.text, start)

    def _replace(self, found: Found) -> list[Written]:
        touched = []
        replacement = bytearray(stand_in(found.kind, found.end - found.start))
        layout = _LAYOUT_OF_EVENTS if self._events else _LAYOUT
        for kept in layout.finditer(self.text, found.start, found.end):
            replacement[kept.start() - found.start : kept.end() - found.start] = kept[0]
        for piece in self.pieces:
            piece_start = piece.start - self._cut
            start = max(found.start, self._settled, piece_start)
            end = min(found.end, piece_start + piece.length)
            if start < end:
                written = replacement[start - found.start : end - found.start]
                piece.chunk.put(start - piece_start + piece.offset, written)
                touched.append(piece.chunk)
                if piece.beside is not None:
                    touched += piece.beside.hide()
                self._kinds.add(found.kind)
        return touched

    def _keep_from(self, start: int) -> None:
        cut = max(0, start - CONTEXT_BYTES)
        needed = self._cut + (max(self._settled, cut) if self.watched else len(self.text))
        self.text = self.text[cut:]
        self._settled = max(0, self._settled - cut)
        self._part = max(0, self._part - cut)
        self._cut += cut
        gone = bisect_right(self.pieces, needed, key=lambda each: each.start + each.length)
        del self.pieces[:gone]
