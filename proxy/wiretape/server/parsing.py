"""aiohttp's HTTP parsers on both sides: their limits, and what they say of what is no HTTP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from wiretape.cassette.secrets import Secrets

if TYPE_CHECKING:
    from aiohttp.http import HttpProcessingError

HEADER_LIMIT_BYTES = 256 * 1024
OPTIONS: dict[str, Any] = {
    "max_line_size": HEADER_LIMIT_BYTES,
    "max_field_size": HEADER_LIMIT_BYTES,
    "max_headers": 1000,
    "auto_decompress": False,
}
"""What every parser is made with."""

_LONGEST_CHARACTERS = 200
# What the parser quotes is a line's bytes as Python writes them, at the end.
_QUOTED = re.compile(r"(?<=\s)b?(['\"])(.*)\1$")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?=(?: |\\t)*:)")
_INSIDE = re.compile("header|chunk")  # the quotation begins inside a field's value, or a body
_FIRST_WORD = re.compile(r"[^\s?]{1,40}")
_BLANKS = re.compile(rb"^([^\s:]+)[ \t]+:", re.MULTILINE)
_LENGTH = re.compile(rb"content-length:", re.IGNORECASE)
_CODING = re.compile(rb"transfer-encoding:", re.IGNORECASE)
_NO_CODING = re.compile(rb"transfer-encoding:[ \t]*identity[ \t\r\n]*$", re.IGNORECASE)
_CHUNKED = re.compile(rb"[:,][ \t]*chunked[ \t\r\n]*$", re.IGNORECASE)
_SECRETS = Secrets()


def without_blanks(head: bytes) -> bytes:
    """A response's head with nothing between its fields' names and colons (RFC 9112, section 5.1).

    The parser takes some names with the blank for others than they are.
    """
    if b" :" in head or b"\t:" in head:
        return _BLANKS.sub(rb"\1:", head)
    return head


def mended(head: bytes) -> bytes:
    """A response's head without what a recipient may mend in it (RFC 9112, section 6.3).

    A length beside a coding goes, of equal lengths one stays, and so does nothing of a coding
    that is none.
    """
    lines = head.splitlines(keepends=True)
    lengths = [line for line in lines if _LENGTH.match(line)]
    codings = [line for line in lines if _CODING.match(line)]
    if codings and all(_NO_CODING.match(line) for line in codings):
        lines = [line for line in lines if line not in codings]
    elif codings and _CHUNKED.search(codings[-1]):
        return b"".join(line for line in lines if line not in lengths)
    values = {value.strip() for line in lengths for value in line.partition(b":")[2].split(b",")}
    if len(values) == 1:
        at = lines.index(lengths[0])
        kept = b"%b: %b\r\n" % (lengths[0].partition(b":")[0], values.pop())
        lines = [line for line in lines if line not in lengths]
        lines.insert(at, kept)
    return b"".join(lines)


def complaint(error: HttpProcessingError) -> str:
    """What is wrong, on one line: the parser points with a second one at what it quotes.

    Any field's value may be a secret, a target's query and what a body holds. So of a field its
    name is told, of a body nothing, and of what is neither the first word.
    """
    text = " ".join(error.message.rstrip("\n ^").split())
    if "://" in text:  # it is the target, with nothing said of it
        return "bad request target"
    quoted = _QUOTED.search(text)
    if quoted is not None:
        text = text[: quoted.start()]
        told = _NAME.match(quoted[2])
        if told is None and not _INSIDE.search(text):
            told = _FIRST_WORD.match(quoted[2])
        text = f"{text}{told[0]}" if told else text.rstrip(": ")
    return _SECRETS.redact_text(text[:_LONGEST_CHARACTERS])
