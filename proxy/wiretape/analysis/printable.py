r"""Text from a cassette made safe and plain for a terminal.

Knows which characters a terminal would act on; says nothing about layout.
"""

from __future__ import annotations

import re

_CONTROLS = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f"  # C0 but tab, DEL, C1
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"  # line ends, text direction
    "\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_BUT_LINES = re.compile(_CONTROLS.pattern.replace("\x0a-\x1f", "\x0b-\x1f"))
_NAMED = {"\n": "\\n", "\r": "\\r"}


def printable(text: str) -> str:
    r"""Text of several lines: line feeds and tabs stay, all that controls a terminal is escaped.

    C0, DEL and C1 become `\x1b` and the like; marks that turn the direction of writing, line
    separators and lone surrogates become `\u202e` and the like.
    """
    return _BUT_LINES.sub(_escape, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    r"""The same for text that must stay on its line: line feeds become `\n`, tabs `\t`."""
    return _CONTROLS.sub(_escape, text).replace("\t", "\\t")


def raw_bytes(data: bytes) -> str:
    r"""Bytes as text, for reading: UTF-8 as its characters, all else as `\xNN`."""
    return one_line(data.decode(errors="backslashreplace"))


def cut(text: str, longest: int) -> str:
    """Text cut to `longest` characters, saying how many are left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text) - longest:,} more characters)"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """How many there are: `1 chunk`, `2 chunks`, `3 entries`."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def seconds(duration_us: int) -> str:
    """A duration for people: `412 ms`, `1.20 s`, `75 s`."""
    if abs(duration_us) < 1_000_000:  # noqa: PLR2004 -- a second
        return f"{duration_us / 1000:.0f} ms"
    if abs(duration_us) < 60_000_000:  # noqa: PLR2004 -- a minute
        return f"{duration_us / 1_000_000:.2f} s"
    return f"{duration_us / 1_000_000:,.0f} s"


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    if char in _NAMED:
        return _NAMED[char]
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"  # noqa: PLR2004 -- two digits' worth
