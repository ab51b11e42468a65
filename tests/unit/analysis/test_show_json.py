import json
from dataclasses import replace
from datetime import datetime

import pytest

from unit.analysis.streams import (
    JSON,
    NDJSON,
    STEP_US,
    call_delta,
    cassette,
    chat_chunk,
    dumped,
    entries,
    ndjson,
    sse,
)
from wiretape.analysis.show_json import recorded_text, show_json
from wiretape.core.model import Body, Outcome

ASKED = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Run ls"}]}
ANSWER = sse(
    chat_chunk(call_delta(0, "a", "run", '{"command":"ls"}')),
    chat_chunk(call_delta(1, "b", "run", "{torn")),
    chat_chunk({}, "tool_calls"),
    "[DONE]",
)


def shown(*groups: object):
    return show_json(cassette(*groups))


def only(*args: object, **given: object):
    (interaction,) = shown(entries(*args, **given))["interactions"]
    return interaction


def test_what_was_asked_for_besides_is_told_whole_and_a_retry_if_its_client_says_so():
    tools = [{"type": "function", "function": {"name": "run"}}]
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"x": "y" * 100}}}
    asked = {**ASKED, "temperature": 0.5, "tools": tools, "response_format": schema, "stop": None}
    group = entries([], asked=asked)
    group[0] = replace(group[0], headers=(("X-Stainless-Retry-Count", "2"),))
    (first,) = shown(group)["interactions"]
    assert first["parameters"] == {"temperature": 0.5, "response_format": schema}
    assert first["retry"] == 2
    second = only([], asked={**ASKED, "options": {"num_ctx": 1, "seed": 7}})
    assert second["parameters"] == {"options.num_ctx": 1, "options.seed": 7}
    assert second["retry"] == 0


def test_a_body_that_was_not_kept_is_told_by_its_length_and_digest():
    group = entries([])
    group[0] = replace(group[0], body=Body(None, 20_971_520, "ab" * 32))
    (interaction,) = shown(group)["interactions"]
    assert interaction["request"]["body_not_kept"] == {"length": 20_971_520, "sha256": "ab" * 32}
    assert "body_not_kept" not in only([], asked=ASKED)["request"]


def test_the_shape_is_the_contracts():
    result = shown(entries(ANSWER, asked=ASKED, began_us=2_000_000))
    (interaction,) = result["interactions"]
    calls = interaction["response"].pop("tool_calls")
    named = {"id", "request", "status", "outcome", "response", "timing"}
    assert {key: result[key] for key in ("cassette", "recorded", "upstream")} == {
        "cassette": "test",
        "recorded": "2025-04-12T08:21:15.123456Z",
        "upstream": "http://127.0.0.1:11434",
    }
    assert named <= interaction.keys()
    assert interaction["id"] == 1
    assert interaction["request"] == {
        "method": "POST",
        "target": "/v1/chat/completions",
        "model": "m",
        "stream": True,
        "messages": [{"role": "user", "content": "Run ls"}],
    }
    assert (interaction["status"], interaction["outcome"]) == (200, "complete")
    expected = {
        "role": "assistant",
        "content": "",
        "reasoning": None,
        "finish_reason": "tool_calls",
        "usage": None,
    }
    assert expected.items() <= interaction["response"].items()
    keys = ("index", "id", "name", "arguments", "arguments_raw")
    assert [tuple(call[key] for key in keys) for call in calls] == [
        (0, "a", "run", {"command": "ls"}, '{"command":"ls"}'),
        (1, "b", "run", None, "{torn"),
    ]
    timing = {
        "started_s": 2.0,
        "head_s": STEP_US / 1e6,
        "first_chunk_s": 2 * STEP_US / 1e6,
        "duration_s": 0.051,
        "chunks": 4,
        "events": 4,
    }
    assert timing.items() <= interaction["timing"].items()
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_what_is_not_there_is_null_and_every_key_stays():
    interaction = only([], status=None, outcome=None)
    assert (interaction["status"], interaction["outcome"]) == (None, None)
    assert (
        interaction["response"].items()
        >= {
            "role": None,
            "content": None,
            "reasoning": None,
            "tool_calls": [],
            "finish_reason": None,
            "usage": None,
        }.items()
    )
    assert (
        interaction["timing"].items()
        >= {
            "head_s": None,
            "first_chunk_s": None,
            "duration_s": None,
            "chunks": 0,
            "events": 0,
        }.items()
    )
    assert interaction["request"].items() >= {"model": None, "stream": None, "messages": []}.items()


def test_null_arguments_are_told_from_invalid_ones_by_their_raw_text():
    raws = [
        (call["arguments"], call["arguments_raw"])
        for call in only(sse(chat_chunk(call_delta(0, "a", "f", "null"))))["response"]["tool_calls"]
    ]
    assert raws == [(None, "null")]


def test_infinite_numbers_become_null_so_that_it_is_json():
    chunks = sse(chat_chunk(call_delta(0, "a", "f", '{"x":1e999}')))
    interaction = only(chunks, asked={**ASKED, "x": 1}, outcome=None)
    assert interaction["response"]["tool_calls"][0]["arguments"] == {"x": None}
    json.dumps(interaction, allow_nan=False)


@pytest.mark.parametrize(
    ("target", "asked", "messages"),
    [
        ("/v1/responses", {"input": "Hi"}, [{"role": "user", "content": "Hi"}]),
        ("/api/generate", {"prompt": "Hi"}, [{"role": "user", "content": "Hi"}]),
        (
            "/v1/responses",
            {"instructions": "S", "input": "Hi"},
            [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}],
        ),
        (
            "/v1/messages",
            {"system": "S", "messages": [{"role": "user", "content": "Hi"}]},
            [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}],
        ),
    ],
)
def test_messages_come_in_one_shape_from_every_dialect(target, asked, messages):
    assert only([], target=target, asked=asked)["request"]["messages"] == messages


def test_errors_breaks_choices_and_marks_stand_beside_the_named_keys():
    interaction = only([dumped({"error": "no"}).encode()], JSON, status=500)
    assert interaction["response"]["error"] == "no"
    assert [mark["kind"] for mark in interaction["marks"]] == ["error"]
    chunks = sse(chat_chunk({"content": "A"}), chat_chunk({"content": "B"}, index=1))
    interaction = only(chunks, outcome=Outcome.UPSTREAM_CLOSED)
    assert [each["content"] for each in interaction["response"]["choices"]] == ["A", "B"]
    assert interaction["response"]["breaks"][0]["chunk"] == 1
    assert [mark["kind"] for mark in interaction["marks"]] == ["cut_off"]


def test_events_count_those_that_a_client_sees():
    chunks = [b"data: 1\n\ndata: 2\n\n", b": comment\n\n", b"data: torn"]
    assert only(chunks)["timing"]["events"] == 2
    assert only(ndjson({}, {}), NDJSON)["timing"]["events"] == 2


def test_interactions_come_in_order_of_their_requests():
    first = entries(ANSWER, number=2, began_us=0)
    second = entries(ANSWER, number=1, began_us=15_000)
    assert [each["id"] for each in shown(first, second)["interactions"]] == [2, 1]


def test_a_wall_clock_without_a_zone_is_utc_and_one_with_another_is_turned():
    assert recorded_text(datetime(2025, 1, 1)) == "2025-01-01T00:00:00.000000Z"  # noqa: DTZ001 -- that is the case
    moment = datetime.fromisoformat("2025-01-01T02:00:00.5+02:00")
    assert recorded_text(moment) == "2025-01-01T00:00:00.500000Z"


def test_refusals_and_timings_are_shown_where_they_came():
    chunks = sse(chat_chunk({"refusal": "No."}), chat_chunk({}, "stop", timings={"prompt_n": 1}))
    response = only(chunks)["response"]
    assert (response["refusal"], response["timings"]) == ("No.", {"prompt_n": 1})
    assert (
        only(sse(chat_chunk({"content": "A"})))["response"]
        .keys()
        .isdisjoint({"refusal", "timings", "choices", "error", "breaks", "unknown"})
    )
