from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.core.pointer import format_pointer, parse_pointer, remove
from wiretape.errors import UsageError


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("/messages/0/content", ("messages", "0", "content")),
        ("/tools/*/function", ("tools", "*", "function")),
        ("/a~1b/m~0n/~01", ("a/b", "m~n", "~1")),
        ("/", ("",)),
        ("/a//b", ("a", "", "b")),
    ],
)
def test_a_pointer_is_split_into_unescaped_tokens(text: str, tokens: tuple[str, ...]):
    pointer = parse_pointer(text)
    assert pointer.tokens == tokens
    assert pointer.text == text


@pytest.mark.parametrize("text", ["", "messages", "#/messages", "/a~2b", "/a~", "a\n/b"])
def test_what_is_no_pointer_is_refused_in_one_line_that_names_it(text: str):
    with pytest.raises(UsageError) as refusal:
        parse_pointer(text)
    message = str(refusal.value)
    assert repr(text) in message
    assert len(message.splitlines()) == 1


@given(st.lists(st.text(), min_size=1))
def test_formatting_and_parsing_give_the_same_tokens(tokens: list[str]):
    assert parse_pointer(format_pointer(tokens)).tokens == tuple(tokens)


@pytest.mark.parametrize(
    ("pointers", "left"),
    [
        (["/a"], {"b": [{"c": 1, "d": 2}, {"c": 3}, 4], "*": 5}),
        (["/b/0"], {"a": {"x": 0}, "b": [{"c": 3}, 4], "*": 5}),
        (["/b/1", "/b/0"], {"a": {"x": 0}, "b": [4], "*": 5}),
        (["/b/0", "/b/0", "/b/*"], {"a": {"x": 0}, "b": [], "*": 5}),
        (["/b/*/c"], {"a": {"x": 0}, "b": [{"d": 2}, {}, 4], "*": 5}),
        (["/*"], {}),
        (["/a/x", "/a"], {"b": [{"c": 1, "d": 2}, {"c": 3}, 4], "*": 5}),
        (["/b/00", "/b/-", "/b/3", "/b/x", "/b/9999999999999999999"], None),
        (["/nothing", "/a/x/y", "/a/x/*", "/b/2/c"], None),
    ],
)
def test_what_pointers_name_is_removed_at_once(pointers: list[str], left: Any):
    def document() -> Any:
        return {"a": {"x": 0}, "b": [{"c": 1, "d": 2}, {"c": 3}, 4], "*": 5}

    changed = document()
    remove(changed, [parse_pointer(text) for text in pointers])
    assert changed == (document() if left is None else left)


def test_the_root_of_an_array_can_be_pointed_into():
    document = [1, 2, 3]
    remove(document, [parse_pointer("/1")])
    assert document == [1, 3]


def test_a_star_covers_one_step_and_no_more():
    pointer = parse_pointer("/messages/*/content")
    assert pointer.covers(("messages", "7", "content"))
    assert not pointer.covers(("messages", "7"))
    assert not pointer.covers(("messages", "7", "content", "0"))
    assert not pointer.covers(("tools", "7", "content"))
