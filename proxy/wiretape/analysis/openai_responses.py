"""OpenAI's Responses: `response.*` events, and the whole `response`.

Knows items and their deltas. A piece can come as deltas, again in a `.done`, again in the item
and again in the last event: it is taken from the first of them that has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wiretape.analysis.answer import Part
from wiretape.analysis.events import Event, compact_json
from wiretape.analysis.shape import as_object, as_text, objects, text_or_none

if TYPE_CHECKING:
    from wiretape.analysis.assembly import Assembly, CallDraft

_TEXTS = {
    "response.output_text": Part.CONTENT,
    "response.refusal": Part.REFUSAL,
    "response.reasoning_text": Part.REASONING,
    "response.reasoning_summary_text": Part.REASONING,
    "response.reasoning_summary": Part.REASONING,
    "response.reasoning": Part.REASONING,
}
_ARGUMENTS = frozenset(
    {
        "response.function_call_arguments",
        "response.custom_tool_call_input",
        "response.mcp_call_arguments",
    }
)
_CALL_ITEMS = frozenset({"function_call", "custom_tool_call", "mcp_call"})
_LAST = frozenset({"response.completed", "response.incomplete", "response.failed"})
_STATES = frozenset({"response.created", "response.in_progress", "response.queued"})
_SILENT = frozenset(
    {
        "response.content_part.added",
        "response.content_part.done",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
        "response.output_text.annotation.added",
        "keepalive",
    }
)


@dataclass(slots=True)
class _Item:
    """An output item under way, and what of it has been taken."""

    kind: str = ""
    call: CallDraft | None = None
    taken: set[Part] = field(default_factory=set)
    streamed: set[tuple[Part, str]] = field(default_factory=set)


class OpenAiResponses:
    """Reads one response."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._items: dict[str, _Item] = {}
        self._order: list[_Item] = []

    def read(self, event: Event, value: dict[str, Any]) -> bool:
        """Read one event; False if it is not of this dialect."""
        kind = as_text(value.get("type")) or as_text(event.event)
        if value.get("object") == "response":
            self._response(event, value)
            return True
        stem, _, step = kind.rpartition(".")
        if kind in _LAST or kind in _STATES:
            response = as_object(value.get("response"))
            self._response(event, response)
        elif kind.startswith("response.output_item."):
            item = as_object(value.get("item"))
            found = self._find(value, _kind(as_text(item.get("type"))), opens=step == "added")
            self._item(event, item, found)
        elif stem in _TEXTS and step in {"delta", "done"}:
            self._text(event, value, _TEXTS[stem], step)
        elif stem in _ARGUMENTS and step in {"delta", "done"}:
            self._arguments(event, value, step)
        elif kind not in _SILENT:
            return False
        return True

    def _find(self, value: dict[str, Any], kind: str, *, opens: bool = False) -> _Item:
        """The item that an event speaks of: by id, by index, or the latest of its kind.

        Servers leave out ids or indexes, and an event that was cut off may have lost them.
        """
        item = as_object(value.get("item"))
        ids = [value.get("item_id"), item.get("id"), item.get("call_id")]
        names = [f"id:{each}" for each in ids if isinstance(each, str) and each]
        index = value.get("output_index")
        by_id = [self._items[name] for name in names if name in self._items]
        by_index = self._items.get(f"index:{index}")
        found = by_id[0] if by_id else None
        if found is None and not opens and by_index and by_index.kind in {kind, ""}:
            found = by_index
        if found is None and not opens and not names and index is None:
            found = next((known for known in reversed(self._order) if known.kind == kind), None)
        found = found or self._new(kind)
        for name in names:
            self._items.setdefault(name, found)
        if opens or by_index is None:
            self._items[f"index:{index}"] = found
        return found

    def _new(self, kind: str) -> _Item:
        self._order.append(_Item(kind))
        return self._order[-1]

    def _text(self, event: Event, value: dict[str, Any], part: Part, step: str) -> None:
        item = self._find(value, "reasoning" if part is Part.REASONING else "message")
        place = compact_json([value.get("content_index"), value.get("summary_index")])
        if step == "delta":
            item.streamed.add((part, place))
            self._say(item, part, as_text(value.get("delta")), event)
        elif (part, place) not in item.streamed and not (event.error and part in item.taken):
            item.streamed.add((part, place))
            self._say(item, part, as_text(value.get("text") or value.get("refusal")), event)

    def _say(self, item: _Item, part: Part, text: str, event: Event) -> None:
        if text:
            item.taken.add(part)
            self._assembly.say(part, text, event)

    def _arguments(self, event: Event, value: dict[str, Any], step: str) -> None:
        item = self._find(value, "call")
        if item.call is None:
            item.call = self._assembly.begin_call(event)
        given = as_text(value.get("delta"))
        if step == "done":
            given = as_text(value.get("arguments") or value.get("input"))
            item.call.name = item.call.name or as_text(value.get("name"))
        if step == "delta" or not item.call.raw:
            self._assembly.extend_call(item.call, given, event)

    def _item(self, event: Event, item: dict[str, Any], found: _Item) -> None:
        kind = as_text(item.get("type"))
        if kind == "message":
            draft = self._assembly.choice()
            draft.role = draft.role or text_or_none(item.get("role"))
            self._parts(event, found, item.get("content"), Part.CONTENT)
        elif kind == "reasoning":
            self._parts(event, found, item.get("summary"), Part.REASONING)
            self._parts(event, found, item.get("content"), Part.REASONING)
        elif kind in _CALL_ITEMS:
            self._call(event, found, item)
        elif kind:
            self._assembly.unknown_fields({kind: item}, frozenset(), "output item", event)

    def _parts(self, event: Event, found: _Item, parts: Any, default: Part) -> None:
        taken = frozenset(found.taken)
        self._unless_taken(taken, found, default, as_text(parts), event)
        for part in objects(parts):
            refusal = as_text(part.get("refusal"))
            self._unless_taken(taken, found, Part.REFUSAL, refusal, event)
            self._unless_taken(taken, found, default, as_text(part.get("text")), event)

    def _unless_taken(
        self, taken: frozenset[Part], found: _Item, part: Part, text: str, event: Event
    ) -> None:
        if part not in taken:
            self._say(found, part, text, event)

    def _call(self, event: Event, found: _Item, item: dict[str, Any]) -> None:
        if found.call is None:
            found.call = self._assembly.begin_call(event)
        call = found.call
        call.id = call.id or text_or_none(item.get("call_id")) or text_or_none(item.get("id"))
        call.name = call.name or as_text(item.get("name"))
        call.free_text = item.get("type") == "custom_tool_call"
        given = as_text(item.get("arguments") or item.get("input"))
        if given and not call.raw:
            self._assembly.extend_call(call, given, event)

    def _response(self, event: Event, response: dict[str, Any]) -> None:
        self._assembly.model = self._assembly.model or text_or_none(response.get("model"))
        for item, found in self._pair(objects(response.get("output"))):
            self._item(event, item, found)
        self._assembly.use(response.get("usage"), event)
        status = text_or_none(response.get("status"))
        if status in {"completed", "incomplete", "failed", "cancelled"}:
            self._finish(event, response, status)

    def _pair(self, output: list[dict[str, Any]]) -> list[tuple[dict[str, Any], _Item]]:
        """The items of a whole response with those that were streamed: by id, else by order."""
        streamed = list(self._order)
        pairs: list[tuple[dict[str, Any], _Item]] = []
        for item in output:
            kind = _kind(as_text(item.get("type")))
            ids = [f"id:{item.get(name)}" for name in ("id", "call_id") if item.get(name)]
            by_id = [self._items[name] for name in ids if name in self._items]
            alike = [known for known in streamed if known.kind == kind]
            found = next(iter([*by_id, *alike]), None) or self._new(kind)
            streamed = [known for known in streamed if known is not found]
            pairs.append((item, found))
        return pairs

    def _finish(self, event: Event, response: dict[str, Any], status: str) -> None:
        why = as_object(response.get("incomplete_details")).get("reason")
        reason = text_or_none(why) or status
        calls = bool(self._assembly.choice().calls)
        meaning = "tool_calls" if calls and reason == "completed" else None
        self._assembly.finish(reason, event, meaning=meaning)


def _kind(item_type: str) -> str:
    return "call" if item_type in _CALL_ITEMS else item_type
