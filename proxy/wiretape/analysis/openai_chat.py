"""OpenAI chat completions: `chat.completion` and `chat.completion.chunk`, and their many servers.

Knows what ollama, llama.cpp, vLLM and others send under these names; nothing of framing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wiretape.analysis.answer import Part
from wiretape.analysis.events import Event, compact_json
from wiretape.analysis.shape import as_index, as_object, as_text, objects, text_or_none

if TYPE_CHECKING:
    from wiretape.analysis.assembly import Assembly, CallDraft

TOP_FIELDS = frozenset(
    {
        "id",
        "object",
        "created",
        "model",
        "choices",
        "usage",
        "timings",
        "error",
        "system_fingerprint",
        "service_tier",
        "obfuscation",
        "metadata",
        "request_id",
    }
)
CHOICE_FIELDS = frozenset(
    {"index", "delta", "message", "text", "finish_reason", "logprobs", "native_finish_reason"}
)
_REASONING_FIELDS = ("reasoning", "reasoning_content", "thinking")
_DELTA_FIELDS = frozenset(
    {"role", "content", "refusal", "tool_calls", "function_call", "name", "reasoning_details"}
    | set(_REASONING_FIELDS)
)


def read_top(value: dict[str, Any], event: Event, assembly: Assembly) -> bool:
    """Read what stands beside the choices; False if this is no completion of any kind."""
    choices, usage = value.get("choices"), value.get("usage")
    if not isinstance(choices, list) and not isinstance(usage, dict):
        return False
    assembly.model = assembly.model or text_or_none(value.get("model"))
    assembly.use(usage, event)
    if isinstance(value.get("timings"), dict):
        assembly.timings = value["timings"]
    assembly.unknown_fields(value, TOP_FIELDS, "", event)
    return True


class OpenAiChat:
    """Reads one chat answer."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    def read(self, event: Event, value: dict[str, Any]) -> bool:
        """Read one event; False if it is not of this dialect."""
        if not read_top(value, event, self._assembly):
            return False
        for position, choice in enumerate(objects(value.get("choices"))):
            self._choice(event, choice, position)
        return True

    def _choice(self, event: Event, choice: dict[str, Any], position: int) -> None:
        sent = as_index(choice.get("index"))
        index = position if sent is None else sent
        draft = self._assembly.choice(index)
        self._assembly.unknown_fields(choice, CHOICE_FIELDS, "choices", event)
        for name in ("delta", "message"):
            delta = as_object(choice.get(name))
            draft.role = draft.role or text_or_none(delta.get("role"))
            self._assembly.unknown_fields(delta, _DELTA_FIELDS, name, event)
            self._texts(event, delta, index)
            for call in objects(delta.get("tool_calls")):
                self._call(event, call, as_object(call.get("function")), index)
            if isinstance(delta.get("function_call"), dict):
                self._call(event, {}, delta["function_call"], index)
        self._assembly.finish(text_or_none(choice.get("finish_reason")), event, index)

    def _texts(self, event: Event, delta: dict[str, Any], index: int) -> None:
        self._assembly.say(Part.REASONING, _reasoning(delta), event, index)
        content = delta.get("content")
        self._assembly.say(Part.CONTENT, as_text(content), event, index)
        for part in objects(content):
            self._content_part(event, part, index)
        self._assembly.say(Part.REFUSAL, as_text(delta.get("refusal")), event, index)

    def _content_part(self, event: Event, part: dict[str, Any], index: int) -> None:
        thinking = part.get("thinking")
        if part.get("type") == "text" and isinstance(part.get("text"), str):
            self._assembly.say(Part.CONTENT, part["text"], event, index)
        elif part.get("type") == "thinking" and isinstance(thinking, str):
            self._assembly.say(Part.REASONING, thinking, event, index)
        elif part.get("type") == "thinking" and isinstance(thinking, list):
            text = "".join(as_text(piece.get("text")) for piece in objects(thinking))
            self._assembly.say(Part.REASONING, text, event, index)
        else:
            self._assembly.unknown("content part", compact_json(part), event)

    def _call(
        self, event: Event, entry: dict[str, Any], function: dict[str, Any], choice: int
    ) -> None:
        given_id = text_or_none(entry.get("id"))
        name = as_text(function.get("name"))
        sent_index = as_index(entry.get("index"))
        call = self._continued(choice, given_id, name, sent_index)
        if call is None:
            call = self._assembly.begin_call(event, choice)
            call.sent_index = sent_index
        call.id = call.id or given_id
        call.name = call.name or name
        arguments = function.get("arguments")
        if entry.get("type") == "custom" or "custom" in entry:
            custom = as_object(entry.get("custom"))
            call.name = call.name or as_text(custom.get("name"))
            call.free_text, arguments = True, custom.get("input")
        if arguments is None or isinstance(arguments, str):
            self._assembly.extend_call(call, arguments or "", event, choice)
        else:
            self._assembly.set_arguments(call, arguments, event, choice)

    def _continued(
        self, choice: int, given_id: str | None, name: str, sent_index: int | None
    ) -> CallDraft | None:
        """The call under way that this entry goes on with, if it does.

        The index alone does not tell: ollama has sent several whole calls with the same index, or
        none (its v0.6.5 counts), while others repeat id and name in every fragment.
        """
        calls = self._assembly.choice(choice).calls
        if sent_index is None:
            call = calls[-1] if calls else None
            if given_id is not None:
                call = next((known for known in calls if known.id == given_id), call)
        else:
            same = [known for known in calls if known.sent_index == sent_index]
            call = same[-1] if same else None
        if call is None:
            return None
        if given_id is not None and call.id is not None:
            if given_id == call.id:
                return call
            return None if name or call.whole() else call
        return None if name and (name != call.name or call.whole()) else call


def _reasoning(delta: dict[str, Any]) -> str:
    """The reasoning under the first of its names that has some: servers repeat it under others."""
    for name in _REASONING_FIELDS:
        if text := as_text(delta.get(name)):
            return text
    details = objects(delta.get("reasoning_details"))
    return "".join(as_text(detail.get("text") or detail.get("summary")) for detail in details)
