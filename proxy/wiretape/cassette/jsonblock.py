"""A JSON value as readable YAML: block style, small leaf collections in flow, prompts as literals.

Knows how YAML spells JSON values; nothing of requests. The emitter is written by hand because
a request is on the path of an answer: PyYAML's takes some fifty times as long.
"""

from __future__ import annotations

import functools
from typing import Any

from wiretape.cassette.scalars import (
    block_scalar,
    float_scalar,
    flow_scalar,
    key_scalar,
    literal_scalar,
)

_FLOW_WIDTH = 100
_DEEPEST = 100
_LONGEST_WORD = 32  # in characters
# libyaml looks 1024 characters ahead for the colon after a key.
_LONGEST_KEY = 1000
# Beyond this, decimal digits take quadratic time to read.
_LARGEST_INT_BITS = 1300


def json_block(value: Any, pad: str) -> str:
    """The value as it stands after `json:`, from the space or line break to the last line's end.

    Args:
        value: what JSON can hold, in Python's own types.
        pad: the spaces before the key `json`.

    Raises:
        ValueError: YAML cannot hold it (a surrogate, an overlong key) or should not (too deep,
            a huge integer).
    """
    out: list[str] = []
    if type(value) is dict and value:
        out.append("")
        _mapping(out, value, pad + "  ", pad + "  ", 1)
    else:
        _node(out, "", value, pad, 1)
    return "\n".join(out)


def _node(out: list[str], lead: str, value: Any, pad: str, depth: int) -> None:
    """Append the value behind `lead`, a key with its colon or a dash that stands at `pad`."""
    kind = type(value)
    if kind is str:
        out.append(f"{lead} {_text(value, pad)}")
    elif kind is not dict and kind is not list:
        out.append(f"{lead} {_atom(value)}")
    elif (flow := _leaf(value)) is not None:
        out.append(f"{lead} {flow}")
    elif depth >= _DEEPEST:
        raise ValueError("nested too deeply for YAML")
    elif kind is list:
        if lead.endswith("-"):
            _sequence(out, value, lead + " ", pad + "  ", depth + 1)
        else:
            out.append(lead)
            _sequence(out, value, pad, pad, depth + 1)
    elif lead.endswith("-"):
        _mapping(out, value, lead + " ", pad + "  ", depth + 1)
    else:
        out.append(lead)
        _mapping(out, value, pad + "  ", pad + "  ", depth + 1)


def _mapping(out: list[str], value: dict[str, Any], first: str, pad: str, depth: int) -> None:
    """Append a mapping whose keys stand behind `pad`, the first one behind `first`."""
    start = first
    for key, item in value.items():
        _node(out, f"{start}{_key(key)}:", item, pad, depth)
        start = pad


def _sequence(out: list[str], value: list[Any], first: str, pad: str, depth: int) -> None:
    start = first
    for item in value:
        _node(out, f"{start}-", item, pad, depth)
        start = pad


def _leaf(value: dict[str, Any] | list[Any]) -> str | None:
    """The collection in flow style if it holds scalars only and fits on a line."""
    room = _FLOW_WIDTH
    parts: list[str] = []
    for item in value.values() if type(value) is dict else value:
        part = _leaf_item(item, room)
        if part is None:
            return None
        room -= len(part) + 2
        if room < 0:
            return None
        parts.append(part)
    if type(value) is list:
        return f"[{', '.join(parts)}]"
    pairs = [f"{_key(key)}: {part}" for key, part in zip(value, parts, strict=True)]
    text = f"{{{', '.join(pairs)}}}"
    return text if len(text) <= _FLOW_WIDTH else None


def _leaf_item(item: Any, room: int) -> str | None:
    """A value in flow style if it is a scalar, or empty, and need not be longer than the room."""
    kind = type(item)
    if kind is str:
        if len(item) > room or "\n" in item:
            return None
        return _flow_word(item) if len(item) <= _LONGEST_WORD else flow_scalar(item)
    if kind is dict or kind is list:
        return None if item else "{}" if kind is dict else "[]"
    return _atom(item)


def _text(text: str, pad: str) -> str:
    """A string behind a key or a dash that stands at `pad`."""
    if "\n" in text:
        literal = literal_scalar(text, pad + "  ")
        if literal is not None:
            return literal
    return _block_word(text) if len(text) <= _LONGEST_WORD else block_scalar(text)


# Roles, models and the names of an API's members come again with every request, and are short.
_block_word = functools.lru_cache(maxsize=1024)(block_scalar)
_flow_word = functools.lru_cache(maxsize=1024)(flow_scalar)


@functools.lru_cache(maxsize=1024)
def _key(key: str) -> str:
    text = key_scalar(key)
    if len(text) > _LONGEST_KEY:
        raise ValueError("a key too long for YAML")
    return text


def _atom(value: Any) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, float):
        return float_scalar(value)
    if value.bit_length() > _LARGEST_INT_BITS:
        raise ValueError("an integer too long for YAML")
    return int.__repr__(value)
