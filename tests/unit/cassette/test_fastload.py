from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wiretape.cassette import fastload
from wiretape.cassette.document import Document, DocumentError, VersionError, read_document
from wiretape.cassette.fastload import read_own_layout, read_text
from wiretape.cassette.writer import cassette_text, entry_text
from wiretape.core.model import Body, Cassette, Chunk, End, Entry, Outcome, Request, Response

HEADERS = (("Content-Type", "application/json"), ("Content-Length", "16"))
ENTRIES: tuple[Entry, ...] = (
    Request(1, 0, "POST", "/v1/chat/completions", HEADERS, Body.of(b'{"a":"b\\n - c\\n"}')),
    Response(1, 411_021, 200, (("Content-Type", "text/event-stream"),)),
    Chunk(1, 412_345, b"data: it's\n\n"),
    Chunk(1, 412_345, b"data: a\n\ndata: 'b'\n\nevent: c\ndata: d\n\n", part=True),
    Request(2, 500_000, "GET", "/", (), Body.of(b"")),
    Chunk(1, 500_001, b"event: ping\ndata: {}\n\n"),
    Chunk(1, 500_002, b'{"a": 1}\n{"b": 2}\n'),
    Chunk(1, 500_003, b'"\r\n\\ \x7f\xc2\x85'),
    Chunk(1, 500_004, b"\xff"),
    End(1, 600_000, Outcome.COMPLETE),
    Response(2, 700_000, 204, ()),
    End(2, 700_000, Outcome.CLIENT_DISCONNECTED),
)
CASSETTE = Cassette("x", datetime(2026, 11, 22, 10, 31, 2, tzinfo=UTC), "http://x", ENTRIES)
TEXT = cassette_text(CASSETTE)
SNIPPETS = st.sampled_from(
    [
        *("'", '"', "''", "\\", "\\u00e9", "\\ud83d\\ude00", " ", "  ", "\n", "\n- ", "\n  ", "- "),
        *(
            "#",
            " # a",
            "\n# a",
            "\n# a\x07",
            "\n\n",
            "\t",
            "\x00",
            "\r",
            "\x85",
            "\u2028",
            "\x7f",
            "{",
            "}",
            "[",
            "]",
        ),
        *(",", ", ", ": ", "&a ", "*a", "!!str ", "|\n", "---\n", "...\n", "0", "9", "-", "é", "~"),
        *(
            "\n  at: 1",
            "\n  method: GET",
            "\n  headers: {}",
            "  text: a\n",
            "\n    X: y",
            "GET",
            "200",
        ),
        *("part: true", ", part: true", "sse", "text: ", "'}", "\n- {end: 1, at: 0, outcome: x}"),
    ],
)


def said(document: Document) -> tuple[object, ...]:
    timeline = document.timeline
    return document.head, timeline.entries, timeline.warnings(), timeline.stages


@st.composite
def edited(draw: st.DrawFn) -> str:
    """The text after a few strokes of a hand."""
    text = TEXT
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        stop = start + draw(st.sampled_from([0, 0, 1, 2, 20]))
        text = text[:start] + draw(st.one_of(SNIPPETS, st.just(""))) + text[stop:]
    return text


@given(edited())
@settings(max_examples=600)
def test_whatever_a_hand_does_both_ways_of_reading_agree(text):
    fast = read_own_layout(text)
    if fast is not None:
        assert said(fast) == said(read_document(text))


@given(st.data())
def test_lines_in_any_order_are_read_alike_by_both_ways(data):
    lines = TEXT.splitlines(keepends=True)
    shuffled = data.draw(st.lists(st.sampled_from(lines), max_size=12))
    text = "".join(lines[:4] + shuffled)
    fast = read_own_layout(text)
    if fast is not None:
        assert said(fast) == said(read_document(text))


def test_the_writers_own_layout_is_read_the_fast_way():
    fast = read_own_layout(TEXT)
    assert fast is not None
    assert tuple(fast.timeline.entries) == ENTRIES
    assert fast.column == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("- {end: 1", "# a note\n\n- {end: 1"),
        ("wiretape", "# a note\nwiretape"),
        ("entries:", "# a note\nentries:"),
        ("{end: 1, at: 0.600000, ", "{at: 0.6, end: 1, "),
        ("  status: 200", "  status: 200  # fine"),
        ("sse: 'it''s'", 'sse: "it\'s"'),
        ("- response: 1", "\n- response: 1"),
        ("- response: 1", "  # a note\n- response: 1"),
        ("- {chunk: 1, at: 0.412345, sse: 'it", "  # a note\n- {chunk: 1, at: 0.412345, sse: 'it"),
        ("- {chunk: 1, at: 0.412345, sse: 'it", "\n- {chunk: 1, at: 0.412345, sse: 'it"),
        ("  headers: {}\n- {chunk", "  headers: {}\n\n- {chunk"),
        ("  headers: {}\n- {chunk", "  headers: {}\n  # a note\n- {chunk"),
        ("method: POST", "method: 'POST'"),
        ("headers: {Content-Type: application/json", "headers: {Content-Type: 'application/json'"),
    ],
)
def test_small_edits_keep_to_the_fast_way(old, new):
    assert old in TEXT
    fast = read_own_layout(TEXT.replace(old, new))
    assert fast is not None
    assert fast.timeline.entries == list(ENTRIES)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "entries:\n",
        TEXT[:-1],
        TEXT.replace("\n", "\r\n"),
        "---\n" + TEXT,
        TEXT + "...\n",
        TEXT + "more: 1\n",
        TEXT.replace("entries:\n", "entries:\n  \n"),
        TEXT.replace("wiretape: 1", "wiretape: 2"),
        TEXT.replace("- {end: 1", "  stray: 1\n- {end: 1"),
        TEXT.replace("upstream: http://x", "upstream: [\n  a]"),
        *(
            TEXT.replace(place, line + place)
            for place in ("  json:", "- {chunk: 1, at: 0.412345, sse: 'it")
            for line in ("  method: GET\n", "  at: 0.1\n", "  headers: {}\n", "  status: 200\n")
        ),
        "wiretape: 1\n" + TEXT,
        "- a\nentries:\n",
        TEXT + "# \x00\n",
        TEXT + "# a\tb\n",
        TEXT + " # a\n",
        "# nothing\nentries:\n",
    ],
)
def test_another_layout_is_left_to_yaml(text):
    assert read_own_layout(text) is None


@pytest.mark.parametrize(
    "line",
    [
        "- {chunk: 1, at: 0.000000, sse: '}",
        "- {chunk: 1, at: 0.000000, sse: 'a'b'}",
        "- {chunk: 1, at: 0.000000, sse: ['a'}",
        "- {chunk: 1, at: 0.000000, sse: ['a',]}x",
        '- {chunk: 1, at: 0.000000, sse: "a\\nb"}',
        '- {chunk: 1, at: 0.000000, sse: "\\ud83d\\ude00"}',
        "- {chunk: 1, at: 0.000000, sse: {event: 'a', date: 'b'}}",
        "- {chunk: 1, at: 0.000000, sse: {event: \"a\\n\", data: 'b'}}",
        "- {chunk: 1, at: 0.000000, sse: {event: 'a', data: \"b\\r\"}}",
        "- {chunk: 1, at: 0.000000, base64: 'a'}",
        '- {chunk: 1, at: 0.000000, base64: "a"}',
        "- {chunk: 1, at: 0.000000, text: ['a']}",
        "- {chunk: 1, at: 0.000000, text: 'a', part: true, part: true}",
        "- {chunk: 9, at: 0.000000, text: 'a'}",
        "- {end: 1, at: 0.000000, outcome: done}",
        "- {end: 9, at: 0.000000, outcome: complete}",
    ],
)
def test_a_wrong_line_is_wrong_both_ways(line):
    head = TEXT[: TEXT.index("- {chunk")]
    assert read_own_layout(head + line + "\n") is None
    with pytest.raises(DocumentError):
        read_text(head + line + "\n")


@pytest.mark.parametrize("odd", ["\x85", "\u2028", "\u2029", "\r", "\t", "\x7f", "\x00", "\ufffe"])
def test_an_odd_character_in_a_chunk_is_left_to_yaml(odd):
    for form in ("sse: 'a{}b'", "ndjson: ['a{}b']", "sse: {{event: 'a', data: 'a{}b'}}"):
        line = f"- {{chunk: 1, at: 0.700000, {form.format(odd)}}}\n"
        fast = read_own_layout(TEXT[: TEXT.index("- {end")] + line)
        if fast is not None:
            slow = read_document(TEXT[: TEXT.index("- {end")] + line)
            assert said(fast) == said(slow)
        assert (fast is None) == (odd != "\t")


REQUEST = "- request: 9\n  at: 0.900000\n  method: POST\n  target: /v1\n"
RESPONSE = "- response: 9\n  at: 0.950000\n  status: 200\n"


@pytest.mark.parametrize(
    "entries",
    [
        REQUEST + "  headers: \n    A: b\n\n    text: hello\n",
        REQUEST + "  headers: \n    A: b\n  # c\n    text: hello\n",
        REQUEST + "  headers: {}\n   text: hello\n",
        REQUEST + "  headers: {}\n\n    text: hello\n",
        REQUEST + "  headers: {}\n  {text: hello}\n",
        REQUEST + "  headers: {}\n  !!map {text: hello}\n",
        REQUEST + "  headers: {}\n  text: |+\n    a\n\n\n",
        REQUEST + "  headers: {\n    A: 'b\n\n    c'}\n  text: a\n",
        REQUEST + "  headers: {}\r...\n",
        REQUEST + "  headers: {}\n  text: a\u2028...\n",
        REQUEST + "  headers: {A: b,\r C: d}\n" + REQUEST.replace("9", "8"),
        REQUEST + "  headers: &a {A: b}\n" + RESPONSE + "  headers: *a\n",
        REQUEST + "  headers: {}\n" + RESPONSE + "  headers: \n    A: |+\n      x\n\n\n",
        REQUEST + "  headers: {}\n" + RESPONSE + "  headers: {}\n  text: a\n",
    ],
)
def test_entries_of_a_hand_are_the_same_both_ways_or_left_to_yaml(entries):
    for text in (TEXT + entries, TEXT + entries + "# the end\n"):
        fast = read_own_layout(text)
        try:
            slow = read_document(text)
        except DocumentError:
            assert fast is None
        else:
            assert fast is None or said(fast) == said(slow)


def test_no_entries_at_all_are_read_alike():
    head = TEXT[: TEXT.index("- request")]
    fast = read_own_layout(head)
    assert fast is not None
    assert fast.column == read_document(head).column


def test_errors_come_from_the_complete_reading():
    with pytest.raises(VersionError):
        read_text(TEXT.replace("wiretape: 1", "wiretape: 2"))


def test_what_the_fast_way_leaves_is_read_all_the_same():
    assert read_text(TEXT.replace("\n", "\r\n")).timeline.entries == list(ENTRIES)


def test_twenty_thousand_chunks_need_no_yaml(monkeypatch):
    chunk = entry_text(Chunk(1, 500_000, b"data: {}\n\n"))
    text = TEXT[: TEXT.index("- {chunk")] + chunk * 20_000
    texts = []

    class Counted(fastload.Events):
        def __init__(self, text: str, first_line: int = 1) -> None:
            texts.append(text)
            super().__init__(text, first_line)

    monkeypatch.setattr(fastload, "Events", Counted)
    fastload._headers.cache_clear()  # noqa: SLF001  what other tests have read
    document = read_own_layout(text)
    assert document is not None
    assert len(document.timeline.entries) == 20_002
    assert len(texts) == 2, "the request, whose body comes first, and the response's headers"
    assert not any("chunk" in seen for seen in texts)
