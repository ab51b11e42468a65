"""YAML text as a small tree: scalars with their text as written, and a line for each node.

Knows YAML through libyaml's events, and nothing of cassettes. It refuses what a cassette has no
use for and an attacker has: aliases, anchors, foreign tags, duplicate keys, deep nesting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from wiretape.cassette.scalars import ODD
from wiretape.errors import WiretapeError

if TYPE_CHECKING:
    from collections.abc import Callable

DEEPEST = 150
_TOO_DEEP = f"nested more than {DEEPEST} levels deep"

_TAG = "tag:yaml.org,2002:"
_KINDS: dict[type, str] = {yaml.SequenceStartEvent: "seq", yaml.MappingStartEvent: "map"}
_SCALAR_TAGS = frozenset({"str", "int", "float", "bool", "null", "timestamp"})
_BREAKS = frozenset("\r\n\x85\u2028\u2029")


class NodeError(Exception):
    """The text is no YAML, or YAML that no cassette holds.

    Attributes:
        reason: what is wrong.
        line: where, counted from 1.
        syntax: whether it is no YAML at all, as a torn file is.
    """

    def __init__(self, reason: str, line: int, *, syntax: bool = False) -> None:
        self.reason = reason
        self.line = line
        self.syntax = syntax
        super().__init__(f"line {line}: {reason}")


def shown(text: str) -> str:
    """A glimpse of a text, quoted, for messages."""
    return repr(text if len(text) <= 40 else text[:40] + "…")  # noqa: PLR2004  a glimpse


@dataclass(slots=True)
class Scalar:
    """A scalar: its text as written, unquoted; the tag is None where the text was plain."""

    text: str
    tag: str | None
    line: int


@dataclass(slots=True)
class Sequence:
    """A list of nodes."""

    items: list[Node]
    line: int


@dataclass(slots=True)
class Mapping:
    """Nodes by the text of their keys, in order."""

    items: dict[str, Node]
    line: int


Node = Scalar | Sequence | Mapping


class Events:
    """The events of one YAML document, one after the other, and nodes composed from them.

    Args:
        text: the document.
        first_line: the number of its first line, counted from 1.

    Raises:
        NodeError: (also from each method) the text is wrong there.
        WiretapeError: PyYAML was installed without its C loader.
    """

    def __init__(self, text: str, first_line: int = 1) -> None:
        loader = getattr(yaml, "CSafeLoader", None)
        if loader is None:
            raise WiretapeError(
                "PyYAML is installed without its C loader, which reads cassettes; install a wheel"
                " of it: pip install --force-reinstall --only-binary :all: PyYAML",
            )
        self._first_line = first_line
        self._check_characters(text)
        try:
            self._get: Callable[[], Any] = loader(text).get_event
        except (yaml.YAMLError, UnicodeEncodeError) as error:
            raise NodeError(f"not valid YAML: {error}", first_line, syntax=True) from error

    def _check_characters(self, text: str) -> None:
        if text.isascii() and text.replace("\n", "").isprintable():
            return
        for match in ODD.finditer(text):
            character = match[0]
            if character not in _BREAKS and character not in "\t\ufeff":
                line = self._first_line + text.count("\n", 0, match.start())
                raise NodeError(f"the character U+{ord(character):04X} cannot stand in YAML", line)

    def next(self) -> Any:
        """The next event; nothing about it has been checked.

        Raises:
            NodeError: the text goes on in no way that YAML knows.
        """
        try:
            return self._get()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = self._first_line + (mark.line if mark else 0)
            reason = ", ".join(part for part in (error.context, error.problem) if part)
            if "nesting depth" in reason:  # libyaml has a limit too, and may read ahead to it
                raise NodeError(_TOO_DEEP, line) from error
            raise NodeError(f"not valid YAML: {reason}", line, syntax=True) from error
        except yaml.YAMLError as error:
            raise NodeError(f"not valid YAML: {error}", self._first_line, syntax=True) from error

    def line(self, event: Any) -> int:
        """Where an event starts, counted from 1."""
        line: int = event.start_mark.line + self._first_line
        return line

    def start(self) -> Any:
        """The event that opens the document's root.

        Raises:
            NodeError: there is no document.
        """
        self.next()
        event = self.next()
        if isinstance(event, yaml.StreamEndEvent):
            raise NodeError("the document is empty", self.line(event))
        return self.next()

    def finish(self) -> None:
        """Read past the document's end.

        Raises:
            NodeError: something follows it.
        """
        self.next()
        event = self.next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise NodeError("a second document begins; a cassette is one", self.line(event))

    # The classes are compared rather than asked for, and marks read in place: every scalar of a
    # cassette edited by hand comes through here.

    def node(self, event: Any, depth: int = 0) -> Node:
        """The node that the event opens, with all that is in it.

        Raises:
            NodeError: something in it is wrong.
        """
        kind = event.__class__
        if kind is yaml.ScalarEvent:
            return self._scalar(event)
        line = event.start_mark.line + self._first_line
        if depth > DEEPEST:
            raise NodeError(_TOO_DEEP, line)
        self.check(event)
        advance = self.next
        if kind is yaml.SequenceStartEvent:
            items = []
            while (event := advance()).__class__ is not yaml.SequenceEndEvent:
                items.append(self.node(event, depth + 1))
            return Sequence(items, line)
        fields: dict[str, Node] = {}
        while (key := self.key()) is not None:
            if key.text in fields:
                raise NodeError(f"the key {shown(key.text)} stands twice", key.line)
            fields[key.text] = self.node(advance(), depth + 1)
        return Mapping(fields, line)

    def key(self) -> Scalar | None:
        """The next key of a mapping, or None at its end.

        Raises:
            NodeError: the key is no scalar, or a merge key.
        """
        event = self.next()
        kind = event.__class__
        if kind is yaml.MappingEndEvent:
            return None
        if kind is not yaml.ScalarEvent:
            self.check(event)
            raise NodeError("a key must be a scalar", self.line(event))
        key = self._scalar(event)
        if key.text == "<<" and key.tag is None:
            raise NodeError("merge keys (<<) are not allowed", key.line)
        return key

    def check(self, event: Any) -> None:
        """Refuse what opens a node in ways that no cassette needs.

        Raises:
            NodeError: an alias, an anchor or a foreign tag.
        """
        if event.__class__ is yaml.AliasEvent or event.anchor is not None:
            raise NodeError("aliases and anchors (* and &) are not allowed", self.line(event))
        tag = event.tag
        if tag is not None and tag != "!" and tag != _TAG + _KINDS.get(event.__class__, ""):
            raise NodeError(f"the tag {tag} is not allowed here", self.line(event))

    def _scalar(self, event: Any) -> Scalar:
        line = event.start_mark.line + self._first_line
        if event.anchor is not None:
            raise NodeError("aliases and anchors (* and &) are not allowed", line)
        tag: str | None = event.tag
        if tag is None:
            return Scalar(event.value, None if event.implicit[0] else "str", line)
        if tag == "!":
            return Scalar(event.value, "str", line)
        short = tag.removeprefix(_TAG)
        if short not in _SCALAR_TAGS:
            raise NodeError(f"the tag {tag} is not allowed", line)
        return Scalar(event.value, short, line)
