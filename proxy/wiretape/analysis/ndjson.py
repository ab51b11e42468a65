"""Newline-delimited JSON, bytes to lines, incrementally (github.com/ndjson/ndjson-spec).

Knows lines and nothing of what stands in them.
"""

from __future__ import annotations

from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not blank.

    Attributes:
        text: without its line end.
        offset: byte offset in the stream of its first byte.
        first_chunk: index of the chunk with its first byte.
        last_chunk: index of the chunk with its line feed, or its last byte.
        ended: whether the line feed came; False only for the last line.
    """

    text: str
    offset: int
    first_chunk: int
    last_chunk: int
    ended: bool = True


class LineDecoder:
    """Feed it bytes as they come; it gives each line as soon as its line feed is there."""

    def __init__(self) -> None:
        self._offset = 0
        self._pieces: list[bytes] = []
        self._line_start = (0, 0)
        self._last_chunk = 0

    def feed(self, data: bytes, chunk: int) -> list[Line]:
        """Take the bytes of one chunk and return the lines that they completed."""
        lines: list[Line] = []
        if not data:
            return lines
        self._last_chunk = chunk
        base = self._offset
        self._offset += len(data)
        position = 0
        while position < len(data):
            if not self._pieces:
                self._line_start = (base + position, chunk)
            end = data.find(b"\n", position)
            if end < 0:
                self._pieces.append(data[position:])
                break
            self._pieces.append(data[position:end])
            lines += self._take(chunk, ended=True)
            position = end + 1
        return lines

    def close(self) -> list[Line]:
        """The stream is over: return the last line if it had no line feed."""
        return self._take(self._last_chunk, ended=False)

    def _take(self, chunk: int, *, ended: bool) -> list[Line]:
        raw = b"".join(self._pieces)
        self._pieces = []
        offset, first_chunk = self._line_start
        if offset == 0:
            raw = raw.removeprefix(_BOM)
        text = raw.decode(errors="replace").removesuffix("\r")
        if not text.strip():
            return []
        return [Line(text, offset, first_chunk, chunk, ended)]
