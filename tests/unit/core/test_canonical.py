import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.core.canonical import Reading, canonical_path, canonical_query
from wiretape.core.conversation import Level
from wiretape.core.model import Body, Headers
from wiretape.core.payload import dump_json, parse_json
from wiretape.core.pointer import parse_pointer

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def reading(
    body: Any,
    target: str = "/v1/chat/completions",
    method: str = "POST",
    headers: Headers = (),
    ignore: tuple[str, ...] = (),
) -> Reading:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reading(method, target, headers, Body.of(content), tuple(map(parse_pointer, ignore)))


def exact(*args: Any, **kwargs: Any) -> bytes:
    return reading(*args, **kwargs).digest(Level.EXACT)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/v1/models", "/v1/models"),
        ("/a?x=1&y=2", "/a?y=2&x=1"),
        ("/a?x=1&x=2", "/a?x=2&x=1"),
        ("/a?x=%7e&y", "/a?y&x=~"),
        ("/a?x=a%2cb", "/a?x=a,b"),
        ("/a?&x=1&&", "/a?x=1"),
        ("/a?", "/a"),
        ("/%7euser/%2f", "/~user/%2F"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a?x=%FF", "/a?x=%ff"),
        ("/a?x=a+b", "/a?x=a%20b"),
        ("/a?x=\udcff", "/a?x=\udcff"),
    ],
)
def test_targets_that_mean_the_same_are_equal(one: str, other: str):
    assert exact({}, one) == exact({}, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/v1/models", "/v1/models/"),
        ("/a/b", "/a%2Fb"),
        ("/a", "/A"),
        ("/a?x=1", "/a"),
        ("/a?x", "/a?x="),
        ("/a?x=1&y=2", "/a?x=1%26y=2"),
        ("/a?x=1", "/a?x%3D1"),
        ("/a?x=1&x=1", "/a?x=1"),
        ("/a?x=+", "/a?x=%2B"),
        ("/a?b=", "/a%3Fb="),
        ("/a?1:b", "/a?1%3Ab=0"),
    ],
)
def test_targets_that_mean_something_else_differ(one: str, other: str):
    assert exact({}, one) != exact({}, other)


def test_a_path_and_a_query_are_told_apart():
    assert canonical_path("/a%7Eb?c=%7E?d") == "/a~b"
    assert canonical_query("/a%7Eb?c=%7E?d") == b"1:c=3:~?d"


def test_the_method_counts_and_headers_do_not():
    assert exact({}, method="POST") != exact({}, method="PUT")
    assert exact({}, headers=(("X-Trace", "1"),)) == exact({}, headers=(("X-Trace", "2"),))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"plain", b"plain "),
        (b'"text"', b'"texts"'),
        (b"", b"{}"),
        (b"{}", b"[]"),
        (b'{"": 1}', b"[1]"),
        (b'{"messages": [{}]}', b'{"messages": [{}, {}]}'),
        (b'{"messages": [{}]}', b'{"input": [{}]}'),
    ],
)
def test_other_bodies_differ(one: bytes, other: bytes):
    assert exact(one) != exact(other)


def test_a_compressed_body_equals_the_plain_one():
    packed = gzip.compress(b'{ "a": 1 }')
    assert exact(packed, headers=(("Content-Encoding", "gzip"),)) == exact({"a": 1})
    assert exact(packed) != exact({"a": 1})


def test_a_body_that_was_not_kept_equals_another_of_the_same_digest():
    def kept_out(digest: str) -> bytes:
        return Reading("POST", "/a", (), Body(None, 9, digest)).digest(Level.TOOL_OUTPUT)

    assert kept_out("ab" * 32) == kept_out("ab" * 32)
    assert kept_out("ab" * 32) != kept_out("cd" * 32)


def test_the_bytes_of_a_body_decide_about_the_verbatim_digest():
    assert reading(b"{}").verbatim() == reading(b"{}").verbatim()
    assert reading(b"{}").verbatim() != reading(b"{ }").verbatim()
    assert reading(b"{}", "/a?x&y").verbatim() == reading(b"{}", "/a?y&x").verbatim()
    assert reading(b"{}", "/a").verbatim() != reading(b"{}", "/b").verbatim()
    coded = reading(b"{}", headers=(("content-encoding", "gzip"),))
    assert reading(b"{}").verbatim() != coded.verbatim()


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (b'"abc"', b'  "\\u0061bc"\n', True),
        (b"17", b"17.0 ", True),
        (b"null", b" null", True),
        (b'"abc"', b"abc", False),
        (b"17", b'"17"', False),
        (b"17", b"18", False),
    ],
)
def test_json_that_is_neither_an_object_nor_an_array_is_json(
    one: bytes, other: bytes, *, equal: bool
):
    assert (exact(one) == exact(other)) is equal


def test_a_kept_body_and_one_that_was_not_kept_are_verbatim_the_same():
    whole = Body.of(b"long")
    digest = Body(None, 4, whole.digest())
    one, other = (Reading("POST", "/a", (), body) for body in (whole, digest))
    assert one.verbatim() == other.verbatim()


@given(st.dictionaries(st.text(), json_values), st.randoms())
def test_neither_key_order_nor_spacing_counts(body: dict[str, Any], random: Any):
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            keys = list(value)
            random.shuffle(keys)
            return {key: shuffled(value[key]) for key in keys}
        return [shuffled(item) for item in value] if isinstance(value, list) else value

    respelled = json.dumps(shuffled(body), ensure_ascii=False, indent=random.randrange(3))
    content = respelled.encode("utf-8", "surrogatepass")
    assert [exact(content), exact(content)] == [exact(body)] * 2


@given(json_values, json_values)
def test_digests_are_equal_for_equal_json_alone(one: Any, other: Any):
    texts = [dump_json(parse_json(json.dumps([value]))) for value in (one, other)]
    for wrap in (lambda v: [v], lambda v: {"a": v}, lambda v: {"messages": [{"content": v}]}):
        assert (exact(wrap(one)) == exact(wrap(other))) == (texts[0] == texts[1])


@pytest.mark.parametrize(
    ("ignore", "one", "other"),
    [
        (("/user",), {"a": 1, "user": 2}, {"a": 1}),
        (("/messages/0/content",), {"messages": [{"content": 1}]}, {"messages": [{"content": 2}]}),
        (("/messages/*/id",), {"messages": [{"id": 1}, {}]}, {"messages": [{}, {"id": 3}]}),
        (("/tools/*",), {"tools": [1, 2]}, {"tools": [3]}),
        (("/messages/0",), {"messages": [{"a": 1}, {"b": 1}]}, {"messages": [{}, {"b": 1}]}),
    ],
)
def test_what_is_ignored_may_differ(ignore: tuple[str, ...], one: Any, other: Any):
    assert exact(one) != exact(other)
    assert exact(one, ignore=ignore) == exact(other, ignore=ignore)


def test_what_is_not_ignored_still_counts():
    ignore = ("/messages/0/content",)
    one = {"messages": [{"content": 1}, {"content": 1}]}
    other = {"messages": [{"content": 1}, {"content": 2}]}
    assert exact(one, ignore=ignore) != exact(other, ignore=ignore)


def test_items_keep_their_text_where_a_level_leaves_them_alone():
    plain = {"role": "user", "content": "go"}
    tool = {"role": "tool", "tool_call_id": "a", "content": "A"}
    request = reading({"messages": [plain, tool], "model": "m"})
    assert request.item_texts(Level.TOOL_ORDER) == [dump_json(plain), dump_json(tool)]
    assert request.item_texts(Level.TOOL_OUTPUT)[0] == dump_json(plain)
    assert request.item_texts(Level.TOOL_OUTPUT)[1] == '{"role":"tool","tool_call_id":"a"}'
    assert request.field_texts() == {"model": '"model":"m"'}


def test_the_same_request_elsewhere_or_with_less_is_another_reading():
    request = reading({"a": 1, "b": 2}, "/chat")
    assert request.redirected("/v1/chat").digest(Level.EXACT) == exact({"b": 2, "a": 1}, "/v1/chat")
    less = request.ignoring((parse_pointer("/b"),))
    assert less.digest(Level.EXACT) == exact({"a": 1}, "/chat")
    assert request.digest(Level.EXACT) == exact({"a": 1, "b": 2}, "/chat")


def test_a_request_nested_too_deeply_is_compared_by_its_bytes():
    deep = b'{"a":' * 300 + b"1" + b"}" * 300
    assert exact(deep) == exact(deep)
    assert exact(deep) != exact(deep.replace(b":", b": "))
