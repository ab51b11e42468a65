"""A cassette as HAR 1.2 (HTTP Archive), which browsers' tools and others read.

Knows the format (http://www.softwareishard.com/blog/har-12-spec/); what HAR has no place for stands
in members whose names begin with `_`, as it wants.
"""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from wiretape.analysis.decoding import field_values
from wiretape.analysis.encodings import Codings, EncodingError
from wiretape.analysis.show_json import recorded_text
from wiretape.analysis.timeline import last_us
from wiretape.core.model import header

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wiretape.core.model import Body, Cassette, Headers, Interaction

_UNKNOWN = -1
_VERSION = "HTTP/1.1"
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def har(cassettes: Iterable[Cassette], version: str) -> dict[str, Any]:
    """Cassettes as one HAR document.

    Args:
        cassettes: whose interactions become its entries.
        version: wiretape's own, for the creator.
    """
    entries = [
        _entry(cassette, interaction)
        for cassette in cassettes
        for interaction in cassette.interactions()
    ]
    entries.sort(key=lambda entry: str(entry["startedDateTime"]))
    creator = {"name": "wiretape", "version": version}
    return {"log": {"version": "1.2", "creator": creator, "entries": entries}}


def _entry(cassette: Cassette, interaction: Interaction) -> dict[str, Any]:
    request = interaction.request
    began = cassette.moment(request.at_us)
    head_us = interaction.response.at_us if interaction.response else last_us(interaction)
    wait_ms = max(0, head_us - request.at_us) / 1000
    receive_ms = max(0, last_us(interaction) - head_us) / 1000
    outcome = interaction.outcome
    return {
        "startedDateTime": recorded_text(began),
        "time": wait_ms + receive_ms,
        "request": _request(cassette.upstream, interaction),
        "response": _response(interaction),
        "cache": {},
        "timings": {"send": 0, "wait": wait_ms, "receive": receive_ms},
        "comment": f"interaction {interaction.number} of {cassette.name}",
        "_cassette": cassette.name,
        "_interaction": interaction.number,
        "_outcome": outcome.value if outcome else None,
        "_chunks": [
            {"time": (chunk.at_us - request.at_us) / 1000, "size": len(chunk.data)}
            for chunk in interaction.chunks
        ],
    }


def _request(upstream: str, interaction: Interaction) -> dict[str, Any]:
    request = interaction.request
    query = request.target.partition("?")[2]
    shown: dict[str, Any] = {
        "method": request.method,
        "url": upstream + request.target,
        "httpVersion": _VERSION,
        "cookies": [],
        "headers": _headers(request.headers),
        "queryString": [
            {"name": name, "value": value}
            for name, value in parse_qsl(query, keep_blank_values=True, errors="replace")
        ],
        "headersSize": _UNKNOWN,
        "bodySize": request.body.length,
    }
    if request.body.length:
        mime = header(request.headers, "content-type") or "application/octet-stream"
        shown["postData"] = {"mimeType": mime, **_posted(request.body, request.headers)}
    return shown


def _posted(body: Body, headers: Headers) -> dict[str, str]:
    if body.content is None:
        return {"text": "", "comment": f"not kept: {body.length} bytes, sha256 {body.digest()}"}
    decoded = _decoded([body.content], headers)
    # Requests, unlike responses, have no `encoding`.
    return _text(body.content if decoded is None else decoded, "_encoding")


def _response(interaction: Interaction) -> dict[str, Any]:
    response = interaction.response
    headers: Headers = response.headers if response else ()
    status = response.status if response else 0
    return {
        "status": status,
        "statusText": _PHRASES.get(status, ""),
        "httpVersion": _VERSION,
        "cookies": [],
        "headers": _headers(headers),
        "content": _content([chunk.data for chunk in interaction.chunks], headers),
        "redirectURL": header(headers, "location") or "",
        "headersSize": _UNKNOWN,
        "bodySize": len(interaction.body()) if response else _UNKNOWN,
    }


def _content(chunks: list[bytes], headers: Headers) -> dict[str, Any]:
    mime = header(headers, "content-type") or "x-unknown"
    body, decoded = b"".join(chunks), _decoded(chunks, headers)
    if decoded is None:
        return {"size": len(body), "mimeType": mime, **_text(body, "encoding")}
    return {
        "size": len(decoded),
        "compression": len(decoded) - len(body),
        "mimeType": mime,
        **_text(decoded, "encoding"),
    }


def _decoded(chunks: list[bytes], headers: Headers) -> bytes | None:
    """A body without its content codings; None where it has none, or they cannot be undone."""
    names = field_values(headers, "content-encoding")
    if not names:
        return None
    try:
        codings = Codings(names)
        # One by one, because there is a limit to the gzip members of a chunk.
        decoded = b"".join([codings.feed(chunk) for chunk in chunks])
        codings.finish()
    except EncodingError:
        return None
    return decoded


def _text(content: bytes, encoding: str) -> dict[str, str]:
    """Bytes as a `text`; where they are none, the member `encoding` says that it is base64."""
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"text": base64.b64encode(content).decode(), encoding: "base64"}


def _headers(headers: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]
