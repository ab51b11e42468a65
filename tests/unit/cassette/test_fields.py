from datetime import UTC, datetime

import pytest

from wiretape.cassette.fields import (
    at_us_of,
    bytes_of,
    flag_of,
    headers_of,
    json_of,
    text_of,
    time_of,
    whole_of,
)
from wiretape.cassette.nodes import Events, Node, NodeError, Scalar


def node(text: str) -> Node:
    events = Events(text)
    return events.node(events.start())


def plain(text: str) -> Scalar:
    return Scalar(text, None, 3)


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("0", 0),
        ("0.000000", 0),
        ("1", 1_000_000),
        ("+1.5", 1_500_000),
        ("1.", 1_000_000),
        ("0.0000005", 1),
        ("0.0000004999", 0),
        ("1.9999999", 2_000_000),
        ("0.412345", 412_345),
        ("123456789012.123456", 123_456_789_012_123_456),
        ("1.0e-06", 1),
        ("1e-06", 1),
        ("1.5E+1", 15_000_000),
        (" 7 ", 7_000_000),
        ("007.5", 7_500_000),
        (".5", 500_000),
        ("1:30", 90_000_000),
        ("0x10", 16_000_000),
        ("1_0", 10_000_000),
    ],
)
def test_at_is_exact_in_any_decimal_spelling(text, at_us):
    assert at_us_of(plain(text)) == at_us


@pytest.mark.parametrize(
    "text",
    ["", "-1", "-0.5", "a", ".inf", ".nan", "yes", "1e99", "1e999999999", "1" * 13, "-1:30", "~",
     "e5", ".e5", ".", "1.2.3", "٣"],
)  # fmt: skip
def test_at_that_is_no_time_is_refused(text):
    with pytest.raises(NodeError, match="`at` must be seconds"):
        at_us_of(plain(text))


def test_numbers_are_whole_and_sane():
    assert whole_of(plain("12"), "it") == 12
    assert [whole_of(plain(text), "it") for text in ("0xC8", "2_00")] == [200, 200]
    for text in ("", "-1", "1.0", "yes", "1" + "_0" * 19, "1e3", "9" * 19, "²", "one"):
        with pytest.raises(NodeError, match="it must be a whole number"):
            whole_of(plain(text), "it")


def test_a_list_is_no_text():
    with pytest.raises(NodeError, match="line 1: it must be a text"):
        text_of(node("[a]"), "it")


def test_flags_are_said_in_yaml_words():
    assert [flag_of(plain(text), "it") for text in ("true", "True", "yes", "ON")] == [True] * 4
    assert [flag_of(plain(text), "it") for text in ("false", "no", "Off")] == [False] * 3
    with pytest.raises(NodeError, match="true or false"):
        flag_of(plain("1"), "it")


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T10:31:02.5Z",
        "2026-11-22T10:31:02.500000Z",
        "2026-11-22 10:31:02.500000+00:00",
        "2026-11-22T12:31:02.5+02:00",
        "2026-11-22 5:31:02.5 -5",
        "2026-11-22T10:31:02.5",
        "2026-11-22t10:31:02.5Z",
    ],
)
def test_the_time_is_taken_in_any_spelling(text):
    for quoting in (text, f"'{text}'", f"!!timestamp '{text}'"):
        moment = time_of(node(quoting))
        assert moment == datetime(2026, 11, 22, 10, 31, 2, 500_000, tzinfo=UTC)
        assert moment.tzinfo is UTC


def test_a_day_is_its_midnight():
    assert time_of(plain("2026-11-22")) == datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-13-01", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+05:00", "10:31:02", "1"],
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(NodeError, match="`recorded`"):
        time_of(plain(text))


def test_base64_may_be_wrapped_and_must_be_whole():
    assert bytes_of(plain("aGVs\n bG8=")) == b"hello"
    for text in ("aGVsbG8", "aGVs*G8=", "é"):
        with pytest.raises(NodeError, match="cannot be decoded"):
            bytes_of(plain(text))


def test_headers_are_texts_as_written():
    assert headers_of(node("{A: 012, B: [yes, ~], C: , d: '', E: 1.10}")) == (
        ("A", "012"),
        ("B", "yes"),
        ("B", "~"),
        ("C", ""),
        ("d", ""),
        ("E", "1.10"),
    )


@pytest.mark.parametrize("text", ["a", "[a]", "{A: {b: c}}", "{A: [[b]]}"])
def test_headers_of_another_shape_are_refused(text):
    with pytest.raises(NodeError):
        headers_of(node(text))


def test_json_values_are_what_pyyaml_takes_them_for_but_dates_stay_texts():
    numbers = "1, -1, 0x1f, 017, 1_0, 1:30, 1.5, 1.0e-05"
    text = f"[{numbers}, yes, ~, !!null '', null, '1', 2026-11-22, =, 1e5, a]"
    assert json_of(node(text)) == [
        *(1, -1, 31, 15, 10, 90, 1.5, 1e-05, True, None, None, None, "1"),
        *("2026-11-22", "=", "1e5", "a"),
    ]
    assert json_of(node("{1: !!str 2, true: !!float '3', null: !!null x}")) == {
        "1": "2",
        "true": 3.0,
        "null": None,
    }


@pytest.mark.parametrize(
    "text",
    [".inf", "-.INF", ".nan", "!!int x", "!!bool 7", "!!float ''", "0x_", "9" * 601, "!!int ''"],
)
def test_what_json_cannot_say_is_refused(text):
    with pytest.raises(NodeError):
        json_of(node(f"[{text}]"))


def test_long_numbers_in_sixties_take_no_time():
    with pytest.raises(NodeError, match="characters; quote it"):
        json_of(node("[" + ":".join(["1"] * 50_000) + "]"))
