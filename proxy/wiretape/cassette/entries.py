"""Nodes as entries: which keys each kind has, and what its body forms mean.

Knows the entry schema of cassette format version 1; nothing of files, nor of the entries around.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wiretape.cassette.bodies import content_length, json_bytes
from wiretape.cassette.fields import (
    at_us_of,
    bytes_of,
    flag_of,
    headers_of,
    json_of,
    text_of,
    whole_of,
)
from wiretape.cassette.nodes import Mapping, Node, NodeError, Scalar, Sequence, shown
from wiretape.core.model import (
    EMPTY_BODY,
    Body,
    Chunk,
    End,
    Entry,
    Headers,
    Outcome,
    Request,
    Response,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_KINDS = ("request", "response", "chunk", "end")
_REQUEST_BODIES = ("json", "text", "base64", "sha256")
BODY_KEYS = (*_REQUEST_BODIES, "length")
"""The keys that give a request's body."""

_CHUNK_BODIES = ("sse", "ndjson", "text", "base64")
_KEYS = {
    "request": ("request", "at", "method", "target", "headers", *BODY_KEYS),
    "response": ("response", "at", "status", "headers"),
    "chunk": ("chunk", "at", *_CHUNK_BODIES, "part"),
    "end": ("end", "at", "outcome"),
}
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LOWEST_STATUS, _HIGHEST_STATUS = 100, 999


def entry_of(node: Node) -> Entry:
    """The entry that a node spells.

    Raises:
        NodeError: it spells none.
    """
    if not isinstance(node, Mapping):
        raise NodeError("an entry must be a mapping", node.line)
    kinds = [kind for kind in _KINDS if kind in node.items]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none"
        raise NodeError(f"an entry is one of {', '.join(_KINDS)}; this is {found}", node.line)
    kind = kinds[0]
    for key, value in node.items.items():
        if key not in _KEYS[kind]:
            known = ", ".join(_KEYS[kind])
            raise NodeError(f"unknown key {shown(key)} in a {kind} (known: {known})", value.line)
    number = whole_of(node.items[kind], f"the number of the {kind}")
    if number == 0:
        raise NodeError("interactions are numbered from 1", node.line)
    at_us = at_us_of(_wanted(node, kind, "at"))
    return _BUILDERS[kind](node, number, at_us)


def _wanted(node: Mapping, kind: str, key: str) -> Node:
    try:
        return node.items[key]
    except KeyError:
        raise NodeError(f"the {kind} has no {key!r}", node.line) from None


def _headers(node: Mapping) -> Headers:
    return headers_of(node.items["headers"]) if "headers" in node.items else ()


def _request(node: Mapping, number: int, at_us: int) -> Request:
    method = text_of(_wanted(node, "request", "method"), "`method`")
    target = text_of(_wanted(node, "request", "target"), "`target`")
    headers = _headers(node)
    return Request(number, at_us, method, target, headers, request_body(node, headers))


def request_body(node: Mapping, headers: Headers) -> Body:
    """The body that BODY_KEYS among a request's keys give.

    Raises:
        NodeError: they give none.
    """
    form = _form(node, "request", _REQUEST_BODIES)
    if form != "sha256" and "length" in node.items:
        raise NodeError("`length` belongs to `sha256`", node.items["length"].line)
    if form is None:
        return EMPTY_BODY
    value = node.items[form]
    if form == "text":
        return Body.of(text_of(value, "`text`").encode())
    if form == "base64":
        return Body.of(bytes_of(value))
    if form == "sha256":
        digest = text_of(value, "`sha256`")
        if not _SHA256.fullmatch(digest):
            raise NodeError("`sha256` must be 64 lower-case hex digits", value.line)
        return Body(None, whole_of(_wanted(node, "request", "length"), "`length`"), digest)
    try:
        return Body.of(json_bytes(json_of(value), content_length(headers)))
    except ValueError as error:
        raise NodeError(f"`json` cannot be JSON: {error}", value.line) from error


def _response(node: Mapping, number: int, at_us: int) -> Response:
    value = _wanted(node, "response", "status")
    status = whole_of(value, "`status`")
    if not _LOWEST_STATUS <= status <= _HIGHEST_STATUS:
        raise NodeError(f"`status` must have three digits, not {status}", value.line)
    return Response(number, at_us, status, _headers(node))


def _chunk(node: Mapping, number: int, at_us: int) -> Chunk:
    form = _form(node, "chunk", _CHUNK_BODIES)
    if form is None:
        raise NodeError(f"the chunk has none of {', '.join(_CHUNK_BODIES)}", node.line)
    part = "part" in node.items and flag_of(node.items["part"], "`part`")
    return Chunk(number, at_us, _CHUNK_DECODERS[form](node.items[form]), part)


def _end(node: Mapping, number: int, at_us: int) -> End:
    value = _wanted(node, "end", "outcome")
    outcome = _OUTCOMES.get(text_of(value, "`outcome`"))
    if outcome is None:
        raise NodeError(f"`outcome` must be one of {', '.join(_OUTCOMES)}", value.line)
    return End(number, at_us, outcome)


def _form(node: Mapping, kind: str, forms: tuple[str, ...]) -> str | None:
    found = [form for form in forms if form in node.items]
    if len(found) > 1:
        raise NodeError(f"the {kind} has several bodies: {', '.join(found)}", node.line)
    return found[0] if found else None


def _several(node: Node, decode: Callable[[Node], str], what: str) -> bytes:
    if not isinstance(node, Sequence):
        return decode(node).encode()
    if not node.items:
        raise NodeError(f"`{what}` is an empty list; an empty chunk is text: ''", node.line)
    return "".join([decode(item) for item in node.items]).encode()


def _event(node: Node) -> str:
    if isinstance(node, Scalar):
        return f"data: {_line(node, 'the data of `sse`')}\n\n"
    if not isinstance(node, Mapping) or "data" not in node.items:
        raise NodeError("`sse` must be a text, {event: E, data: X}, or a list of these", node.line)
    for key, value in node.items.items():
        if key not in ("event", "data"):
            reason = (
                f"unknown key {shown(key)} in `sse` (known: event, data); quote JSON text with '…'"
            )
            raise NodeError(reason, value.line)
    event = node.items.get("event")
    head = "" if event is None else f"event: {_line(event, 'the event of `sse`')}\n"
    return f"{head}data: {_line(node.items['data'], 'the data of `sse`')}\n\n"


def _line(node: Node, what: str) -> str:
    text = text_of(node, what)
    if "\n" in text or "\r" in text:
        raise NodeError(f"{what} must be one line; write the whole chunk as `text`", node.line)
    return text


def _json_line(node: Node) -> str:
    return _line(node, "a line of `ndjson`") + "\n"


_CHUNK_DECODERS: dict[str, Callable[[Node], bytes]] = {
    "sse": lambda node: _several(node, _event, "sse"),
    "ndjson": lambda node: _several(node, _json_line, "ndjson"),
    "text": lambda node: text_of(node, "`text`").encode(),
    "base64": bytes_of,
}
_BUILDERS: dict[str, Callable[[Mapping, int, int], Entry]] = {
    "request": _request,
    "response": _response,
    "chunk": _chunk,
    "end": _end,
}
