"""Cassettes as tables: of events, of chunks, of interactions.

Knows columns and their types; writes no file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wiretape.analysis.answer import SAID, Part
from wiretape.analysis.events import MISSING, EventKind, compact_json, finite
from wiretape.analysis.marks import marks_of
from wiretape.analysis.question import path_of
from wiretape.analysis.tokens import input_tokens, output_tokens, tokens_per_second
from wiretape.analysis.transcript import transcripts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wiretape.analysis.answer import Span, Transcript
    from wiretape.core.model import Cassette

CHUNK_COLUMNS = {
    "cassette": "text",
    "interaction": "int",
    "chunk": "int",
    "at": "time",
    "since_request_s": "float",
    "gap_s": "float",
    "size": "int",
    "kind": "text",
    "text": "text",
    "data": "bytes",
}
"""Of `chunk_rows`: names to types; any value may be null."""

INTERACTION_COLUMNS = {
    "cassette": "text",
    "interaction": "int",
    "at": "time",
    "upstream": "text",
    "method": "text",
    "target": "text",
    "path": "text",
    "dialect": "text",
    "model": "text",
    "stream": "bool",
    "status": "int",
    "outcome": "text",
    "finish": "text",
    "content": "text",
    "reasoning": "text",
    "calls": "int",
    "call_names": "texts",
    "call_arguments": "texts",
    "marks": "texts",
    "tokens_in": "int",
    "tokens_out": "int",
    "tokens_per_s": "float",
    "head_s": "float",
    "first_token_s": "float",
    "duration_s": "float",
    "chunks": "int",
    "bytes_sent": "int",
    "bytes_received": "int",
}
"""Of `interaction_rows`."""

_WEIGHT = (
    Part.ERROR,
    Part.TOOL_CALL,
    Part.CONTENT,
    Part.REFUSAL,
    Part.REASONING,
    Part.FINISH,
    Part.USAGE,
    Part.UNKNOWN,
)
"""What a chunk that brought several things is: the first of these."""


def event_rows(cassette: Cassette) -> Iterator[dict[str, Any]]:
    """One object for each event, in the order of interactions, as JSON values.

    `at_s` is when its last byte came, in seconds since the session began; `json` is its data if
    that is JSON, else `text` is; `error` says what is wrong with it, if anything.
    """
    for transcript in transcripts(cassette):
        interaction = transcript.interaction
        for index, event in enumerate(transcript.events):
            at_us = interaction.chunks[event.last_chunk].at_us
            binary = event.kind is EventKind.BINARY
            whole = event.json is not MISSING and event.error is None
            yield {
                "cassette": cassette.name,
                "interaction": interaction.number,
                "event": index,
                "at_s": at_us / 1e6,
                "since_request_s": (at_us - interaction.request.at_us) / 1e6,
                "chunks": [event.first_chunk, event.last_chunk],
                "dialect": transcript.dialect.value,
                "framing": event.kind.value,
                "type": event.event,
                **(
                    {"json": finite(event.json)}
                    if whole
                    else {"text": f"({len(event.data)} bytes)" if binary else event.data}
                ),
                **({"error": event.error} if event.error else {}),
            }


def chunk_rows(cassette: Cassette) -> Iterator[dict[str, Any]]:
    """One row for each chunk, in the order of interactions; see CHUNK_COLUMNS.

    `at` is the wall clock, `kind` the weightiest thing that it brought, `text` what was said or
    called in it.
    """
    for transcript in transcripts(cassette):
        interaction = transcript.interaction
        spans: dict[int, list[Span]] = {}
        for span in transcript.spans:
            spans.setdefault(span.chunk, []).append(span)
        before_us: int | None = None
        for index, chunk in enumerate(interaction.chunks):
            brought = spans.get(index, [])
            parts = {span.part for span in brought}
            kind = next((part.value for part in _WEIGHT if part in parts), None)
            yield {
                "cassette": cassette.name,
                "interaction": interaction.number,
                "chunk": index,
                "at": cassette.moment(chunk.at_us),
                "since_request_s": (chunk.at_us - interaction.request.at_us) / 1e6,
                "gap_s": None if before_us is None else (chunk.at_us - before_us) / 1e6,
                "size": len(chunk.data),
                "kind": kind,
                "text": "".join(span.text for span in brought if span.part in SAID) or None,
                "data": chunk.data,
            }
            before_us = chunk.at_us


def interaction_rows(cassette: Cassette) -> Iterator[dict[str, Any]]:
    """One row for each interaction; see INTERACTION_COLUMNS. Calls are those of the main choice."""
    for transcript in transcripts(cassette):
        interaction, question = transcript.interaction, transcript.question
        request, response = interaction.request, interaction.response
        main, outcome = transcript.main, interaction.outcome
        yield {
            "cassette": cassette.name,
            "interaction": interaction.number,
            "at": cassette.moment(request.at_us),
            "upstream": cassette.upstream,
            "method": request.method,
            "target": request.target,
            "path": path_of(request.target),
            "dialect": transcript.dialect.value,
            "model": question.model or transcript.model,
            "stream": question.stream,
            "status": response.status if response else None,
            "outcome": outcome.value if outcome else None,
            "finish": main.finish if main else None,
            "content": main.content if main else None,
            "reasoning": main.reasoning if main else None,
            "calls": len(transcript.tool_calls),
            "call_names": [call.name for call in transcript.tool_calls],
            "call_arguments": [
                call.arguments_raw if call.arguments is MISSING else compact_json(call.arguments)
                for call in transcript.tool_calls
            ],
            "marks": [mark.kind.value for mark in marks_of(transcript)],
            **_measures(transcript),
        }


def _measures(transcript: Transcript) -> dict[str, Any]:
    interaction = transcript.interaction
    began_us = interaction.request.at_us
    response, end = interaction.response, interaction.end
    first_us = transcript.first_said_us
    return {
        "tokens_in": input_tokens(transcript),
        "tokens_out": output_tokens(transcript),
        "tokens_per_s": tokens_per_second(transcript),
        "head_s": (response.at_us - began_us) / 1e6 if response else None,
        "first_token_s": (first_us - began_us) / 1e6 if first_us is not None else None,
        "duration_s": (end.at_us - began_us) / 1e6 if end else None,
        "chunks": len(interaction.chunks),
        "bytes_sent": interaction.request.body.length,
        "bytes_received": sum(len(chunk.data) for chunk in interaction.chunks),
    }
