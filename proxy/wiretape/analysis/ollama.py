"""ollama's own API: `/api/chat` and `/api/generate`, streamed as NDJSON or whole.

Knows that calls come whole, their arguments as an object, and without ids before v0.12 or so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wiretape.analysis.answer import Part
from wiretape.analysis.shape import as_index, as_object, as_text, objects, text_or_none

if TYPE_CHECKING:
    from wiretape.analysis.assembly import Assembly
    from wiretape.analysis.events import Event

_COUNTS = (
    "prompt_eval_count",
    "eval_count",
    "total_duration",
    "load_duration",
    "prompt_eval_duration",
    "eval_duration",
)
_TOP_FIELDS = frozenset(
    {
        "model",
        "created_at",
        "message",
        "response",
        "thinking",
        "done",
        "done_reason",
        "context",
        "logprobs",
        "error",
        "tool_calls",
        "remote_model",
        "remote_host",
        *_COUNTS,
    }
)
_MESSAGE_FIELDS = frozenset({"role", "content", "thinking", "tool_calls", "tool_name"})


class Ollama:
    """Reads one answer of either endpoint."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    def read(self, event: Event, value: dict[str, Any]) -> bool:
        """Read one line; False if it is not of this dialect."""
        if not isinstance(value.get("message"), dict) and not isinstance(value.get("done"), bool):
            return False
        self._assembly.model = self._assembly.model or text_or_none(value.get("model"))
        self._assembly.unknown_fields(value, _TOP_FIELDS, "", event)
        message = as_object(value.get("message"))
        self._assembly.unknown_fields(message, _MESSAGE_FIELDS, "message", event)
        draft = self._assembly.choice()
        draft.role = draft.role or text_or_none(message.get("role"))
        for said in (value, message):
            self._assembly.say(Part.REASONING, as_text(said.get("thinking")), event)
            self._assembly.say(Part.CONTENT, as_text(said.get("content")), event)
            for call in objects(said.get("tool_calls")):
                self._call(event, call)
        self._assembly.say(Part.CONTENT, as_text(value.get("response")), event)
        if value.get("done") is True:
            self._done(event, value)
        return True

    def _call(self, event: Event, entry: dict[str, Any]) -> None:
        function = as_object(entry.get("function"))
        call = self._assembly.begin_call(event)
        call.id = text_or_none(entry.get("id"))
        call.name = as_text(function.get("name"))
        call.sent_index = as_index(function.get("index"))
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            self._assembly.extend_call(call, arguments, event)
        else:
            self._assembly.set_arguments(call, {} if arguments is None else arguments, event)

    def _done(self, event: Event, value: dict[str, Any]) -> None:
        draft = self._assembly.choice()
        reason = text_or_none(value.get("done_reason"))
        natural = "tool_calls" if draft.calls else "stop"
        self._assembly.finish(reason, event, meaning=natural if reason == "stop" else None)
        # Before v0.1.38 or so, done stood without a reason.
        draft.finish = draft.finish or natural
        counts = {name: value[name] for name in _COUNTS if name in value}
        self._assembly.use(counts, event)
