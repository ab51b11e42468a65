"""YAML scalars written by hand: plain, quoted, literal blocks; numbers and points in time.

Knows what libyaml reads back exactly, and nothing of entries. Odd characters are those that a
YAML reader refuses, takes for a line break, or that an editor would hide.
"""

from __future__ import annotations

import json
import re
from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

ODD = re.compile(
    "[^ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]",
)
"""What must not stand raw in a scalar on one line (YAML 1.1, sections 4.1.1 and 4.1.4)."""

_ODD_IN_LITERAL = re.compile(ODD.pattern.replace("[^ -~", "[^\\t\\n -~"))
_UNESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_json_string = json.JSONEncoder(ensure_ascii=False).encode

# A plain scalar starts like a word or a path, so that no number, date or indicator can be meant.
# A colon stands only where nobody can take what is before it for a key, `#` nowhere.
_FLOW = r"[A-Za-z0-9 _./+@%()=;*!'\"&$<>^|~\\-]"
_BLOCK = r"[A-Za-z0-9 _./+@%()=;*?!'\"&$<>^|~\\,\[\]{}-]"
_PLAIN_IN_FLOW = re.compile(rf"[A-Za-z/_]{_FLOW}*(?<! )")
_PLAIN_IN_BLOCK = re.compile(rf"[A-Za-z/_]{_BLOCK}*(?::[A-Za-z0-9/_.-]{_BLOCK}*)*(?<! )")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
# YAML 1.1 takes these for booleans and null, in any case (yaml.org/type/bool.html).
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_LONGEST_WORD = 5


def quoted(text: str) -> str:
    """The text as a quoted scalar on one line: single quotes where they can hold it.

    Double-quoted text uses JSON's escapes only, which YAML shares.

    Raises:
        ValueError: the text holds a surrogate, which no YAML file can.
    """
    if text.isprintable() or not (text.isascii() or ODD.search(text)):
        return "'" + text.replace("'", "''") + "'"
    escaped = _json_string(text)
    if escaped.isascii() and "\x7f" not in escaped:
        return escaped
    if _SURROGATE.search(text):
        raise ValueError("a lone surrogate cannot stand in YAML")
    return _UNESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped)


def flow_scalar(text: str) -> str:
    """The text as a scalar on one line of a flow collection, plain where that is safe."""
    if _PLAIN_IN_FLOW.fullmatch(text) and not is_word(text):
        return text
    return quoted(text)


def block_scalar(text: str) -> str:
    """The text as a scalar on one line after a block mapping's key or a dash."""
    if _PLAIN_IN_BLOCK.fullmatch(text) and not is_word(text):
        return text
    return quoted(text)


def key_scalar(text: str) -> str:
    """The text as a mapping's key."""
    if _PLAIN_KEY.fullmatch(text) and not is_word(text):
        return text
    return quoted(text)


def is_word(text: str) -> bool:
    """Whether YAML 1.1 takes the plain text for a boolean or null."""
    return len(text) <= _LONGEST_WORD and text.lower() in _WORDS


def literal_scalar(text: str, pad: str) -> str | None:
    """The text as a literal block, its lines behind `pad`, from `|` to the last line's end.

    `pad` is two spaces deeper than the key or dash that the block follows. None where the text
    has but one line or a literal block cannot give it back exactly.
    """
    if "\n" not in text or _ODD_IN_LITERAL.search(text) or not text.strip("\n"):
        return None
    if not text.endswith("\n"):
        header = "|-"
    elif text.endswith("\n\n"):
        header = "|+"
    else:
        header = "|"
    if text[0] in " \t\n":
        header = header[0] + "2" + header[1:]
    lines = text.removesuffix("\n").split("\n")
    return header + "\n" + "\n".join([pad + line if line else line for line in lines])


def float_scalar(number: float) -> str:
    """A finite float: YAML 1.1 wants a point in the mantissa (1.0e-05)."""
    text = float.__repr__(number)
    if "e" in text and "." not in text:
        return text.replace("e", ".0e")
    return text


def seconds_scalar(at_us: int) -> str:
    """Microseconds as seconds with six decimals."""
    return f"{at_us // 1_000_000}.{at_us % 1_000_000:06d}"


def time_scalar(moment: datetime) -> str:
    """A point in time as a plain YAML timestamp in UTC; a naive one is taken as UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
