from typing import Any

import pytest

from wiretape.analysis.events import MISSING
from wiretape.analysis.parameters import LONGEST_VALUE, MOST, parameters_text

SCHEMA = {"type": "object", "title": "Weather", "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize("body", [MISSING, None, [], "text", {}, {"temperature": None, "stop": []}])
def test_where_there_are_none_nothing_is_said(body: Any):
    assert parameters_text(body) == ""


def test_what_is_shown_otherwise_is_no_parameter():
    told = {"model": "m", "messages": [], "stream": True, "tools": [1], "system": "s"}
    told |= {"input": "i", "prompt": "p", "instructions": "s"}
    assert parameters_text({**told, "temperature": 0, "seed": 7}) == "temperature=0, seed=7"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "Weather"}}},
            "response_format=Weather",
        ),
        ({"response_format": {"type": "json_object"}}, "response_format=json_object"),
        (
            {"text": {"format": {"type": "json_schema", "name": "W", "schema": SCHEMA}}},
            "text.format=W",
        ),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
            "output_config.format=Weather",
        ),
        ({"format": SCHEMA}, "format=Weather"),
        ({"format": "json"}, "format=json"),
        ({"format": {"type": "object"}}, "format=object"),
        (
            {"options": {"temperature": 0.7, "num_ctx": 9}},
            "options.temperature=0.7, options.num_ctx=9",
        ),
        ({"tool_choice": {"type": "function", "function": {"name": "ls"}}}, "tool_choice=ls"),
        ({"tool_choice": {"type": "tool", "name": "ls"}}, "tool_choice=ls"),
        ({"tool_choice": "auto"}, "tool_choice=auto"),
        ({"metadata": {"name": "x", "n": 1}}, 'metadata={"name":"x","n":1}'),
        ({"options": 3, "text": "plain"}, "options=3, text=plain"),
        (
            {"response_format": {"type": ["odd"], "schema": 3}},
            'response_format={"type":["odd"],"schema":3}',
        ),
    ],
)
def test_each_is_a_name_and_a_value_and_a_schema_goes_by_its_name(body: Any, said: str):
    assert parameters_text(body) == said


def test_long_values_and_many_parameters_are_cut():
    long = parameters_text({"user": "x" * 500, "y" * 500: 1})
    assert long == f"user={'x' * (LONGEST_VALUE - 1)}…, {'y' * (LONGEST_VALUE - 1)}…=1"
    many = parameters_text({f"p{number}": number for number in range(MOST + 2)})
    assert many.endswith(f"p{MOST - 1}={MOST - 1}, and 2 more")
