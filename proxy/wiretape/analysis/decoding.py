"""Chunks to events: undoes the content coding, then reads the body as its type says.

Knows headers and framings; what an event means is for the dialects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wiretape.analysis import media
from wiretape.analysis.encodings import Codings, EncodingError
from wiretape.analysis.events import MISSING, Event, EventKind, parse_json
from wiretape.analysis.ndjson import Line, LineDecoder
from wiretape.analysis.salvage import salvage
from wiretape.analysis.sse import SseDecoder, SseEvent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from wiretape.core.model import Headers

    class Framing(Protocol):
        """One way to read a decoded body."""

        def feed(self, data: bytes, chunk: int) -> list[Event]:
            """The events that these bytes completed."""

        def close(self) -> list[Event]:
            """What is left when the body is over."""


def decode(chunks: Sequence[bytes], headers: Headers) -> list[Event]:
    """Decode a response body, chunk by chunk, to its events. Never raises.

    Args:
        chunks: the body as it came; an event's chunk indexes are indexes into this.
        headers: the response's, for Content-Type and Content-Encoding.
    """
    decoder = Decoder(headers)
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.finish()


def field_values(headers: Headers, name: str) -> list[str]:
    """The members of a list field, over all its lines, in order."""
    wanted = name.lower()
    lines = [value for field, value in headers if field.lower() == wanted]
    return [part.strip() for line in lines for part in line.split(",") if part.strip()]


class Decoder:
    """The same, incrementally: feed it chunks in order, then finish it."""

    def __init__(self, headers: Headers) -> None:
        types = field_values(headers, "content-type")
        self._framing: Framing = _framing(types[0] if types else "")
        self._chunk = -1
        self._taken = 0
        self._failure: EncodingError | None = None
        self._failed_at = (0, 0)
        self._rest: list[bytes] = []
        self._codings: Codings | None = None
        try:
            self._codings = Codings(field_values(headers, "content-encoding"))
        except EncodingError as error:
            self._failure = error

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that this chunk completed."""
        self._chunk += 1
        if self._failure is not None or self._codings is None:
            self._rest.append(chunk)
            return []
        try:
            data = self._codings.feed(chunk)
        except EncodingError as error:
            self._fail(error, chunk)
            return self._framing.feed(error.partial, self._chunk)
        self._taken += len(chunk)
        return self._framing.feed(data, self._chunk)

    def _fail(self, error: EncodingError, chunk: bytes) -> None:
        self._failure = error
        self._failed_at = (self._chunk, self._taken)
        self._rest.append(chunk)

    def finish(self) -> list[Event]:
        """The body is over: the events that only its end completes, and what is broken."""
        if self._failure is None and self._codings is not None:
            try:
                self._codings.finish()
            except EncodingError as error:
                self._fail(error, b"")
        events = self._framing.close()
        if self._failure is None or self._chunk < 0:
            return events
        first_chunk, offset = self._failed_at
        rest = b"".join(self._rest).decode("latin-1")
        why = f"content-encoding: {self._failure}"
        broken = Event(rest, None, MISSING, first_chunk, self._chunk, EventKind.BINARY, why, offset)
        return [*events, broken]


def _framing(content_type: str) -> Framing:
    if media.is_event_stream(content_type):
        return SseFraming()
    if media.is_ndjson(content_type):
        return NdjsonFraming()
    return WholeFraming(content_type)


class SseFraming:
    """The body is an event stream."""

    def __init__(self) -> None:
        self._decoder = SseDecoder()

    def feed(self, data: bytes, chunk: int) -> list[Event]:
        """The events that these bytes completed."""
        return [_sse(event) for event in self._decoder.feed(data, chunk)]

    def close(self) -> list[Event]:
        """The event that was under way, if any, with its error."""
        return [_sse(event) for event in self._decoder.close()]


def _sse(event: SseEvent) -> Event:
    data = event.data or "\n".join(event.ignored)
    value = parse_json(data)
    if value is MISSING and event.error is not None:
        value = salvage(data)
    return Event(
        data,
        event.event,
        value,
        event.first_chunk,
        event.last_chunk,
        EventKind.SSE,
        event.error,
        event.offset,
    )


class NdjsonFraming:
    """The body is JSON values on lines."""

    def __init__(self) -> None:
        self._decoder = LineDecoder()

    def feed(self, data: bytes, chunk: int) -> list[Event]:
        """The lines that these bytes completed."""
        return [_line(line) for line in self._decoder.feed(data, chunk)]

    def close(self) -> list[Event]:
        """The last line, if it had no line feed."""
        return [_line(line) for line in self._decoder.close()]


def _line(line: Line) -> Event:
    value = parse_json(line.text)
    error = None
    if value is MISSING:
        error = "not JSON" if line.ended else "truncated: the stream ended inside this line"
        value = MISSING if line.ended else salvage(line.text)
    return Event(
        line.text,
        None,
        value,
        line.first_chunk,
        line.last_chunk,
        EventKind.NDJSON,
        error,
        line.offset,
    )


class WholeFraming:
    """The body is one thing, to be judged when it is whole."""

    def __init__(self, content_type: str) -> None:
        self._type = content_type
        self._pieces: list[tuple[bytes, int]] = []

    def feed(self, data: bytes, chunk: int) -> list[Event]:
        """Nothing yet."""
        if data:
            self._pieces.append((data, chunk))
        return []

    def close(self) -> list[Event]:
        """The body as one event, or as several where it was a stream that did not say so."""
        if not self._pieces:
            return []
        body = b"".join(data for data, _ in self._pieces)
        try:
            text, readable = body.decode("utf-8-sig"), True
        except UnicodeDecodeError:
            text, readable = body.decode(errors="replace"), False
        value = parse_json(text)
        if value is not MISSING:
            return [self._whole(text, value, EventKind.JSON, None)]
        as_json = media.is_json(self._type)
        if as_json or media.says_little(self._type):
            events = self._as_stream(body)
            if events:
                return events
        if as_json:
            error = "truncated or not JSON" if text.strip() else None
            return [self._whole(text, salvage(text), EventKind.JSON, error)]
        if readable or media.is_text(self._type):
            return [self._whole(text, MISSING, EventKind.TEXT, None)]
        return [self._whole(body.decode("latin-1"), MISSING, EventKind.BINARY, None)]

    def _as_stream(self, body: bytes) -> list[Event]:
        framing: Framing
        if media.looks_like_sse(body[:64]):
            framing = SseFraming()
        elif body.lstrip().startswith(b"{") and b"\n" in body.strip():
            framing = NdjsonFraming()
        else:
            return []
        events = [event for data, chunk in self._pieces for event in framing.feed(data, chunk)]
        events += framing.close()
        return events if any(isinstance(event.json, dict) for event in events) else []

    def _whole(self, text: str, value: object, kind: EventKind, error: str | None) -> Event:
        first_chunk, last_chunk = self._pieces[0][1], self._pieces[-1][1]
        return Event(text, None, value, first_chunk, last_chunk, kind, error)
