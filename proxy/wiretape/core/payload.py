"""What a request body is for comparison: a JSON document, parts, plain bytes, or only a digest.

Knows JSON and content codings; knows nothing of conversations or of matching levels.
"""

from __future__ import annotations

import enum
import json
import zlib
from typing import TYPE_CHECKING, Any

from wiretape.core.model import header
from wiretape.core.multipart import Multipart

if TYPE_CHECKING:
    from wiretape.core.model import Body, Headers

Payload = dict[str, Any] | list[Any] | Multipart | bytes | str
"""A JSON object or array; a multipart body's parts; the bytes of any other body, those of other
JSON in canonical form; or the name of bytes that were not kept."""


class Absent(enum.Enum):
    """Stands for a value that is not there; None is JSON's null."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT

MAX_DECODED_BYTES = 64 * 1024 * 1024
"""A compressed body that would come out larger is compared as it stands."""
MAX_MEMBERS = 64

MAX_NESTING = 200
"""A JSON body that is nested deeper is compared as bytes. What Python itself bears depends on
how deep the caller stands in its stack; the comparison must not."""


def read_content(headers: Headers, body: Body) -> bytes | str:
    """The bytes of a body without its content coding, or their name if they were not kept.

    A body whose coding is unknown (zstd, br), broken or too large comes back as it was sent.
    """
    if body.content is None:
        return f"sha256:{body.digest()} ({body.length} bytes)"
    codings = content_coding(headers)
    return _decoded(body.content, codings) if codings else body.content


def content_coding(headers: Headers) -> str:
    """The request's Content-Encoding in lower case; empty for none and for `identity`."""
    codings = (header(headers, "content-encoding") or "").strip().lower()
    return "" if codings == "identity" else codings


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value


_DECODER = json.JSONDecoder(parse_float=_number)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False)


def parse_json(content: bytes | str) -> Any:
    """Parse JSON: integral floats become ints, of equal keys the last wins.

    NaN, infinities and lone surrogates are taken, as Python's own parser takes them.

    Raises:
        ValueError: it is no JSON, it is nested deeper than MAX_NESTING, or it holds an integer of
            more digits than Python converts.
    """
    if isinstance(content, bytes):
        content = content.decode(json.detect_encoding(content), "surrogatepass")
    try:
        value = _DECODER.decode(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if content.count("{") + content.count("[") > MAX_NESTING:
        _check_nesting(value)
    return value


def dump_json(value: Any) -> str:
    """The canonical text of a parsed value, in ASCII: equal values alone give equal text."""
    return _ENCODER.encode(value)


def _check_nesting(value: Any) -> None:
    containers = [value]
    for _ in range(MAX_NESTING):
        containers = [
            inner
            for outer in containers
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not containers:
            return
    raise ValueError("nested too deeply")


def _decoded(content: bytes, codings: str) -> bytes:
    decoded = content
    try:
        # RFC 9110, section 8.4: the codings stand in the order in which they were applied.
        for coding in reversed(codings.split(",")):
            decoded = _inflated(decoded, coding.strip())
    except (zlib.error, ValueError):
        return content
    return decoded


def _inflated(content: bytes, coding: str) -> bytes:
    if coding in ("gzip", "x-gzip"):
        return _inflate(content, zlib.MAX_WBITS | 16)
    if coding == "deflate":
        try:
            return _inflate(content, zlib.MAX_WBITS)
        except zlib.error:
            # Some senders leave out the zlib wrapper (RFC 9110, section 8.4.1.2).
            return _inflate(content, -zlib.MAX_WBITS)
    if coding in ("identity", ""):
        return content
    raise ValueError(f"unknown content coding {coding}")


def _inflate(content: bytes, wbits: int) -> bytes:
    decoded = b""
    # A gzip body may have several members; each copies the rest, so their number is bounded.
    for _ in range(MAX_MEMBERS):
        stream = zlib.decompressobj(wbits)
        decoded += stream.decompress(content, MAX_DECODED_BYTES - len(decoded) + 1)
        if not stream.eof or len(decoded) > MAX_DECODED_BYTES:
            raise ValueError("truncated or too large")
        content = stream.unused_data
        if not content:
            return decoded
    raise ValueError("too many members")
