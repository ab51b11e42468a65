"""Entries as text, in the cassette format, version 1.

Knows the layout of every entry; opens no file. Whatever it writes for one entry stands by itself:
cut anywhere, it can be told from a whole one (see `torn`), because a chunk and an end are one
line each, a response ends with its headers in braces, and a request ends with its headers too
unless its Content-Length tells how long a body follows them.
"""

from __future__ import annotations

import base64
import functools
import re
from typing import TYPE_CHECKING

from wiretape.cassette.bodies import content_length, json_value
from wiretape.cassette.jsonblock import json_block
from wiretape.cassette.pieces import joined
from wiretape.cassette.scalars import (
    block_scalar,
    flow_scalar,
    key_scalar,
    literal_scalar,
    quoted,
    seconds_scalar,
    time_scalar,
)
from wiretape.core.model import Body, Cassette, Chunk, Entry, Headers, Outcome, Request, Response

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

VERSION = 1

_WIDTH = 100
_LONGEST_KEY = 1000
_FEW_EVENTS = 2  # to look at so few together takes longer
_PLAIN_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
# Changes every byte but printable ASCII. `isprintable` takes four times as long.
_PLAIN = bytes.maketrans(bytes((*range(32), *range(127, 256))), b"?" * 161)
_SURROGATE = re.compile("[\ud800-\udfff]")


def header_text(recorded: datetime, upstream: str) -> str:
    """A cassette's head, up to and including `entries:`; by itself a cassette without entries.

    Args:
        recorded: the wall clock at `at: 0`; a naive time is taken as UTC.
        upstream: the base URL.
    """
    return (
        f"wiretape: {VERSION}\nrecorded: {time_scalar(recorded)}\n"
        f"upstream: {block_scalar(wire_text(upstream))}\nentries:\n"
    )


def entry_text(entry: Entry) -> str:
    """One entry, from its dash in column 0 to its last line's end."""
    if isinstance(entry, Chunk):
        return chunk_text(entry.interaction, entry.at_us, entry.data, entry.part)
    if isinstance(entry, Request):
        return request_text(
            entry.interaction, entry.at_us, entry.method, entry.target, entry.headers, entry.body
        )
    if isinstance(entry, Response):
        return response_text(entry.interaction, entry.at_us, entry.status, entry.headers)
    return end_text(entry.interaction, entry.at_us, entry.outcome)


def cassette_text(cassette: Cassette) -> str:
    """The whole document. Its warnings are not part of it."""
    head = header_text(cassette.recorded, cassette.upstream)
    return head + "".join(map(entry_text, cassette.entries))


def chunk_text(number: int, at_us: int, data: bytes, part: bool = False) -> str:  # noqa: FBT001, FBT002 # as in Chunk; keywords cost time here
    """A chunk entry: one line, in the most readable form that gives the bytes back exactly.

    Args:
        number: the interaction.
        at_us: microseconds since the session began.
        data: the chunk's bytes.
        part: whether the interaction's next chunk entry belongs to the same HTTP chunk.
    """
    # This function runs once per chunk that crosses the proxy. The commonest chunk, one event
    # of printable text, is therefore told at once; `isprintable` is stricter than YAML.
    if not part and data[:6] == b"data: " and data[-2:] == b"\n\n":
        try:
            text = data[6:-2].decode()
        except UnicodeDecodeError:
            pass
        else:
            if text.isprintable():
                if "'" in text:
                    text = text.replace("'", "''")
                return (
                    f"- {{chunk: {number}, at: {at_us // 1000000}.{at_us % 1000000:06d}"
                    f", sse: '{text}'}}\n"
                )
    return _chunk_line(number, at_us, _chunk_form(data), part)


def coded_chunk_text(number: int, at_us: int, data: bytes, part: bool = False) -> str:  # noqa: FBT001, FBT002 # as above
    """The same in base64, whatever the bytes: as long as any others' of that number."""
    return _chunk_line(number, at_us, _base64_form(data), part)


def _chunk_line(number: int, at_us: int, form: str, part: bool) -> str:  # noqa: FBT001 # as in Chunk
    tail = ", part: true" if part else ""
    return f"- {{chunk: {number}, at: {seconds_scalar(at_us)}, {form}{tail}}}\n"


def chunks_text(number: int, at_us: int, pieces: Sequence[tuple[bytes, bool]]) -> str:
    """The entries of chunks that came together: those of `chunk_text`, one after the other.

    Args:
        number: the interaction.
        at_us: microseconds since the session began.
        pieces: (bytes, part) of each chunk.
    """
    if len(pieces) <= 1:
        return chunk_text(number, at_us, *pieces[0]) if pieces else ""
    # What a read brought is mostly whole events; only its ends may be parts of chunks.
    first = 0 if _is_event(*pieces[0]) else 1
    last = len(pieces) if _is_event(*pieces[-1]) else len(pieces) - 1
    text = _plain_events(number, at_us, pieces[first:last]) if last - first > _FEW_EVENTS else None
    if text is None:
        return "".join([chunk_text(number, at_us, data, part) for data, part in pieces])
    before = [chunk_text(number, at_us, data, part) for data, part in pieces[:first]]
    after = [chunk_text(number, at_us, data, part) for data, part in pieces[last:]]
    return "".join((*before, text, *after)) if before or after else text


def _plain_events(number: int, at_us: int, pieces: Sequence[tuple[bytes, bool]]) -> str | None:
    """All at once, where each is one event of printable ASCII; None where one is not."""
    contents = [data[6:-2] for data, _ in pieces]
    plain = b"".join(contents)
    # To put them together again takes less than to look at the ends of each. A chunk that is too
    # short would make the whole longer: where it is the same, all lie in line.
    whole = b"data: " + b"\n\ndata: ".join(contents) + b"\n\n"
    if (
        whole != joined(pieces)
        or any(part for _, part in pieces)
        or plain.translate(_PLAIN) != plain
    ):
        return None
    head = f"- {{chunk: {number}, at: {seconds_scalar(at_us)}, sse: '"
    quoted_data = b"\n".join(contents).replace(b"'", b"''")
    lines = quoted_data.replace(b"\n", f"'}}\n{head}".encode())
    return f"{head}{lines.decode()}'}}\n"


def _is_event(data: bytes, part: bool) -> bool:  # noqa: FBT001 # as in Chunk
    """Whether it looks like one event with nothing but data, or several."""
    return not part and data[:6] == b"data: " and data[-2:] == b"\n\n"


def _base64_form(data: bytes) -> str:
    return f"base64: '{base64.b64encode(data).decode()}'"


def _chunk_form(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _base64_form(data)
    form = None
    if text.endswith("\n\n"):
        form = _sse(text)
    elif text.endswith("\n"):
        form = _ndjson(text)
    return f"text: {quoted(text)}" if form is None else form


def _sse(text: str) -> str | None:
    if "\r" in text:
        return None
    items = []
    for piece in text[:-2].split("\n\n"):
        event = None
        line = piece
        if piece.startswith("event: "):
            event, _, line = piece.partition("\n")
        if not line.startswith("data: ") or "\n" in line:
            return None
        data = quoted(line[6:])
        items.append(
            data if event is None else f"{{event: {flow_scalar(event[7:])}, data: {data}}}"
        )
    return f"sse: {_one_or_list(items)}"


def _ndjson(text: str) -> str | None:
    lines = text[:-1].split("\n")
    if "\r" in text or not all(line.startswith(("{", "[")) for line in lines):
        return None
    return f"ndjson: {_one_or_list([quoted(line) for line in lines])}"


def _one_or_list(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"[{', '.join(items)}]"


def request_text(  # noqa: PLR0917  they are the entry's parts, in its order
    number: int, at_us: int, method: str, target: str, headers: Headers, body: Body
) -> str:
    """A request entry; its parts are those of `core.model.Request`."""
    head = (
        f"- request: {number}\n"
        f"  at: {seconds_scalar(at_us)}\n"
        f"  method: {_line(method)}\n"
        f"  target: {_target(target)}\n"
    )
    fields = f"  headers: {_headers(headers)}\n"
    declared = content_length(headers)
    text = _body(body, declared)
    if body.length == (declared or 0):
        return head + fields + text
    # Nothing would tell a cut body from a whole one, so the headers close the entry instead.
    return head + (text or "  text: ''\n") + fields


def response_text(number: int, at_us: int, status: int, headers: Headers) -> str:
    """A response entry; its parts are those of `core.model.Response`."""
    return (
        f"- response: {number}\n"
        f"  at: {seconds_scalar(at_us)}\n"
        f"  status: {status}\n"
        f"  headers: {_headers(headers)}\n"
    )


def end_text(number: int, at_us: int, outcome: Outcome) -> str:
    """An end entry; its parts are those of `core.model.End`."""
    return f"- {{end: {number}, at: {seconds_scalar(at_us)}, outcome: {outcome.value}}}\n"


def _body(body: Body, declared: int | None) -> str:
    content = body.content
    if content is None:
        return f"  sha256: {quoted(body.digest())}\n  length: {body.length}\n"
    if not content:
        return ""
    try:
        return f"  json:{json_block(json_value(content, declared), '  ')}\n"
    except ValueError:
        pass
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return f"  {_base64_form(content)}\n"
    return f"  text: {literal_scalar(text, '    ') or block_scalar(text)}\n"


# A client sends much the same fields with every request: formatting them was most of what writing
# a short request cost.
@functools.lru_cache(maxsize=64)
def _headers(headers: Headers) -> str:
    """A flow mapping: on one line if short, else a line each. Names keep their order."""
    fields: dict[str, list[str]] = {}
    for name, value in headers:
        fields.setdefault(wire_text(name), []).append(_header_value(value))
    pairs = []
    for name, values in fields.items():
        pairs.append(f"{_header_name(name)}: {_one_or_list(values)}")
    line = f"{{{', '.join(pairs)}}}"
    if len(line) <= _WIDTH:
        return line
    return "{\n    " + ",\n    ".join(pairs) + "}"


@functools.lru_cache(maxsize=1024)
def _header_name(name: str) -> str:
    key = key_scalar(name)
    return f"? {key} " if len(key) > _LONGEST_KEY else key


@functools.lru_cache(maxsize=1024)
def _header_value(value: str) -> str:
    return value if _PLAIN_NUMBER.fullmatch(value) else flow_scalar(wire_text(value))


def wire_text(text: str) -> str:
    """Text of the wire without surrogates, which no file can hold.

    aiohttp decodes undecodable bytes to surrogates (PEP 383); such text becomes Latin-1, as
    `core.model` has it.
    """
    if text.isascii() or not _SURROGATE.search(text):
        return text
    try:
        content = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        content = text.encode("utf-8", "surrogatepass")
    return content.decode("latin-1")


@functools.lru_cache(maxsize=64)
def _line(text: str) -> str:
    return block_scalar(wire_text(text))


@functools.lru_cache(maxsize=64)
def _target(target: str) -> str:
    """A target whose stray bytes are percent-encoded, as RFC 3986, section 2.1, wants them."""
    if not target.isascii():
        target = _SURROGATE.sub(lambda match: f"%{ord(match[0]) & 0xFF:02X}", target)
    return block_scalar(wire_text(target))
