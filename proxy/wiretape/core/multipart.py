"""Multipart bodies as forms and files are sent: their parts, without the boundary between them.

Knows RFC 2046; knows nothing of what the parts hold. Clients draw a new boundary for each request,
so it says nothing about what was asked.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wiretape.core.model import header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wiretape.core.model import Headers

MAX_PARTS = 1_000
"""Of a body in more parts, the rest counts as the end of the last one."""

MAX_HEAD_BYTES = 16_384
"""So far into a part its header fields are looked for."""

_BEGINNING_BYTES = 1_000

# RFC 9110, section 5.6.6, and white space around "=", as mail has it. A boundary with characters
# that no token has, but without its quotes, is taken as it stands: senders forget them.
_PARAMETER = re.compile(r';[ \t]*([^\s;="]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')
_ESCAPED = re.compile(r"\\(.)")
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
# Of one that is longer than any sender makes it, the rest says nothing.
_DISPOSITION = re.compile(rb"(?im)^content-disposition:([^\r\n]{0,2000})")


@dataclass(frozen=True, slots=True)
class Multipart:
    """A body without its boundary.

    Attributes:
        parts: all bytes between two delimiters, in the order of the body: `preamble` is what stands
            before the first delimiter, `part "NAME"` or `part NUMBER` a part, `end` what is left of
            the last delimiter and follows it. A second one of a name has ` (2)` after it.
    """

    parts: dict[str, bytes]


def boundary(headers: Headers) -> str:
    """The boundary that the Content-Type names; empty if the body is not multipart."""
    kind = header(headers, "content-type") or ""
    if kind[:10].lower() != "multipart/":
        return ""
    return next((value for name, value in _parameters(kind) if name == "boundary"), "")


def split(content: bytes, boundary: str) -> Multipart | None:
    """The parts of a body; None if no line of it is a delimiter."""
    delimiter = b"--" + re.escape(boundary.encode("latin-1", "replace"))
    # RFC 2046, section 5.1.1: it begins a line, and nothing but white space follows on it.
    sent = re.split(
        delimiter + rb"(?<![^\n]" + delimiter + rb")(?=(?:--)?[ \t]*(?:\r?\n|\Z))",
        content,
        maxsplit=MAX_PARTS,
    )
    if len(sent) == 1:
        return None
    parts = {"preamble": sent[0]} if sent[0] else {}
    times: dict[str, int] = {}
    for number, part in enumerate(sent[1:], 1):
        name = _name(part, number)
        times[name] = times.get(name, 0) + 1
        parts[name if times[name] == 1 else f"{name} ({times[name]})"] = part
    return Multipart(parts)


def head_and_content(part: bytes) -> tuple[bytes, bytes]:
    """A part's header fields with the blank line after them, and what they describe."""
    blank = _BLANK_LINE.search(part, 0, MAX_HEAD_BYTES)
    end = 0 if blank is None else blank.end()
    return part[:end], part[end:]


def marks(part: bytes) -> tuple[str, str]:
    """What two parts that differ may have in common: their header fields; these and a beginning."""
    head, content = head_and_content(part)
    return head.decode("latin-1"), (head + content[:_BEGINNING_BYTES]).decode("latin-1")


def _name(part: bytes, number: int) -> str:
    if part.startswith(b"--"):
        return "end"
    disposition = _DISPOSITION.search(head_and_content(part)[0])
    if disposition is not None:
        for name, value in _parameters(disposition[1].decode("utf-8", "backslashreplace")):
            if name == "name":
                return f"part {_quoted(value)}"
    return f"part {number}"


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False) if name.isprintable() else ascii(name)


def _parameters(value: str) -> Iterator[tuple[str, str]]:
    """The parameters of a header field's value, names in lower case."""
    for name, quoted, plain in _PARAMETER.findall(value):
        yield name.lower(), _ESCAPED.sub(r"\1", quoted) or plain
