import sys
from datetime import datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.scalars import (
    ODD,
    block_scalar,
    float_scalar,
    flow_scalar,
    key_scalar,
    literal_scalar,
    quoted,
    seconds_scalar,
    time_scalar,
)

EVERY_CHARACTER = [chr(code) for code in range(sys.maxunicode + 1) if code >> 11 != 0x1B]
TRICKY = [
    *("", " ", "a ", " a", "yes", "No", "ON", "y", "n", "null", "~", "True", "1", "017", "0x1f"),
    *("1:30", "1e5", "1_000", ".5", ".inf", "-", "- a", "?", "? a", ": a", "a: b", "a:", "a #b"),
    *("#", "a#b", "2026-11-22", "=", "<<", "*a", "&a", "!a", "|", ">", "%a", "@a", "`a", "'a'"),
    *('"a"', "it's", "a, b", "[a]", "{a}", "a]", "a}", "a?b", "a\\b", "---", "...", "a\tb"),
    *("http://h:1/p?q=1", "a:b", "a,b", "a,", "/", "_", "a - b", "a ? b", "a [b", "a {b"),
]


def load(text: str) -> object:
    return yaml.load(text, yaml.CSafeLoader)


def test_every_character_there_is_comes_back_from_quotes():
    # Beyond the first 65,536 many share a text, for most of the time goes into texts.
    texts = [f"a{character}b" for character in EVERY_CHARACTER if character < "\U00010000"]
    rest = [character for character in EVERY_CHARACTER if character >= "\U00010000"]
    texts += ["".join(rest[start : start + 256]) for start in range(0, len(rest), 256)]
    assert load("".join(f"- {quoted(text)}\n" for text in texts)) == texts


def test_what_python_can_print_never_is_odd():
    printable = "".join(character for character in EVERY_CHARACTER if character.isprintable())
    assert not ODD.search(printable)


@pytest.mark.parametrize("text", TRICKY)
def test_texts_that_yaml_takes_for_something_else_come_back(text):
    assert load(f"a: {block_scalar(text)}\nb: 1") == {"a": text, "b": 1}
    assert load(f"- {block_scalar(text)}\n- 1") == [text, 1]
    assert load(f"{{a: {flow_scalar(text)}, b: [{flow_scalar(text)}, 1]}}") == {
        "a": text,
        "b": [text, 1],
    }
    assert load(f"{key_scalar(text)}: 1") == {text: 1}
    assert load(f"{{{key_scalar(text)}: 1}}") == {text: 1}


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_from_any_place(text):
    assert load(f"a: {block_scalar(text)}\nb: 1") == {"a": text, "b": 1}
    assert load(f"{{a: {flow_scalar(text)}, b: [{flow_scalar(text)}, 1]}}") == {
        "a": text,
        "b": [text, 1],
    }


@given(st.text(alphabet=st.sampled_from("ab \t\n-#:'\"|é😀\u2028\r")))
def test_a_literal_block_gives_its_text_back_exactly(text):
    literal = literal_scalar(text, "    ")
    if literal is not None:
        assert load(f"a:\n  b: {literal}\n  c: 1") == {"a": {"b": text, "c": 1}}
        assert load(f"a:\n  - {literal}\n  - 1") == {"a": [text, 1]}


def test_a_prompt_of_several_lines_is_a_literal_block():
    assert literal_scalar("one\n\n  two: # 3\n", "  ") == "|\n  one\n\n    two: # 3"
    assert literal_scalar(" one\ntwo", "  ") == "|2-\n   one\n  two"
    assert literal_scalar("one\n\n", "  ") == "|+\n  one\n"


@pytest.mark.parametrize("text", ["", "one line", "\n", "\n\n", "a\rb\n", "a\n\x85", "a\n\x00"])
def test_what_a_literal_block_cannot_hold_is_refused(text):
    assert literal_scalar(text, "  ") is None


def test_plain_words_and_paths_need_no_quotes():
    assert block_scalar("/v1/chat/completions?a=1") == "/v1/chat/completions?a=1"
    assert block_scalar("qwen2.5-coder:7b") == "qwen2.5-coder:7b"
    assert flow_scalar("text/event-stream; charset=utf-8") == "text/event-stream; charset=utf-8"


def test_a_lone_surrogate_is_refused():
    with pytest.raises(ValueError, match="surrogate"):
        quoted("a\ud83d")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_finite_float_comes_back(number):
    loaded = load(float_scalar(number))
    assert isinstance(loaded, float)
    assert repr(loaded) == repr(number)


def test_seconds_have_six_decimals():
    assert seconds_scalar(0) == "0.000000"
    assert seconds_scalar(1_000_001) == "1.000001"
    assert seconds_scalar(10**15 + 7) == "1000000000.000007"


def test_a_time_without_a_zone_is_utc():
    assert time_scalar(datetime(26, 1, 2, 3, 4, 5)) == "0026-01-02T03:04:05.000000Z"  # noqa: DTZ001 # the case
