"""Secrets kept out of a response's chunks, also where one is split across chunks or events.

Knows the bytes of one body, as they come; nothing of journals. Nothing is held back: what was
written before a secret showed itself is given back to be written again, exactly as long.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from wiretape.cassette.secrets import CONTEXT_BYTES
from wiretape.cassette.watched import Lane, Written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wiretape.cassette.secrets import Secrets

    Pieces = Sequence[tuple[bytes, bool]]

# The texts that models stream piece by piece, in every dialect; the value up to its quote.
_DELTA = re.compile(
    rb'"(content|text|arguments|partial_json|delta|thinking|reasoning|reasoning_content|response'
    rb'|refusal|input)":[ ]?"((?:[^"\\]|\\.|\\\Z)+|\Z)',
    re.DOTALL,
)
_REST_OF_DELTA = re.compile(rb'(?:[^"\\]|\\.|\\\Z)*', re.DOTALL)
_STREAMED = ("event-stream", "ndjson", "jsonl")
_RAW = b""
_BEFORE_BYTES = 24
_LONGEST_KEY_BYTES = 32
_NEVER = b"\0"


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


class StreamRedactor:
    """Redacts the chunks of one body.

    Args:
        secrets: what to look for.
        content_type: the body's; events are looked into where it says that there are some.

    Attributes:
        kinds: what was found.
    """

    __slots__ = (
        "_before",
        "_escaped",
        "_head",
        "_key",
        "_lanes",
        "_open",
        "_quotes",
        "_secrets",
        "_streamed",
        "_tail",
        "_text",
        "_unread",
        "kinds",
    )

    def __init__(self, secrets: Secrets, content_type: str) -> None:
        self.kinds: set[str] = set()
        self._secrets = secrets
        self._streamed = any(word in content_type for word in _STREAMED)
        self._lanes: dict[bytes, Lane] = {}
        self._unread = b""
        self._open = _RAW  # the lane whose text the last chunk broke off in
        self._escaped = False  # after a backslash
        # Most events of a stream differ in one text alone. What stood around it in the last one
        # is known to be no secret; `_text` is that text's lane meanwhile.
        self._key = _RAW
        self._head = self._tail = self._before = _NEVER
        self._quotes = 0
        self._text = b""

    def take(self, pieces: Pieces) -> Safe:
        """Take some chunks, as (bytes, part), and tell how they are to be written."""
        looked_at: dict[int, Written] = {}
        touched: list[Written] = []
        run = 0  # where the chunks begin that were like the last one but for their text
        texts: list[bytes] = []  # theirs
        head, tail = self._head, self._tail
        around = len(head) + len(tail)
        for index, (data, part) in enumerate(pieces):
            if data.startswith(head) and data.endswith(tail) and len(data) >= around and not part:
                texts.append(data[len(head) : len(data) - len(tail)])
                continue
            alike = None if part else self._alike(data)
            if alike is not None:
                texts.append(alike)
            else:
                touched += self._end_run(pieces[run:index], texts, run, looked_at)
                texts = []
                chunk = looked_at[index] = Written(data, part, data)
                touched += self._look_at(chunk)
                run = index + 1
            head, tail = self._head, self._tail
            around = len(head) + len(tail)
        touched += self._end_run(pieces[run:], texts, run, looked_at)
        if not looked_at:
            return Safe(pieces, (), ())
        return self._safe(pieces, looked_at, touched)

    def _end_run(
        self, pieces: Pieces, texts: list[bytes], first: int, looked_at: dict[int, Written]
    ) -> list[Written]:
        """Look through what differed in a run of chunks; if need be, at each chunk."""
        if not pieces:
            return []
        text = b"".join((self._text, *texts))
        suspect = self._secrets.suspect
        if suspect is not None and suspect(text) is None and not _quotes(text):
            self._text = text[-CONTEXT_BYTES:]
            return []
        touched = []
        for index, (data, part) in enumerate(pieces, first):
            chunk = looked_at[index] = Written(data, part, data)
            touched += self._look_at(chunk)
        return touched

    def _safe(self, pieces: Pieces, looked_at: dict[int, Written], touched: list[Written]) -> Safe:
        safe = list(pieces)
        for index, chunk in looked_at.items():
            safe[index] = chunk.safe, chunk.part
        new = {id(chunk) for chunk in looked_at.values()}
        watched = {id(each.chunk) for lane in self._lanes.values() for each in lane.pieces}
        return Safe(
            safe,
            [(index, chunk) for index, chunk in looked_at.items() if id(chunk) in watched],
            list({id(chunk): chunk for chunk in touched if id(chunk) not in new}.values()),
        )

    def _alike(self, data: bytes) -> bytes | None:
        """The text of an event that differs from the last one elsewhere too; None if it may not."""
        start = data.find(self._before) + len(self._before)
        suspect = self._secrets.suspect
        if (
            suspect is None
            or start < len(self._before)
            or not data.endswith(b"\n")
            or _quotes(data) != self._quotes
            or suspect(data) is not None
        ):
            return None
        match = _REST_OF_DELTA.match(data, start)
        assert match is not None  # noqa: S101  it may be empty
        self._head, self._tail = data[:start], data[match.end() :]
        return match[0]

    def _look_at(self, chunk: Written) -> list[Written]:
        self._leave_template()
        data = chunk.data
        touched = self._lane(_RAW).feed(chunk, 0, data)
        if not self._streamed:
            return touched
        start = 0
        if self._open:
            start = _end_of_text(data, escaped=self._escaped)
            touched += self._lane(self._open).feed(chunk, 0, data[:start])
            if start == len(data):
                self._escaped = _breaks_off_in_escape(data, escaped=self._escaped)
                return touched
            self._open = _RAW
        # A name that the last chunk broke off in is read together with the rest of it.
        begun = len(self._unread)
        event = self._unread + data[start:] if begun else data
        texts = list(_DELTA.finditer(event, 0 if begun else start))
        texts = [match for match in texts if match.start(2) >= begun]
        for match in texts:
            offset = match.start(2) - begun + (start if begun else 0)
            touched += self._lane(match[1]).feed(chunk, offset, match[2])
        self._unread = b""
        if texts and texts[-1].end() == len(event):
            self._open = texts[-1][1]
            self._escaped = _breaks_off_in_escape(texts[-1][2])
        elif not data.endswith(b"\n"):
            self._unread = event[-_LONGEST_KEY_BYTES:]
        elif len(texts) == 1 and event is data and not start:
            self._enter_template(texts[0], data)
        return touched

    def _lane(self, key: bytes) -> Lane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(self._secrets, self.kinds)
        return lane

    def _enter_template(self, match: re.Match[bytes], data: bytes) -> None:
        if self._secrets.suspect is None or any(lane.watched for lane in self._lanes.values()):
            return
        self._key = match[1]
        self._head, self._tail = data[: match.start(2)], data[match.end() :]
        self._before = self._head[-_BEFORE_BYTES:]
        self._quotes = _quotes(data)
        self._text = self._lane(self._key).text

    def _leave_template(self) -> None:
        if self._key:
            self._lane(self._key).text = self._text
        self._key = _RAW
        self._head = self._tail = self._before = _NEVER
        self._text = b""


def _end_of_text(data: bytes, *, escaped: bool) -> int:
    """Where the text ends that goes on in these bytes."""
    skipped = int(escaped)
    match = _REST_OF_DELTA.match(data, skipped)
    return match.end() if match else skipped


def _breaks_off_in_escape(data: bytes, *, escaped: bool = False) -> bool:
    data = data[int(escaped) :]
    return (len(data) - len(data.rstrip(b"\\"))) % 2 == 1


def _quotes(data: bytes) -> int:
    return data.count(b'"') - data.count(b'\\"')
