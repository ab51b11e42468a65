"""Anthropic's messages: `message_start` to `message_stop`, and the whole `message`.

Knows content blocks and their deltas; nothing of framing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wiretape.analysis.answer import Part
from wiretape.analysis.events import Event, compact_json
from wiretape.analysis.shape import as_index, as_object, as_text, objects, text_or_none

if TYPE_CHECKING:
    from wiretape.analysis.assembly import Assembly, CallDraft

_TOOL_TYPES = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
_SILENT = frozenset({"ping", "content_block_stop", "message_stop"})
_TEXT_DELTAS = {
    "text_delta": (Part.CONTENT, "text"),
    "thinking_delta": (Part.REASONING, "thinking"),
}
_UNSEEN_DELTAS = frozenset({"signature_delta"})


class AnthropicMessages:
    """Reads one message."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._calls: dict[int, CallDraft] = {}
        self._inputs: dict[int, Any] = {}

    def read(self, event: Event, value: dict[str, Any]) -> bool:
        """Read one event; False if it is not of this dialect."""
        kind = as_text(value.get("type"))
        if kind == "message":
            self._message(event, value)
        elif kind == "message_start":
            self._message(event, as_object(value.get("message")))
        elif kind == "content_block_start":
            self._block(event, as_object(value.get("content_block")), self._index(value))
        elif kind == "content_block_delta":
            self._delta(event, as_object(value.get("delta")), self._index(value))
        elif kind == "message_delta":
            delta = as_object(value.get("delta"))
            self._assembly.finish(text_or_none(delta.get("stop_reason")), event)
            self._assembly.use(value.get("usage"), event)
        elif kind not in _SILENT:
            return False
        if kind == "content_block_stop":
            self._settle(event, self._index(value))
        return True

    @staticmethod
    def _index(value: dict[str, Any]) -> int:
        return as_index(value.get("index")) or 0

    def _message(self, event: Event, message: dict[str, Any]) -> None:
        self._assembly.model = self._assembly.model or text_or_none(message.get("model"))
        draft = self._assembly.choice()
        draft.role = draft.role or text_or_none(message.get("role"))
        content = message.get("content")
        self._assembly.say(Part.CONTENT, as_text(content), event)
        for index, block in enumerate(objects(content)):
            self._block(event, block, index)
            self._settle(event, index)
        self._calls.clear()
        self._assembly.finish(text_or_none(message.get("stop_reason")), event)
        self._assembly.use(message.get("usage"), event)

    def _block(self, event: Event, block: dict[str, Any], index: int) -> None:
        kind = as_text(block.get("type"))
        if kind == "text":
            self._assembly.say(Part.CONTENT, as_text(block.get("text")), event)
        elif kind == "thinking":
            self._assembly.say(Part.REASONING, as_text(block.get("thinking")), event)
        elif kind in _TOOL_TYPES:
            call = self._assembly.begin_call(event)
            call.id = text_or_none(block.get("id"))
            call.name = as_text(block.get("name"))
            self._calls[index] = call
            self._inputs[index] = block.get("input", {})
        else:
            self._assembly.unknown(f"content block {kind}".strip(), compact_json(block), event)

    def _delta(self, event: Event, delta: dict[str, Any], index: int) -> None:
        kind = as_text(delta.get("type"))
        if kind in _TEXT_DELTAS:
            part, name = _TEXT_DELTAS[kind]
            self._assembly.say(part, as_text(delta.get(name)), event)
        elif kind == "input_json_delta":
            call = self._calls.get(index)
            if call is None:
                call = self._calls[index] = self._assembly.begin_call(event)
            self._assembly.extend_call(call, as_text(delta.get("partial_json")), event)
        elif kind not in _UNSEEN_DELTAS:
            self._assembly.unknown(f"delta {kind}".strip(), compact_json(delta), event)

    def _settle(self, event: Event, index: int) -> None:
        """A tool's block is over: without deltas, its arguments are what it began with."""
        call = self._calls.get(index)
        if call is not None and not call.raw:
            self._assembly.set_arguments(call, self._inputs.get(index, {}), event)
