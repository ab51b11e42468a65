"""Nodes as the values that entries are made of: numbers, times, texts, headers, JSON.

Knows how a hand may spell each; nothing of the order of entries. Texts are taken as written:
`Content-Length: 012` is the text 012, not the number ten.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from wiretape.cassette.nodes import Mapping, Node, NodeError, Scalar, Sequence, shown

if TYPE_CHECKING:
    from wiretape.core.model import Headers

_WHOLE = re.compile(r"\+?(0|[1-9][0-9]{0,17})")
_SECONDS = re.compile(r"\+?([0-9]{1,12})(?:\.([0-9]{0,40}))?")
# More than YAML 1.1 takes for numbers: it wants a dot and a sign.
_SCIENTIFIC = re.compile(r"\+?(?:[0-9]{1,12}\.?[0-9]{0,40}|\.[0-9]{1,40})[eE][-+]?[0-9]{1,2}")
_LATEST_S = 10**12
_LARGEST = 10**18
_YES = frozenset({"true", "yes", "on"})
_NO = frozenset({"false", "no", "off"})
_LONGEST_NUMBER = 600

_constructor = SafeConstructor()
_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = Resolver.yaml_implicit_resolvers


def text_of(node: Node, what: str) -> str:
    """A scalar's text.

    Raises:
        NodeError: it is no scalar.
    """
    if not isinstance(node, Scalar):
        raise NodeError(f"{what} must be a text", node.line)
    return node.text


def whole_of(node: Node, what: str) -> int:
    """A whole number, zero or more.

    Raises:
        NodeError: it is none.
    """
    text = text_of(node, what)
    match = _WHOLE.fullmatch(text)
    if match is not None:
        return int(match[1])
    number = _number_of(node)
    if isinstance(number, int) and 0 <= number < _LARGEST:
        return number
    raise NodeError(f"{what} must be a whole number, not {shown(text)}", node.line)


def at_us_of(node: Node) -> int:
    """Seconds in any spelling, as whole microseconds.

    Raises:
        NodeError: no number, or one below zero or beyond all sense.
    """
    text = text_of(node, "`at`").strip()
    match = _SECONDS.fullmatch(text)
    if match is not None:
        seconds, fraction = match[1], match[2] or ""
        at_us = int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))
        return at_us + (fraction[6:7] >= "5")
    number = float(text) if _SCIENTIFIC.fullmatch(text) else _number_of(node)
    if number is not None and 0 <= number < _LATEST_S:
        return round(number * 1_000_000)
    reason = f"`at` must be seconds since the session began, not {shown(text)}"
    raise NodeError(reason, node.line)


def flag_of(node: Node, what: str) -> bool:
    """A boolean.

    Raises:
        NodeError: it is none.
    """
    text = text_of(node, what).lower()
    if text in _YES or text in _NO:
        return text in _YES
    raise NodeError(f"{what} must be true or false, not {shown(text)}", node.line)


def time_of(node: Node) -> datetime:
    """A point in time, in any spelling of a YAML timestamp or of ISO 8601, in UTC.

    Without an offset it is taken as UTC.

    Raises:
        NodeError: it is none.
    """
    text = text_of(node, "`recorded`").strip()
    try:
        moment: Any = datetime.fromisoformat(text)
    except ValueError:
        try:
            scalar = yaml.ScalarNode("tag:yaml.org,2002:timestamp", text)
            moment = _constructor.construct_yaml_timestamp(scalar)
        except (ValueError, AttributeError, OverflowError):
            moment = None
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    if not isinstance(moment, datetime):
        reason = f"`recorded` must be a time such as 2026-11-22T10:31:02Z, not {shown(text)}"
        raise NodeError(reason, node.line)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise NodeError("`recorded` lies beyond the calendar", node.line) from None


def bytes_of(node: Node) -> bytes:
    """The bytes of a `base64:` text; white space in it is left out.

    Raises:
        NodeError: it is no base64.
    """
    text = "".join(text_of(node, "`base64`").split())
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise NodeError(f"`base64` cannot be decoded: {error}", node.line) from error


def headers_of(node: Node) -> Headers:
    """Header fields; a list gives a repeated field.

    Raises:
        NodeError: no mapping of texts or lists of texts.
    """
    if not isinstance(node, Mapping):
        raise NodeError("`headers` must be a mapping of names to values", node.line)
    fields = []
    for name, value in node.items.items():
        values = value.items if isinstance(value, Sequence) else [value]
        fields += [(name, text_of(item, f"the header {shown(name)}")) for item in values]
    return tuple(fields)


def json_of(node: Node) -> Any:
    """The JSON value that a node spells, plain scalars taken as PyYAML's safe loader does.

    A plain date stays a text, because JSON has no dates.

    Raises:
        NodeError: JSON has no such value.
    """
    if isinstance(node, Mapping):
        return {key: json_of(item) for key, item in node.items.items()}
    if isinstance(node, Sequence):
        return [json_of(item) for item in node.items]
    text = node.text
    kind = node.tag or _implicit_kind(text)
    if kind in ("str", "timestamp"):
        return text
    if kind == "null":
        return None
    if len(text) > _LONGEST_NUMBER:
        raise NodeError(f"a number of {len(text)} characters; quote it", node.line)
    scalar = yaml.ScalarNode(f"tag:yaml.org,2002:{kind}", text)
    construct = getattr(_constructor, f"construct_yaml_{kind}")
    try:
        value = construct(scalar)
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise NodeError(f"{shown(text)} is no {kind}", node.line) from error
    if kind == "float" and (value != value or value in (float("inf"), float("-inf"))):  # noqa: PLR0124 # NaN is what differs from itself
        raise NodeError(f"JSON has no {text}", node.line)
    return value


def _number_of(node: Node) -> int | float | None:
    """The number that YAML takes a plain scalar for: hexadecimal, with underscores, `.5`."""
    try:
        value = json_of(node)
    except NodeError:
        return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _implicit_kind(text: str) -> str:
    """What YAML 1.1 takes a plain scalar for."""
    for tag, pattern in _resolvers.get(text[:1], ()):
        if pattern.match(text):
            kind = tag.rpartition(":")[2]
            return kind if kind in ("int", "float", "bool", "null") else "str"
    return "str"
