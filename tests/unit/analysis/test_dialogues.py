"""One conversation, in every dialect and in every server's way of streaming it: one transcript."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.analysis.streams import (
    CHAT,
    JSON,
    NDJSON,
    SSE,
    call_delta,
    chat_chunk,
    dumped,
    interaction,
    ndjson,
    sse,
)
from wiretape.analysis.transcript import transcript

LS, LS_L = '{"command":"ls"}', '{"command":"ls -l"}'
THOUGHT, SAID = "Let me look.", "Looking."
NAME = "run_command"
MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"


def fragments(index, raw):
    opened = call_delta(index, f"call_{index}", NAME, "")
    rest = [call_delta(index, arguments=raw[at : at + 3]) for at in range(0, len(raw), 3)]
    return [opened, *rest]


def llamacpp(reasoning="reasoning_content"):
    deltas = [
        {"role": "assistant", "content": None},
        {reasoning: "Let me "},
        {reasoning: "look."},
        {"content": "Look"},
        {"content": "ing."},
        *fragments(0, LS),
        *fragments(1, LS_L),
    ]
    return sse(*map(chat_chunk, deltas), chat_chunk({}, "tool_calls"), "[DONE]")


def interleaved():
    pairs = zip([*fragments(0, LS), None], fragments(1, LS_L), strict=True)
    deltas = [delta for pair in pairs for delta in pair if delta]
    opened = [{"role": "assistant", "reasoning": THOUGHT}, {"content": SAID}]
    return sse(*map(chat_chunk, opened + deltas), chat_chunk({}, "tool_calls"), "[DONE]")


def ollama(*indexes: object, ids=("call_a", "call_b"), together=False):
    """Whole calls, role and content in every delta, as ollama sends them."""
    calls = [
        call_delta(index, call_id, NAME, raw)["tool_calls"]
        for index, call_id, raw in zip(indexes, ids, (LS, LS_L), strict=True)
    ]
    if together:
        calls = [calls[0] + calls[1]]
    deltas = [
        {"role": "assistant", "content": "", "reasoning": THOUGHT},
        {"role": "assistant", "content": SAID},
        *({"role": "assistant", "content": "", "tool_calls": each} for each in calls),
    ]
    last = chat_chunk({"role": "assistant", "content": ""}, "tool_calls")
    events = sse(*map(chat_chunk, deltas), last, "[DONE]")
    return [*events[:-2], events[-2] + events[-1]]


def repeating():
    """Id, name and index again with every fragment, as some gateways do."""
    deltas = [
        call_delta(index, f"call_{index}", NAME, raw[at : at + 5])
        for index, raw in enumerate((LS, LS_L))
        for at in range(0, len(raw), 5)
    ]
    opened = [{"role": "assistant", "thinking": THOUGHT}, {"content": SAID}]
    return sse(*map(chat_chunk, opened + deltas), chat_chunk({}, "tool_calls"), "[DONE]")


def chat_message(**more: object):
    calls = [
        call_delta(None, f"c{n}", NAME, raw)["tool_calls"][0] for n, raw in enumerate((LS, LS_L))
    ]
    return {"role": "assistant", "content": SAID, "tool_calls": calls, **more}


def chat_whole():
    message = chat_message(reasoning_content=THOUGHT)
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return [dumped({"object": "chat.completion", "model": "m", "choices": [choice]}).encode()]


def anthropic_stream():
    def block(index, opening, *deltas: object):
        yield {"type": "content_block_start", "index": index, "content_block": opening}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}

    def tool(index, raw):
        parts = [
            {"type": "input_json_delta", "partial_json": text} for text in ("", raw[:5], raw[5:])
        ]
        opening = {"type": "tool_use", "id": f"toolu_{index}", "name": NAME, "input": {}}
        return block(index, opening, *parts)

    message = {"type": "message", "role": "assistant", "model": "m", "content": []}
    thoughts = [{"type": "thinking_delta", "thinking": text} for text in ("Let me ", "look.")]
    signed = {"type": "signature_delta", "signature": "xyz"}
    spoken = [{"type": "text_delta", "text": text} for text in ("Look", "ing.")]
    return sse(
        {"type": "message_start", "message": message},
        {"type": "ping"},
        *block(0, {"type": "thinking", "thinking": ""}, *thoughts, signed),
        *block(1, {"type": "text", "text": ""}, *spoken),
        *tool(2, LS),
        *tool(3, LS_L),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 9},
        },
        {"type": "message_stop"},
        named=True,
    )


def anthropic_whole():
    content = [
        {"type": "thinking", "thinking": THOUGHT, "signature": "xyz"},
        {"type": "text", "text": SAID},
        {"type": "tool_use", "id": "a", "name": NAME, "input": {"command": "ls"}},
        {"type": "tool_use", "id": "b", "name": NAME, "input": {"command": "ls -l"}},
    ]
    message = {"type": "message", "role": "assistant", "model": "m", "content": content}
    return [dumped({**message, "stop_reason": "tool_use"}).encode()]


def output_items(*, identified=True):
    items = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": THOUGHT}]},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": SAID, "annotations": []}],
        },
        {"type": "function_call", "call_id": "call_0", "name": NAME, "arguments": LS},
        {"type": "function_call", "call_id": "call_1", "name": NAME, "arguments": LS_L},
    ]
    return [{"id": f"it_{n}", **item} if identified else item for n, item in enumerate(items)]


def responses_stream(*, indexes=True, deltas=True, final=True, final_ids=True):
    """With and without output indexes, deltas, the final items, and equal ids in these."""
    events = [{"type": "response.created", "response": {"status": "in_progress", "model": "m"}}]
    for index, item in enumerate(output_items()):
        at = {"output_index": index} if indexes else {}
        name = {
            "reasoning": "reasoning_summary_text",
            "message": "output_text",
            "function_call": "function_call_arguments",
        }[item["type"]]
        text = item.get("arguments") or (SAID if item["type"] == "message" else THOUGHT)
        field = "arguments" if item["type"] == "function_call" else "text"
        empty = {**item, "content": [], "summary": [], "arguments": ""}
        events.append({"type": "response.output_item.added", "item": empty, **at})
        at["item_id"] = item["id"]
        pieces = [text[:4], text[4:]] if deltas else []
        events += [{"type": f"response.{name}.delta", "delta": piece, **at} for piece in pieces]
        events.append({"type": f"response.{name}.done", field: text, **at})
        events.append({"type": "response.output_item.done", "item": item, "output_index": index})
    done = {
        "status": "completed",
        "model": "m",
        "output": output_items(identified=final_ids) if final else [],
    }
    return sse(*events, {"type": "response.completed", "response": done}, named=True)


def responses_whole():
    answer = {"object": "response", "status": "completed", "model": "m", "output": output_items()}
    return [dumped(answer).encode()]


def native_calls(**more: object):
    made = [{"name": NAME, "arguments": {"command": command}} for command in ("ls", "ls -l")]
    return [{"function": function, **more} for function in made]


def native_stream(*, together=False):
    calls = native_calls()
    messages = [
        {"role": "assistant", "content": "", "thinking": "Let me "},
        {"role": "assistant", "content": "", "thinking": "look."},
        {"role": "assistant", "content": "Look"},
        {"role": "assistant", "content": "ing."},
        *(
            {"role": "assistant", "content": "", "tool_calls": some}
            for some in ([calls] if together else [[call] for call in calls])
        ),
    ]
    lines = [{"model": "m", "message": message, "done": False} for message in messages]
    message = {"role": "assistant", "content": ""}
    last = {"model": "m", "message": message, "done_reason": "stop", "done": True, "eval_count": 9}
    return ndjson(*lines, last)


def native_whole():
    message = {"role": "assistant", "content": SAID, "thinking": THOUGHT}
    message["tool_calls"] = native_calls(id="call_x")
    return ndjson({"model": "m", "message": message, "done_reason": "stop", "done": True})


DIALOGUES = {
    "llama.cpp in fragments": (llamacpp(), SSE, CHAT),
    "fragments of two calls interleaved": (interleaved(), SSE, CHAT),
    "ollama 0.6.5, whole calls counted": (ollama(0, 1), SSE, CHAT),
    "ollama, every index 0": (ollama(0, 0), SSE, CHAT),
    "ollama, every index 0, all in one chunk": (ollama(0, 0, together=True), SSE, CHAT),
    "ollama, no index": (ollama(None, None), SSE, CHAT),
    "every index 0 and no ids": (ollama(0, 0, ids=(None, None)), SSE, CHAT),
    "no index and no ids": (ollama(None, None, ids=(None, None), together=True), SSE, CHAT),
    "everything repeated with every fragment": (repeating(), SSE, CHAT),
    "chat, whole": (chat_whole(), JSON, CHAT),
    "messages, streamed": (anthropic_stream(), SSE, MESSAGES),
    "messages, whole": (anthropic_whole(), JSON, MESSAGES),
    "responses, streamed": (responses_stream(), SSE, RESPONSES),
    "responses without indexes": (responses_stream(indexes=False), SSE, RESPONSES),
    "responses without deltas": (responses_stream(deltas=False), SSE, RESPONSES),
    "responses with nothing at the end": (responses_stream(final=False), SSE, RESPONSES),
    "responses with no ids at the end": (responses_stream(final_ids=False), SSE, RESPONSES),
    "responses, whole": (responses_whole(), JSON, RESPONSES),
    "ollama's own, streamed": (native_stream(), NDJSON, "/api/chat"),
    "ollama's own, calls together": (native_stream(together=True), NDJSON, "/api/chat"),
    "ollama's own, whole": (native_whole(), JSON, "/api/chat"),
}


def said(read):
    calls = [
        (call.index, call.name, call.arguments, call.arguments_raw) for call in read.tool_calls
    ]
    finish = read.main.finish if read.main else None
    return read.role, read.content, read.reasoning, read.refusal, calls, finish


EXPECTED = (
    "assistant",
    SAID,
    THOUGHT,
    None,
    [(0, NAME, {"command": "ls"}, LS), (1, NAME, {"command": "ls -l"}, LS_L)],
    "tool_calls",
)


@pytest.mark.parametrize("way", DIALOGUES)
def test_every_dialect_gives_the_same_transcript(way):
    chunks, headers, target = DIALOGUES[way]
    read = transcript(interaction(chunks, headers, target=target))
    assert said(read) == EXPECTED
    assert (read.unknown, read.failures, read.breaks) == ((), (), ())
    assert read.model == "m"


@pytest.mark.parametrize("way", DIALOGUES)
def test_every_dialect_is_known_by_its_looks_where_the_path_is_a_gateways_own(way):
    chunks, headers, _ = DIALOGUES[way]
    assert said(transcript(interaction(chunks, headers, target="/gateway"))) == EXPECTED


@pytest.mark.parametrize("way", DIALOGUES)
def test_spans_hold_every_piece_and_its_chunk(way):
    chunks, headers, target = DIALOGUES[way]
    recorded = interaction(chunks, headers, target=target)
    read = transcript(recorded)
    for call in read.tool_calls:
        own = [span for span in read.spans if span.call == call.index]
        assert "".join(span.text for span in own) == call.arguments_raw
        assert {span.chunk for span in own} <= set(call.chunks)
        assert call.start_us == recorded.chunks[own[0].chunk].at_us
        assert call.end_us == recorded.chunks[call.chunks[-1]].at_us
    for part, text in (("content", read.content), ("reasoning", read.reasoning)):
        assert "".join(span.text for span in read.spans if span.part.value == part) == text


@given(way=st.sampled_from(sorted(DIALOGUES)), size=st.integers(1, 90))
def test_the_transcript_does_not_depend_on_the_chunks(way, size):
    chunks, headers, target = DIALOGUES[way]
    body = b"".join(chunks)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    assert said(transcript(interaction(pieces, headers, target=target))) == EXPECTED


@given(way=st.sampled_from(sorted(DIALOGUES)), share=st.floats(0, 1))
def test_a_stream_cut_off_anywhere_gives_the_beginning_of_what_was_said(way, share):
    chunks, headers, target = DIALOGUES[way]
    body = b"".join(chunks)
    read = transcript(interaction([body[: int(len(body) * share)]], headers, target=target))
    _, content, reasoning, _, calls, finish = said(read)
    assert SAID.startswith(content or "")
    assert THOUGHT.startswith(reasoning or "")
    # A whole response names its status before its output.
    assert finish in {None, "tool_calls"} or way == "responses, whole"
    for (_, _, _, raw), whole in zip(calls, (LS, LS_L), strict=False):
        assert whole.startswith(raw)
