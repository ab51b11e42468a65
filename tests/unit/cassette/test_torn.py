from datetime import UTC, datetime

import pytest

from wiretape.cassette.document import DocumentError
from wiretape.cassette.torn import entries_column, has_head, mend
from wiretape.cassette.writer import entry_text, header_text
from wiretape.core.model import (
    EMPTY_BODY,
    Body,
    Chunk,
    End,
    Entry,
    Outcome,
    Request,
    Response,
)

HEAD = header_text(datetime(2026, 11, 22, tzinfo=UTC), "http://x")
JSON = b'{"model":"x","messages":[{"role":"user","content":"one\\ntwo\\n\\n"},{"a":1}]}'
LONG = tuple((f"X-{letter * 20}", letter * 20) for letter in "abcd")


def sized(content: bytes) -> tuple[tuple[str, str], ...]:
    return (*LONG, ("Content-Length", str(len(content))))


ENTRIES: tuple[Entry, ...] = (
    Request(1, 0, "POST", "/a", sized(JSON), Body.of(JSON)),
    Request(2, 1, "POST", "/b", LONG, Body.of(JSON)),
    Request(3, 2, "GET", "/c", (), EMPTY_BODY),
    Request(4, 3, "PUT", "/d", sized(b"x"), EMPTY_BODY),
    Request(5, 4, "PUT", "/e", sized(b"a\nb\n\n"), Body.of(b"a\nb\n\n")),
    Request(6, 5, "PUT", "/f", sized(b"big"), Body(None, 3, Body.of(b"big").digest())),
    Request(7, 5, "PUT", "/g", LONG, Body(None, 3, Body.of(b"big").digest())),
    Response(1, 6, 200, LONG),
    Chunk(1, 7, "data: é\n\n".encode()),
    Chunk(1, 8, b"event: a\ndata: {}\n\n"),
    Response(2, 9, 204, ()),
    End(1, 9, Outcome.COMPLETE),
)


@pytest.mark.parametrize("indent", ["", "   "])
def test_cut_at_any_byte_every_whole_entry_is_kept_and_nothing_else(indent):
    content = HEAD.encode()
    bounds = [len(content)]
    for entry in ENTRIES:
        content += "".join(
            indent + line for line in entry_text(entry).splitlines(keepends=True)
        ).encode()
        bounds.append(len(content))
    for cut in range(bounds[0], len(content) + 1):
        whole = sum(bound <= cut for bound in bounds) - 1
        mended = mend(content[:cut])
        assert tuple(mended.document.timeline.entries) == ENTRIES[:whole], cut
        assert mended.length == bounds[whole]
        assert len(mended.warnings) == (cut not in bounds)


@pytest.mark.parametrize("indent", ["", "   "])
def test_a_body_that_another_style_makes_long_enough_is_torn_nonetheless(indent: str):
    """Without its last member, but with spaces, it is as long as its Content-Length says."""
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"k":1}'
    request = Request(1, 0, "POST", "/a", (("Content-Length", str(len(body))),), Body.of(body))
    lines = [indent + line for line in entry_text(request).splitlines(keepends=True)]
    content = (HEAD + "".join(lines)).encode()
    assert lines[-1] == f"{indent}    k: 1\n"
    for cut in range(len(indent) + 1, len(lines[-1])):
        torn = content[: len(content) - len(lines[-1]) + cut]
        for end in (torn, torn + b"\0" * 8):
            mended = mend(end)
            assert mended.document.timeline.entries == []
            assert mended.length == len(HEAD)
            assert len(mended.warnings) == 1
    for begun in ("-", "- {chunk: 1, at"):
        mended = mend(content + indent.encode() + begun.encode())
        assert tuple(mended.document.timeline.entries) == (request,)


def test_cut_before_the_first_entry_could_stand_there_is_no_head():
    for cut in range(len(HEAD)):
        assert not has_head(HEAD[:cut].encode())
    assert has_head(HEAD.encode())


def test_zeros_of_a_power_cut_are_torn_off():
    content = (HEAD + entry_text(ENTRIES[2])).encode()
    mended = mend(content + b"\0" * 4096)
    assert mended.length == len(content)
    assert mended.warnings == ("line 10: the last entry is torn and was left out (4096 bytes)",)
    assert mend(content + b"- {chunk\0\0").length == len(content)


def test_a_last_line_that_is_no_yaml_is_torn():
    content = (HEAD + entry_text(ENTRIES[2])).encode()
    assert mend(content + b"- {end: 3, at: 0.0, outcome: com\n").length == len(content)


def test_what_is_wrong_in_the_middle_is_an_error():
    content = (HEAD + "- {chunk: 1}\n" + entry_text(ENTRIES[2])).encode()
    with pytest.raises(DocumentError, match="line 5"):
        mend(content)
    with pytest.raises(DocumentError, match="line 5"):
        mend(content + b"- {")


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("entries:\n- a\n", 0),
        ("'entries' : # all\r\n\r\n  # b\n  - a\n", 2),
        (" entries:\n - a\n", 1),
        ("entries: [a]\n", None),
        ("entries:\n", None),
        ("other:\n- a\n", None),
    ],
)
def test_the_column_of_the_entries_is_seen_at_a_glance(text, column):
    assert entries_column(text.encode()) == column
