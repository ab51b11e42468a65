import base64
import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.writer import (
    cassette_text,
    chunk_text,
    chunks_text,
    entry_text,
    header_text,
)
from wiretape.core.model import (
    EMPTY_BODY,
    Body,
    Cassette,
    Chunk,
    End,
    Headers,
    Outcome,
    Request,
    Response,
)

RECORDED = datetime(2026, 11, 22, 10, 31, 2, 123_456, tzinfo=UTC)
BODY = (
    b'{"model":"qwen2.5-coder:7b-instruct-q8_0","stream":true,'
    b'"messages":[{"role":"user","content":"list the files"}]}'
)


def request(content: bytes, headers: Headers = ()) -> str:
    return entry_text(Request(1, 0, "POST", "/v1/chat/completions", headers, Body.of(content)))


def length(content: bytes) -> Headers:
    return (("Content-Length", str(len(content))),)


def test_a_cassette_looks_as_the_format_shows_it():
    event = '{"id":"chatcmpl-18","object":"chat.completion.chunk"}'
    headers = (
        ("Content-Type", "application/json"),
        ("Authorization", "REDACTED"),
        *length(BODY),
    )
    cassette = Cassette(
        "x",
        RECORDED,
        "http://127.0.0.1:11434",
        (
            Request(1, 0, "POST", "/v1/chat/completions", headers, Body.of(BODY)),
            Response(1, 411_021, 200, (("Content-Type", "text/event-stream"),)),
            Chunk(1, 412_345, f"data: {event}\n\n".encode()),
            Chunk(1, 592_345, f"data: {event}\n\ndata: [DONE]\n\n".encode()),
            End(1, 592_391, Outcome.COMPLETE),
        ),
    )
    assert cassette_text(cassette) == (
        "wiretape: 1\n"
        "recorded: 2026-11-22T10:31:02.123456Z\n"
        "upstream: http://127.0.0.1:11434\n"
        "entries:\n"
        "- request: 1\n"
        "  at: 0.000000\n"
        "  method: POST\n"
        "  target: /v1/chat/completions\n"
        "  headers: {Content-Type: application/json, Authorization: REDACTED,"
        " Content-Length: 112}\n"
        "  json:\n"
        "    model: qwen2.5-coder:7b-instruct-q8_0\n"
        "    stream: true\n"
        "    messages:\n"
        "    - {role: user, content: list the files}\n"
        "- response: 1\n"
        "  at: 0.411021\n"
        "  status: 200\n"
        "  headers: {Content-Type: text/event-stream}\n"
        f"- {{chunk: 1, at: 0.412345, sse: '{event}'}}\n"
        f"- {{chunk: 1, at: 0.592345, sse: ['{event}', '[DONE]']}}\n"
        "- {end: 1, at: 0.592391, outcome: complete}\n"
    )


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"data: it's\n\n", "sse: 'it''s'"),
        (b"data: \n\n", "sse: ''"),
        (b"data: a\n\ndata: b\n\n", "sse: ['a', 'b']"),
        (b"event: ping\ndata: a\n\n", "sse: {event: ping, data: 'a'}"),
        (b"event: no\ndata: a\n\n", "sse: {event: 'no', data: 'a'}"),
        (b"event: \ndata: a\n\ndata: b\n\n", "sse: [{event: '', data: 'a'}, 'b']"),
        (b"data: a\xc2\x85\n\n", 'sse: "a\\u0085"'),
        (b"data: \xc2\xa0\xe2\x80\x8d\n\n", "sse: '\u00a0\u200d'"),
        (b'{"a":1}\n', "ndjson: '{\"a\":1}'"),
        (b"[1]\n{}\n", "ndjson: ['[1]', '{}']"),
        (b'{"a":1}', "text: '{\"a\":1}'"),
        (b"a\n", 'text: "a\\n"'),
        (b"{}\n\n", 'text: "{}\\n\\n"'),
        (b"{}\r\n", 'text: "{}\\r\\n"'),
        (b"", "text: ''"),
        (b"data: a\n", 'text: "data: a\\n"'),
        (b"data:a\n\n", 'text: "data:a\\n\\n"'),
        (b"data: a\r\n\r\n", 'text: "data: a\\r\\n\\r\\n"'),
        (b"data: a\rb\n\n", 'text: "data: a\\rb\\n\\n"'),
        (b"data: a\n\n\ndata: b\n\n", 'text: "data: a\\n\\n\\ndata: b\\n\\n"'),
        (b"data: a\ndata: b\n\n", 'text: "data: a\\ndata: b\\n\\n"'),
        (b"id: 1\ndata: a\n\n", 'text: "id: 1\\ndata: a\\n\\n"'),
        (b": ping\n\n", 'text: ": ping\\n\\n"'),
        (b"data: \xe2\x82\n\n", "base64: 'ZGF0YTog4oIKCg=='"),
        (b"\x00\xff", "base64: 'AP8='"),
    ],
)
def test_a_chunk_takes_the_most_readable_form_that_is_exact(data, form):
    assert chunk_text(7, 1_000_002, data) == f"- {{chunk: 7, at: 1.000002, {form}}}\n"
    part = f"- {{chunk: 7, at: 1.000002, {form}, part: true}}\n"
    assert chunk_text(7, 1_000_002, data, part=True) == part
    assert entry_text(Chunk(7, 1_000_002, data, part=True)) == part


EVENTS = st.text(st.sampled_from("ab'\n\r\t\0\x7f\u0085é: "), max_size=6).map(
    lambda text: f"data: {text}\n\n".encode()
)


@given(st.lists(st.tuples(EVENTS | st.binary(max_size=8), st.booleans() | st.just(value=False))))
def test_chunks_together_are_written_as_each_by_itself(pieces: list[tuple[bytes, bool]]):
    each = [chunk_text(7, 1_000_001, data, part) for data, part in pieces]
    assert chunks_text(7, 1_000_001, pieces) == "".join(each)


@pytest.mark.parametrize("byte", range(256))
def test_no_byte_is_taken_for_plain_that_is_not(byte: int):
    pieces = [(b"data: %c\n\n" % byte, False), *[(b"data: it's\n\n", False)] * 3]
    each = [chunk_text(1, 0, data, part) for data, part in pieces]
    assert chunks_text(1, 0, pieces) == "".join(each)


@pytest.mark.parametrize("torn", range(5))
def test_a_part_among_plain_events_is_told(torn: int):
    pieces = [(b"data: it's\n\n", index == torn) for index in range(5)]
    each = [chunk_text(1, 0, data, part) for data, part in pieces]
    assert chunks_text(1, 0, pieces) == "".join(each)


@pytest.mark.parametrize("content", [b"{}", b"[]", b"1", b"null", b'"a"', BODY])
def test_json_bodies_are_json(content):
    assert "\n  json:" in request(content)


@pytest.mark.parametrize("content", [b"{} ", b'{"a":1,"a":2}', b"1e5", b'{"a": 1}', b"[NaN]"])
def test_json_that_would_change_is_text(content):
    assert f"\n  text: '{content.decode()}'\n" in request(content) or "text: 1e5" in request(
        content
    )


def test_a_body_in_python_style_is_json_where_its_length_says_so():
    content = b'{"a": 1, "b": [1, 2]}'
    assert "\n  json:\n    a: 1\n    b: [1, 2]\n" in request(content, length(content))
    assert "\n  text: " in request(content)


def test_a_text_of_several_lines_stands_as_it_is():
    content = b"--x\n  a\n--x--\n"
    assert request(content, length(content)).endswith("  text: |\n    --x\n      a\n    --x--\n")
    assert '  text: "a\\r\\nb"\n' in request(b"a\r\nb")


def test_a_body_that_is_no_text_is_base64():
    content = b"\x1f\x8b\x00"
    expected = f"  base64: '{base64.b64encode(content).decode()}'\n"
    assert request(content, length(content)).endswith(expected)


def test_an_empty_body_has_no_key():
    assert request(b"").endswith("  headers: {}\n")
    assert request(b"", (("Content-Length", "0"),)).endswith("  headers: {Content-Length: 0}\n")


def test_a_body_over_the_limit_is_its_digest():
    digest = hashlib.sha256(b"x").hexdigest()
    entry = Request(1, 0, "PUT", "/", (), Body(None, 1, digest))
    assert f"  sha256: '{digest}'\n  length: 1\n" in entry_text(entry)


def test_headers_close_an_entry_whose_length_is_not_declared():
    assert request(b"{}").endswith("  json: {}\n  headers: {}\n")
    assert request(b"", (("Content-Length", "5"),)).endswith(
        "  text: ''\n  headers: {Content-Length: 5}\n"
    )


def test_headers_that_do_not_fit_take_a_line_each_within_their_braces():
    fields = tuple((f"X-{letter * 20}", letter * 20) for letter in "abc")
    assert request(b"", fields).endswith(
        "  headers: {\n"
        "    X-aaaaaaaaaaaaaaaaaaaa: aaaaaaaaaaaaaaaaaaaa,\n"
        "    X-bbbbbbbbbbbbbbbbbbbb: bbbbbbbbbbbbbbbbbbbb,\n"
        "    X-cccccccccccccccccccc: cccccccccccccccccccc}\n"
    )


def test_a_repeated_header_is_a_list_at_its_first_place():
    fields = (("A", "1"), ("B", "01"), ("A", ""), ("a", "x, y"))
    assert "headers: {A: [1, ''], B: '01', a: 'x, y'}\n" in request(b"", fields)


def test_an_endless_header_name_is_an_explicit_key():
    assert f"headers: {{\n    ? {'a' * 2000} : b}}\n" in request(b"", (("a" * 2000, "b"),))


def test_bytes_that_were_decoded_to_surrogates_can_be_written():
    entry = Request(1, 0, "GET", "/\udcff?é", (("A", "b\udce9é"), ("C", "\ud800")), EMPTY_BODY)
    text = entry_text(entry)
    assert "target: '/%FF?é'\n" in text
    assert "A: 'bé\u00c3©'" in text
    assert text.encode()


def test_an_upstream_of_any_kind_can_be_written():
    assert header_text(RECORDED, "http://x: y").endswith("\nupstream: 'http://x: y'\nentries:\n")
