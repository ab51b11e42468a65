import gzip
import json

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
from wiretape.analysis.answer import Break, Dialect, Part
from wiretape.analysis.events import MISSING
from wiretape.analysis.question import read_request
from wiretape.analysis.shape import as_number
from wiretape.analysis.transcript import transcript
from wiretape.core.model import Body, Outcome, Request


def read(chunks, headers=SSE, **given: object):
    return transcript(interaction(chunks, headers, **given))


def chat(*chunks: object, **given: object):
    return read(sse(*chunks), **given)


def calls(found):
    return [
        (call.index, call.sent_index, call.id, call.name, call.arguments_raw)
        for call in found.tool_calls
    ]


def test_the_stream_of_the_notes_has_two_calls_each_with_its_chunk_and_time():
    first = {"role": "assistant", "content": "", **call_delta(0, "a", "run", '{"c":"ls"}')}
    second = {"role": "assistant", "content": "", **call_delta(1, "b", "run", '{"c":"ls -l"}')}
    last = {"role": "assistant", "content": ""}
    found = chat(
        chat_chunk(first),
        chat_chunk(second),
        chat_chunk(last, "tool_calls"),
        "[DONE]",
        times_us=[412_345, 592_345, 592_390, 592_391],
    )
    assert [(call.arguments, call.chunks, call.start_us) for call in found.tool_calls] == [
        ({"c": "ls"}, (0,), 412_345),
        ({"c": "ls -l"}, (1,), 592_345),
    ]
    assert (found.content, found.finish_reason, found.first_said_us) == ("", "tool_calls", 412_345)


def test_several_choices_are_kept_and_the_first_is_the_main_one():
    found = chat(
        chat_chunk({"content": "B"}, index=1),
        chat_chunk({"content": "A"}, index=0),
        chat_chunk(call_delta(0, "x", "f", "{}"), index=1),
        chat_chunk({}, "stop", index=0),
        chat_chunk({}, "tool_calls", index=1),
    )
    assert [(each.index, each.content, each.finish_reason) for each in found.choices] == [
        (0, "A", "stop"),
        (1, "B", "tool_calls"),
    ]
    assert found.content == "A"
    assert [len(each.tool_calls) for each in found.choices] == [0, 1]


def test_usage_comes_as_sent_from_a_chunk_without_choices():
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "details": {"cached": 1}}
    found = chat(chat_chunk({"content": "A"}), {**chat_chunk(), "choices": [], "usage": usage})
    assert found.usage == usage
    assert found.unknown == ()


def test_the_last_of_several_running_usages_stands():
    chunks = [
        chat_chunk({"content": "A"}, usage={"completion_tokens": n, "x": None}) for n in (1, 2)
    ]
    assert chat(*chunks).usage == {"completion_tokens": 2, "x": None}


def test_anthropics_usage_is_that_of_the_start_with_that_of_the_end():
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}}
    delta = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 7}}
    found = read(sse(start, delta), target="/v1/messages")
    assert found.usage == {"input_tokens": 9, "output_tokens": 7}


def test_ollamas_usage_is_its_counters():
    line = {"message": {"content": "A"}, "done": True, "done_reason": "stop", "eval_count": 2}
    assert read(ndjson(line), NDJSON, target="/api/chat").usage == {"eval_count": 2}


def test_refusals_are_kept_and_logprobs_are_known():
    first = chat_chunk({"refusal": "I can"})
    first["choices"][0]["logprobs"] = {"content": [{"token": "I", "logprob": -0.1}]}
    found = chat(first, chat_chunk({"refusal": "not."}))
    assert found.refusal == "I cannot."
    assert found.unknown == ()


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content", "thinking"])
def test_reasoning_goes_under_several_names(name):
    assert chat(chat_chunk({name: "Hm"}), chat_chunk({name: "m."})).reasoning == "Hmm."


def test_reasoning_sent_under_two_names_at_once_is_not_doubled():
    details = [{"type": "reasoning.text", "text": "Hm"}]
    delta = {"reasoning": "Hm", "reasoning_content": "Hm", "reasoning_details": details}
    assert chat(chat_chunk(delta)).reasoning == "Hm"
    assert chat(chat_chunk({"reasoning_details": details})).reasoning == "Hm"


def test_content_in_parts_is_joined_and_unknown_parts_are_kept():
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
        {"type": "text", "text": "A"},
        {"type": "reference", "ids": [1]},
    ]
    found = chat(chat_chunk({"content": parts}))
    assert (found.reasoning, found.content) == ("Hm", "A")
    assert found.unknown[0].raw == '{"type":"reference","ids":[1]}'


def test_a_legacy_function_call_is_a_call():
    found = chat(
        chat_chunk({"function_call": {"name": "f", "arguments": ""}}),
        chat_chunk({"function_call": {"arguments": '{"a":'}}),
        chat_chunk({"function_call": {"arguments": "1}"}}, "function_call"),
    )
    assert calls(found) == [(0, None, None, "f", '{"a":1}')]
    assert (found.finish_reason, found.main.finish) == ("function_call", "tool_calls")


def test_a_custom_tools_input_is_text_and_no_invalid_json():
    entry = {"index": 0, "id": "x", "type": "custom", "custom": {"name": "sh", "input": "ls -l"}}
    (call,) = chat(chat_chunk({"tool_calls": [entry]})).tool_calls
    assert (call.name, call.arguments, call.valid) == ("sh", "ls -l", True)
    item = {"type": "custom_tool_call", "call_id": "x", "name": "sh", "input": "ls -l"}
    whole = dumped({"object": "response", "status": "completed", "output": [item]}).encode()
    (call,) = read([whole], JSON, target="/v1/responses").tool_calls
    assert (call.name, call.arguments, call.valid) == ("sh", "ls -l", True)


def test_arguments_sent_as_an_object_are_written_compactly():
    function = {"name": "f", "arguments": {"a": ["é", 1]}}
    (call,) = chat(chat_chunk({"tool_calls": [{"function": function}]})).tool_calls
    assert (call.arguments, call.arguments_raw) == ({"a": ["é", 1]}, '{"a":["é",1]}')


@pytest.mark.parametrize("raw", ['{"a":', "", "{'a': 1}", '{"a":NaN}', "[" * 999])
def test_arguments_that_are_not_json_stay_as_sent(raw):
    (call,) = chat(chat_chunk(call_delta(0, "x", "f", raw))).tool_calls
    assert (call.arguments, call.arguments_raw, call.valid) == (MISSING, raw, False)


def test_a_new_id_with_every_fragment_does_not_make_a_new_call():
    found = chat(
        chat_chunk(call_delta(0, "a", "f", '{"x":')),
        chat_chunk(call_delta(0, "b", None, "1}")),
        chat_chunk(call_delta(0, "c", "f", '{"x":2}')),
    )
    assert [call.arguments for call in found.tool_calls] == [{"x": 1}, {"x": 2}]


def test_a_call_without_index_goes_on_by_its_id():
    found = chat(
        chat_chunk(call_delta(None, "a", "f", '{"x":')),
        chat_chunk(call_delta(None, "b", "g", '{"y":')),
        chat_chunk(call_delta(None, "a", None, "1}")),
        chat_chunk(call_delta(None, "b", None, "2}")),
    )
    assert [call.arguments for call in found.tool_calls] == [{"x": 1}, {"y": 2}]


def test_a_surrogate_pair_split_over_two_deltas_is_one_character():
    chunks = [
        b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % half
        for half in (b"\\ud83d", b"\\ude42")
    ]
    assert read(chunks).content == "🙂"


def test_completions_are_read_whole_and_streamed():
    streamed = [
        {"object": "text_completion", "choices": [{"text": text, "index": 0}]} for text in "ab"
    ]
    assert read(sse(*streamed), target="/v1/completions").content == "ab"
    choices = [{"text": "x", "index": n, "finish_reason": "length"} for n in (0, 1)]
    whole = dumped({"object": "text_completion", "choices": choices}).encode()
    found = read([whole], JSON, target="/v1/completions")
    assert [(each.content, each.finish) for each in found.choices] == [("x", "length")] * 2


def test_generate_is_read_as_content_with_its_thinking():
    lines = ndjson(
        {"model": "m", "response": "", "thinking": "Hm", "done": False},
        {"model": "m", "response": "A", "done": False},
        {"model": "m", "response": "", "done": True, "done_reason": "stop", "context": [1, 2]},
    )
    found = read(
        lines, NDJSON, target="/api/generate", asked={"prompt": "Hi", "system": "Be brief"}
    )
    assert (found.reasoning, found.content, found.finish_reason) == ("Hm", "A", "stop")
    assert found.unknown == ()
    assert found.question.messages == (
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Hi"},
    )


@pytest.mark.parametrize(
    ("target", "answer", "summary"),
    [
        ("/v1/embeddings", {"data": [{"embedding": [1, 2]}] * 3}, "3 vectors of 2 numbers"),
        ("/v1/embeddings", {"data": [{"embedding": "AAAA"}]}, "1 vector in base64"),
        ("/api/embed", {"embeddings": [[1], [1, 2]]}, "2 vectors of 1 or 2 numbers"),
        ("/api/embeddings", {"embedding": [0.5]}, "1 vector of 1 numbers"),
        ("/v1/embeddings", {"data": []}, "0 vectors"),
    ],
)
def test_embeddings_say_how_many_vectors(target, answer, summary):
    found = read([dumped(answer).encode()], JSON, target=target)
    assert (found.summary, found.choices, found.dialect) == (summary, (), Dialect.EMBEDDINGS)


@pytest.mark.parametrize(
    ("target", "answer", "summary"),
    [
        ("/v1/models", {"object": "list", "data": [{"id": "a"}, {"id": "b"}]}, "2 models: a, b"),
        ("/api/tags", {"models": [{"name": "a:1b"}]}, "1 model: a:1b"),
        ("/api/tags?x=1", {"models": []}, "0 models"),
        ("/api/tags", {"models": [{"name": c} for c in "abcdef"]}, "6 models: a, b, c, d, e, …"),
    ],
)
def test_lists_of_models_name_them(target, answer, summary):
    found = read([dumped(answer).encode()], JSON, target=target, method="GET")
    assert (found.summary, found.dialect) == (summary, Dialect.MODELS)


@pytest.mark.parametrize(
    ("target", "body", "failure"),
    [
        (CHAT, {"error": {"message": "No", "type": "bad", "code": 5}}, ("No", "bad")),
        (CHAT, {"object": "error", "message": "No", "code": 404}, ("No", "404")),
        (
            "/v1/messages",
            {"type": "error", "error": {"type": "bad", "message": "No"}},
            ("No", "bad"),
        ),
        ("/api/chat", {"error": "model 'x' not found"}, ("model 'x' not found", None)),
        ("/x", {"detail": "No"}, ("No", "404")),
        ("/x", {"error": {"odd": 1}}, ('{"odd":1}', None)),
    ],
)
def test_errors_are_read_in_every_dialect(target, body, failure):
    found = read([dumped(body).encode()], JSON, target=target, status=404)
    assert [(each.message, each.type) for each in found.failures] == [failure]


def test_an_error_that_is_no_json_is_its_text():
    found = read([b"404 page not found"], (("Content-Type", "text/plain"),), status=404)
    assert found.failures[0].message == "404 page not found"


@pytest.mark.parametrize(
    ("target", "event"),
    [
        (CHAT, {"error": {"message": "boom", "type": "x"}}),
        ("/v1/messages", {"type": "error", "error": {"type": "x", "message": "boom"}}),
        ("/v1/responses", {"type": "error", "code": "x", "message": "boom"}),
        (
            "/v1/responses",
            {"type": "response.failed", "response": {"error": {"code": "x", "message": "boom"}}},
        ),
    ],
)
def test_errors_in_mid_stream_are_read_and_know_their_chunk(target, event):
    found = read(sse({"type": "ping"}, event), target=target)
    assert [(each.message, each.type, each.chunk) for each in found.failures] == [("boom", "x", 1)]


def test_ollamas_blank_chunk_is_kept():
    blank = {"id": "", "object": "", "created": 0, "model": "", "choices": None}
    found = chat(chat_chunk({"content": "A"}), blank)
    assert [(each.raw, each.chunk) for each in found.unknown] == [(dumped(blank), 1)]


def test_fields_and_events_nobody_knows_are_kept_once_each():
    delta = {"content": "A", "audio": {"id": "x"}}
    found = chat(chat_chunk(delta), chat_chunk(delta), {"odd": True})
    assert [(each.what, each.raw, each.chunk) for each in found.unknown] == [
        ("delta.audio", '{"id":"x"}', 0),
        ("sse", '{"odd":true}', 2),
    ]
    assert found.content == "AA"


def test_a_garbled_event_says_where_and_hides_nothing_after_it():
    chunks = sse(
        chat_chunk({"content": "A"}), '{"choices":[{"del#', chat_chunk({"content": "B"}, "stop")
    )
    found = read(chunks)
    assert found.content == "AB"
    assert found.breaks == (Break(1, len(chunks[0]), "not JSON"),)
    assert found.unknown[0].raw == '{"choices":[{"del#'


def test_a_truncated_event_still_gives_its_text_and_says_where():
    chunks = sse(chat_chunk({"content": "A"}))
    torn = b'data: {"choices":[{"index":0,"delta":{"content":"Bcd'
    found = read([*chunks, torn], outcome=Outcome.UPSTREAM_CLOSED)
    assert found.content == "ABcd"
    assert [(each.chunk, each.offset) for each in found.breaks] == [
        (1, len(chunks[0])),
        (1, len(chunks[0]) + len(torn)),
    ]
    assert "truncated" in found.breaks[0].what
    assert "upstream closed" in found.breaks[1].what


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.CLIENT_DISCONNECTED, "the client left"),
        (Outcome.UPSTREAM_RESET, "reset"),
        (Outcome.UPSTREAM_TIMEOUT, "silent"),
        (None, "the recording stops here"),
    ],
)
def test_every_ending_but_complete_says_where_it_broke(outcome, words):
    (broken,) = read(sse(chat_chunk({"content": "A"})), outcome=outcome).breaks
    assert words in broken.what
    assert broken.chunk == 0


def test_no_response_at_all_is_a_transcript_too():
    found = read([], status=None, outcome=Outcome.UPSTREAM_CLOSED)
    assert found.breaks[-1].what == "the upstream closed the connection without a response"
    found = read([], status=None, outcome=Outcome.UPSTREAM_UNREACHABLE)
    assert (found.content, found.tool_calls, found.breaks[0].chunk) == (None, (), None)


@pytest.mark.parametrize(
    ("asked", "messages"),
    [
        ({"input": "Hi"}, [{"role": "user", "content": "Hi"}]),
        ({"input": [{"role": "user", "content": "Hi"}]}, [{"role": "user", "content": "Hi"}]),
        (
            {"prompt": ["a", "b"]},
            [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
        ),
        (
            {"system": [{"type": "text", "text": "S"}], "messages": [{"role": "user"}]},
            [{"role": "system", "content": [{"type": "text", "text": "S"}]}, {"role": "user"}],
        ),
        ({"messages": "odd"}, []),
        ({}, []),
        ([1], []),
    ],
)
def test_questions_become_messages(asked, messages):
    assert read([], asked=asked).question.messages == tuple(messages)


def test_what_is_no_llm_traffic_is_kept_raw():
    found = read(
        [b"Ollama is ", b"running"], (("Content-Type", "text/plain"),), target="/", method="GET"
    )
    assert (found.dialect, found.choices) == (Dialect.OTHER, ())
    assert [each.raw for each in found.unknown] == ["Ollama is running"]
    assert found.breaks == ()


def test_a_call_of_one_name_after_another_is_not_its_fragment():
    found = chat(
        chat_chunk(call_delta(0, None, "f", "")),
        chat_chunk(call_delta(0, None, "g", "")),
    )
    assert [call.name for call in found.tool_calls] == ["f", "g"]


def test_spans_name_all_parts():
    found = chat(
        chat_chunk({"reasoning": "r"}),
        chat_chunk({"content": "c"}),
        chat_chunk(call_delta(0, "x", "f", "{}"), "tool_calls"),
        {**chat_chunk(), "choices": [], "usage": {"prompt_tokens": 1}},
        {"error": "e"},
        {"odd": 1},
    )
    parts = (
        Part.REASONING,
        Part.CONTENT,
        Part.TOOL_CALL,
        Part.FINISH,
        Part.USAGE,
        Part.ERROR,
        Part.UNKNOWN,
    )
    assert tuple(span.part for span in found.spans if span.text) == parts
    assert [span.chunk for span in found.spans if span.text] == [0, 1, 2, 2, 3, 4, 5]


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
    ]
)
WORDS = st.sampled_from(
    [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "tool_use",
        "input_json_delta",
        "response.completed",
        "response.output_item.added",
        "response.output_text.delta",
        "function_call",
        "response.function_call_arguments.done",
        "chat.completion.chunk",
        "message",
        "error",
        "{}",
        "x",
        "",
    ]
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | WORDS | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=14,
)
TARGETS = st.sampled_from(
    [
        CHAT,
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


@given(
    events=st.lists(ODD, max_size=4),
    target=TARGETS,
    asked=ODD,
    headers=st.sampled_from([SSE, NDJSON, JSON, ()]),
)
def test_no_json_makes_a_transcript_raise(events, target, asked, headers):
    framed = sse(*(json.dumps(event) for event in events)) if headers == SSE else ndjson(*events)
    for method in ("GET", "POST"):
        read(framed, headers, target=target, asked=asked, method=method)


def test_a_compressed_request_is_read():
    asked = Body.of(gzip.compress(dumped({"model": "m", "input": "Hi"}).encode()))
    for coding, model in (("gzip", "m"), ("sdch", None)):
        request = Request(1, 0, "POST", "/v1/responses", (("Content-Encoding", coding),), asked)
        assert read_request(request).model == model


def test_blocks_and_deltas_of_messages_that_nobody_knows_are_kept():
    redacted = {"type": "redacted_thinking", "data": "x"}
    orphan = {"type": "input_json_delta", "partial_json": '{"a":1}'}
    found = read(
        sse(
            {"type": "content_block_start", "index": 0, "content_block": redacted},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta"}},
            {"type": "content_block_delta", "index": 1, "delta": orphan},
        ),
        target="/v1/messages",
    )
    assert [each.what for each in found.unknown] == [
        "content block redacted_thinking",
        "delta citations_delta",
    ]
    assert [(call.name, call.arguments) for call in found.tool_calls] == [("", {"a": 1})]


def test_output_items_that_nobody_knows_are_kept_and_orphan_arguments_are_a_call():
    search = {"type": "web_search_call", "id": "w", "status": "completed"}
    arguments = "response.function_call_arguments"
    found = read(
        sse(
            {"type": "response.output_item.done", "output_index": 0, "item": search},
            {"type": f"{arguments}.delta", "item_id": "x", "output_index": 1, "delta": "{"},
            {"type": f"{arguments}.delta", "output_index": 1, "delta": "}"},
            {"type": f"{arguments}.done", "output_index": 1, "name": "f", "arguments": "{}"},
            {"type": "response.odd"},
        ),
        target="/v1/responses",
    )
    assert [each.what for each in found.unknown] == ["output item.web_search_call", "sse"]
    assert [(call.name, call.arguments_raw) for call in found.tool_calls] == [("f", "{}")]


def test_ollamas_arguments_sent_as_text_are_kept_and_its_logprobs_are_known():
    call = {"function": {"name": "f", "arguments": '{"a":1}'}}
    line = {"message": {"tool_calls": [call]}, "done": False, "logprobs": [{"token": "x"}]}
    found = read(ndjson(line), NDJSON, target="/api/chat")
    assert found.tool_calls[0].arguments == {"a": 1}
    assert found.unknown == ()


def test_logprobs_of_completions_are_known_and_the_tokens_of_embeddings_are_kept():
    choice = {"text": "x", "logprobs": {"tokens": ["x"]}}
    found = read(sse({"object": "text_completion", "choices": [choice]}))
    assert (found.content, found.unknown) == ("x", ())
    answer = {"embeddings": [[1]], "prompt_eval_count": 4}
    assert read([dumped(answer).encode()], JSON, target="/api/embed").usage == {
        "prompt_eval_count": 4
    }
    odd = read([b"{}"], JSON, target="/api/embed")
    assert (odd.summary, odd.unknown[0].raw) == (None, "{}")


def test_many_events_without_looks_are_known_by_their_path():
    assert chat(*[{"type": "ping"}] * 30, chat_chunk({"content": "A"})).content == "A"


def test_an_absurd_number_is_no_speed():
    assert as_number(10**400) is None
    assert as_number(value=True) is None
    assert as_number(2) == 2
