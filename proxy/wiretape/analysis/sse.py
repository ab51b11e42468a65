"""Server-sent events, bytes to events, incrementally, as the WHATWG HTML standard has it (9.2.6).

Knows the event-stream format and nothing of what the data means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"
_LF = 0x0A
_RECONNECTING = frozenset({"id", "retry"})
"""Fields for a client that reconnects, which no recording does; they change no event."""


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One block of the stream.

    Attributes:
        data: the data lines, joined by line feeds.
        event: the event type; None if none was sent.
        offset: byte offset in the stream of its first field line.
        first_chunk: index of the chunk with its first byte.
        last_chunk: index of the chunk with the line end that completed it.
        ignored: lines with a field name that the standard does not know, as text.
        error: None if a client dispatches it; else why it does not.
    """

    data: str
    event: str | None
    offset: int
    first_chunk: int
    last_chunk: int
    ignored: tuple[str, ...] = ()
    error: str | None = None


TRUNCATED = "truncated: the stream ended before this event did"
NO_DATA = "no data field: clients ignore this"


class SseDecoder:
    """Feed it bytes as they come; it gives each event as soon as its last byte is there."""

    def __init__(self) -> None:
        self._offset = 0
        self._after_cr = False
        self._pieces: list[bytes] = []
        self._line_start = (0, 0)
        self._last_chunk = 0
        self._reset_block()

    def _reset_block(self) -> None:
        self._data: list[str] = []
        self._event = ""
        self._ignored: list[str] = []
        self._block_start: tuple[int, int] | None = None

    def feed(self, data: bytes, chunk: int) -> list[SseEvent]:
        """Take the bytes of one chunk and return the events that they completed."""
        events: list[SseEvent] = []
        if not data:
            return events
        self._last_chunk = chunk
        base = self._offset
        self._offset += len(data)
        position = 1 if self._after_cr and data[0] == _LF else 0
        self._after_cr = False
        while position < len(data):
            if not self._pieces:
                self._line_start = (base + position, chunk)
            match = _LINE_END.search(data, position)
            if match is None:
                self._pieces.append(data[position:])
                break
            self._pieces.append(data[position : match.start()])
            event = self._end_line(chunk)
            if event is not None:
                events.append(event)
            position = match.end()
            self._after_cr = position == len(data) and match.group() == b"\r"
        return events

    def close(self) -> list[SseEvent]:
        """The stream is over: return what was left undispatched, flagged with an error."""
        line = self._take_line()
        text = line.decode(errors="replace")
        torn = bool(line) and not line.startswith(b":")
        if torn:
            self._field(text)
        if self._block_start is None or not (torn or self._data or self._event or self._ignored):
            self._reset_block()
            return []
        if torn and not self._data:
            self._data.append(text)
        return [self._block(self._last_chunk, TRUNCATED)]

    def _take_line(self) -> bytes:
        line = b"".join(self._pieces)
        self._pieces = []
        if self._line_start[0] == 0:
            line = line.removeprefix(_BOM)
        return line

    def _end_line(self, chunk: int) -> SseEvent | None:
        line = self._take_line()
        if line:
            if not line.startswith(b":"):
                self._field(line.decode(errors="replace"))
            return None
        if self._data:
            return self._block(chunk, None)
        if self._ignored:
            return self._block(chunk, NO_DATA)
        self._reset_block()
        return None

    def _block(self, chunk: int, error: str | None) -> SseEvent:
        offset, first_chunk = self._block_start or (self._offset, chunk)
        event = SseEvent(
            "\n".join(self._data),
            self._event or None,
            offset,
            first_chunk,
            chunk,
            tuple(self._ignored),
            error,
        )
        self._reset_block()
        return event

    def _field(self, line: str) -> None:
        if self._block_start is None:
            self._block_start = self._line_start
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name not in _RECONNECTING:
            self._ignored.append(line)
