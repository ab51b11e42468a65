"""Requests and answers with a value of another type at any place: nothing fails over them."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from support.fuzzing import wrong_types
from unit.analysis.streams import JSON, NDJSON, SSE, cassette, dumped, entries, ndjson, sse
from wiretape.analysis.diff import diff
from wiretape.analysis.diff_text import diff_text
from wiretape.analysis.har import har
from wiretape.analysis.messages import last_said
from wiretape.analysis.question import read_request
from wiretape.analysis.reruns import reruns
from wiretape.analysis.reruns_text import reruns_text
from wiretape.analysis.show_json import show_json
from wiretape.analysis.show_text import show_text
from wiretape.analysis.stats import stats
from wiretape.analysis.stats_text import stats_text
from wiretape.analysis.tables import chunk_rows, event_rows, interaction_rows
from wiretape.analysis.threads import places
from wiretape.analysis.transcript import transcripts
from wiretape.core.matching import Level, Matcher, Rules
from wiretape.core.model import Cassette, Request
from wiretape.core.rules import Repeat
from wiretape.viewer.lane import lane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

USER = {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
FUNCTION = {"name": "run", "arguments": '{"a":1}'}
CALL = {"index": 0, "id": "c", "type": "function", "function": FUNCTION}
CALLED = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "x"}
FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
TOOLS = [{"type": "function", "function": {"name": "run", "parameters": {}}}]
ITEM = {"type": "function_call", "id": "i", "call_id": "c", **FUNCTION}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "x"}
THOUGHT = {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "hm"}]}
SPOKEN = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "a"}],
}
USE = {"type": "tool_use", "id": "t", "name": "run", "input": {"a": "1"}}
USED = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}
COUNTS = {"prompt_tokens": 1, "completion_tokens": 2, "completion_tokens_details": {"a": 1}}

ODD: tuple[Any, ...] = (None, 7, ["x"], {"x": [{}]})

# Of each dialect the target, a request, the events of an answer, and how these are framed.
Dialogue = tuple[str, dict[str, Any], list[dict[str, Any]], Any]
DIALOGUES: dict[str, Dialogue] = {
    "chat": (
        "/v1/chat/completions",
        {
            "model": "m",
            "stream": True,
            "messages": [USER, CALLED, RESULT],
            "tools": TOOLS,
            "response_format": FORMAT,
        },
        [
            {
                "object": "chat.completion.chunk",
                "model": "m",
                "choices": [
                    {"index": 0, "delta": {**CALLED, "reasoning": "hm"}, "finish_reason": "stop"}
                ],
                "usage": COUNTS,
            },
            {"error": {"message": "no", "type": "t", "code": "c"}},
        ],
        SSE,
    ),
    "completions": (
        "/v1/completions",
        {"model": "m", "prompt": ["a"], "suffix": "b"},
        [{"object": "text_completion", "choices": [{"text": "a", "finish_reason": "stop"}]}],
        JSON,
    ),
    "responses": (
        "/v1/responses",
        {
            "model": "m",
            "instructions": "be kind",
            "input": [{"type": "message", **USER}, THOUGHT, ITEM, OUTPUT],
            "text": {"format": {"type": "json_schema", "name": "n"}},
        },
        [
            {"type": "response.output_item.added", "output_index": 0, "item": ITEM},
            {
                "type": "response.function_call_arguments.delta",
                "item_id": "i",
                "output_index": 0,
                "delta": '{"a":',
            },
            {
                "type": "response.output_text.done",
                "item_id": "m",
                "output_index": 1,
                "content_index": 0,
                "text": "a",
            },
            {
                "type": "response.completed",
                "response": {
                    "object": "response",
                    "status": "incomplete",
                    "incomplete_details": {"reason": "max_output_tokens"},
                    "output": [THOUGHT, ITEM, SPOKEN],
                    "usage": {"input_tokens": 1, "output_tokens": 2},
                },
            },
        ],
        SSE,
    ),
    "messages": (
        "/v1/messages",
        {
            "model": "m",
            "system": [{"type": "text", "text": "be kind"}],
            "messages": [USER, {"role": "assistant", "content": [USE]}, USED],
            "tool_choice": {"type": "tool", "name": "run"},
        },
        [
            {"type": "message_start", "message": {"type": "message", "role": "a", "content": []}},
            {"type": "content_block_start", "index": 0, "content_block": USE},
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": "{}"},
            },
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "tool_use"},
                "usage": {"output_tokens": 1},
            },
        ],
        SSE,
    ),
    "ollama": (
        "/api/chat",
        {"model": "m", "messages": [USER, CALLED, RESULT], "options": {"stop": "x"}},
        [
            {"model": "m", "message": {**CALLED, "thinking": "hm"}, "done": False},
            {"done": True, "done_reason": "stop", "eval_count": 1, "eval_duration": 2},
        ],
        NDJSON,
    ),
    "embeddings": (
        "/v1/embeddings",
        {"model": "m", "input": ["a"]},
        [{"object": "list", "data": [{"object": "embedding", "embedding": [1.5]}], "model": "m"}],
        JSON,
    ),
}


def variants(dialogue: Dialogue) -> Iterator[list[Any]]:
    """The dialogue as one interaction after another, each with one odd value."""
    target, asked, events, headers = dialogue
    framed = sse if headers is SSE else ndjson
    changed = [(request, events) for _, request in wrong_types(asked, ODD)]
    changed += [(asked, answer) for _, answer in wrong_types(events, ODD)]
    for number, (request, answer) in enumerate(changed, 1):
        chunks = framed(*map(dumped, answer)) if headers is SSE else framed(*answer)
        yield entries(
            chunks, headers, target=target, asked=request, number=number, began_us=number * 100_000
        )


def written(recorded: Cassette) -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(show_text(recorded, raw=False))
    json.dumps(show_json(recorded), allow_nan=False)
    counts = stats([recorded])
    console.print(stats_text(counts))
    counts.csv_rows()
    json.dumps(har([recorded], "1"), allow_nan=False)


def compared(recorded: Cassette) -> None:
    console = Console(file=io.StringIO(), width=80)
    other = cassette(entries([], asked={"messages": [USER]}))
    found = diff(recorded, other)
    json.dumps(found.to_json(), allow_nan=False)
    console.print(diff_text(found))
    assert not diff(recorded, recorded).changed
    taken = reruns(recorded, [recorded])
    json.dumps(taken.to_json(), allow_nan=False)
    console.print(reruns_text(taken))


def tabled(recorded: Cassette) -> None:
    for rows in (event_rows, chunk_rows, interaction_rows):
        assert list(rows(recorded))


def drawn(recorded: Cassette) -> None:
    read = transcripts(recorded)
    place = places(read)
    lanes = [lane(each, place[each.interaction.number]) for each in read]
    json.dumps(lanes, allow_nan=False)


def matched(recorded: Cassette) -> None:
    requests = [each.request for each in recorded.interactions()]
    for level in Level:
        matcher = Matcher([((0, each.interaction), each) for each in requests], Rules(level))
        for each in requests:
            last_said(read_request(each).messages)
            assert matcher.find(each.method, each.target, each.headers, each.body)
        missed = Matcher([((0, 1), requests[0])], Rules(level, repeat=Repeat.LAST))
        for each in requests[1:]:
            asked_of(missed, each)


def asked_of(matcher: Matcher, request: Request) -> None:
    asked = (request.method, request.target, request.headers, request.body)
    found = matcher.find(*asked)
    if found is None:
        miss = matcher.miss(*asked)
        miss.text(str)
        json.dumps(miss.to_json(str))
    else:
        matcher.differences(found.key, *asked)


@pytest.mark.parametrize("use", [written, compared, tabled, drawn, matched])
@pytest.mark.parametrize("dialect", DIALOGUES)
def test_an_odd_value_at_any_place_makes_nothing_fail(
    dialect: str, use: Callable[[Cassette], None]
):
    use(cassette(*variants(DIALOGUES[dialect])))
