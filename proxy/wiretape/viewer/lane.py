"""One interaction as the page draws it: a lane of chunks, and what they said.

Knows the shape that `page/*.js` reads; everything in it comes from the transcript.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wiretape.analysis.answer import GENERATING, Part
from wiretape.analysis.events import compact_json
from wiretape.analysis.messages import message_lines
from wiretape.analysis.printable import cut
from wiretape.analysis.show_json import interaction_json
from wiretape.analysis.timeline import last_us
from wiretape.analysis.tokens import tokens_text

if TYPE_CHECKING:
    from wiretape.analysis.answer import Choice, Span, Transcript
    from wiretape.analysis.threads import Place

LONGEST_MESSAGE = 20_000
"""Characters of one message of a request; the whole body can be fetched by itself."""

LONGEST_SPAN = 100_000
LONGEST_UNKNOWN = 2_000
"""Characters of one piece of an answer, and of one that no dialect knows."""

PARTS = tuple(Part)
"""A span's part is an index into this; a chunk's kinds are the bits of these indexes."""


def lane(transcript: Transcript, place: Place) -> dict[str, Any]:
    """One interaction as JSON values. Times are microseconds since the session began.

    As in `show --json`, but that `at` has the moments, `chunks` three lists with one item for
    each chunk (`kinds` are bits, see PARTS), `asked` the messages that this request adds to the
    `earlier` one's, `choices` every choice with its calls, and `spans` the pieces of the answer:
    `[chunk, part, text, choice, call, first chunk]`, the call null where it is none.
    """
    shown = interaction_json(transcript)
    interaction, question = transcript.interaction, transcript.question
    left_out = place.shared + place.echoed
    answered = shown.pop("response")
    request = shown.pop("request")
    return {
        "number": shown.pop("id"),
        **{name: request[name] for name in ("method", "target", "model", "stream")},
        **shown,
        "at": {
            "request": interaction.request.at_us,
            "head": interaction.response.at_us if interaction.response else None,
            "end": interaction.end.at_us if interaction.end else None,
            "last": last_us(interaction),
        },
        "chunks": {
            "at": [chunk.at_us for chunk in interaction.chunks],
            "sizes": [len(chunk.data) for chunk in interaction.chunks],
            "kinds": _kinds(transcript),
        },
        "earlier": {"interaction": place.earlier, "messages": left_out} if left_out else None,
        "asked": [
            {"who": who, "text": cut(text, LONGEST_MESSAGE)}
            for message in question.messages[left_out:]
            for who, text in message_lines(message)
        ],
        "tools": question.tools,
        "sent_bytes": interaction.request.body.length,
        "generating": transcript.dialect in GENERATING,
        "choices": [_choice(choice) for choice in transcript.choices],
        "spans": [_span(span) for span in transcript.spans],
        "answered_by": transcript.model,
        "tokens": tokens_text(transcript),
        "summary": transcript.summary,
        "breaks": answered.get("breaks", []),
    }


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "index": choice.index,
        "role": choice.role,
        "finish_reason": choice.finish_reason,
        "finish": choice.finish,
        "calls": [
            {
                "id": call.id,
                "name": call.name,
                "arguments": _laid_out(call.arguments),
                "raw": cut(call.arguments_raw, LONGEST_SPAN),
                "valid": call.valid,
                "start": call.start_us,
                "end": call.end_us,
                "chunks": list(call.chunks),
            }
            for call in choice.tool_calls
        ],
    }


def _laid_out(arguments: Any) -> list[list[str]] | None:
    """Arguments as rows of (name, text, `text` or `json`); None where they are no object.

    Numbers stay as they were written: the page's own would lose digits.
    """
    if not isinstance(arguments, dict):
        return None
    return [
        [name, cut(value, LONGEST_SPAN), "text"]
        if isinstance(value, str)
        else [name, cut(compact_json(value), LONGEST_SPAN), "json"]
        for name, value in arguments.items()
    ]


def _span(span: Span) -> list[Any]:
    longest = LONGEST_UNKNOWN if span.part is Part.UNKNOWN else LONGEST_SPAN
    text = cut(span.text, longest)
    return [span.chunk, _INDEX[span.part], text, span.choice, span.call, span.first_chunk]


_INDEX = {part: index for index, part in enumerate(PARTS)}


def _kinds(transcript: Transcript) -> list[int]:
    kinds = [0] * len(transcript.interaction.chunks)
    for span in transcript.spans:
        bit = 1 << _INDEX[span.part]
        for chunk in range(span.first_chunk, span.chunk + 1):
            kinds[chunk] |= bit
    return kinds
