"""How a recording goes on in a cassette that exists: its own text kept, or written anew.

Knows when text can be appended to; opens no file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wiretape.cassette.document import DocumentError, VersionError
from wiretape.cassette.fastload import read_text
from wiretape.cassette.torn import entries_column, has_head
from wiretape.cassette.writer import cassette_text, entry_text
from wiretape.core.model import EMPTY_BODY, Request

if TYPE_CHECKING:
    from wiretape.cassette.document import Document
    from wiretape.core.model import Cassette


def continuation(content: bytes, document: Document, cassette: Cassette) -> tuple[bytes, str]:
    """What a journal that goes on with a cassette starts with.

    Args:
        content: the cassette's file.
        document: what it says.
        cassette: the same.

    Returns:
        The bytes, and the spaces before the dash of each entry that follows: the file's own
        bytes with its comments where entries can follow them as a block list, else the cassette
        in the writer's layout.
    """
    if document.own_layout:
        return content, ""
    base = content if content.endswith(b"\n") else content + b"\n"
    # What `recover` could not find its way in must not become a journal.
    lost = not has_head(base) or entries_column(base) != document.column
    indent = None if lost else _indent(base, cassette, " " * (document.column or 0))
    return (cassette_text(cassette).encode(), "") if indent is None else (base, indent)


def _indent(base: bytes, cassette: Cassette, indent: str) -> str | None:
    """The spaces before an entry, if one that stands behind them can follow the bytes."""
    # Whether YAML takes what follows for one more entry, and leaves those before as they were,
    # is best asked by trying.
    number = max((entry.interaction for entry in cassette.entries), default=0) + 1
    probe = Request(number, 0, "GET", "/", (), EMPTY_BODY)
    try:
        document = read_text(base.decode("utf-8-sig") + indented(entry_text(probe), indent))
    except (DocumentError, VersionError):
        return None
    return indent if tuple(document.timeline.entries) == (*cassette.entries, probe) else None


def indented(text: str, indent: str) -> str:
    """Whole lines, each behind the indent."""
    if not indent or not text:
        return text
    return indent + text[:-1].replace("\n", "\n" + indent) + "\n"
