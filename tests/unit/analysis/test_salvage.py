import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.analysis.events import MISSING
from wiretape.analysis.salvage import salvage


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            '{"choices":[{"delta":{"content":"Hello wor',
            {"choices": [{"delta": {"content": "Hello wor"}}]},
        ),
        ('{"content":"a \\"quote\\" and', {"content": 'a "quote" and'}),
        ('{"content":"x\\', {"content": "x"}),
        ('{"content":"x\\u00', {"content": "x"}),
        ('{"content":"x\\"', {"content": 'x"'}),
        ('{"content":"x\\\\"', {"content": "x\\"}),
        ('{"a":1,"finish_reason":"sto', {"a": 1}),
        ('{"a":1,"b', {"a": 1}),
        ('{"a":1,"b":tru', {"a": 1}),
        ('{"a":1,"b":12', {"a": 1}),
        ('[1,{"a":[2,{"c":3}', [1, {"a": [2, {"c": 3}]}]),
        ("garbage", MISSING),
        ("", MISSING),
        ('{"a":1]', MISSING),
        ("}", MISSING),
    ],
)
def test_json_that_stops_gives_what_had_come(text, value):
    assert salvage(text) == value


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\é\n', max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["content", "a", "id"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(value=VALUES.filter(lambda value: isinstance(value, list | dict)), data=st.data())
def test_any_beginning_of_an_object_gives_a_part_of_it(value, data):
    text = json.dumps(value)
    beginning = text[: data.draw(st.integers(1, len(text)))]
    assert part_of(salvage(beginning), value)
    assert salvage(text) == value


def part_of(part, whole):
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and part_of(part[name], whole[name]) for name in part)
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(part_of, part, whole))
    if isinstance(part, str) and isinstance(whole, str):
        return whole.startswith(part)
    return part == whole
