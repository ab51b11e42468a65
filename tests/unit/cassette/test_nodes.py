import pytest
import yaml

from wiretape.cassette.nodes import DEEPEST, Events, Mapping, NodeError, Scalar, Sequence
from wiretape.errors import WiretapeError


def read(text: str, first_line: int = 1) -> object:
    events = Events(text, first_line)
    node = events.node(events.start())
    events.finish()
    return node


def test_nodes_keep_texts_as_written_and_their_lines():
    assert read("a: 012\nb: ['x', ! 1, !!int '7']\n'1': {}\n") == Mapping(
        {
            "a": Scalar("012", None, 1),
            "b": Sequence([Scalar("x", "str", 2), Scalar("1", "str", 2), Scalar("7", "int", 2)], 2),
            "1": Mapping({}, 3),
        },
        1,
    )


def test_lines_are_counted_from_the_first_one_given():
    assert read("- a\n\n- b\n", first_line=40) == Sequence(
        [Scalar("a", None, 40), Scalar("b", None, 42)],
        40,
    )


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: &x 1\nb: *x\n", 1, "aliases and anchors"),
        ("a: 1\nb: *x\n", 2, "aliases and anchors"),
        ("a: &x [1]\n", 1, "aliases and anchors"),
        ("a: 1\n<<: {b: 1}\n", 2, "merge keys"),
        ("a: 1\nb: 1\na: 2\n", 3, "'a' stands twice"),
        ("[a]: 1\n", 1, "a key must be a scalar"),
        ("{a: 1}: 1\n", 1, "a key must be a scalar"),
        ("a: !!python/object:os.system x\n", 1, "is not allowed"),
        ("a: !!binary aGk=\n", 1, "is not allowed"),
        ("a: !mine {}\n", 1, "is not allowed here"),
        ("a: !!omap []\n", 1, "is not allowed here"),
        ("a: 1\n---\nb: 1\n", 2, "a second document"),
        ("a: 1\n...\nb\n", 3, "not valid YAML"),
        ("a: 'open\nb: 1\n", 3, "not valid YAML"),
        ("a: 1\n b: 2\n", 2, "not valid YAML"),
        ("a: \x00\n", 1, "U+0000"),
        ("a: 1\nb: \x07\n", 2, "U+0007"),
        ("a: 1\nb: é\ufffe\n", 2, "U+FFFE"),
        ("", 1, "the document is empty"),
        ("# nothing\n", 1, "the document is empty"),
        ("%YAML 3.0\n---\na: 1\n", 1, "not valid YAML"),
    ],
)
def test_what_no_cassette_holds_is_refused_with_its_line(text, line, reason):
    with pytest.raises(NodeError, match="line") as caught:
        read(text)
    assert reason in caught.value.reason
    assert caught.value.line == line or reason == "the document is empty"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused_quickly(opening):
    with pytest.raises(NodeError):
        read(opening * 100_000)
    with pytest.raises(NodeError, match="levels deep"):
        read("[" * (DEEPEST + 2) + "]" * (DEEPEST + 2))


def test_a_quoted_merge_key_is_a_key():
    assert read("'<<': 1\n") == Mapping({"<<": Scalar("1", None, 1)}, 1)


def test_breaks_and_a_byte_order_mark_are_no_odd_characters():
    assert read("a: 'b\u2028c'\r\n") == Mapping({"a": Scalar("b\u2028c", "str", 1)}, 1)


def test_a_yaml_without_its_c_loader_is_named(monkeypatch):
    monkeypatch.delattr(yaml, "CSafeLoader")
    with pytest.raises(WiretapeError, match=r"without its C loader.*install a wheel"):
        Events("a: 1")
