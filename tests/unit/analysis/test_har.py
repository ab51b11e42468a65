"""HAR 1.2: every member that the format wants, with what was recorded."""

import base64
import gzip
import json
import zlib
from dataclasses import replace

import pytest

from unit.analysis.streams import JSON, cassette, chat_chunk, entries, sse
from wiretape.analysis import encodings
from wiretape.analysis.har import har
from wiretape.core.model import Body, Outcome, Request

# http://www.softwareishard.com/blog/har-12-spec/: the members that are not optional.
WANTED = {
    "log": {"version": str, "creator": dict, "entries": list},
    "creator": {"name": str, "version": str},
    "entry": {
        "startedDateTime": str,
        "time": float,
        "request": dict,
        "response": dict,
        "cache": dict,
        "timings": dict,
    },
    "request": {
        "method": str,
        "url": str,
        "httpVersion": str,
        "cookies": list,
        "headers": list,
        "queryString": list,
        "headersSize": int,
        "bodySize": int,
    },
    "response": {
        "status": int,
        "statusText": str,
        "httpVersion": str,
        "cookies": list,
        "headers": list,
        "content": dict,
        "redirectURL": str,
        "headersSize": int,
        "bodySize": int,
    },
    "content": {"size": int, "mimeType": str},
    "timings": {"send": float, "wait": float, "receive": float},
    "postData": {"mimeType": str, "text": str},
}

TEXT = '{"a": "é"}'.encode() * 50


def checked(kind, value):
    for name, type_ in WANTED[kind].items():
        given = value[name]
        assert isinstance(given, (int, float) if type_ is float else type_), name
        assert not isinstance(given, bool)
    return value


def entries_of(*groups: object):
    log = checked("log", har([cassette(*groups)], "1.2.3")["log"])
    assert log["version"] == "1.2"
    assert checked("creator", log["creator"]) == {"name": "wiretape", "version": "1.2.3"}
    for entry in log["entries"]:
        checked("entry", entry)
        checked("request", entry["request"])
        checked("response", entry["response"])
        checked("content", entry["response"]["content"])
        timings = checked("timings", entry["timings"])
        assert entry["time"] == pytest.approx(sum(timings.values()))
        if "postData" in entry["request"]:
            checked("postData", entry["request"]["postData"])
        for each in (*entry["request"]["headers"], *entry["request"]["queryString"]):
            assert set(each) == {"name", "value"}
    json.dumps(log, allow_nan=False)
    return log["entries"]


def test_an_exchange_has_its_times_bodies_and_chunks():
    chunks = sse(chat_chunk({"content": "é"}), "[DONE]")
    group = entries(chunks, asked={"a": "é"}, target="/v1/chat/completions?x=1&y=&y=%20")
    (entry,) = entries_of(group)
    assert entry["startedDateTime"] == "2025-04-12T08:21:15.123456Z"
    assert entry["timings"] == {"send": 0, "wait": 10.0, "receive": 21.0}
    request, response = entry["request"], entry["response"]
    assert request["queryString"] == [
        {"name": "x", "value": "1"},
        {"name": "y", "value": ""},
        {"name": "y", "value": " "},
    ]
    assert request["url"].endswith("/v1/chat/completions?x=1&y=&y=%20")
    assert request["postData"] == {
        "mimeType": "application/json; charset=utf-8",
        "text": '{"a":"é"}',
    }
    assert response["content"]["text"].encode() == b"".join(chunks)
    assert response["content"]["mimeType"] == "text/event-stream"
    assert (response["status"], response["statusText"]) == (200, "OK")
    assert entry["_chunks"] == [
        {"time": 20.0, "size": len(chunks[0])},
        {"time": 30.0, "size": len(chunks[1])},
    ]


def test_bytes_that_are_no_text_are_base64():
    (entry,) = entries_of(entries([b"\xff\x00"], JSON))
    assert entry["response"]["content"] == {
        "size": 2,
        "mimeType": JSON[0][1],
        "text": "/wA=",
        "encoding": "base64",
    }


def coded(*names: str):
    return (*JSON, ("Content-Encoding", ", ".join(names)))


def asked_in(content: bytes, *names: str):
    """The entry of a request with an encoded body."""
    request, *rest = entries([b"{}"], JSON)
    asked = replace(request, headers=coded(*names), body=Body.of(content))
    (entry,) = entries_of([asked, *rest])
    return entry["request"]


@pytest.mark.parametrize(
    ("names", "encoded"),
    [
        (("gzip",), gzip.compress(TEXT)),
        (("X-GZip",), gzip.compress(TEXT)),
        (("deflate",), zlib.compress(TEXT)),
        (("deflate", "gzip"), gzip.compress(zlib.compress(TEXT))),
    ],
    ids=["gzip", "X-GZip", "deflate", "both"],
)
def test_an_encoded_body_stands_as_it_reads_with_what_the_coding_saved(names, encoded):
    (entry,) = entries_of(entries([encoded[:30], encoded[30:]], coded(*names)))
    assert entry["response"]["content"] == {
        "size": len(TEXT),
        "compression": len(TEXT) - len(encoded),
        "mimeType": JSON[0][1],
        "text": TEXT.decode(),
    }
    assert entry["response"]["bodySize"] == len(encoded)
    assert sum(chunk["size"] for chunk in entry["_chunks"]) == len(encoded)
    request = asked_in(encoded, *names)
    assert request["postData"] == {"mimeType": JSON[0][1], "text": TEXT.decode()}
    assert request["bodySize"] == len(encoded)


def test_an_encoded_body_that_is_no_text_is_base64_of_what_was_encoded():
    encoded = gzip.compress(b"\xff\x00")
    (entry,) = entries_of(entries([encoded], coded("gzip")))
    content = entry["response"]["content"]
    assert (content["text"], content["encoding"]) == ("/wA=", "base64")
    assert (content["size"], content["compression"]) == (2, 2 - len(encoded))
    posted = asked_in(encoded, "gzip")["postData"]
    assert (posted["text"], posted["_encoding"]) == ("/wA=", "base64")


def test_each_chunk_may_be_a_gzip_member_however_many_there_are(monkeypatch):
    monkeypatch.setattr(encodings, "MOST_MEMBERS", 2)
    (entry,) = entries_of(entries([gzip.compress(b"a")] * 5, coded("gzip")))
    assert entry["response"]["content"]["text"] == "aaaaa"


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("gzip", gzip.compress(TEXT)[:-9]),
        ("gzip", b"\x1f\x8b\xff"),
        ("sdch", b"\xff\x00"),
        ("gzip", gzip.compress(bytes(5000))),
        ("zstd", b"\xff\x00"),
    ],
    ids=["stops", "broken", "unknown", "too-large", "no-library"],
)
def test_what_cannot_be_decoded_stands_as_it_came(name, body, monkeypatch):
    def nothing(module):
        raise ImportError(module)

    monkeypatch.setattr(encodings, "LARGEST", 1000)
    monkeypatch.setattr(encodings.importlib, "import_module", nothing)
    (entry,) = entries_of(entries([body], coded(name)))
    text = base64.b64encode(body).decode()
    assert entry["response"]["content"] == {
        "size": len(body),
        "mimeType": JSON[0][1],
        "text": text,
        "encoding": "base64",
    }
    posted = asked_in(body, name)["postData"]
    assert posted == {"mimeType": JSON[0][1], "text": text, "_encoding": "base64"}


def test_an_encoded_answer_without_a_body_saved_nothing():
    (entry,) = entries_of(entries([], coded("gzip"), status=304))
    assert entry["response"]["content"] == {"size": 0, "mimeType": JSON[0][1], "text": ""}


def test_what_had_no_answer_has_status_0():
    group = entries([], status=None, outcome=Outcome.UPSTREAM_UNREACHABLE)
    (entry,) = entries_of(group)
    assert (entry["response"]["status"], entry["_outcome"]) == (0, "upstream_unreachable")


def test_a_body_that_was_not_kept_is_said_not_to_be():
    body = Body(None, 5, "ab" * 32)
    request, *rest = entries([b"{}"], JSON)
    kept = Request(1, request.at_us, "POST", "/x", (), body)
    (entry,) = entries_of([kept, *rest])
    assert entry["request"]["bodySize"] == 5
    assert "not kept: 5 bytes, sha256 abab" in entry["request"]["postData"]["comment"]


def test_entries_stand_in_the_order_in_which_they_began():
    groups = [entries([b"{}"], JSON, number=number, began_us=9 - number) for number in (1, 2, 3)]
    assert [entry["_interaction"] for entry in entries_of(*groups)] == [3, 2, 1]
