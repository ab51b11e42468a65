"""Whatever a cassette holds, reading, showing, counting and comparing it never fails."""

import io
import json

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from unit.analysis.streams import JSON, NDJSON, SSE, cassette, entries
from wiretape.analysis.diff import diff
from wiretape.analysis.diff_text import diff_text
from wiretape.analysis.show_json import show_json
from wiretape.analysis.show_text import show_text
from wiretape.analysis.stats import stats
from wiretape.analysis.stats_text import stats_text
from wiretape.core.model import Body, Outcome, Request

KEYS = st.sampled_from(
    [
        "choices",
        "delta",
        "message",
        "index",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "id",
        "type",
        "content",
        "usage",
        "error",
        "response",
        "output",
        "item",
        "output_index",
        "done",
        "object",
        "role",
        "content_block",
        "partial_json",
        "finish_reason",
        "stop_reason",
        "data",
        "models",
        "embedding",
        "messages",
        "input",
        "prompt",
        "system",
        "model",
        "tools",
        "custom",
        "summary",
        "reasoning",
        "logprobs",
        "item_id",
        "call_id",
        "text",
        "timings",
        "eval_count",
        "eval_duration",
        "completion_tokens",
        "predicted_per_second",
        "done_reason",
        "status",
        "incomplete_details",
        "function_call",
        "instructions",
    ]
)
WORDS = st.sampled_from(
    [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "error",
        "tool_use",
        "input_json_delta",
        "text_delta",
        "thinking",
        "function_call",
        "custom_tool_call",
        "message",
        "reasoning",
        "response.created",
        "response.completed",
        "response.failed",
        "response.output_item.added",
        "completed",
        "response.output_item.done",
        "response.output_text.delta",
        "response.output_text.done",
        "chat.completion",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "text_completion",
        "response",
        "chat.completion.chunk",
        "{}",
        "[",
        "ls",
        "ls -l",
        "�",
        "\x1b[2J",
    ]
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.just(10**400) | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)
TARGETS = st.sampled_from(
    [
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/responses",
        "/v1/messages",
        "/api/chat",
        "/api/generate",
        "/v1/embeddings",
        "/api/embed",
        "/v1/models",
        "/other",
    ]
)


@st.composite
def cassettes(draw):
    groups = []
    for number in range(1, draw(st.integers(0, 3)) + 1):
        headers = draw(st.sampled_from([SSE, NDJSON, JSON, ()]))
        frame = b"data: %s\n\n" if headers == SSE else b"%s\n"
        events = draw(st.lists(ODD, max_size=4))
        body = b"".join(frame % json.dumps(event).encode() for event in events)
        cut = draw(st.integers(0, len(body)))
        made = entries(
            [body[:cut], body[cut:]] if draw(st.booleans()) else [body[:cut]],
            headers,
            outcome=draw(st.sampled_from([None, *Outcome])),
            status=draw(st.sampled_from([200, 500])),
            number=number,
            began_us=number * 1000,
        )
        method, target = draw(st.sampled_from(["GET", "POST"])), draw(TARGETS)
        asked = Body.of(json.dumps(draw(ODD)).encode())
        made[0] = Request(number, number * 1000, method, target, JSON, asked)
        groups.append(made)
    return cassette(*groups)


def rendered(renderable):
    out = io.StringIO()
    Console(file=out, width=80, color_system=None).print(renderable)
    return out.getvalue()


@given(one=cassettes(), two=cassettes())
def test_nothing_makes_it_fail(one, two):
    json.dumps(show_json(one), allow_nan=False)
    for raw in (False, True):
        assert "\x1b" not in rendered(show_text(one, raw=raw))
    counts = stats([one, two])
    json.dumps(counts.to_json(), allow_nan=False)
    counts.csv_rows()
    rendered(stats_text(counts))
    compared = diff(one, two)
    json.dumps(compared.to_json(), allow_nan=False)
    rendered(diff_text(compared))
    assert not diff(one, one).changed
