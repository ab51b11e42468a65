import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.jsonblock import json_block

TEXTS = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\n\n :#'\"{}[],-")),
    max_size=10,
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXTS,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=20,
)


def block(text: str) -> str:
    return json_block(json.loads(text), "  ")


@given(VALUES)
def test_any_value_comes_back_from_yaml(value):
    text = f"- request: 1\n  json:{json_block(value, '  ')}\n- 2\n"
    loaded = yaml.load(text, yaml.CSafeLoader)
    assert repr(loaded) == repr([{"request": 1, "json": value}, 2])


def test_a_chat_request_reads_well():
    value = {
        "model": "qwen2.5-coder:7b-instruct-q8_0",
        "stream": True,
        "messages": [
            {"role": "system", "content": "You are terse.\n\n  Always.\n"},
            {"role": "user", "content": "list the files"},
        ],
        "stop": [],
        "options": {"seed": 7, "nested": {"a": 1}},
        "matrix": [[1, 2], [{"a": [1, {}]}]],
    }
    assert json_block(value, "  ") == (
        "\n"
        "    model: qwen2.5-coder:7b-instruct-q8_0\n"
        "    stream: true\n"
        "    messages:\n"
        "    - role: system\n"
        "      content: |\n"
        "        You are terse.\n"
        "\n"
        "          Always.\n"
        "    - {role: user, content: list the files}\n"
        "    stop: []\n"
        "    options:\n"
        "      seed: 7\n"
        "      nested: {a: 1}\n"
        "    matrix:\n"
        "    - [1, 2]\n"
        "    - - a: [1, {}]"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", " {}"),
        ("[]", " []"),
        ("null", " null"),
        ('"a"', " a"),
        ("[1]", " [1]"),
        ("1e-05", " 1.0e-05"),
        ("1e+16", " 1.0e+16"),
        ("-0.0", " -0.0"),
        ('["a\\nb"]', "\n  - |-\n    a\n    b"),
    ],
)
def test_values_that_are_no_mapping_stand_after_the_key(text, expected):
    assert block(text) == expected


def test_a_small_collection_takes_a_line_and_a_large_one_takes_many():
    assert "\n" not in block(json.dumps([1] * 30))
    assert block(json.dumps([1] * 60)).count("\n") == 60
    assert "{" not in block(json.dumps({"a": {"b": "c" * 100}}))
    assert "{" not in block(json.dumps({"a": {"b" * 100: "c"}}))


@pytest.mark.parametrize(
    "value",
    [
        "\ud800",
        {"\ud800": 1},
        {"k" * 1001: 1},
        {"a": {"\n" * 501: 1}},
        10**400,
        json.loads("[" * 101 + "1,[]" + "]" * 101),
    ],
    ids=["surrogate", "surrogate key", "long key", "long escaped key", "huge integer", "deep"],
)
def test_what_yaml_should_not_hold_is_refused(value):
    with pytest.raises(ValueError):  # noqa: PT011 # the reason is for nobody
        json_block(value, "  ")


@pytest.mark.parametrize(
    "text", ["a" * 5000, "a: b " * 1000 + "c", "é" * 5000, "\x7f" * 5000, "a\n" * 5000]
)
def test_a_long_text_comes_back_from_any_place(text):
    value = {"a": text, "b": [text, [text], {"c": text}], "d": [[text, 1]], "e": 1}
    assert yaml.load(f"json:{json_block(value, '')}\nz: 1", yaml.CSafeLoader) == {
        "json": value,
        "z": 1,
    }
    assert yaml.load(f"json:{json_block(text, '')}\nz: 1", yaml.CSafeLoader)["json"] == text


def test_a_hundred_levels_are_allowed():
    value = json.loads("[" * 99 + "1,[]" + "]" * 99)
    assert yaml.load(f"a:{json_block(value, '')}", yaml.CSafeLoader) == {"a": value}
