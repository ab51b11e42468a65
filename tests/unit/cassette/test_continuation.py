from datetime import UTC, datetime
from pathlib import Path

import pytest

from wiretape.cassette.continuation import continuation, indented
from wiretape.cassette.loader import cassette_of, loads, read_whole
from wiretape.cassette.writer import cassette_text, entry_text, header_text
from wiretape.core.model import Body, Chunk, End, Entry, Outcome, Request, Response

PATH = Path("x.yaml")
HEAD = header_text(datetime(2026, 11, 22, tzinfo=UTC), "http://x")


def life(number: int) -> tuple[Entry, ...]:
    return (
        Request(number, 0, "POST", "/", (), Body.of(b"a\n\nb\n")),
        Response(number, 1, 200, (("X-" + "y" * 99, "z"),)),
        Chunk(number, 2, b"data: a\n\n"),
        End(number, 3, Outcome.COMPLETE),
    )


OWN = HEAD + "".join(map(entry_text, life(1)))
KEPT = {
    "own layout": OWN,
    "no entries": HEAD,
    "no last line end": OWN[:-1],
    "comments": "# a\n" + OWN.replace("- {end", "# b\n- {end") + "# c\n\n",
    "indented list": OWN.replace("\n  ", "\n    ").replace("\n- ", "\n  - "),
    "windows": OWN.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + OWN,
    "explicit start": "---\n" + OWN,
    "quoted key": OWN.replace("entries:", "'entries' :  # all"),
    "tagged list": OWN.replace("entries:", "entries: !!seq"),
}
REWRITTEN = {
    "flow list": HEAD.replace("entries:", "entries: []"),
    "flow document": "{wiretape: 1, recorded: 2026-11-22, upstream: x, entries: []}",
    "explicit end": OWN + "...\n",
    "entries first": "entries:" + OWN.split("entries:")[1] + HEAD.removesuffix("entries:\n"),
    "explicit key": OWN.replace("entries:", "? entries\n:"),
    "last scalar to the end of the file": HEAD
    + "- request: 1\n  at: 0\n  method: GET\n  target: /\n  text: |\n    a",
}


def check(text: str) -> bool:
    """Append an interaction; return whether the text was kept."""
    content = text.encode()
    document = read_whole(content, PATH)
    cassette = cassette_of(document, PATH)
    base, indent = continuation(content, document, cassette)
    longer = base + "".join(indented(entry_text(entry), indent) for entry in life(2)).encode()
    assert loads(longer, PATH).entries == cassette.entries + life(2)
    if base.startswith(content):
        return True
    assert base == cassette_text(cassette).encode()
    return False


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_text_that_entries_can_follow_is_kept(text):
    if text == KEPT["tagged list"]:
        assert not check(text)
    else:
        assert check(text)


@pytest.mark.parametrize("text", REWRITTEN.values(), ids=REWRITTEN)
def test_other_text_is_written_anew(text):
    assert not check(text)


def test_every_line_is_indented():
    assert indented("a\n  b\n", "  ") == "  a\n    b\n"
    assert indented("a\n", "") == "a\n"
    assert indented("", "  ") == ""
