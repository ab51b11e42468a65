"""Tables of events, chunks and interactions: a row for each, with the columns that are promised."""

import json
from datetime import datetime, timedelta

from unit.analysis.streams import (
    JSON,
    call_delta,
    cassette,
    chat_chunk,
    entries,
    sse,
)
from wiretape.analysis.tables import (
    CHUNK_COLUMNS,
    INTERACTION_COLUMNS,
    chunk_rows,
    event_rows,
    interaction_rows,
)

ASKED = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
CALL = call_delta(0, "c", "run", '{"a": 1}')
CHUNKS = sse(
    chat_chunk({"reasoning_content": "hm"}),
    chat_chunk({"content": "yes"}),
    chat_chunk(CALL),
    chat_chunk({}, "tool_calls"),
)
TYPES = {
    "text": str,
    "texts": list,
    "int": int,
    "float": float,
    "bool": bool,
    "bytes": bytes,
    "time": datetime,
}


def fits(row, columns):
    assert list(row) == list(columns) or set(row) == set(columns)
    for name, kind in columns.items():
        assert row[name] is None or isinstance(row[name], TYPES[kind]), name
    return row


def recorded():
    return cassette(entries(CHUNKS, asked=ASKED))


def test_a_chunk_has_its_kind_its_text_and_its_time():
    rows = [fits(row, CHUNK_COLUMNS) for row in chunk_rows(recorded())]
    assert [(row["kind"], row["text"]) for row in rows] == [
        ("reasoning", "hm"),
        ("content", "yes"),
        ("tool_call", '{"a": 1}'),
        ("finish", None),
    ]
    assert [row["gap_s"] for row in rows] == [None, 0.01, 0.01, 0.01]
    assert rows[0]["at"] - recorded().recorded == timedelta(microseconds=20_000)
    assert [row["data"] for row in rows] == CHUNKS


def test_an_interaction_has_what_was_said_called_and_measured():
    (row,) = interaction_rows(recorded())
    fits(row, INTERACTION_COLUMNS)
    expected = {
        "model": "m",
        "stream": True,
        "status": 200,
        "outcome": "complete",
        "finish": "tool_calls",
        "content": "yes",
        "reasoning": "hm",
        "calls": 1,
        "call_names": ["run"],
        "call_arguments": ['{"a":1}'],
        "head_s": 0.01,
        "first_token_s": 0.02,
        "chunks": 4,
        "bytes_received": sum(map(len, CHUNKS)),
    }
    assert {name: row[name] for name in expected} == expected


def test_what_is_not_there_is_null():
    (row,) = interaction_rows(cassette(entries([], status=None, outcome=None)))
    fits(row, INTERACTION_COLUMNS)
    assert (row["status"], row["outcome"], row["head_s"], row["calls"]) == (None, None, None, 0)
    assert list(chunk_rows(cassette(entries([], status=None)))) == []


def test_an_event_is_an_object_of_json_values():
    rows = list(event_rows(recorded()))
    assert [row["chunks"] for row in rows] == [[0, 0], [1, 1], [2, 2], [3, 3]]
    assert rows[1]["json"]["choices"][0]["delta"] == {"content": "yes"}
    assert (rows[0]["at_s"], rows[0]["framing"], rows[0]["type"]) == (0.02, "sse", None)
    json.dumps(rows, allow_nan=False)


def test_events_that_are_no_json_or_broken_are_text():
    chunks = [*sse("[DONE]"), b"data: torn"]
    done, torn = event_rows(cassette(entries(chunks)))
    assert done["text"] == "[DONE]"
    assert "error" not in done
    assert torn["text"] == "torn"
    assert torn["error"]
    (binary,) = event_rows(cassette(entries([b"\xff\x00"], (("Content-Type", "image/png"),))))
    assert binary["text"] == "(2 bytes)"
    (infinite,) = event_rows(cassette(entries([b'{"a": 1e999}'], JSON)))
    assert infinite["json"] == {"a": None}
