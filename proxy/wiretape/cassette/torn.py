"""What a killed recorder, a full disk or a power cut leaves: where the last whole entry ends.

Knows how `writer` lays entries out, and therefore how to tell a whole one from a torn one; opens
no file and changes none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wiretape.cassette.bodies import content_length
from wiretape.cassette.document import Document, DocumentError
from wiretape.cassette.fastload import read_text
from wiretape.core.model import Chunk, End, Entry, Response

_ENTRIES = rb"^ *[\"']?entries[\"']? *:[ \r]*(?:#.*)?\n"
_HEAD_END = re.compile(_ENTRIES, re.MULTILINE)
_HEAD_WORDS = (b"wiretape: ", b"recorded: ", b"upstream: ", b"entries:")
_HEAD_LINE = re.compile(
    rb"[ \r]*(?:#.*)?|---.*|[\"']?(?:wiretape|recorded|upstream|entries)[\"']? *:.*"
)
_LIST = re.compile(_ENTRIES + rb"(?:[ \r]*(?:#.*)?\n)*( *)- ", re.MULTILINE)
_KEY = re.compile(r"(?m)^ *(headers|json|text|base64|sha256):")


@dataclass(frozen=True, slots=True)
class Mended:
    """A cassette's text up to its last whole entry.

    Attributes:
        document: what it says.
        length: how many bytes of the file are whole.
        warnings: what was left out, one line each.
    """

    document: Document
    length: int
    warnings: tuple[str, ...]


def has_head(content: bytes) -> bool:
    """Whether the head is whole, so that entries could follow it."""
    return _HEAD_END.search(content) is not None


def begins_head(content: bytes) -> bool:
    """Whether it is how a cassette begins, broken off anywhere before its entries, or nothing."""
    *lines, last = written = content.rstrip(b"\0").split(b"\n")
    begins_word = any(word.startswith(last) for word in _HEAD_WORDS)
    if not all(map(_HEAD_LINE.fullmatch, lines)) or not (begins_word or _HEAD_LINE.fullmatch(last)):
        return False
    words = any(line.strip() and not line.startswith((b"#", b"---")) for line in written)
    return words or not any(written)  # comments alone can be anybody's


def entries_column(content: bytes) -> int | None:
    """Where the dashes of the entries stand, as far as a glance tells; None if there are none."""
    opening = _LIST.search(content)
    return len(opening[1]) if opening else None


def mend(content: bytes) -> Mended:
    """Read a cassette that may break off anywhere after its head.

    Raises:
        VersionError: it is of another version.
        DocumentError: it is wrong in more than its last entry.
        UnicodeDecodeError: it is not UTF-8 before its last line.
        WiretapeError: PyYAML has no C loader.
    """
    warnings = []
    # What follows the last line end is torn, be it text or the zeros that a power cut leaves.
    length = content.rfind(b"\n") + 1
    if length < len(content):
        warnings.append(_left_out(content, length))
    last = _last_entry(content, length)
    try:
        document = read_text(content[:length].decode())
    except DocumentError:
        if last is None:
            raise
    else:
        entries = document.timeline.entries
        if last is None or not entries:
            return Mended(document, length, tuple(warnings))
        if is_whole(entries[-1], content[last:length].decode(), content[length:]):
            return Mended(document, length, tuple(warnings))
    try:
        document = read_text(content[:last].decode())
    except DocumentError:
        read_text(content[:length].decode())
        raise
    return Mended(document, last, (_left_out(content, last),))


def is_whole(entry: Entry, text: str, cut_off: bytes) -> bool:
    """Whether the last entry ends where the writer ended it.

    Chunks and ends close their braces, else they were no entries. A response's headers come
    last. So do a request's, unless the body that follows them is as long as they say. JSON that
    lost its end can be so too, in a style with spaces: where more followed, it was the body's.

    Args:
        entry: what it says.
        text: its whole lines.
        cut_off: what stands behind them, without a line's end.
    """
    if isinstance(entry, Chunk | End) or text.lstrip().startswith("- {"):
        return True
    dash = text.index("-")
    indent = dash + 2
    keys = [match[1] for match in _KEY.finditer(text) if match.start(1) - match.start() == indent]
    if "headers" not in keys:
        return False
    if isinstance(entry, Response) or keys[0] != "headers":
        return True
    declared = content_length(entry.headers) or 0
    another = text[: dash + 1].encode()
    begun = cut_off.startswith(another) or another.startswith(cut_off)
    return entry.body.length == declared and (begun or not declared)


def _last_entry(content: bytes, length: int) -> int | None:
    """Where the last entry starts, in bytes."""
    opening = _LIST.search(content, 0, length)
    if opening is None:
        return None
    start = content.rfind(b"\n" + opening[1] + b"- ", opening.start(), length)
    return start + 1


def _left_out(content: bytes, start: int) -> str:
    line = content.count(b"\n", 0, start) + 1
    size = len(content) - start
    return f"line {line}: the last entry is torn and was left out ({size} bytes)"
