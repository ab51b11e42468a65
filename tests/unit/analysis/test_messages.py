import pytest

from wiretape.analysis.messages import call_line, last_said, message_lines

FUNCTION = {"name": "run", "arguments": '{"c":"ls"}'}


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ({"role": "user", "content": "Hi"}, [("user", "Hi")]),
        ({"role": "user", "content": ""}, [("user", "")]),
        (
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "image_url"}, "b"],
            },
            [("user", "a"), ("user", "[image_url]"), ("user", "b")],
        ),
        (
            {"role": "assistant", "content": "Hm", "tool_calls": [{"function": FUNCTION}]},
            [("assistant", "Hm"), ("assistant", 'run(c="ls")')],
        ),
        (
            {
                "role": "assistant",
                "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}],
            },
            [("assistant", "f(a=1)")],
        ),
        ({"role": "assistant", "reasoning_content": "Hm"}, [("reasoning", "Hm")]),
        ({"role": "tool", "tool_call_id": "x", "content": "out"}, [("tool", "x → out")]),
        ({"role": "tool", "tool_name": "f", "content": "out"}, [("tool", "f → out")]),
        ({"role": "tool", "content": "out"}, [("tool", "out")]),
        (
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "name": "f", "input": {"a": 1}}],
            },
            [("assistant", "f(a=1)")],
        ),
        (
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "x",
                        "content": [{"type": "text", "text": "o"}],
                    }
                ],
            },
            [("tool", "x → o")],
        ),
        (
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "H"}]},
            [("reasoning", "H")],
        ),
        ({"type": "function_call", **FUNCTION}, [("assistant", 'run(c="ls")')]),
        ({"type": "function_call_output", "call_id": "x", "output": "o"}, [("tool", "x → o")]),
        (
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "H"}]},
            [("reasoning", "H")],
        ),
        ({"role": "user", "content": {"odd": 1}}, [("user", '{"odd":1}')]),
        ("odd", [("message", '"odd"')]),
        ({"tool_calls": [None]}, [("message", "?()")]),
    ],
)
def test_messages_of_every_dialect_become_lines(message, lines):
    assert message_lines(message) == lines


def test_a_call_is_written_as_people_write_one():
    assert call_line("f", {"a": "é", "b": [1]}, "") == 'f(a="é", b=[1])'
    assert call_line("f", [1], "[1]") == "f([1])"
    assert call_line("", {}, "{}") == "?()"


def test_the_last_message_is_said_in_brief_on_a_printable_line():
    assert last_said([]) is None
    assert last_said([{"role": "user", "content": "a"}, {"role": "user", "content": "b\nc"}]) == (
        'user "b\\nc"'
    )
    long = last_said([{"role": "x" * 99, "content": "\x1b[2J" * 1_000_000}])
    assert long is not None
    assert long.isprintable()
    assert len(long) < 400
