import gzip
import json
import zlib

import pytest

from wiretape.core import payload
from wiretape.core.model import Body
from wiretape.core.payload import dump_json, parse_json, read_content


def same(one: str | bytes, other: str | bytes) -> bool:
    return dump_json(parse_json(one)) == dump_json(parse_json(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1, "b": 2}', '{"b":2,\n "a":1}'),
        ('{"a": 0.0}', '{"a": 0}'),
        ('{"a": -0.0}', '{"a": 0}'),
        ('{"a": 1e2}', '{"a": 100}'),
        ('{"a": 1.5}', '{"a": 15e-1}'),
        ('{"a": 1, "a": 2}', '{"a": 2}'),
        ('["\\u00e9\\ud83d\\ude00"]', '["é😀"]'),
        ('["\\/"]', '["/"]'),
        ("[NaN, Infinity]", "[ NaN,1e999]"),
        ('["\\ud800"]', b'["\xed\xa0\x80"]'),
        ('{"a": "é"}', '{"a": "é"}'.encode("utf-16")),
        ('{"a": 1}', b'\xef\xbb\xbf{"a":1}'),
        ("[" + "9" * 4000 + "]", "[ " + "9" * 4000 + "]"),
    ],
)
def test_equal_json_has_one_canonical_text(one: str, other: str | bytes):
    assert same(one, other)
    assert dump_json(parse_json(one)).isascii()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[true]", "[1]"),
        ("[false]", "[0]"),
        ("[null]", "[false]"),
        ('["1"]', "[1]"),
        ("[1.5]", "[1]"),
        ("[9007199254740993]", "[9007199254740992]"),
        ('{"a": null}', "{}"),
        ("[1, 2]", "[2, 1]"),
        ('["a"]', '["A"]'),
        ('["\\ud800"]', '["\\ud801"]'),
        ("[]", "{}"),
        ('["NaN"]', "[NaN]"),
    ],
)
def test_different_json_has_different_text(one: str, other: str):
    assert not same(one, other)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value"),
        (b"hello", "Expecting value"),
        (b'{"a": 1', "Expecting ',' delimiter"),
        (b'{"a": 1} x', "Extra data"),
        (b'{"a": "\xff"}', "can't decode"),
        (b"[" + b"9" * 5000 + b"]", "limit"),
        (b"[" * 201 + b"]" * 201, "nested too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
    ids=range(9),
)
def test_what_is_no_json_document_is_refused(content: bytes, reason: str):
    with pytest.raises(ValueError, match=reason):
        parse_json(content)


def test_nesting_is_bounded_by_its_depth_and_not_by_its_size():
    assert parse_json("[" * 200 + "]" * 200)
    assert parse_json("[" + ",".join(["[]"] * 1000) + "]")


def deflated_without_wrapper(content: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(content) + stream.flush()


TEXT = json.dumps({"messages": ["hello"] * 50}).encode()


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("GZip", gzip.compress(TEXT, mtime=0)),
        ("x-gzip", gzip.compress(TEXT[:20], mtime=0) + gzip.compress(TEXT[20:], mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", deflated_without_wrapper(TEXT)),
        ("deflate, gzip", gzip.compress(zlib.compress(TEXT), mtime=0)),
        ("identity, gzip", gzip.compress(TEXT, mtime=0)),
        ("identity", TEXT),
    ],
)
def test_a_content_coding_is_undone(coding: str, content: bytes):
    headers = (("Content-Encoding", coding),)
    assert read_content(headers, Body.of(content)) == TEXT


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("zstd", b"\x28\xb5\x2f\xfd..."),
        ("gzip", TEXT),
        ("gzip", gzip.compress(TEXT, mtime=0)[:-9]),
        ("gzip", gzip.compress(TEXT, mtime=0) + b"rubbish"),
        ("gzip", gzip.compress(b"", mtime=0) * 1000),
        ("deflate", b"rubbish"),
        ("gzip, br", gzip.compress(TEXT, mtime=0)),
    ],
)
def test_a_coding_that_cannot_be_undone_leaves_the_bytes(coding: str, content: bytes):
    assert read_content((("content-encoding", coding),), Body.of(content)) == content


@pytest.mark.parametrize("members", [1, 2])
def test_a_bomb_is_left_compressed(monkeypatch: pytest.MonkeyPatch, members: int):
    monkeypatch.setattr(payload, "MAX_DECODED_BYTES", 1000)
    headers = (("Content-Encoding", "gzip"),)
    fits = gzip.compress(b"a" * (1000 // members)) * members
    assert read_content(headers, Body.of(fits)) == b"a" * 1000
    bomb = gzip.compress(b"a" * (1000 // members)) * members + gzip.compress(b"a")
    assert read_content(headers, Body.of(bomb)) == bomb


def test_a_body_that_was_not_kept_goes_by_its_digest_and_length():
    body = Body(None, 5, "ab" * 32)
    assert read_content((), body) == f"sha256:{'ab' * 32} (5 bytes)"
