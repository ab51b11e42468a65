import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.core import differences as module
from wiretape.core.canonical import Reading
from wiretape.core.conversation import Level
from wiretape.core.differences import MAX_DIFFERENCES, Difference, differences
from wiretape.core.model import Body
from wiretape.core.payload import ABSENT
from wiretape.core.pointer import parse_pointer

EXACT, ORDER, OUTPUT = Level

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def reading(body: Any, target: str = "/v1/chat/completions", method: str = "POST") -> Reading:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reading(method, target, (), Body.of(content))


def found(
    recorded: Any, received: Any, level: Level = ORDER, ignore: tuple[str, ...] = ()
) -> list[tuple[str, Any, Any]]:
    pointers = tuple(map(parse_pointer, ignore))
    found = differences(reading(recorded), reading(received), level, pointers)
    return [(each.pointer, each.recorded, each.received) for each in found]


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def result(name: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": name, "content": text}


def test_each_difference_is_named_by_the_innermost_pointer():
    def body(description: str, **more: Any) -> dict[str, Any]:
        function = {"name": "ls", "description": description, "parameters": {"type": "object"}}
        return {"model": "m", "tools": [{"type": "function", "function": function}], **more}

    assert found(body("list"), body("lists", seed=1)) == [
        ("/tools/0/function/description", "list", "lists"),
        ("/seed", ABSENT, 1),
    ]


@pytest.mark.parametrize(
    ("recorded", "received", "expected"),
    [
        ({"a": 1}, {"a": True}, [("/a", 1, True)]),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": None}, {}, [("/a", None, ABSENT)]),
        ({"a/b": {"~": 1}}, {"a/b": {"~": 2}}, [("/a~1b/~0", 1, 2)]),
        ({"a": [1]}, {"a": {"0": 1}}, [("/a", [1], {"0": 1})]),
        ({"s": {"type": "a"}}, {"s": {"type": "b"}}, [("/s/type", "a", "b")]),
        ([1, 2], [1, 3], [("/1", 2, 3)]),
        ([1], {"0": 1}, [("body", [1], {"0": 1})]),
        (b"one", b"two", [("body", b"one", b"two")]),
        (b"", {}, [("body", b"", {})]),
        ([], [[]], [("/0", ABSENT, [])]),
    ],
)
def test_what_differs_between_two_documents(recorded: Any, received: Any, expected: Any):
    assert found(recorded, received) == expected


def test_method_and_target_come_first():
    one = reading({"a": 1}, "/v1/a?x=1", "POST")
    other = reading({"a": 2}, "/v1/a?x=2", "PUT")
    assert [each.pointer for each in differences(one, other, ORDER)] == ["method", "target", "/a"]
    respelled = reading({"a": 1}, "/v1/%61?&x=%31", "POST")
    assert differences(one, respelled, ORDER) == []


@pytest.mark.parametrize(
    ("recorded", "received", "expected"),
    [
        ("abc", "abXc", [("/messages/2", ABSENT, user("X"))]),
        ("abXc", "abc", [("/messages/2", user("X"), ABSENT)]),
        ("abc", "abcX", [("/messages/3", ABSENT, user("X"))]),
        ("abc", "Xabc", [("/messages/0", ABSENT, user("X"))]),
        ("abcd", "aXcYd", [("/messages/1/content", "b", "X"), ("/messages/3", ABSENT, user("Y"))]),
        ("abc", "aXc", [("/messages/1/content", "b", "X")]),
    ],
)
def test_a_message_put_in_or_left_out_leaves_the_others_alone(
    recorded: str, received: str, expected: Any
):
    bodies = [{"messages": [user(text) for text in texts]} for texts in (recorded, received)]
    assert found(*bodies) == expected


def test_messages_of_another_role_are_compared_whole():
    recorded, received = user("a"), {"role": "assistant", "content": "b"}
    assert found({"messages": [recorded]}, {"messages": [received]}) == [
        ("/messages/0", recorded, received)
    ]
    assert found({"messages": [recorded]}, {"messages": [received]}, ignore=("/messages/*/role",))[
        0
    ] == ("/messages/0/content", "a", "b")


def test_the_order_of_results_is_no_difference_where_the_level_allows_it():
    a, b = result("a", "A"), result("b", "B")
    one, other = {"messages": [user(""), a, b]}, {"messages": [user(""), b, a]}
    assert found(one, other, ORDER) == []
    assert found(one, other, OUTPUT) == []
    assert [pointer for pointer, *_ in found(one, other, EXACT)] == [
        "/messages/1/tool_call_id",
        "/messages/1/content",
        "/messages/2/tool_call_id",
        "/messages/2/content",
    ]


def test_a_changed_output_is_named_where_the_live_request_has_it():
    recorded = {"messages": [user(""), result("a", "A"), result("b", "B")]}
    received = {"messages": [user(""), result("b", "other"), result("a", "A")]}
    assert found(recorded, received, ORDER) == [("/messages/1/content", "B", "other")]
    assert found(recorded, received, OUTPUT) == []


@pytest.mark.parametrize(
    ("recorded", "received", "expected"),
    [
        (["a=A", "b=B"], ["z=A", "b=B"], ["/messages/0/tool_call_id"]),
        (["a=A", "b=B"], ["b=B", "z=A"], ["/messages/1/tool_call_id"]),
        (["=A", "=B", "=C"], ["=C", "=X", "=A"], ["/messages/1/content"]),
        (["a=A", "b=B"], ["y=A", "z=B"], ["/messages/0/tool_call_id", "/messages/1/tool_call_id"]),
    ],
)
def test_results_are_paired_by_what_they_share(
    recorded: list[str], received: list[str], expected: list[str]
):
    bodies = [
        {"messages": [result(*each.split("=")) for each in each_round]}
        for each_round in (recorded, received)
    ]
    assert [pointer for pointer, *_ in found(*bodies)] == expected


def test_a_changed_output_in_blocks_is_named_where_the_live_request_has_it():
    def body(*results: tuple[str, str]) -> dict[str, Any]:
        blocks = [
            {"type": "tool_result", "tool_use_id": name, "content": text} for name, text in results
        ]
        return {"messages": [user("go"), user(blocks)]}

    assert found(body(("a", "A"), ("b", "B")), body(("b", "other"), ("a", "A"))) == [
        ("/messages/1/content/0/content", "B", "other")
    ]


def test_a_message_before_a_round_does_not_part_the_results():
    a, b = result("a", "A"), result("b", "B")
    assert found({"messages": [user("go"), a, b]}, {"messages": [user("go"), user("X"), b, a]}) == [
        ("/messages/1", ABSENT, user("X"))
    ]


def test_arguments_that_differ_in_spelling_alone_are_no_difference():
    def body(arguments: str) -> dict[str, Any]:
        return {"input": [{"type": "function_call", "call_id": "a", "arguments": arguments}]}

    assert found(body('{"a": 0.0}'), body('{"a":0}')) == []
    assert found(body('{"a": 0.0}'), body('{"a":1}')) == [
        ("/input/0/arguments", '{"a":0}', '{"a":1}')
    ]


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        (("/messages/0/content",), ["/user"]),
        (("/messages/*/content", "/user"), []),
        (("/messages/0",), ["/user"]),
        (("/messages",), ["/user"]),
        (("/*",), []),
        (("/messages/1/content",), ["/messages/0/content", "/user"]),
    ],
)
def test_what_is_ignored_is_passed_over_and_pointers_stay_true(
    ignore: tuple[str, ...], left: list[str]
):
    recorded = {"messages": [user("a"), user("b")], "user": 1}
    received = {"messages": [user("x"), user("b")], "user": 2}
    assert [pointer for pointer, *_ in found(recorded, received, ignore=ignore)] == left


def test_the_comparison_ends_when_there_is_too_much():
    assert len(found(list(range(5000)), list(range(1, 5001)))) == MAX_DIFFERENCES


def test_lists_are_aligned_until_that_has_taken_too_much(monkeypatch: pytest.MonkeyPatch):
    lists = [["a", "b"], ["a", "b"]], [["b"], ["b"]]
    assert [place for place, _, _ in found(*lists)] == ["/0/0", "/1/0"]
    monkeypatch.setattr(module, "ALIGNING_ROOM", 0)
    assert [place for place, _, _ in found(*lists)] == ["/0/0", "/0/1", "/1/0", "/1/1"]


def test_deep_documents_are_compared_whole_at_the_bottom():
    def nested(leaf: int) -> Any:
        value: Any = leaf
        for _ in range(150):
            value = {"a": value}
        return value

    assert found(nested(1), nested(1)) == []
    assert len(found(nested(1), nested(2))) == 1


@given(json_values, json_values)
def test_there_is_a_difference_exactly_where_the_forms_differ(one: Any, other: Any):
    bodies = reading({"a": one}), reading({"a": other})
    agree = bodies[0].digest(ORDER) == bodies[1].digest(ORDER)
    assert (differences(*bodies, ORDER) == []) == agree
    assert differences(bodies[0], bodies[0], EXACT) == []


def test_a_difference_reads_on_one_line():
    difference = Difference("/messages/0/content", "a\nb" + "x" * 99 + "1", ABSENT)
    line = difference.text()
    assert line.startswith('/messages/0/content: recorded "a\\nbxxx')
    assert line.endswith("…, received (absent)")


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        (Difference("/a", None, [1]), {"pointer": "/a", "recorded": None, "received": [1]}),
        (Difference("/a", ABSENT, 0), {"pointer": "/a", "received": 0}),
        (Difference("body", b"a", b"b"), {"pointer": "body", "recorded": '"a"', "received": '"b"'}),
    ],
)
def test_a_difference_as_json(difference: Difference, expected: Any):
    assert difference.to_json() == expected
    json.dumps(difference.to_json())


def test_long_values_are_cut_in_json_too():
    cut = Difference("/a", "x" * 5000 + "1", "x" * 5000 + "2").to_json()
    assert len(cut["recorded"]) < 100
    assert cut["recorded"] != cut["received"]


def test_the_distance_of_texts_is_by_their_words():
    def distance(one: Any, other: Any) -> float:
        return Difference("/a", one, other).distance()

    assert distance("list the files", "delete my mail") == 1
    assert 0 < distance("a b", "b a") < distance("a b c d", "a b c x") < 0.5
    assert distance(ABSENT, "a") == distance("a", ABSENT) == distance("", "...") == 1
    assert distance({"k": "a b"}, {"k": "a c"}) < 0.5


@pytest.mark.parametrize("kind", [str, bytes, list])
def test_the_distance_is_told_by_the_beginning_of_what_is_long(kind: type):
    words = ["same"] * 10, ["same"] * 9 + ["other"]
    one, other = (
        each if kind is list else " ".join(each) if kind is str else " ".join(each).encode()
        for each in words
    )
    apart = Difference("/a", one, other)
    assert apart.distance() > apart.distance(weighed=20) < 0.02
