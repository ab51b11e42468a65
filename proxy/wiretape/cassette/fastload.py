"""A cassette in the writer's own layout, read line by line: many times as fast as through YAML.

Knows exactly what `writer` writes. Whatever it does not recognise it leaves: an entry of another
spelling to YAML by itself, a document of another layout to `document`, and so every error too.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from datetime import UTC, datetime

from wiretape.cassette.document import Document, Head, VersionError, head_of, read_document
from wiretape.cassette.entries import BODY_KEYS, entry_of, request_body
from wiretape.cassette.fields import headers_of
from wiretape.cassette.nodes import Events, Mapping, NodeError, Sequence
from wiretape.cassette.scalars import ODD
from wiretape.cassette.timeline import Timeline
from wiretape.core.model import (
    EMPTY_BODY,
    Chunk,
    End,
    Entry,
    Headers,
    Outcome,
    Request,
    Response,
)

_NUMBER = "([1-9][0-9]{0,17})"
_AT = r"([0-9]{1,12})\.([0-9]{6})"
_CHUNK = re.compile(rf"- \{{chunk: {_NUMBER}, at: {_AT}, (sse|ndjson|text|base64): ")
# Its bytes as nearly always: one text in single quotes, in which a quote is doubled.
_ONE_TEXT = re.compile(
    rf"{_CHUNK.pattern}'([^']++(?:''[^']*+)*+|(?:''[^']*+)++)'(, part: true)?\}}"
)
_END = re.compile(rf"- \{{end: {_NUMBER}, at: {_AT}, outcome: ([a-z_]+)\}}")
_RESPONSE = re.compile(
    rf"- response: {_NUMBER}\n  at: {_AT}\n  status: ([1-9][0-9]{{2}})\n  headers: \{{.*"
)
_REQUEST = re.compile(
    rf"- request: {_NUMBER}\n  at: {_AT}\n"
    r"  method: (DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT)\n  target: (/[A-Za-z0-9_./~@?=&%+-]*)\n"
    r"  headers: \{.*",
)
_KEY = re.compile("  [a-z]")
_OTHER_LINE_ENDS = "\r\x85\u2028\u2029"  # which YAML knows and the writer escapes
_BODY_KEYS = frozenset(BODY_KEYS)
_HEADERS_LIMIT = 4096
_SCALAR = re.compile(
    r"'([^']*+(?:''[^']*+)*+)'"
    r'|("[^"\\]*+(?:\\(?:["\\nrtbf]|u(?!d[89a-f])[0-9a-f]{4})[^"\\]*+)*+")',
)
_EVENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*(?=, )")
_HEAD = re.compile(
    r"wiretape: 1\nrecorded: ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6})Z\n"
    r"upstream: (https?://[A-Za-z0-9.:/_-]*[A-Za-z0-9/])",
)
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_LIST_DEPTH = 1


class _Foreign(Exception):  # noqa: N818 # no error: it leaves the text to YAML
    """The whole text is not in the writer's layout."""


def read_text(text: str) -> Document:
    """Read a cassette: the fast way where its layout allows, else the complete one.

    Raises:
        VersionError: it is of another version.
        DocumentError: it is no cassette.
        WiretapeError: PyYAML has no C loader.
    """
    return read_own_layout(text) or read_document(text)


def read_own_layout(text: str) -> Document | None:
    """Read a cassette in the writer's layout; None if it is in another, or wrong.

    Raises:
        WiretapeError: PyYAML has no C loader.
    """
    lines = text.split("\n")
    if lines.pop() or any(other in text for other in _OTHER_LINE_ENDS):
        return None
    try:
        start = lines.index("entries:") + 1
        head = _head(lines[: start - 1])
        entries = _Entries(lines)
        entries.read(start)
    except (_Foreign, NodeError, VersionError, ValueError):
        return None
    column = 0 if entries.timeline.entries else None
    return Document(head, entries.timeline, column, own_layout=True)


def _head(lines: list[str]) -> Head:
    text = "\n".join(lines)
    match = _HEAD.fullmatch(text)
    if match is not None:
        return Head(datetime.fromisoformat(match[1]).replace(tzinfo=UTC), match[2])
    if not all(line.startswith(("wiretape: ", "recorded: ", "upstream: ", "#")) for line in lines):
        raise _Foreign
    events = Events(text)
    node = events.node(events.start())
    events.finish()
    if not isinstance(node, Mapping):
        raise _Foreign
    return head_of(node.items, 1)


class _Entries:
    """Takes the entries from the lines; what only YAML can read goes to it in runs of lines."""

    def __init__(self, lines: list[str]) -> None:
        self.timeline = Timeline()
        self._lines = lines
        self._run: int | None = None

    def read(self, start: int) -> None:
        """Take every entry from the line at this index on.

        Raises:
            _Foreign: they are in another layout.
            NodeError: YAML could not read some.
            ValueError: one cannot come where it stands.
        """
        add = self.timeline.add
        position, count = start, len(self._lines)
        while position < count:
            line = self._lines[position]
            stop = position + 1
            entry: Entry | None = _one_line_entry(line)
            if entry is None:
                entry, stop = self._several_line_entry(position)
            if entry is not None:
                if self._run is not None:
                    self._read_run(position)
                add(entry, position + 1)
            elif line.startswith("- "):
                if self._run is None:
                    self._run = position
            elif line.startswith("#") and line.isprintable():
                self._read_run(position)
            elif line and (self._run is None or not line.startswith("  ")):
                raise _Foreign
            position = stop
        self._read_run(count)

    def _several_line_entry(self, start: int) -> tuple[Request | Response | None, int]:
        """The entry whose lines begin here, and the line after it.

        Returns:
            None and the next line, where this is no entry that is spelled as the writer does.

        Raises:
            _Foreign: it holds what no entry does.
            NodeError: YAML could not read some of it.
        """
        line = self._lines[start]
        if line.startswith("- request: "):
            return self._request(start)
        if line.startswith("- response: "):
            return self._response(start)
        return None, start + 1

    def _response(self, start: int) -> tuple[Response | None, int]:
        match = _RESPONSE.fullmatch("\n".join(self._lines[start : start + 4]))
        if match is None:
            return None, start + 1
        headers, stop = self._headers(start + 3)
        if self._begins(stop, "  "):
            return None, start + 1
        return Response(int(match[1]), int(match[2] + match[3]), int(match[4]), headers), stop

    def _request(self, start: int) -> tuple[Request | None, int]:
        match = _REQUEST.fullmatch("\n".join(self._lines[start : start + 5]))
        if match is None:
            return None, start + 1
        headers, position = self._headers(start + 4)
        stop = position
        while stop < len(self._lines) and self._lines[stop][:2] in ("  ", ""):
            stop += 1
        body = EMPTY_BODY
        if stop > position:
            if not _KEY.match(self._lines[position]):
                return None, start + 1
            node = _mapping("\n".join(self._lines[position:stop]))
            if not node.items.keys() <= _BODY_KEYS:
                raise _Foreign
            body = request_body(node, headers)
        number, at_us = int(match[1]), int(match[2] + match[3])
        return Request(number, at_us, match[4], match[5], headers, body), stop

    def _headers(self, start: int) -> tuple[Headers, int]:
        """The headers whose lines begin here, and the line after them."""
        stop = start + 1
        while self._begins(stop, "    "):
            stop += 1
        text = "\n".join(self._lines[start:stop])
        return (_headers if len(text) <= _HEADERS_LIMIT else _headers_in)(text), stop

    def _begins(self, position: int, beginning: str) -> bool:
        """Whether there is such a line, and it begins so."""
        return position < len(self._lines) and self._lines[position].startswith(beginning)

    def _read_run(self, stop: int) -> None:
        """Take the entries of the lines seen since the run began, if one did, by way of YAML."""
        start, self._run = self._run, None
        if start is None:
            return
        events = Events("\n".join(self._lines[start:stop]) + "\n", first_line=start + 1)
        nodes = events.node(events.start(), _LIST_DEPTH)
        events.finish()
        if not isinstance(nodes, Sequence):
            raise _Foreign
        for node in nodes.items:
            self.timeline.add(entry_of(node), node.line)


def _mapping(text: str) -> Mapping:
    """What some of an entry's lines hold.

    Raises:
        _Foreign: no mapping.
        NodeError: nothing that YAML could read.
    """
    events = Events(text + "\n")
    node = events.node(events.start(), _LIST_DEPTH + 1)  # as deep as the entry is
    events.finish()
    if not isinstance(node, Mapping):
        raise _Foreign
    return node


def _headers_in(text: str) -> Headers:
    items = _mapping(text).items
    if len(items) != 1:
        raise _Foreign
    return headers_of(items["headers"])


# The requests of one client have much the same, and the responses of one upstream.
_headers = functools.lru_cache(maxsize=256)(_headers_in)


def _one_line_entry(line: str) -> Chunk | End | None:
    match = _ONE_TEXT.fullmatch(line)
    if match is not None:
        number, seconds, micros, form, text, part = match.groups()
        data = None if _is_odd(text) else _data(form, text)
        if data is None:
            return None
        return Chunk(int(number), int(seconds + micros), data, part is not None)
    if not line.startswith("- {"):
        return None
    match = _CHUNK.match(line)
    if match is not None and not _is_odd(line):
        content = _listed_content(line, match.end(), match[4])
        return content and Chunk(int(match[1]), int(match[2] + match[3]), *content)
    match = _END.fullmatch(line)
    if match is not None and match[4] in _OUTCOMES:
        return End(int(match[1]), int(match[2] + match[3]), _OUTCOMES[match[4]])
    return None


def _is_odd(text: str) -> bool:
    """Whether it holds what the writer would have escaped. `isprintable` is quick, and stricter."""
    return not text.isprintable() and ODD.search(text) is not None


def _data(form: str, text: str) -> bytes | None:
    """The bytes of a chunk's only text, whose quotes are still doubled; None if foreign."""
    if "'" in text:
        text = text.replace("''", "'")
    if form == "sse":
        return f"data: {text}\n\n".encode()
    if form == "base64":
        try:
            return base64.b64decode(text.encode("ascii"), validate=True)
        except (binascii.Error, ValueError):
            return None
    return (f"{text}\n" if form == "ndjson" else text).encode()


def _listed_content(line: str, start: int, form: str) -> tuple[bytes, bool] | None:
    """A chunk's bytes, and whether it is a part, from where its value starts; None if foreign.

    It takes what needs more looking: lists, named events, double quotes.
    """
    try:
        if form == "base64":
            return None
        if line.startswith("[", start) and form != "text":
            content, position = _item(line, start + 1, form)
            while line.startswith(", ", position):
                piece, position = _item(line, position + 2, form)
                content += piece
            if not line.startswith("]", position):
                return None
            position += 1
        else:
            content, position = _item(line, start, form)
    except _Foreign:
        return None
    rest = line[position:]
    if rest not in ("}", ", part: true}"):
        return None
    return content.encode(), rest != "}"


def _item(line: str, start: int, form: str) -> tuple[str, int]:
    """One event, line or text at this place, as the wire has it, and where it stops."""
    if form == "sse" and line.startswith("{event: ", start):
        position = start + len("{event: ")
        match = _EVENT_NAME.match(line, position)
        if match is not None:
            name, position = match[0], match.end()
        else:
            name, position = _scalar(line, position)
        if not line.startswith(", data: ", position):
            raise _Foreign
        text, position = _scalar(line, position + len(", data: "))
        if not line.startswith("}", position) or _breaks(name + text):
            raise _Foreign
        return f"event: {name}\ndata: {text}\n\n", position + 1
    text, position = _scalar(line, start)
    if form == "text":
        return text, position
    if _breaks(text):
        raise _Foreign
    return (f"data: {text}\n\n" if form == "sse" else f"{text}\n"), position


def _scalar(line: str, start: int) -> tuple[str, int]:
    match = _SCALAR.match(line, start)
    if match is None:
        raise _Foreign
    single, double = match.groups()
    text = single.replace("''", "'") if double is None else json.loads(double)
    return text, match.end()


def _breaks(text: str) -> bool:
    return "\n" in text or "\r" in text
