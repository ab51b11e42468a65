"""A cassette's text as a document, by way of any YAML: the slow, complete reading.

Knows the document's head and that entries are a list; nothing of files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from wiretape.cassette.entries import entry_of
from wiretape.cassette.fields import text_of, time_of
from wiretape.cassette.nodes import Events, Mapping, Node, NodeError, Scalar, shown
from wiretape.cassette.timeline import Timeline
from wiretape.cassette.writer import VERSION

if TYPE_CHECKING:
    from datetime import datetime

_LONGEST_VERSION = 9
_SHOWN = 40
_HEAD_KEYS = ("wiretape", "recorded", "upstream")


class VersionError(Exception):
    """The document says that it is of another format version.

    Attributes:
        version: what it says.
    """

    def __init__(self, version: object) -> None:
        self.version = version
        super().__init__(f"version {version!r}")


class DocumentError(Exception):
    """The document is no cassette.

    Attributes:
        reason: what is wrong.
        line: where, counted from 1.
        entry: which entry, counted from 1; None if none.
        syntax: whether it is no YAML at all, as a torn file is.
    """

    def __init__(self, error: NodeError, entry: int | None = None) -> None:
        self.reason = error.reason
        self.line = error.line
        self.entry = entry
        self.syntax = error.syntax
        super().__init__(str(error))


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before the entries."""

    recorded: datetime
    upstream: str


@dataclass(frozen=True, slots=True)
class Document:
    """A cassette's document.

    Attributes:
        head: its head.
        timeline: its entries.
        column: where the dashes of its entries stand; None where they are no block list.
        own_layout: whether it is in the writer's, so that entries can follow its last line.
    """

    head: Head
    timeline: Timeline
    column: int | None
    own_layout: bool = False


def head_of(fields: dict[str, Node], line: int) -> Head:
    """The head from its nodes.

    Raises:
        VersionError: another version.
        NodeError: something is missing or wrong.
    """
    version = fields.get("wiretape")
    if version is None:
        raise NodeError("no cassette: `wiretape: 1` is missing", line)
    if not isinstance(version, Scalar):
        raise NodeError("`wiretape` must be the format version", version.line)
    if version.text != str(VERSION):
        text = version.text
        sane = text.isdecimal() and len(text) <= _LONGEST_VERSION
        raise VersionError(int(text) if sane else text[:_SHOWN])
    for key in _HEAD_KEYS:
        if key not in fields:
            raise NodeError(f"the head has no `{key}`", line)
    for key, node in fields.items():
        if key not in _HEAD_KEYS:
            known = ", ".join((*_HEAD_KEYS, "entries"))
            raise NodeError(f"unknown key {shown(key)} (known: {known})", node.line)
    return Head(time_of(fields["recorded"]), text_of(fields["upstream"], "`upstream`"))


def read_document(text: str) -> Document:
    """Read a cassette in any YAML spelling.

    Raises:
        VersionError: it is of another version.
        DocumentError: it is no cassette.
        WiretapeError: PyYAML has no C loader.
    """
    reader = _Reader()
    try:
        return reader.read(text)
    except NodeError as error:
        raise DocumentError(error, reader.entry) from error


class _Reader:
    """Reads one document; `entry` is the entry that it is at."""

    def __init__(self) -> None:
        self.entry: int | None = None
        self._timeline = Timeline()
        self._column: int | None = None
        # A wrong entry counts only once the version is known to be ours, and that may follow.
        self._wrong: tuple[NodeError, int | None] | None = None

    def read(self, text: str) -> Document:
        events = Events(text)
        root = events.start()
        if not isinstance(root, yaml.MappingStartEvent):
            raise NodeError("no cassette: the document is no mapping", events.line(root))
        events.check(root)
        fields: dict[str, Node] = {}
        while (key := events.key()) is not None:
            if key.text in fields:
                raise NodeError(f"the key {shown(key.text)} stands twice", key.line)
            event = events.next()
            if key.text == "entries":
                fields[key.text] = Mapping({}, key.line)
                self._entries(events, event)
            else:
                fields[key.text] = events.node(event, 1)
        events.finish()
        entries = fields.pop("entries", None)
        head = head_of(fields, 1)
        if self._wrong is not None:
            error, self.entry = self._wrong
            raise error
        if entries is None:
            raise NodeError("no cassette: `entries` is missing", 1)
        return Document(head, self._timeline, self._column)

    def _entries(self, events: Events, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            node = events.node(event)
            if text_of(node, "`entries`") in ("", "null", "~"):
                return
        if not isinstance(event, yaml.SequenceStartEvent):
            raise NodeError("`entries` must be a list", events.line(event))
        events.check(event)
        if not event.flow_style and event.start_mark is not None:
            self._column = event.start_mark.column
        self.entry = 1
        while not isinstance(event := events.next(), yaml.SequenceEndEvent):
            self._entry(events.node(event, 2))
            self.entry += 1
        self.entry = None

    def _entry(self, node: Node) -> None:
        if self._wrong is not None:
            return
        try:
            entry = entry_of(node)
            try:
                self._timeline.add(entry, node.line)
            except ValueError as error:
                raise NodeError(str(error), node.line) from error
        except NodeError as error:
            self._wrong = error, self.entry
