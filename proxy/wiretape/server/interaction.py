"""Recording one interaction: what comes after its request, and the rest of that.

Knows what a session's `recorder` is told, and in which order; nothing of files.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from wiretape.analysis.endings import stream_finished
from wiretape.analysis.media import is_ndjson
from wiretape.cassette.watched import Place, Safe
from wiretape.cassette.wholebody import none_in
from wiretape.cassette.writer import (
    chunk_text,
    chunks_text,
    coded_chunk_text,
    end_text,
    request_text,
    response_text,
)
from wiretape.core.model import Outcome, header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wiretape.cassette.pieces import Pieces
    from wiretape.cassette.streamredaction import StreamRedactor
    from wiretape.cassette.watched import Written
    from wiretape.core.model import Body, Headers
    from wiretape.server.recorder import Recorder

_EVENT_ENDS = (b"\n\n", b"\n\r\n", b"\r\r")
_LAST_EVENT_LIMIT_BYTES = 1024 * 1024


class Coming(NamedTuple):
    """A request whose body is still to come.

    Attributes:
        position: where its entry is in the journal.
        text: that entry, with room for what is longer once the body is known.
    """

    at_us: int
    method: str
    target: str
    headers: Headers
    position: int
    text: str


class Unrecorded:
    """Stands in for an `InteractionRecorder` where nothing is recorded."""

    def request_came(self, body: Body) -> None:
        """Forget it."""

    def head(self, status: int, headers: Headers) -> None:
        """Forget it."""

    def flush(self) -> None:
        """Nothing to do."""

    def chunk(self, data: bytes) -> None:
        """Forget it."""

    def chunks(self, pieces: Sequence[tuple[bytes, bool]], outcome: Outcome | None = None) -> None:
        """Forget them."""

    def end(self, outcome: Outcome) -> None:
        """Forget it."""

    def client_left(self) -> None:
        """Forget it."""


class InteractionRecorder(Unrecorded):
    """The recording of one interaction, from its request on.

    Args:
        recorder: of the session; it has recorded the request.
        number: the interaction's.
        coming: the request, where its body is still to come.
    """

    def __init__(self, recorder: Recorder, number: int, coming: Coming | None = None) -> None:
        self.number = number
        self._coming = coming
        self._recorder = recorder
        self._now_us = recorder.clock.now_us
        self._stream: StreamRedactor | None = None
        self._pending = ""
        self._content_type = ""
        self._last_event: list[bytes] = []
        self._last_event_bytes = 0
        self._event_over = True
        self._event_ends: bytes | tuple[bytes, ...] = _EVENT_ENDS
        self._ended = False

    def request_came(self, body: Body) -> None:
        """Write the request again with its body, once; no more of it will come."""
        coming, self._coming = self._coming, None
        if coming is not None:
            at_us, method, target, headers, position, old = coming
            text = request_text(self.number, at_us, method, target, headers, body)
            self._recorder.rewrite(position, old, text)

    def head(self, status: int, headers: Headers) -> None:
        """Take a response's head; it is journalled with the chunks that came with it.

        Call `flush` before the head is sent alone.
        """
        self._content_type = header(headers, "content-type") or ""
        if is_ndjson(self._content_type):
            self._event_ends = b"\n"
        safe = self._recorder.redactor.headers(headers)
        self._pending += response_text(self.number, self._now_us(), status, safe)

    def flush(self) -> None:
        """Journal what has been taken and not journalled yet."""
        if self._pending:
            pending, self._pending = self._pending, ""
            self._recorder.write(pending)

    def chunk(self, data: bytes) -> None:
        """Journal a chunk that a read brought whole, by itself."""
        # Nearly all are one event, like the last one but for some words. It is gone through in few
        # calls, for after each wait the processor has forgotten all about them. Whether the answer
        # is over, the last one tells as well.
        at_us = self._now_us()
        stream = self._stream
        if stream is not None and self._event_over and stream.take_alike(data):
            self._recorder.write(chunk_text(self.number, at_us, data))
        else:
            self.chunks([(data, False)])

    def chunks(self, pieces: Sequence[tuple[bytes, bool]], outcome: Outcome | None = None) -> None:
        """Journal all the chunks that one read brought, and the end if that came too, at once.

        A read may bring none, but how long one will be: what was taken before is journalled then.
        """
        at_us = self._now_us()
        if not pieces:
            if outcome is None:
                self.flush()
            else:
                self.end(outcome)
            return
        number = self.number
        safe, watched, again = self._take(pieces, whole=outcome is not None)
        if watched:
            self._recorder.flush()
        text = self._pending + chunks_text(number, at_us, safe)
        if outcome is not None:
            text += self._end_text(at_us, outcome)
        position = self._recorder.write(text)
        if watched:
            position += self._recorder.size_of(self._pending)
            self._place(safe, watched, at_us, position)
        self._pending = ""
        for chunk in again:
            self._write_again(chunk)
        if outcome is None:
            self._remember(pieces)

    def _take(self, pieces: Sequence[tuple[bytes, bool]], *, whole: bool) -> Safe:
        """How some chunks are to be written; the first ones begin the watch if more may follow."""
        if self._stream is None:
            redactor = self._recorder.redactor
            if whole and none_in(redactor.secrets, self._content_type, pieces):
                return Safe(pieces, (), ())
            self._stream = redactor.stream(self._content_type)
        return Safe(pieces, (), ()) if self._stream is None else self._stream.take(pieces)

    def _write_again(self, chunk: Written) -> None:
        """Take out of the journal what has turned out to be the beginning of a secret."""
        place = chunk.place
        if place is not None:
            text = chunk_text(self.number, place.at_us, chunk.safe, chunk.part)
            if len(text.encode()) > len(place.text.encode()):  # as base64 it is as long as it was
                text = coded_chunk_text(self.number, place.at_us, chunk.safe, chunk.part)
            self._recorder.rewrite(place.position, place.text, text)
            chunk.place = replace(place, text=text)

    def _place(
        self, safe: Pieces, watched: Sequence[tuple[int, Written]], at_us: int, position: int
    ) -> None:
        """Tell the watched chunks of a read where they stand, the first of all at the position."""
        placed = 0
        for index, chunk in watched:
            before = chunks_text(self.number, at_us, safe[placed:index])
            position += self._recorder.size_of(before)
            placed = index
            chunk.place = Place(at_us, position, chunk_text(self.number, at_us, *safe[index]))

    def end(self, outcome: Outcome) -> None:
        """Journal the end, once; later calls change nothing."""
        if self._ended or self._recorder.failure is not None:
            return
        text = self._pending + self._end_text(self._now_us(), outcome)
        self._pending = ""
        self._recorder.write(text)

    def _end_text(self, at_us: int, outcome: Outcome) -> str:
        self._ended = True
        self._last_event = []
        self._recorder.unreachable += outcome is Outcome.UPSTREAM_UNREACHABLE
        return end_text(self.number, at_us, outcome)

    def client_left(self) -> None:
        """Journal the end of an interaction whose client closed its connection.

        Many clients close as soon as they have read a stream's last event, before the end of
        its body: that is a whole answer.
        """
        finished = stream_finished(b"".join(self._last_event), self._content_type)
        self.end(Outcome.COMPLETE if finished else Outcome.CLIENT_DISCONNECTED)

    def _remember(self, pieces: Sequence[tuple[bytes, bool]]) -> None:
        """Keep the pieces since the last event but one ended."""
        last = pieces[-1][0]
        if self._event_over and len(pieces) == 1:
            self._last_event = [last]
            self._last_event_bytes = len(last)
        else:
            self._remember_some(pieces)
        self._event_over = last.endswith(self._event_ends)

    def _remember_some(self, pieces: Sequence[tuple[bytes, bool]]) -> None:
        index = len(pieces) - 1
        while index and not pieces[index - 1][0].endswith(self._event_ends):
            index -= 1
        if index or self._event_over:
            self._last_event = []
            self._last_event_bytes = 0
        for data, _ in pieces[index:]:
            self._last_event.append(data)
            self._last_event_bytes += len(data)
        if self._last_event_bytes > _LAST_EVENT_LIMIT_BYTES:
            self._last_event = []
            self._last_event_bytes = 0
