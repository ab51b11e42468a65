"""Interactions to transcripts: what an answer said, and which chunks said it.

Brings decoding and the dialects together; knows neither in detail. Never raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wiretape.analysis.answer import (
    GENERATING,
    Break,
    Choice,
    Dialect,
    Failure,
    Part,
    Span,
    ToolCall,
    Transcript,
    Unknown,
)
from wiretape.analysis.assembly import Assembly
from wiretape.analysis.decoding import decode
from wiretape.analysis.dialects import Reader, dialect_of, reader_of
from wiretape.analysis.endings import DONE
from wiretape.analysis.events import MISSING, Event, EventKind
from wiretape.analysis.failures import read_failure, read_refused
from wiretape.analysis.question import path_of, read_request
from wiretape.core.model import Outcome

if TYPE_CHECKING:
    from wiretape.core.model import Cassette, Interaction

__all__ = [
    "Break",
    "Choice",
    "Dialect",
    "Failure",
    "Part",
    "Span",
    "ToolCall",
    "Transcript",
    "Unknown",
    "transcript",
    "transcripts",
]

_ENDINGS = {
    None: "the recording stops here",
    Outcome.CLIENT_DISCONNECTED: "the client left",
    Outcome.UPSTREAM_CLOSED: "the upstream closed the connection before the body was whole",
    Outcome.UPSTREAM_RESET: "the upstream reset the connection",
    Outcome.UPSTREAM_TIMEOUT: "the upstream stayed silent for too long",
    Outcome.UPSTREAM_UNREACHABLE: "the upstream could not be reached",
}
_FIRST_ERROR_STATUS = 400


def transcripts(cassette: Cassette) -> list[Transcript]:
    """The transcript of each interaction, in order of the requests."""
    return [transcript(interaction) for interaction in cassette.interactions()]


def transcript(interaction: Interaction) -> Transcript:
    """Read one interaction: what was asked and what came back, as far as it can be read."""
    response = interaction.response
    headers = response.headers if response else ()
    events = decode([chunk.data for chunk in interaction.chunks], headers)
    request = interaction.request
    dialect = dialect_of(request.method, path_of(request.target), events)
    assembly = Assembly([chunk.at_us for chunk in interaction.chunks])
    reader = reader_of(dialect, assembly)
    for event in events:
        _read(event, reader, assembly)
    if response and response.status >= _FIRST_ERROR_STATUS and not assembly.failures:
        read_refused(events, response.status, assembly)
    _ending(interaction, assembly)
    return Transcript(
        interaction,
        dialect,
        read_request(request),
        tuple(events),
        assembly.choices("assistant" if dialect in GENERATING else None),
        tuple(assembly.spans),
        assembly.model,
        assembly.usage,
        assembly.timings,
        assembly.summary,
        tuple(assembly.failures),
        tuple(assembly.unknowns),
        tuple(assembly.breaks),
    )


def _read(event: Event, reader: Reader | None, assembly: Assembly) -> None:
    if event.error is not None:
        assembly.broke(event.error, event)
    value = event.json
    if event.data.strip() == DONE:
        return
    if not isinstance(value, dict):
        if event.error is None and reader is not None and event.kind is not EventKind.TEXT:
            assembly.broke("not JSON" if value is MISSING else "not a JSON object", event)
        assembly.unknown(event.error or event.kind.value, event.data, event)
        return
    failed = read_failure(event, value, assembly)
    understood = reader is not None and reader.read(event, value)
    if not failed and not understood:
        assembly.unknown(event.event or event.kind.value, event.data, event)


def _ending(interaction: Interaction, assembly: Assembly) -> None:
    if interaction.outcome is Outcome.COMPLETE:
        return
    chunks = interaction.chunks
    last = len(chunks) - 1 if chunks else None
    offset = sum(len(chunk.data) for chunk in chunks)
    what = _ENDINGS[interaction.outcome]
    if interaction.outcome is Outcome.UPSTREAM_CLOSED and interaction.response is None:
        what = "the upstream closed the connection without a response"
    assembly.breaks.append(Break(last, offset, what))
