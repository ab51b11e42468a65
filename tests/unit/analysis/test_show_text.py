import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from unit.analysis.streams import (
    JSON,
    NDJSON,
    SSE,
    call_delta,
    cassette,
    chat_chunk,
    dumped,
    entries,
    ndjson,
    sse,
)
from wiretape.analysis.show_text import show_text
from wiretape.core.model import Body, Outcome, Request

SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "Run ls and ls -l"}
ASKED = {"model": "qwen", "messages": [SYSTEM, USER], "tools": [{"type": "function"}]}
CALLS = sse(
    chat_chunk(call_delta(0, "call_a", "run_command", '{"command":"ls"}')),
    chat_chunk(call_delta(1, "call_b", "run_command", '{"command":"ls -l"}')),
    chat_chunk({}, "tool_calls"),
    "[DONE]",
)
RESULT = {"role": "tool", "tool_call_id": "call_a", "content": "README.md"}
ECHO = {
    "role": "assistant",
    "tool_calls": [{"function": {"name": "run_command", "arguments": "{}"}}],
}
TALK = sse(chat_chunk({"reasoning": "Hm."}), chat_chunk({"content": "Done."}, "stop"))


def rendered(recorded, *, raw=False, width=80):
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(show_text(recorded, raw=raw))
    return out.getvalue()


def shown(*groups: object, **given: object):
    return rendered(cassette(*groups), **given)


def test_a_body_that_was_not_kept_is_told_with_its_length():
    group = entries(TALK)
    group[0] = replace(group[0], body=Body(None, 20_971_520, "ab" * 32))
    assert "(the request's body, 20,971,520 bytes, was not kept)\n" in shown(group)


def test_the_notes_cassette_reads_as_people_read_it():
    assert shown(entries(CALLS, asked=ASKED, times_us=[412_345, 592_345, 600_000, 600_001])) == (
        "test · 1 interaction with http://127.0.0.1:11434 · 2025-04-12 08:21:15 UTC\n"
        "\n"
        "#1 POST /v1/chat/completions qwen → 200, complete, 601 ms\n"
        "   system     Be brief.\n"
        "   user       Run ls and ls -l\n"
        "              (1 tool offered)\n"
        '   call 1     run_command(command="ls")  412 ms  call_a\n'
        '   call 2     run_command(command="ls -l")  592 ms  call_b\n'
        "   finish     tool_calls\n"
        "   time       ··········▃····█  head 10 ms, token 412 ms, gap 180 ms, end 601 ms\n"
        "     look     2 parallel calls in one answer\n"
        '     look     call 2 run_command(command="ls -l") refines call 1\n'
        '              run_command(command="ls")\n'
    )


def test_a_conversation_that_goes_on_shows_only_what_is_new():
    more = {**ASKED, "messages": [SYSTEM, USER, ECHO, RESULT]}
    text = shown(entries(CALLS, asked=ASKED), entries(TALK, asked=more, number=2, began_us=500_000))
    second = text.partition("#2")[2]
    assert "(3 earlier messages: see #1)" in second
    assert "tool       call_a → README.md" in second
    assert "reasoning  Hm." in second
    assert "assistant  Done." in second
    assert "Be brief" not in second
    assert "offered" not in second


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("raw", [True, False])
def test_no_line_is_wider_than_the_terminal_or_ends_in_blanks(width, raw):
    long = {"messages": [{"role": "user", "content": "word " * 80 + "x" * 300 + "漢" * 90}]}
    text = shown(entries(CALLS, asked={**long, "model": "m" * 90}), raw=raw, width=width)
    for line in text.splitlines():
        assert cell_len(line) <= width
        assert raw or line == line.rstrip()


def test_parameters_are_shown_where_they_are_new():
    warm = {**ASKED, "temperature": 0.7, "seed": 1}
    more = {**warm, "messages": [SYSTEM, USER, ECHO, RESULT]}
    text = shown(
        entries(CALLS, asked=warm),
        entries(TALK, asked=more, number=2, began_us=500_000),
        entries(TALK, asked={**more, "seed": 2}, number=3, began_us=900_000),
    )
    _, first, second, third = text.split("\n#")
    assert "(1 tool offered)\n   with       temperature=0.7, seed=1\n" in first
    assert "with " not in second
    assert "   with       temperature=0.7, seed=2\n" in third
    assert "(4 earlier messages: see #2)\n" in third


def test_a_request_that_comes_again_is_called_that_and_a_retry_if_its_client_says_so():
    groups = [entries([], asked=ASKED, number=n, began_us=n * 100_000) for n in (1, 2, 3)]
    for group, count in zip(groups, ("0", "x", "2"), strict=True):
        group[0] = replace(group[0], headers=(("X-Stainless-Retry-Count", count),))
    _, first, second, third = shown(*groups).split("\n#")
    assert "(same" not in first
    assert "retry" not in first + second
    assert "              (same request as #1)\n" in second
    assert "              (same request as #2, retry 2)\n" in third
    other = shown(groups[0], entries([], asked={**ASKED, "model": "m"}, number=2, began_us=200_000))
    assert "(2 earlier messages: see #1)" in other


def test_several_stalls_of_one_answer_are_told_in_one_line():
    talk = sse(*[chat_chunk({"content": "a"})] * 20, chat_chunk({}, "stop"))
    times_us = [n * 10_000 + 2_000_000 * (n > 5) + 9_080_000 * (n > 9) for n in range(21)]

    text = shown(entries(talk, times_us=times_us))

    assert text.count("stall") == 1
    assert "     look     2 stalls, longest 9.09 s\n" in text


def test_raw_shows_every_entry_with_its_time_and_bytes():
    text = shown(entries([b"data: a\xff\n\n", b"\x1b[2J"], began_us=1_000_000), raw=True, width=100)
    assert "    1.010000  response    200\n" in text
    assert "                          Content-Type: text/event-stream\n" in text
    assert "    1.020000  chunk 1     data: a\\xff\\n\\n\n" in text
    assert "    1.030000  chunk 2     \\x1b[2J\n" in text
    assert "    1.031000  end         complete\n" in text


def test_a_request_body_that_was_not_kept_is_named_by_its_digest():
    request = Request(1, 0, "POST", "/x", (), Body(None, 9, "ab" * 32))
    text = shown([request], raw=True, width=120)
    assert f"(9 bytes, not kept, sha256 {'ab' * 32})" in text


def test_what_is_not_known_is_shown_raw_and_not_without_end():
    text = shown(entries(sse(*({"odd": number} for number in range(9))), asked=ASKED))
    assert 'not known  sse: {"odd":4}' in text
    assert "(4 more like these; see --raw)" in text


def test_other_traffic_shows_its_bodies():
    text = shown(entries([b"Ollama is running"], (("Content-Type", "text/plain"),), target="/"))
    assert "body       Ollama is running" in text
    text = shown(entries([b"{}"], JSON, target="/api/show", asked={"model": "m", "x": 1}))
    assert 'body       {"model":"m","x":1}' in text


def test_errors_choices_refusals_and_listings_are_shown():
    text = shown(
        entries([dumped({"error": {"message": "No such model"}}).encode()], JSON, status=404)
    )
    assert "→ 404, complete" in text
    assert "error      No such model" in text
    chunks = sse(chat_chunk({"content": "A"}), chat_chunk({"refusal": "I will not."}, index=1))
    text = shown(entries(chunks))
    assert "choice 1\n   refusal    I will not." in text
    models = dumped({"data": [{"id": "a"}]}).encode()
    assert "1 model: a" in shown(entries([models], JSON, target="/v1/models", method="GET"))


def test_instructions_of_responses_are_the_system_text():
    asked = {"instructions": "Be brief.", "input": "Hi"}
    text = shown(entries([], target="/v1/responses", asked=asked))
    assert text.count("system     Be brief.\n") == text.count("Be brief.") == 1


def test_an_interaction_without_response_or_end_is_shown():
    assert "→ no response, unfinished, 0 ms" in shown(entries([], status=None, outcome=None))
    text = shown(entries([], status=None, outcome=Outcome.UPSTREAM_UNREACHABLE))
    assert "no response, upstream unreachable" in text


def test_warnings_of_the_cassette_are_shown():
    recorded = cassette(entries(TALK))
    odd = type(recorded)("n", recorded.recorded, "u", recorded.entries, ("the last line was torn",))
    assert "warning the last line was torn" in rendered(odd)


def test_usage_and_finish_stand_in_one_line():
    line = {"message": {"content": "A"}, "done": True, "done_reason": "length", "eval_count": 2}
    text = shown(entries(ndjson({**line, "prompt_eval_count": 7}), NDJSON, target="/api/chat"))
    assert "finish     length · 7 tokens in, 2 out\n" in text


HOSTILE = "\x1b]0;x\x07\x9b2J[bold red]\u202e:smile:\r\b\ud800"


def test_a_hostile_cassette_cannot_reach_the_terminal():
    asked = {
        "model": HOSTILE,
        "messages": [
            {"role": HOSTILE, "content": HOSTILE},
            {"role": "tool", "tool_call_id": HOSTILE, "content": [{"type": HOSTILE}]},
        ],
    }
    chunks = [
        b"data: " + ascii_json(value) + b"\n\n"
        for value in (
            chat_chunk(
                {"role": HOSTILE, "content": HOSTILE, "reasoning": HOSTILE, HOSTILE: HOSTILE}
            ),
            chat_chunk(call_delta(0, HOSTILE, HOSTILE, '{"\\u001b":"\\u009b\\ud800"}')),
            chat_chunk({}, HOSTILE),
            {"error": {"message": HOSTILE}},
            {"type": HOSTILE},
        )
    ]
    made = entries([*chunks, HOSTILE.encode("utf-8", "surrogatepass")], target="/\x1b\x9b")
    request = made[0]
    body = Body.of(ascii_json(asked))
    made[0] = Request(1, 0, HOSTILE, request.target, request.headers, body)
    recorded = cassette(made, name=HOSTILE)
    for raw in (False, True):
        text = rendered(recorded, raw=raw)
        assert not set(text) & set("\x1b\x07\x9b\r\b\u202e\ud800")
        assert "[bold red]" in text
        assert ":smile:" in text
        assert r"\x1b" in text


def ascii_json(value):
    return json.dumps(value).encode()


@given(
    chunks=st.lists(st.binary(max_size=40), max_size=4),
    headers=st.sampled_from([SSE, NDJSON, JSON, ()]),
    target=st.sampled_from(["/v1/chat/completions", "/api/chat", "/v1/messages", "/"]),
    width=st.integers(1, 90),
)
def test_no_bytes_make_it_raise(chunks, headers, target, width):
    for raw in (False, True):
        shown(entries(chunks, headers, target=target), raw=raw, width=width)
