import hashlib

import pytest

from wiretape.cassette.entries import entry_of
from wiretape.cassette.nodes import Events, NodeError
from wiretape.core.model import EMPTY_BODY, Body, Chunk, End, Entry, Outcome, Request, Response

REQUEST = "request: 1, at: 0, method: GET, target: /"


def entry(text: str) -> Entry:
    events = Events(text)
    return entry_of(events.node(events.start()))


def data(form: str) -> bytes:
    chunk = entry(f"{{chunk: 1, at: 0, {form}}}")
    assert isinstance(chunk, Chunk)
    return chunk.data


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("sse: 12", b"data: 12\n\n"),
        ("sse: ''", b"data: \n\n"),
        ("sse: {data: no}", b"data: no\n\n"),
        ("sse: {data: a, event: b}", b"event: b\ndata: a\n\n"),
        ("sse: [a, {event: b, data: c}]", b"data: a\n\nevent: b\ndata: c\n\n"),
        ("sse: ~", b"data: ~\n\n"),
        ("ndjson: '{}'", b"{}\n"),
        ("ndjson: [a, b]", b"a\nb\n"),
        ("text: é", "é".encode()),
        ('text: "a\\r\\nb"', b"a\r\nb"),
        ("text: ", b""),
        ("base64: /w==", b"\xff"),
    ],
)
def test_a_chunk_in_any_form_is_its_bytes(form, expected):
    assert data(form) == expected


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("sse: {event: a}", "`sse` must be a text"),
        ("sse: {id: 1, data: a}", "unknown key 'id' in `sse`"),
        ("sse: []", "an empty list"),
        ("sse: [[a]]", "`sse` must be a text"),
        ("sse: {data: {a: b}}", "must be a text"),
        ('sse: "a\\nb"', "write the whole chunk as `text`"),
        ('sse: {event: "a\\r", data: b}', "must be one line"),
        ('ndjson: "a\\n"', "must be one line"),
        ("ndjson: {a: b}", "must be a text"),
        ("text: [a]", "must be a text"),
        ("base64: '*'", "cannot be decoded"),
        ("sse: a, text: b", "several bodies: sse, text"),
        ("part: true", "the chunk has none of"),
        ("text: a, part: maybe", "`part` must be true or false"),
        ("txt: a", "unknown key 'txt' in a chunk (known: chunk, at, sse,"),
        ("text: a, status: 200", "unknown key 'status' in a chunk"),
    ],
)
def test_a_wrong_chunk_is_refused_with_the_reason(form, reason):
    with pytest.raises(NodeError) as caught:
        entry(f"{{chunk: 1, at: 0, {form}}}")
    assert reason in caught.value.reason


def test_a_part_says_so():
    assert entry("{part: yes, chunk: 2, at: 1.5, text: a}") == Chunk(2, 1_500_000, b"a", part=True)


def test_requests_and_heads_and_ends_are_read_in_any_key_order():
    text = "{headers: {A: 1}, text: hi, target: /x, method: POST, at: 1, request: 3}"
    assert entry(text) == Request(3, 10**6, "POST", "/x", (("A", "1"),), Body.of(b"hi"))
    assert entry("{at: 0, headers: {}, status: 404, response: 1}") == Response(1, 0, 404, ())
    assert entry("{at: 0, outcome: complete, end: 1}") == End(1, 0, Outcome.COMPLETE)
    assert entry(f"{{{REQUEST}}}") == Request(1, 0, "GET", "/", (), EMPTY_BODY)


def test_a_json_body_edited_by_hand_is_compact():
    request = entry(f"{{{REQUEST}, json: {{a: [1, é]}}, headers: {{Content-Length: 99}}}}")
    assert isinstance(request, Request)
    assert request.body == Body.of('{"a":[1,"é"]}'.encode())


def test_a_body_over_the_limit_is_its_digest():
    digest = hashlib.sha256(b"x").hexdigest()
    request = entry(f"{{{REQUEST}, sha256: {digest}, length: 1}}")
    assert isinstance(request, Request)
    assert request.body == Body(None, 1, digest)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a", "an entry must be a mapping"),
        ("{at: 0}", "this is none"),
        ("{chunk: 1, end: 1, at: 0}", "this is chunk and end"),
        ("{request: 0, at: 0, method: GET, target: /}", "numbered from 1"),
        ("{request: x, at: 0, method: GET, target: /}", "must be a whole number"),
        ("{request: 1, method: GET, target: /}", "the request has no 'at'"),
        ("{request: 1, at: 0, target: /}", "the request has no 'method'"),
        ("{request: 1, at: 0, method: GET}", "the request has no 'target'"),
        (f"{{{REQUEST}, json: .nan}}", "JSON has no"),
        (f"{{{REQUEST}, json: 1, text: a}}", "several bodies: json, text"),
        (f"{{{REQUEST}, sha256: ab, length: 1}}", "64 lower-case hex digits"),
        (f"{{{REQUEST}, sha256: {'a' * 64}}}", "the request has no 'length'"),
        (f"{{{REQUEST}, length: 1}}", "`length` belongs to `sha256`"),
        ("{response: 1, at: 0}", "the response has no 'status'"),
        ("{response: 1, at: 0, status: 99}", "must have three digits, not 99"),
        ("{response: 1, at: 0, status: 1000}", "must have three digits"),
        ("{end: 1, at: 0}", "the end has no 'outcome'"),
        ("{end: 1, at: 0, outcome: done}", "`outcome` must be one of complete, client_disc"),
    ],
)
def test_a_wrong_entry_is_refused_with_the_reason(text, reason):
    with pytest.raises(NodeError) as caught:
        entry(text)
    assert reason in caught.value.reason
