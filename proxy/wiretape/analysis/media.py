"""What a Content-Type says about how a body is to be read.

Knows media types (RFC 9110, section 8.3.1) and, where there is none, what bodies look like.
"""

from __future__ import annotations

_NDJSON = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonl",
        "application/jsonlines",
        "application/x-jsonlines",
        "application/json-lines",
        "application/stream+json",
        "application/x-json-stream",
        "application/json-seq",
    }
)
_SAYS_LITTLE = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream"})
_SSE_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":")
_BOM = b"\xef\xbb\xbf"


def media_type(content_type: str) -> str:
    """The type and subtype, lower case, without parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_event_stream(content_type: str) -> bool:
    """Whether the body is server-sent events."""
    return media_type(content_type) == "text/event-stream"


def is_ndjson(content_type: str) -> bool:
    """Whether the body is JSON values on lines."""
    return media_type(content_type) in _NDJSON


def is_json(content_type: str) -> bool:
    """Whether the body is one JSON value."""
    media = media_type(content_type)
    return media == "application/json" or media.endswith("+json") or media == "text/json"


def is_text(content_type: str) -> bool:
    """Whether the body is for people to read."""
    media = media_type(content_type)
    return media.startswith("text/") or media in {
        "application/xml",
        "application/javascript",
        "application/x-www-form-urlencoded",
        "application/yaml",
    }


def says_little(content_type: str) -> bool:
    """Whether the body itself is the better witness of what it is."""
    return media_type(content_type) in _SAYS_LITTLE


def looks_like_sse(start: bytes) -> bool:
    """Whether a body that begins with `start` is an event stream by its looks."""
    return start.removeprefix(_BOM).lstrip(b"\r\n").startswith(_SSE_STARTS)
