"""The promise of the format: whatever is written comes back exactly, however it is spelled."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wiretape.cassette.document import read_document
from wiretape.cassette.fastload import read_own_layout
from wiretape.cassette.loader import load, loads
from wiretape.cassette.writer import cassette_text
from wiretape.core.model import (
    Body,
    Cassette,
    Chunk,
    End,
    Entry,
    Headers,
    Outcome,
    Request,
    Response,
)

PATH = Path("some.yaml")
# A busy machine makes no promise slower to keep.
ODD_TEXTS = st.sampled_from(
    [
        "\x85", "\x7f", "\ufffe", "\u2028", "\u2029", "\ufeff", "\x00", "\x1b[0m", "\t", "#", " #",
        ": ", ":", "'", '"', "''", "\\", "\\u0041", "- ", "---", "...", "{", "}", "[", "]", ",",
        "&a", "*a", "!", "|", ">", "%", "@", "`", "? ", "<<", "=", "~", "null", "yes", "No", "on",
        "1:30", "0x1f", "017", "1e5", "1_000", ".5", ".inf", "2026-11-22", " ", "  ", "\n", "\n\n",
        "\r\n", "\r", "é", "日本", "😀", "\xa0", "\ud83d", "a" * 130,
    ],
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=12),
    st.lists(st.one_of(ODD_TEXTS, st.text(max_size=5)), max_size=6).map("".join),
)
JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)
JSON_DUMPS = st.sampled_from(
    [
        {"separators": (",", ":"), "ensure_ascii": False},
        {},
        {"separators": (",", ":")},
        {"ensure_ascii": False},
        {"indent": 2},
    ],
)


@st.composite
def json_bodies(draw: st.DrawFn) -> bytes:
    text = json.dumps(draw(JSON_VALUES), **draw(JSON_DUMPS))
    return text.encode("utf-8", "surrogatepass")


BODIES = st.one_of(
    st.just(b""),
    st.binary(max_size=40),
    TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")),
    json_bodies(),
    json_bodies(),
)
LATIN_1 = st.text(st.characters(max_codepoint=255), max_size=12)


@st.composite
def headers(draw: st.DrawFn) -> Headers:
    fields = draw(st.lists(st.tuples(LATIN_1, LATIN_1), max_size=4))
    # A name that comes again stands beside its first: the order among different names is kept.
    order = [name for name, _ in fields]
    return tuple(sorted(fields, key=lambda field: order.index(field[0])))


@st.composite
def requests(draw: st.DrawFn, number: int = 1) -> Request:
    content = draw(BODIES)
    fields = draw(headers())
    length = draw(st.sampled_from([None, len(content), len(content), 0, 7]))
    if length is not None:
        fields = (*fields, ("Content-Length", str(length)))
    body = Body.of(content)
    if draw(st.sampled_from([False, False, False, True])):
        body = Body(None, len(content), body.digest())
    at_us = draw(st.integers(0, 10**13))
    method = draw(st.sampled_from(["GET", "POST", "no", "M-SEARCH"]))
    target = draw(st.one_of(st.just("/v1/chat/completions"), LATIN_1))
    return Request(number, at_us, method, target, fields, body)


PIECES = st.one_of(
    TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=8),
    json_bodies().map(lambda body: b"data: " + body + b"\n\n"),
    st.builds(
        lambda name, body: b"event: %b\ndata: %b\n\n" % (name, body),
        st.sampled_from([b"ping", b"", b"no", b"a b", b"a: b", b"it's", b"\xc3\xa9"]),
        json_bodies(),
    ),
    json_bodies().map(lambda body: body + b"\n"),
    st.sampled_from([b": comment\n\n", b"data: [DONE]\n\n", b"id: 7\n", b"retry: 3\r\n\r\n"]),
)


@st.composite
def chunks(draw: st.DrawFn, number: int = 1) -> list[Chunk]:
    """Any split of any bytes."""
    content = b"".join(draw(st.lists(PIECES, max_size=6)))
    cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=6)))
    bounds = zip([0, *cuts], [*cuts, len(content)], strict=True)
    at_us = draw(st.integers(0, 10**13))
    return [Chunk(number, at_us, content[a:b], draw(st.booleans())) for a, b in bounds]


@st.composite
def cassettes(draw: st.DrawFn) -> Cassette:
    """Up to three interactions, their entries interleaved."""
    lines: list[list[Entry]] = []
    for number in range(1, draw(st.integers(1, 4))):
        line: list[Entry] = [draw(requests(number))]
        if draw(st.booleans()):
            line.append(Response(number, 5, draw(st.integers(100, 999)), draw(headers())))
            line += draw(chunks(number))
        if draw(st.booleans()):
            line.append(End(number, 9, draw(st.sampled_from(Outcome))))
        lines.append(line)
    order = draw(st.permutations([i for i, line in enumerate(lines) for _ in line]))
    entries = tuple(lines[index].pop(0) for index in order)
    recorded = draw(st.datetimes(timezones=st.just(UTC)))
    upstream = draw(st.one_of(st.just("http://127.0.0.1:11434"), LATIN_1))
    return Cassette("some", recorded, upstream, entries)


def said(cassette: Cassette) -> tuple[object, ...]:
    return cassette.recorded, cassette.upstream, cassette.entries


@given(cassettes())
def test_what_is_written_comes_back_by_both_ways_of_reading(cassette):
    text = cassette_text(cassette)
    for read in (read_own_layout, read_document):
        document = read(text)
        assert document is not None
        assert document.head.recorded == cassette.recorded
        assert document.head.upstream == cassette.upstream
        assert tuple(document.timeline.entries) == cassette.entries
    assert said(loads(text, PATH)) == said(cassette)


@given(cassettes())
def test_chunks_and_ends_stand_on_one_line_each(cassette):
    lines = cassette_text(cassette).split("\n")
    one_line = [e for e in cassette.entries if isinstance(e, Chunk | End)]
    assert sum(line.startswith(("- {chunk: ", "- {end: ")) for line in lines) == len(one_line)


SPELLINGS = {
    "block": {"sort_keys": False, "default_flow_style": False},
    "flow": {"sort_keys": False, "default_flow_style": True},
    "canonical": {"sort_keys": False, "canonical": True},
    "narrow": {"sort_keys": False, "width": 20, "indent": 4},
    "double-quoted": {"sort_keys": False, "default_style": '"', "allow_unicode": False},
    "explicit document": {"sort_keys": False, "explicit_start": True, "explicit_end": True},
    "versioned": {"sort_keys": False, "version": (1, 1)},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(cassette=cassettes())
@settings(max_examples=40)
def test_another_spelling_of_the_same_document_loads_the_same(spelling, cassette):
    document = yaml.load(cassette_text(cassette), yaml.CSafeLoader)
    respelled = yaml.safe_dump(document, **{"allow_unicode": True, **SPELLINGS[spelling]})
    # PyYAML folds a raw U+0085 that it wrote itself; that is no spelling of the same data.
    assume(yaml.load(respelled, yaml.CSafeLoader) == document)
    assert said(loads(respelled, PATH)) == said(cassette)
    assert said(loads(respelled.replace("\n", "\r\n"), PATH)) == said(cassette)


@given(cassettes())
@settings(max_examples=40)
def test_comments_change_nothing(cassette):
    text = cassette_text(cassette)
    commented = "# a note\n\n" + text.replace("\n- ", "\n# between\n- ") + "# the end\n"
    assert said(loads(commented, PATH)) == said(cassette)
    assert said(loads(text.replace("\n- ", "\n\n- "), PATH)) == said(cassette)


def _unordered(entry: Entry) -> object:
    if not isinstance(entry, Request):
        return (type(entry), getattr(entry, "headers", None) and sorted(entry.headers), entry.at_us)
    try:
        body: object = json.dumps(json.loads(entry.body.content or b""), sort_keys=True)
    except ValueError:
        body = entry.body
    return entry.method, entry.target, sorted(entry.headers), body


@given(cassettes())
@settings(max_examples=40)
def test_sorted_keys_change_no_more_than_the_order_in_json_and_headers(cassette):
    document = yaml.load(cassette_text(cassette), yaml.CSafeLoader)
    respelled = yaml.safe_dump(document, sort_keys=True)
    loaded = loads(respelled, PATH)
    assert loaded.recorded == cassette.recorded
    assert [*map(_unordered, loaded.entries)] == [*map(_unordered, cassette.entries)]
    assert [e for e in loaded.entries if isinstance(e, Chunk)] == [
        e for e in cassette.entries if isinstance(e, Chunk)
    ]


@given(cassette=cassettes())
@settings(max_examples=20)
def test_a_file_gives_what_its_text_gives(tmp_path_factory, cassette):
    path = tmp_path_factory.mktemp("cassettes") / "some.yaml"
    path.write_text(cassette_text(cassette), encoding="utf-8")
    assert said(load(path)) == said(cassette)


def test_a_time_of_another_zone_is_written_in_utc():
    recorded = datetime(2026, 11, 22, 12, 31, 2, 5, tzinfo=timezone(timedelta(hours=2)))
    text = cassette_text(Cassette("some", recorded, "http://x", ()))
    assert "recorded: 2026-11-22T10:31:02.000005Z\n" in text
    assert loads(text, PATH).recorded == recorded
