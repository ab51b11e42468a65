import copy
import itertools
from typing import Any

import pytest

from wiretape.core.conversation import (
    Level,
    conversation_field,
    relaxed,
    rounds,
    uses_tools,
)
from wiretape.core.payload import dump_json

ORDER, OUTPUT = Level.TOOL_ORDER, Level.TOOL_OUTPUT


def agree(one: list[Any], other: list[Any], level: Level) -> bool:
    return dump_json(relaxed(one, level)) == dump_json(relaxed(other, level))


def chat_round(*results: Any) -> list[Any]:
    """OpenAI chat: one message per result, named by the call's id."""
    calls = [
        {"id": name, "type": "function", "function": {"name": "ls", "arguments": "{}"}}
        for name in "ab"
    ]
    return [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        *({"role": "tool", "tool_call_id": name, "content": text} for name, text in results),
        {"role": "user", "content": "and now?"},
    ]


def responses_round(*results: Any) -> list[Any]:
    """OpenAI Responses: one item per result."""
    calls = [
        {"type": "function_call", "call_id": name, "name": "ls", "arguments": "{}"} for name in "ab"
    ]
    return [
        {"role": "user", "content": "go"},
        *calls,
        *(
            {"type": "function_call_output", "call_id": name, "output": text}
            for name, text in results
        ),
    ]


def anthropic_round(*results: Any) -> list[Any]:
    """Anthropic messages: one message with a block per result, and a text after them."""
    calls = [{"type": "tool_use", "id": name, "name": "ls", "input": {}} for name in "ab"]
    blocks = [
        {"type": "tool_result", "tool_use_id": name, "content": text, "is_error": text == "A"}
        for name, text in results
    ]
    return [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": calls},
        {"role": "user", "content": [*blocks, {"type": "text", "text": "well?"}]},
    ]


def anthropic_split_round(*results: Any) -> list[Any]:
    """Anthropic messages with a user message for each result."""
    whole = anthropic_round(*results)
    blocks = whole[2]["content"]
    return [*whole[:2], *({"role": "user", "content": [block]} for block in blocks[:-1])]


def ollama_round(*results: Any) -> list[Any]:
    """ollama's /api/chat: neither id nor name."""
    calls = [{"function": {"name": "ls", "arguments": {"path": name}}} for name in "ab"]
    return [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "", "tool_calls": calls},
        *({"role": "tool", "content": text} for _, text in results),
    ]


def ollama_named_round(*results: Any) -> list[Any]:
    """ollama's /api/chat with the tool's name, which two results share."""
    unnamed = ollama_round(*results)
    return [*unnamed[:2], *({**result, "tool_name": "ls"} for result in unnamed[2:])]


DIALECTS = [
    chat_round,
    responses_round,
    anthropic_round,
    anthropic_split_round,
    ollama_round,
    ollama_named_round,
]
A, B, C = ("a", "A"), ("b", "B"), ("c", "C")

every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda each: each.__name__)


@every_dialect
def test_the_results_of_a_round_stand_in_any_order(dialect: Any):
    for order in itertools.permutations([A, B, C]):
        assert agree(dialect(*order), dialect(A, B, C), ORDER)
        assert agree(dialect(*order), dialect(A, B, C), OUTPUT)
        assert agree(dialect(*order), dialect(A, B, C), Level.EXACT) == (order == (A, B, C))


@every_dialect
def test_another_output_agrees_at_tool_output_alone(dialect: Any):
    changed = dialect(("b", [{"type": "text", "text": "other"}]), A)
    assert not agree(changed, dialect(A, B), ORDER)
    assert agree(changed, dialect(A, B), OUTPUT)


@every_dialect
def test_the_number_of_results_counts_at_every_level(dialect: Any):
    assert not agree(dialect(A, B), dialect(A), OUTPUT)
    assert not agree(dialect(A, B), dialect(A, B, B), OUTPUT)


@pytest.mark.parametrize("dialect", DIALECTS[:4], ids=lambda each: each.__name__)
def test_the_ids_of_results_count_at_every_level(dialect: Any):
    assert not agree(dialect(A, B), dialect(A, ("z", "B")), OUTPUT)
    assert not agree(dialect(A, B), dialect(("b", "A"), ("a", "B")), ORDER)


@every_dialect
def test_relaxing_changes_nothing_that_it_is_given(dialect: Any):
    items = dialect(B, A)
    before = copy.deepcopy(items)
    relaxed(items, OUTPUT)
    rounds(items)
    assert items == before


@every_dialect
def test_items_that_stay_as_they_are_are_shared(dialect: Any):
    items = dialect(B, A)
    assert relaxed(items, OUTPUT)[0] is items[0]


def test_only_what_follows_directly_is_one_round():
    def split(first: Any, second: Any) -> list[Any]:
        return [*chat_round(first), *chat_round(second)]

    assert rounds(split(A, B)) == []
    assert not agree(split(A, B), split(B, A), ORDER)


def test_calls_and_outputs_in_turn_are_rounds_of_one():
    def turn(name: str) -> list[Any]:
        call = {"type": "function_call", "call_id": name, "name": "ls", "arguments": "{}"}
        return [call, {"type": "function_call_output", "call_id": name, "output": name}]

    assert rounds([*turn("a"), *turn("b")]) == []
    assert not agree([*turn("a"), *turn("b")], [*turn("b"), *turn("a")], ORDER)


def test_results_beside_other_blocks_stay_in_their_message():
    def message(*blocks: Any) -> dict[str, Any]:
        return {"role": "user", "content": list(blocks)}

    def result(name: str) -> dict[str, Any]:
        return {"type": "tool_result", "tool_use_id": name, "content": name}

    text = {"type": "text", "text": "so"}
    assert agree([message(result("b"), text, result("a"))],
                 [message(result("a"), text, result("b"))], ORDER)  # fmt: skip
    assert not agree([message(result("a"), text), message(result("b"))],
                     [message(result("b"), text), message(result("a"))], ORDER)  # fmt: skip
    assert not agree([message(result("a"), text), message(result("b"), text)],
                     [message(result("b"), text), message(result("a"), text)], ORDER)  # fmt: skip
    assert not agree([message(text, result("a"))], [message(result("a"), text)], ORDER)


def test_a_cache_mark_belongs_to_its_place_and_not_to_the_result():
    def message(*names: str, marked: int) -> list[Any]:
        blocks: list[Any] = [
            {"type": "tool_result", "tool_use_id": name, "content": name} for name in names
        ]
        blocks[marked]["cache_control"] = {"type": "ephemeral"}
        return [{"role": "user", "content": blocks}]

    assert agree(message("a", "b", marked=1), message("b", "a", marked=1), ORDER)
    assert not agree(message("a", "b", marked=1), message("b", "a", marked=0), ORDER)


@pytest.mark.parametrize(
    "kind", ["custom_tool_call_output", "local_shell_call_output", "computer_call_output"]
)
def test_every_output_item_of_responses_is_a_result(kind: str):
    items = [{"type": kind, "call_id": name, "output": name} for name in "ab"]
    assert agree(items, items[::-1], ORDER)
    assert agree(items, [{**item, "output": 1, "status": "failed"} for item in items], OUTPUT)


def with_arguments(shape: str, arguments: Any) -> list[Any]:
    function = {"name": "ls", "arguments": arguments}
    return {
        "chat": [{"role": "assistant", "tool_calls": [{"id": "a", "function": function}]}],
        "legacy": [{"role": "assistant", "function_call": function}],
        "responses": [{"type": "function_call", "call_id": "a", **function}],
    }[shape]


@pytest.mark.parametrize("shape", ["chat", "legacy", "responses"])
def test_arguments_are_compared_as_json(shape: str):
    one = with_arguments(shape, '{"path": "/", "depth": 0.0}')
    other = with_arguments(shape, '{"depth":0,"path":"\\u002f"}')
    assert not agree(one, other, Level.EXACT)
    assert agree(one, other, ORDER)
    assert agree(one, other, OUTPUT)
    assert not agree(one, with_arguments(shape, '{"depth":1,"path":"/"}'), OUTPUT)


@pytest.mark.parametrize("shape", ["chat", "legacy", "responses"])
def test_arguments_that_are_no_json_are_compared_as_text(shape: str):
    for text in ('{"path": ', "ls -l", "", '{"a":' * 5000):
        assert agree(with_arguments(shape, text), with_arguments(shape, text), ORDER)
        assert not agree(with_arguments(shape, text), with_arguments(shape, text + " "), ORDER)


def test_arguments_as_text_and_as_an_object_are_not_the_same():
    assert not agree(with_arguments("chat", '{"a":1}'), with_arguments("chat", {"a": 1}), OUTPUT)


@pytest.mark.parametrize(
    "item",
    [
        None,
        "text",
        7,
        [],
        {},
        {"role": ["tool"]},
        {"role": "tool"},
        {"role": "tool", "tool_call_id": 5, "content": {"a": 1}},
        {"type": 5},
        {"type": "_output"},
        {"tool_calls": None},
        {"tool_calls": ["x", {"function": None}, {"function": {"arguments": None}}, {}]},
        {"function_call": "auto"},
        {"content": [None, {"type": "tool_result"}, {"type": ["tool_result"]}]},
        {"role": "tool", "content": [{"type": "tool_result", "content": 1}]},
    ],
    ids=str,
)
@pytest.mark.parametrize("level", Level)
def test_odd_items_are_taken_as_they_come(item: Any, level: Level):
    items = [{}, item, item]
    uses_tools(items)
    assert agree(items, copy.deepcopy(items), level)
    assert len(relaxed(items, level)) == 3


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"messages": [{}], "input": [{}]}, "messages"),
        ({"input": [{}]}, "input"),
        ({"input": "text", "prompt": "text"}, None),
        ({"input": [1, 2, 3]}, None),
        ({"input": ["a", "b"]}, None),
        ({"messages": [], "input": [{}]}, "input"),
        ({"messages": {"0": {}}}, None),
        ({"contents": [{"parts": [{"text": "a"}]}]}, "contents"),
        ({"contents": ["a"]}, None),
        ([{}], None),
        (b"messages", None),
    ],
)
def test_the_conversation_is_found_by_its_shape(payload: Any, field: str | None):
    assert conversation_field(payload) == field


def test_a_conversation_without_tools_needs_no_second_form():
    plain = [{"role": "user", "content": "arguments"}, {"role": "assistant", "content": "tool"}]
    assert not uses_tools(plain)
    assert all(uses_tools(dialect(A)) for dialect in DIALECTS)
