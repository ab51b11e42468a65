"""When a request body may stand as `json:`, and the bytes that a `json:` value stands for.

Knows JSON and Content-Length; nothing of YAML. The rule, on which writer and loader agree: a
value is serialised in the first of STYLES that has the length that the request's Content-Length
gives, else in the first of all (compact UTF-8). The writer uses `json:` exactly where that gives
the body back byte for byte. A value edited by hand fits no style's length and becomes compact.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from wiretape.core.model import Headers, header


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)

STYLES = tuple(
    json.JSONEncoder(ensure_ascii=ascii_only, separators=separators, allow_nan=False)
    for separators, ascii_only in (
        ((",", ":"), False),
        ((", ", ": "), True),
        ((",", ":"), True),
        ((", ", ": "), False),
    )
)
"""The ways in which clients write JSON: httpx and JavaScript; Python's json; mixtures."""


def content_length(headers: Headers) -> int | None:
    """What the headers' first Content-Length says, None where it says no number."""
    text = header(headers, "content-length")
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 18):  # noqa: PLR2004 # fits 64 bits
        return None
    return int(text)


def json_bytes(value: Any, declared: int | None) -> bytes:
    """The body that a `json:` value stands for.

    Args:
        value: what JSON can hold: dict, list, str, int, float, bool, None.
        declared: the request's Content-Length, if it has one.

    Raises:
        ValueError: the value holds a surrogate, a NaN, an infinity or an overlong integer.
        RecursionError: the value is nested too deeply.
    """
    compact = STYLES[0].encode(value).encode()
    if declared is None or len(compact) == declared:
        return compact
    for style in STYLES[1:]:
        content = style.encode(value).encode()
        if len(content) == declared:
            return content
    return compact


def json_value(content: bytes, declared: int | None) -> Any:
    """The value that may stand for the body, so that `json_bytes` gives it back exactly.

    Raises:
        ValueError: there is none.
    """
    try:
        text = content.decode()
        # White space around the value could not be given back, so none is looked for.
        value, end = _DECODER.raw_decode(text)
        exact = end == len(text) and json_bytes(value, declared) == content
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not exact:
        raise ValueError("serialising it again changes it")
    return value
