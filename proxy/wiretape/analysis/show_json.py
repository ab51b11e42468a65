"""`show --json`: a cassette as one JSON object, whose members other programs rely on.

Knows the shape; everything in it comes from the transcripts.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from wiretape.analysis.answer import GENERATING
from wiretape.analysis.events import MISSING, finite
from wiretape.analysis.marks import marks_of
from wiretape.analysis.parameters import parameters_of
from wiretape.analysis.transcript import transcripts

if TYPE_CHECKING:
    from datetime import datetime

    from wiretape.analysis.answer import Choice, ToolCall, Transcript
    from wiretape.analysis.marks import Mark
    from wiretape.core.model import Cassette


def show_json(cassette: Cassette) -> dict[str, Any]:
    """A cassette as JSON values; every key named here is always there.

    `recorded` is the wall clock in UTC, ISO 8601 with microseconds and `Z`. Times are seconds:
    `started_s` since the session began; `head_s`, `first_chunk_s` and `duration_s` since the
    interaction's request; null where that did not happen. `chunks` and `events` are counts.
    `arguments` is the parsed value, null if `arguments_raw` is not JSON. `content` is null only
    where no model answered. `finish_reason` is as sent; `finish` beside it is the same in one
    vocabulary for all dialects. `parameters` is what the request asks for besides its
    conversation; `retry` which retry of its client's it says to be, 0 for none. A request whose
    body was not kept has `body_not_kept`, with its `length` in bytes and its `sha256`.
    """
    return {
        "cassette": cassette.name,
        "recorded": recorded_text(cassette.recorded),
        "upstream": cassette.upstream,
        "interactions": [interaction_json(each) for each in transcripts(cassette)],
    }


def recorded_text(recorded: datetime) -> str:
    """A wall clock time in UTC as ISO 8601, to the microsecond; one without a zone is UTC."""
    utc = recorded.astimezone(UTC) if recorded.tzinfo else recorded
    return f"{utc.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def interaction_json(transcript: Transcript) -> dict[str, Any]:
    """One interaction of `show_json`."""
    interaction = transcript.interaction
    outcome = interaction.outcome
    shown = {
        "id": interaction.number,
        "request": _request(transcript),
        "status": interaction.response.status if interaction.response else None,
        "outcome": outcome.value if outcome else None,
        "response": _response(transcript),
        "timing": _timing(transcript),
        "dialect": transcript.dialect.value,
        "parameters": parameters_of(transcript.question.body),
        "retry": transcript.retry,
        "marks": [_mark(mark) for mark in marks_of(transcript)],
    }
    safe: dict[str, Any] = finite(shown)
    return safe


def _request(transcript: Transcript) -> dict[str, Any]:
    request, question = transcript.interaction.request, transcript.question
    shown: dict[str, Any] = {
        "method": request.method,
        "target": request.target,
        "model": question.model,
        "stream": question.stream,
        "messages": list(question.messages),
    }
    body = request.body
    if body.content is None:
        shown["body_not_kept"] = {"length": body.length, "sha256": body.digest()}
    return shown


def _response(transcript: Transcript) -> dict[str, Any]:
    main = transcript.main
    shown: dict[str, Any] = {
        **_answer(main),
        "usage": transcript.usage,
    }
    if main is not None and main.refusal is not None:
        shown["refusal"] = main.refusal
    if len(transcript.choices) > 1:
        shown["choices"] = [
            {"index": choice.index, **_answer(choice)} for choice in transcript.choices
        ]
    if transcript.model is not None:
        shown["model"] = transcript.model
    if transcript.timings is not None:
        shown["timings"] = transcript.timings
    if transcript.summary is not None:
        shown["summary"] = transcript.summary
    if transcript.failures:
        shown["error"] = transcript.failures[0].message
    if transcript.breaks:
        shown["breaks"] = [
            {"chunk": each.chunk, "offset": each.offset, "what": each.what}
            for each in transcript.breaks
        ]
    if transcript.unknown and transcript.dialect in GENERATING:
        shown["unknown"] = [
            {"what": each.what, "raw": each.raw, "chunk": each.chunk} for each in transcript.unknown
        ]
    return shown


def _answer(choice: Choice | None) -> dict[str, Any]:
    return {
        "role": choice.role if choice else None,
        "content": choice.content if choice else None,
        "reasoning": choice.reasoning if choice else None,
        "tool_calls": [_call(call) for call in choice.tool_calls] if choice else [],
        "finish_reason": choice.finish_reason if choice else None,
        "finish": choice.finish if choice else None,
    }


def _call(call: ToolCall) -> dict[str, Any]:
    return {
        "index": call.index,
        "id": call.id,
        "name": call.name,
        "arguments": None if call.arguments is MISSING else call.arguments,
        "arguments_raw": call.arguments_raw,
        "start_s": call.start_us / 1e6,
        "end_s": call.end_us / 1e6,
        "chunks": list(call.chunks),
    }


def _timing(transcript: Transcript) -> dict[str, Any]:
    interaction = transcript.interaction
    began_us = interaction.request.at_us

    def since(at_us: int | None) -> float | None:
        return None if at_us is None else (at_us - began_us) / 1e6

    return {
        "started_s": began_us / 1e6,
        "head_s": since(interaction.response.at_us if interaction.response else None),
        "first_chunk_s": since(interaction.chunks[0].at_us if interaction.chunks else None),
        "first_token_s": since(transcript.first_said_us),
        "duration_s": since(interaction.end.at_us if interaction.end else None),
        "chunks": len(interaction.chunks),
        "events": sum(event.error is None for event in transcript.events),
    }


def _mark(mark: Mark) -> dict[str, Any]:
    return {
        "kind": mark.kind.value,
        "text": mark.text,
        "calls": list(mark.calls),
        "chunks": list(mark.chunks),
    }
