"""Whether a stream had said its last word when its client left.

Knows the last event of each dialect; parses it, for the same text may stand inside an answer.
"""

from __future__ import annotations

from wiretape.analysis.events import parse_json
from wiretape.analysis.media import is_event_stream, is_ndjson
from wiretape.analysis.ndjson import LineDecoder
from wiretape.analysis.sse import SseDecoder

DONE = "[DONE]"
"""The data of the event that ends an OpenAI chat or completions stream."""

LAST_TYPES = frozenset(
    {"message_stop", "response.completed", "response.failed", "response.incomplete"}
)
"""The `type` of the event that ends an Anthropic or a Responses stream."""


def stream_finished(tail: bytes, content_type: str) -> bool:
    """Whether the last complete event in `tail` is the last one that its dialect sends.

    That is `[DONE]`, `message_stop`, `response.completed` (or failed, or incomplete), and an NDJSON
    line with `"done": true`. Looks at nothing but event streams and NDJSON.

    Args:
        tail: the stream's bytes from the start of its last event, or from any earlier point.
        content_type: the response's Content-Type, parameters and all.
    """
    if is_event_stream(content_type):
        dispatched = SseDecoder().feed(tail, 0)
        complete = [event for event in dispatched if event.error is None]
        if not complete:
            return False
        data = complete[-1].data
        if data.strip() == DONE:
            return True
        value = parse_json(data)
        return isinstance(value, dict) and _is_last_type(value.get("type"))
    if is_ndjson(content_type):
        decoder = LineDecoder()
        lines = decoder.feed(tail, 0)
        values = [parse_json(line.text) for line in [*lines[-1:], *decoder.close()]]
        objects = [value for value in values if isinstance(value, dict)]
        return bool(objects) and objects[-1].get("done") is True
    return False


def _is_last_type(value: object) -> bool:
    return isinstance(value, str) and value in LAST_TYPES
