"""HTTP/1.1 body framing (RFC 9112, section 6): raw bytes in, chunks with their boundaries out.

Knows nothing of sockets. Heads are parsed elsewhere; this begins at a body's first byte. It
exists beside the HTTP library's own parser because that one tells neither how long a chunk
will be while it is still arriving, nor gives out what it had read before a connection broke.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?")
_LINE_LIMIT_BYTES = 16 * 1024


LAST_CHUNK = b"0\r\n\r\n"
NO_BODY_STATUSES = frozenset({101, 204, 304})
"""The final responses without a body, whatever their heads say."""

_MOST_DIGITS = 18
_MANY = 8


class Framing(enum.Enum):
    """How a body's end is found."""

    CHUNKED = "chunked"
    LENGTH = "length"
    UNTIL_CLOSE = "until close"
    NONE = "none"


class FramingError(ValueError):
    """The peer's framing is broken."""


def declared_bytes(content_length: str) -> int:
    """What a Content-Length says, in digits.

    Raises:
        FramingError: more than any body has.
    """
    digits = content_length.lstrip("0")
    if len(digits) > _MOST_DIGITS:
        raise FramingError(f"a body cannot have a length of {len(digits)} digits")
    return int(digits or "0")


class _BrokenAtError(FramingError):
    """It is broken from this position of some bytes on."""

    def __init__(self, text: str, position: int) -> None:
        super().__init__(text)
        self.position = position


@dataclass(slots=True)
class Batch:
    """All that one or several reads brought.

    Attributes:
        pieces: (bytes, part) in order; `part` says that the next piece belongs to the same HTTP
            chunk.
        wire: the same as it stood on the wire, chunk framing included, up to but without the
            last chunk; for bodies that are not chunked the bytes themselves.
    """

    pieces: list[tuple[bytes, bool]] = field(default_factory=list)
    wire: list[bytes] = field(default_factory=list)


class BodyDecoder:
    """Decodes one body.

    Attributes:
        complete: the whole body has been seen.
        excess: more came than the body has.
        batch: what was decoded since `take`.
    """

    __slots__ = (
        "_between",
        "_closing",
        "_line",
        "_remaining",
        "_trailer",
        "batch",
        "complete",
        "excess",
        "framing",
    )

    def __init__(self, framing: Framing, length: int = 0) -> None:
        self.framing = framing
        self.batch = Batch()
        self.complete = framing is Framing.NONE or (framing is Framing.LENGTH and length == 0)
        self.excess = False
        self._between = framing is Framing.CHUNKED  # a chunk's size is next
        self._remaining = length if framing is Framing.LENGTH else 0
        self._line = b""  # the beginning of a size line that has not wholly arrived
        self._closing = b""  # what is still to come of the CRLF that closes a chunk
        self._trailer = b""  # from the CRLF after the last chunk's size

    def take(self) -> Batch:
        """All that was decoded since the last call."""
        batch, self.batch = self.batch, Batch()
        return batch

    def whole_chunk(self, data: bytes) -> bytes | None:
        """The chunk that some bytes are, as most reads of a stream bring one.

        None where they are anything else, or where something is still to be taken before it: they
        are for `feed` then.
        """
        if not self._between or self.batch.wire:
            return None
        line_end = data.find(b"\r\n")
        size = _SIZES.get(data[:line_end])
        if not size or len(data) != line_end + size + 4 or data[-2:] != b"\r\n":
            return None
        return data[line_end + 2 : -2]

    def feed(self, data: bytes) -> None:
        """Decode some bytes; what comes after the body's end is left alone.

        Raises:
            FramingError: the chunked coding is broken; what came before stays in the batch.
        """
        if self.complete or not data:
            self.excess = bool(data)
            return
        if self.framing is Framing.CHUNKED:
            self._feed_chunked(data)
            return
        if self.framing is Framing.LENGTH:
            self.excess = len(data) > self._remaining
            data = data[: self._remaining]
            self._remaining -= len(data)
            self.complete = self._remaining == 0
        self.batch.pieces.append((data, False))
        self.batch.wire.append(data)

    def feed_eof(self) -> None:
        """The connection was closed cleanly: that is the end of a body framed by it."""
        if self.framing is Framing.UNTIL_CLOSE:
            self.complete = True

    def _feed_chunked(self, data: bytes) -> None:
        if self._trailer:
            self._feed_trailer(data, 0)
            return
        self._between = False
        data = self._line + data
        self._line = b""
        position = 0
        while position < len(data) and not self._line and not self._trailer:
            begun = position
            inside = self._remaining or self._closing
            try:
                position = (self._feed_chunk_data if inside else self._feed_chunks)(data, position)
            except _BrokenAtError as error:
                position = error.position
                raise FramingError(str(error)) from None
            finally:
                # The last chunk is no part of `wire`: whoever forwards the body writes its own
                # when the body has ended whole, and none when it has not.
                if position > begun:
                    self.batch.wire.append(data[begun:position])
        inside = self._line or self._trailer or self._remaining or self._closing
        self._between = not inside

    def _feed_chunks(self, data: bytes, position: int) -> int:
        """Decode chunks that came whole, as nearly every one does, up to one that did not."""
        append, find, starts = self.batch.pieces.append, data.find, data.startswith
        untried = True
        while (line_end := find(b"\r\n", position)) >= 0:
            line = data[position:line_end]
            size = _SIZES.get(line)
            if size is None:
                size = _chunk_size(line, position)
            if not size:
                self._feed_trailer(data[line_end:], position)
                return position
            start = line_end + 2
            end = start + size
            if not starts(b"\r\n", end):
                self._remaining = size
                return start
            chunk = data[start:end]
            append((chunk, False))
            position = end + 2
            if untried and len(data) - position > size * _MANY and b"\r\n" not in chunk:
                untried = False
                position = self._feed_many(data, position)
        self._line = data[position:]
        if len(self._line) > _LINE_LIMIT_BYTES:
            raise _BrokenAtError("a chunk's size line is too long", position)
        return position

    def _feed_many(self, data: bytes, position: int) -> int:
        """Decode many chunks at once, if all that came whole are small and without a CRLF.

        Returns:
            Where the last of them ends; the same position if some are otherwise.
        """
        parts = data[position:].split(b"\r\n")
        count = (len(parts) - 1) // 2
        sizes, chunks = parts[: 2 * count : 2], parts[1 : 2 * count : 2]
        if chunks and not chunks[-1]:  # the last chunk, which ends the body
            sizes.pop()
            chunks.pop()
        lengths = [len(chunk) for chunk in chunks]
        if [_SIZES.get(size) for size in sizes] != lengths or 0 in lengths:
            return position
        self.batch.pieces += [(chunk, False) for chunk in chunks]
        return position + sum(lengths) + sum(map(len, sizes)) + 4 * len(chunks)

    def _feed_chunk_data(self, data: bytes, position: int) -> int:
        """Decode what has come of the rest of a chunk."""
        if self._remaining:
            piece = data[position : position + self._remaining]
            position += len(piece)
            self._remaining -= len(piece)
            self.batch.pieces.append((piece, self._remaining > 0))
            if not self._remaining:
                self._closing = b"\r\n"
        if self._closing and position < len(data):
            closing = data[position : position + len(self._closing)]
            if not self._closing.startswith(closing):
                raise _BrokenAtError("a chunk is longer than its size says", position)
            position += len(closing)
            self._closing = self._closing[len(closing) :]
        return position

    def _feed_trailer(self, data: bytes, position: int) -> None:
        self._trailer += data
        end = self._trailer.find(b"\r\n\r\n")
        self.complete = end >= 0
        self.excess = self.complete and len(self._trailer) > end + 4
        if len(self._trailer) > _LINE_LIMIT_BYTES and not self.complete:
            raise _BrokenAtError("the trailer section is too long", position)


def chunks_in_parts(chunks: Sequence[bytes]) -> list[bytes]:
    """The wire bytes of chunks in chunked coding, to be joined; no chunk may be empty."""
    parts = [b"\r\n"] * (3 * len(chunks))
    try:
        parts[::3] = [_SIZE_LINES[len(chunk)] for chunk in chunks]
    except IndexError:
        parts[::3] = [b"%x\r\n" % len(chunk) for chunk in chunks]
    parts[1::3] = chunks
    return parts


def encode_pieces(pieces: Sequence[tuple[bytes, bool]]) -> list[bytes]:
    """The wire bytes of each of a body's pieces in chunked coding, without the last chunk.

    Args:
        pieces: (bytes, part) as in `Batch`. Where the pieces end inside a chunk, its size is
            given as one byte more than came, so that it stays unfinished.
    """
    wire: list[bytes] = []
    first = 0
    for index, (data, part) in enumerate(pieces):
        wire.append(data)
        if part:
            continue
        size = sum(len(piece) for piece in wire[first:])
        # An empty chunk would be the last chunk.
        if size:
            wire[first] = b"%x\r\n%b" % (size, wire[first])
            wire[index] += b"\r\n"
        first = index + 1
    if first < len(wire):
        size = sum(len(piece) for piece in wire[first:]) + 1
        wire[first] = b"%x\r\n%b" % (size, wire[first])
    return wire


def _chunk_size(line: bytes, position: int) -> int:
    match = _SIZE_LINE.fullmatch(line)
    if match is None:
        raise _BrokenAtError(f"bad chunk size {line[:20]!r}", position)
    return int(match[1], 16)


# The sizes that most chunks have, as most servers write them.
_SIZES = {b"%x" % size: size for size in range(2048)}
_SIZE_LINES = [b"%b\r\n" % digits for digits in _SIZES]
