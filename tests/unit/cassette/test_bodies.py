import json

import pytest

from wiretape.cassette.bodies import STYLES, content_length, json_bytes, json_value

VALUE = {"model": "é", "messages": [{"role": "user", "content": "ß"}]}


@pytest.mark.parametrize("style", STYLES)
def test_a_body_of_a_known_style_comes_back_where_its_length_is_declared(style):
    content = style.encode(VALUE).encode()
    assert json_value(content, len(content)) == VALUE
    assert json_bytes(VALUE, len(content)) == content


def test_the_known_styles_are_compact_and_python_default_each_with_and_without_ascii():
    assert {style.encode(VALUE) for style in STYLES} == {
        json.dumps(VALUE),
        json.dumps(VALUE, ensure_ascii=False),
        json.dumps(VALUE, separators=(",", ":")),
        json.dumps(VALUE, separators=(",", ":"), ensure_ascii=False),
    }


@pytest.mark.parametrize("declared", [None, 0, 1, 10**9])
def test_a_value_that_fits_no_declared_length_is_compact(declared):
    assert json_bytes(VALUE, declared) == STYLES[0].encode(VALUE).encode()


def test_python_default_style_without_a_length_is_no_json():
    with pytest.raises(ValueError, match="changes it"):
        json_value(json.dumps(VALUE).encode(), None)


def test_of_two_styles_of_one_length_the_first_is_meant_and_the_other_is_no_json():
    value = {"a": "é", "b": [1, 2]}
    ascii_only, spaced = (style.encode(value).encode() for style in STYLES[2:])
    assert len(ascii_only) == len(spaced)
    assert json_value(ascii_only, len(ascii_only)) == value
    with pytest.raises(ValueError, match="changes it"):
        json_value(spaced, len(spaced))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" {}",
        b"{}\n",
        b'{"a": 1,"b":2}',
        b'{"a":1,"a":2}',
        b"1.0e5",
        b"0.10",
        b"-0",
        b"1e400",
        b"NaN",
        b"-Infinity",
        b'"\\ud800"',
        b'"\\/"',
        b"\xef\xbb\xbf{}",
        b"\xff",
        b"[" * 200_000 + b"]" * 200_000,
        b"9" * 5000,
        b"{'a': 1}",
        '{"a":"\\u00e9"}'.encode("utf-16"),
    ],
)
def test_json_that_would_not_come_back_is_refused(content):
    with pytest.raises(ValueError):  # noqa: PT011 # any reason will do
        json_value(content, None)


@pytest.mark.parametrize(
    ("text", "length"),
    [("12", 12), ("0", 0), ("", None), ("-1", None), ("1, 1", None), ("²", None), ("9" * 19, None)],
)
def test_a_content_length_is_a_plain_number(text, length):
    assert content_length((("content-LENGTH", text), ("Content-Length", "5"))) == length


def test_without_the_header_there_is_no_length():
    assert content_length((("Host", "x"),)) is None
