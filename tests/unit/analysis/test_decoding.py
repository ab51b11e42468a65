import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.analysis.streams import JSON, NDJSON, SSE, sse
from wiretape.analysis import encodings
from wiretape.analysis.decoding import Decoder, decode
from wiretape.analysis.events import DEEPEST, MISSING, EventKind, parse_json

BODY = b"".join(sse({"a": 1}, {"b": "é🙂"}, "[DONE]"))


def coded(*names: object):
    return (*SSE, *(("Content-Encoding", name) for name in names))


def split(data, size):
    return [data[start : start + size] for start in range(0, len(data), size)]


def deflate_raw(data):
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def texts(events):
    return [event.data for event in events]


def test_sse_events_carry_parsed_json_and_chunks():
    events = decode(sse({"a": 1}, "[DONE]"), SSE)
    assert [(e.data, e.json, e.first_chunk, e.last_chunk, e.kind, e.error) for e in events] == [
        ('{"a":1}', {"a": 1}, 0, 0, EventKind.SSE, None),
        ("[DONE]", MISSING, 1, 1, EventKind.SSE, None),
    ]


def test_null_is_a_value_and_not_missing():
    (event,) = decode([b"null"], JSON)
    assert event.json is None


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize(
    ("names", "encoded"),
    [
        (["gzip"], gzip.compress(BODY, mtime=0)),
        (["x-gzip"], gzip.compress(BODY[:20], mtime=0) + gzip.compress(BODY[20:], mtime=0)),
        (["deflate"], zlib.compress(BODY)),
        (["deflate"], deflate_raw(BODY)),
        (["identity"], BODY),
        (["deflate, gzip"], gzip.compress(zlib.compress(BODY), mtime=0)),
        (["deflate", "gzip"], gzip.compress(zlib.compress(BODY), mtime=0)),
    ],
)
def test_codings_are_undone_however_the_bytes_are_split(names, encoded, size):
    events = decode(split(encoded, size), coded(*names))
    assert texts(events) == texts(decode([BODY], SSE))
    assert [event.error for event in events] == [None] * 3


def test_events_of_an_encoded_stream_know_the_chunk_that_brought_them():
    compressor = zlib.compressobj(wbits=31)
    chunks = [
        compressor.compress(event) + compressor.flush(zlib.Z_SYNC_FLUSH)
        for event in sse({"a": 1}, {"b": 2})
    ]
    events = decode([*chunks, compressor.flush()], coded("gzip"))
    assert [event.last_chunk for event in events] == [0, 1]


def test_compressed_data_that_stops_gives_what_came_and_says_so():
    events = decode([gzip.compress(BODY)[:-9]], coded("gzip"))
    assert events[0].json == {"a": 1}
    assert events[-1].error == "content-encoding: the compressed data stops in the middle"


def test_compressed_data_that_turns_to_garbage_gives_what_came_before_it():
    compressor = zlib.compressobj(wbits=31)
    good = compressor.compress(BODY) + compressor.flush(zlib.Z_SYNC_FLUSH)
    events = decode([good + b"\xff" * 40], coded("gzip"))
    assert texts(events)[:3] == texts(decode([BODY], SSE))
    assert events[-1].kind is EventKind.BINARY
    assert events[-1].error.startswith("content-encoding: Error -3")
    assert (events[-1].first_chunk, events[-1].offset) == (0, 0)


def test_a_coding_nobody_knows_leaves_the_bytes_and_says_so():
    (event,) = decode([b"\x01", b"\x02"], coded("sdch"))
    assert event.error == "content-encoding: the content coding 'sdch' is not known"
    assert (event.data, event.first_chunk, event.last_chunk) == ("\x01\x02", 0, 1)


@pytest.mark.parametrize("name", ["br", "zstd"])
def test_a_coding_without_its_library_leaves_the_bytes_and_says_so(name, monkeypatch):
    def nothing(module):
        raise ImportError(module)

    monkeypatch.setattr(encodings.importlib, "import_module", nothing)
    (event,) = decode([b"\x01"], coded(name))
    assert event.error.startswith(f"content-encoding: {name} cannot be decoded here: none of")
    assert event.data == "\x01"


class Reverser:
    fed = False

    def decompress(self, data):
        if b"!" in data:
            raise RuntimeError("no")
        self.fed = True
        return data[::-1]


def test_a_coding_with_a_library_is_undone_by_it(monkeypatch):
    class Library:
        Decompressor = Reverser

    monkeypatch.setattr(encodings.importlib, "import_module", lambda _name: Library)
    assert texts(decode([b"\n\n1 :atad"], coded("br"))) == ["1"]
    (event,) = decode([b"!"], coded("br"))
    assert event.error == "content-encoding: br: no"


@pytest.mark.parametrize(
    ("member", "yes", "no"),
    [
        ("eof", property(lambda self: self.fed), False),
        ("is_finished", staticmethod(lambda: True), staticmethod(lambda: False)),
    ],
    ids=["zstd", "br"],
)
def test_a_library_that_can_tell_is_asked_whether_all_came(member, yes, no, monkeypatch):
    class Library:
        Decompressor = Reverser

    monkeypatch.setattr(encodings.importlib, "import_module", lambda _name: Library)
    monkeypatch.setattr(Reverser, member, yes, raising=False)
    assert [event.error for event in decode([b"\n\n1 :atad"], coded("br"))] == [None]
    monkeypatch.setattr(Reverser, member, no)
    event, broken = decode([b"\n\n1 :atad"], coded("br"))
    assert (event.data, event.error) == ("1", None)
    assert broken.error == f"content-encoding: {encodings.STOPPED}"


def test_what_a_library_leaves_over_is_not_taken_for_nothing(monkeypatch):
    class Library:
        ZstdDecompressor = Reverser

    monkeypatch.setattr(encodings.importlib, "import_module", lambda _name: Library)
    monkeypatch.setattr(Reverser, "unused_data", b"frame", raising=False)
    event, broken = decode([b"\n\n1 :atad"], coded("zstd"))
    assert event.data == "1"
    assert broken.error == "content-encoding: zstd: what follows its end is not decoded"


def test_what_comes_after_a_library_has_told_its_end_is_not_taken_for_nothing(monkeypatch):
    class Library:
        ZstdDecompressor = Reverser

    monkeypatch.setattr(encodings.importlib, "import_module", lambda _name: Library)
    monkeypatch.setattr(Reverser, "eof", property(lambda self: self.fed), raising=False)
    event, broken = decode([b"\n\n1 :atad", b"frame"], coded("zstd"))
    assert event.data == "1"
    assert broken.error == "content-encoding: zstd: what follows its end is not decoded"


def test_a_small_body_that_holds_a_huge_one_is_given_to_a_library_bit_by_bit(monkeypatch):
    came = 0

    class Bomb:
        def decompress(self, data):
            nonlocal came
            came += len(data) * 1000
            return b"a" * (len(data) * 1000)

    class Library:
        Decompressor = Bomb

    monkeypatch.setattr(encodings.importlib, "import_module", lambda _name: Library)
    monkeypatch.setattr(encodings, "LARGEST", 200_000)
    assert decode([b"x" * 10_000], coded("br"))[-1].error.endswith(encodings.TOO_MUCH)
    assert came <= encodings.LARGEST + 1000 * encodings.FOREIGN_STEP


def test_what_a_library_gave_before_it_failed_is_kept(monkeypatch):
    class Library:
        Decompressor = Reverser

    monkeypatch.setattr(encodings.importlib, "import_module", lambda _name: Library)
    body = b"\n\n1 :atad".ljust(encodings.FOREIGN_STEP, b"\n") + b"!"
    event, broken = decode([body], coded("br"))
    assert event.data == "1"
    assert broken.error == "content-encoding: br: no"


def test_what_follows_the_end_of_compressed_data_is_left_alone():
    for name, encoded in (("gzip", gzip.compress(BODY)), ("deflate", zlib.compress(BODY))):
        assert texts(decode([encoded + b"junk"], coded(name))) == texts(decode([BODY], SSE))


def test_a_library_that_gives_no_bytes_or_too_many_is_stopped(monkeypatch):
    class Odd:
        def decompress(self, data):
            return None if data == b"none" else b"data: 1\n\n"

    class Library:
        Decompressor = Odd

    monkeypatch.setattr(encodings.importlib, "import_module", lambda _name: Library)
    assert decode([b"none"], coded("br"))[-1].error.endswith("the library gave no bytes")
    monkeypatch.setattr(encodings, "LARGEST", 10)
    events = decode([b"x", b"y"], coded("br"))
    assert texts(events) == ["1", "1", "y"]
    assert events[-1].error.endswith(encodings.TOO_MUCH)


def test_garbage_after_a_long_good_part_does_not_take_it_along():
    compressor = zlib.compressobj(level=0, wbits=31)
    good = compressor.compress(BODY * 200) + compressor.flush(zlib.Z_SYNC_FLUSH)
    events = decode([good + b"\xff" * 40], coded("gzip"))
    assert [event.error for event in events[:-1]] == [None] * 600


def test_a_small_body_that_holds_a_huge_one_is_cut(monkeypatch):
    monkeypatch.setattr(encodings, "LARGEST", 1000)
    events = decode([gzip.compress(b"data: 1\n\n" * 10_000)], coded("gzip"))
    assert len(events) < 120
    assert events[-1].error == f"content-encoding: {encodings.TOO_MUCH}"


def test_thousands_of_tiny_members_end_soon():
    events = decode([gzip.compress(b"") * 30_000], coded("gzip"))
    assert "gzip members" in events[-1].error


def test_a_head_without_a_body_has_no_events():
    assert decode([], coded("gzip")) == []


@pytest.mark.parametrize(
    ("headers", "body", "kinds"),
    [
        (JSON, b'{"a":1}', [EventKind.JSON]),
        ((("content-type", "application/problem+json"),), b"{}", [EventKind.JSON]),
        (NDJSON, b"{}\n{}\n", [EventKind.NDJSON] * 2),
        ((), b"data: {}\n\ndata: 1\n\n", [EventKind.SSE] * 2),
        ((("Content-Type", "text/plain"),), b'{"a":1}\n{"b":2}\n', [EventKind.NDJSON] * 2),
        (JSON, b'{"a":1}\n{"b":2}\n', [EventKind.NDJSON] * 2),
        (JSON, b"data: {}\n\n", [EventKind.SSE]),
        ((("Content-Type", "text/plain"),), b"Ollama is running", [EventKind.TEXT]),
        ((("Content-Type", "text/html"),), b"data: {}\n\n", [EventKind.TEXT]),
        ((("Content-Type", "image/png"),), b"\x89PNG\xff", [EventKind.BINARY]),
        ((("Content-Type", "text/plain"),), b"\xff", [EventKind.TEXT]),
        (JSON, b"  ", [EventKind.JSON]),
    ],
)
def test_the_type_says_how_a_body_is_read_and_its_looks_where_the_type_says_little(
    headers, body, kinds
):
    assert [event.kind for event in decode(split(body, 3), headers)] == kinds


def test_a_whole_json_body_spans_all_its_chunks():
    (event,) = decode([b'{"a"', b":", b"1}"], JSON)
    assert (event.json, event.first_chunk, event.last_chunk) == ({"a": 1}, 0, 2)


def test_a_whole_json_body_that_stops_is_salvaged():
    (event,) = decode([b'{"message":{"content":"Hello wor'], JSON)
    assert event.error == "truncated or not JSON"
    assert event.json == {"message": {"content": "Hello wor"}}


def test_a_garbled_ndjson_line_does_not_hide_the_others():
    events = decode([b'{"a":1}\n{"b"\n{"c":3}\n{"response":"d'], NDJSON)
    assert [event.error for event in events] == [
        None,
        "not JSON",
        None,
        "truncated: the stream ended inside this line",
    ]
    assert events[3].json == {"response": "d"}
    assert events[3].offset == 21


def test_json_that_could_not_be_walked_is_not_parsed():
    assert parse_json("[" * 100_000) is MISSING
    assert parse_json("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)) is MISSING
    assert parse_json("[" * DEEPEST + "]" * DEEPEST) is not MISSING
    assert parse_json("[" + '"[",' * 500 + "1]") is not MISSING
    assert parse_json("1" * 5000) is MISSING


def test_nan_is_read_as_null_unless_strict():
    assert parse_json('{"a":NaN,"b":-Infinity}') == {"a": None, "b": None}
    assert parse_json('{"a":NaN}', strict=True) is MISSING


@given(
    chunks=st.lists(st.binary(max_size=30), max_size=6),
    kind=st.sampled_from(
        ["text/event-stream", "application/x-ndjson", "application/json", "", "x"]
    ),
    coding=st.sampled_from(["", "gzip", "deflate", "br", "zstd", "gzip, deflate", "?"]),
)
def test_no_bytes_make_decoding_raise(chunks, kind, coding):
    headers = (("Content-Type", kind), ("Content-Encoding", coding))
    for event in decode(chunks, headers):
        assert 0 <= event.first_chunk <= event.last_chunk < len(chunks)


@given(body=st.binary(max_size=80), size=st.integers(1, 9))
def test_chunks_give_the_same_events_as_the_whole(body, size):
    def content(events):
        return [(e.data, e.event, e.json, e.kind, e.error, e.offset) for e in events]

    for headers in (SSE, NDJSON, JSON, ()):
        assert content(decode(split(body, size), headers)) == content(decode([body], headers))


def test_a_decoder_gives_each_event_with_the_chunk_that_completes_it():
    decoder = Decoder(SSE)
    assert [len(decoder.feed(chunk)) for chunk in (b"data: 1\n", b"\nda", b"ta: 2\n\n")] == [
        0,
        1,
        1,
    ]
    assert decoder.finish() == []
