"""Builds interactions for tests: from chunks, from SSE data, from NDJSON lines."""

import json
from datetime import UTC, datetime

from wiretape.core.model import (
    EMPTY_BODY,
    Body,
    Cassette,
    Chunk,
    End,
    Interaction,
    Outcome,
    Request,
    Response,
    gather,
)

SSE = (("Content-Type", "text/event-stream"),)
NDJSON = (("Content-Type", "application/x-ndjson"),)
JSON = (("Content-Type", "application/json; charset=utf-8"),)
CHAT = "/v1/chat/completions"
STEP_US = 10_000


def dumped(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def sse(*values: object, named=False):
    """Each value as one SSE event in one chunk; with `named`, its type as the event field."""
    return [
        (
            (f"event: {value['type']}\n" if named else "")
            + f"data: {value if isinstance(value, str) else dumped(value)}\n\n"
        ).encode()
        for value in values
    ]


def ndjson(*values: object):
    return [f"{dumped(value)}\n".encode() for value in values]


def entries(
    chunks,
    headers=SSE,
    *,
    target=CHAT,
    asked=None,
    outcome=Outcome.COMPLETE,
    status=200,
    number=1,
    began_us=0,
    times_us=None,
    method="POST",
):
    """The entries of one interaction; chunks come every 10 ms unless told otherwise."""
    body = EMPTY_BODY if asked is None else Body.of(dumped(asked).encode())
    made = [Request(number, began_us, method, target, JSON, body)]
    if status is not None:
        made.append(Response(number, began_us + STEP_US, status, headers))
    at_us = began_us + STEP_US
    for position, data in enumerate(chunks):
        at_us = began_us + times_us[position] if times_us else at_us + STEP_US
        made.append(Chunk(number, at_us, data))
    if outcome is not None:
        made.append(End(number, at_us + 1000, outcome))
    return made


def interaction(chunks, headers=SSE, **given: object) -> Interaction:
    return gather(entries(chunks, headers, **given))[0]


def cassette(*groups: object, name="test"):
    everything = sorted(
        (entry for group in groups for entry in group), key=lambda entry: entry.at_us
    )
    recorded = datetime(2025, 4, 12, 8, 21, 15, 123456, tzinfo=UTC)
    return Cassette(name, recorded, "http://127.0.0.1:11434", tuple(everything))


def chat_chunk(delta=None, finish=None, index=0, **more: object):
    return {
        "id": "chatcmpl-18",
        "object": "chat.completion.chunk",
        "created": 1744446075,
        "model": "m",
        "choices": [{"index": index, "delta": delta or {}, "finish_reason": finish}],
        **more,
    }


def call_delta(index=None, call_id=None, name=None, arguments=None):
    """A delta with one tool call entry of the fields that are given."""
    function = {"name": name, "arguments": arguments}
    entry = {"index": index, "id": call_id, "type": "function"}
    entry = {key: value for key, value in entry.items() if value is not None}
    entry["function"] = {key: value for key, value in function.items() if value is not None}
    return {"tool_calls": [entry]}
