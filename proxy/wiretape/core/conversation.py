"""Where a request body keeps its conversation, and which parts of it may vary between runs.

Knows the request shapes of OpenAI chat, Responses, Anthropic messages and ollama's `/api/chat`,
told apart by structure alone, and where Gemini's turns stand; knows nothing of HTTP, digests or
indexes. Never changes what it is given: what comes back shares every item that stays as it was.
"""

from __future__ import annotations

import enum
from typing import Any

from wiretape.core.payload import Payload, dump_json, parse_json

Item = Any
"""A message (chat, Anthropic, ollama) or an input item (Responses): nearly always a dict."""

Slot = tuple[int, int | None]
"""Where a tool result stands: the item's index, and the content block's within it, if any."""

Round = tuple[Slot, ...]
"""The places of the results of one round of tool calls, in order."""

CONVERSATIONS = ("messages", "input", "contents")
"""The names that top-level fields with a conversation have."""

_OUTCOME_KEYS = frozenset({"content", "output", "is_error", "status", "error", "images"})
_RESULT_IDS = ("tool_call_id", "call_id", "tool_use_id", "id", "tool_name", "name")


class Level(enum.Enum):
    """How closely two bodies have to agree; the tightest first."""

    EXACT = "exact"
    TOOL_ORDER = "tool-order"
    TOOL_OUTPUT = "tool-output"


LEVELS = tuple(Level)


def conversation_field(payload: Payload) -> str | None:
    """The name of the top-level field that holds the conversation; None if there is none."""
    if isinstance(payload, dict):
        for name in CONVERSATIONS:
            items = payload.get(name)
            if isinstance(items, list) and items and isinstance(items[0], dict):
                return name
    return None


def uses_tools(items: list[Item]) -> bool:
    """Whether any item is a tool call or a tool result, so that the levels may differ."""
    return any(_is_call(item) or _is_result(item) or _result_blocks(item) for item in items)


def relaxed(items: list[Item], level: Level) -> list[Item]:
    """The items in the form in which `level` compares them."""
    if level is Level.EXACT:
        return items
    loosened = loosen(items, level)
    for slots in rounds(loosened):
        results = taken(loosened, slots)
        places = order(results)
        if places != sorted(places):
            loosened = put(loosened, slots, [results[place] for place in places])
    return loosened


def loosen(items: list[Item], level: Level) -> list[Item]:
    """The items with everything loosened that `level` loosens, but for the order of results."""
    if level is Level.EXACT:
        return items
    items = [_with_plain_arguments(item) if _is_call(item) else item for item in items]
    if level is Level.TOOL_OUTPUT:
        items = [_without_outcome(item) for item in items]
    return items


def rounds(items: list[Item]) -> list[Round]:
    """The rounds of two or more tool results.

    A round is a run of consecutive result items (`role: tool`, `*_output`), the result blocks
    of one message, or those of consecutive user messages that hold nothing else.
    """
    found: list[list[Slot]] = []
    running = ""
    for index, item in enumerate(items):
        blocks = _result_blocks(item)
        slots: list[Slot] = [(index, block) for block in blocks]
        if _is_result(item):
            kind, slots = "items", [(index, None)]
        elif blocks:
            kind = "blocks" if len(blocks) == len(item["content"]) else "mixed"
        else:
            kind = ""
        if slots and kind == running and kind != "mixed":
            found[-1] += slots
        else:
            found.append(slots)
        running = kind
    return [tuple(slots) for slots in found if len(slots) > 1]


def taken(items: list[Item], slots: Round) -> list[Item]:
    """The tool results that stand in `slots`."""
    return [
        items[index] if block is None else items[index]["content"][block] for index, block in slots
    ]


def order(results: list[Item]) -> list[int]:
    """The results' indexes, sorted so that the order in which the results came plays no part."""
    names = [result_id(result) for result in results]
    if len(set(names)) == len(names):
        return sorted(range(len(results)), key=names.__getitem__)
    keys = [(name, dump_json(_unmarked(it))) for name, it in zip(names, results, strict=True)]
    return sorted(range(len(results)), key=keys.__getitem__)


def result_id(result: Item) -> str:
    """What names a tool result: the id of its call, else the tool's name, else nothing."""
    for name in _RESULT_IDS:
        value = result.get(name)
        if isinstance(value, str):
            return value
    return ""


def put(items: list[Item], slots: Round, results: list[Item]) -> list[Item]:
    """The items with these results in `slots`.

    Anthropic's `cache_control` belongs to a place (the end of a prompt), not to a result: it
    stays where it stands.
    """
    items = list(items)
    old = taken(items, slots)
    for (index, block), result, before in zip(slots, results, old, strict=True):
        if block is None:
            items[index] = result
            continue
        content = list(items[index]["content"])
        content[block] = _unmarked(result)
        if "cache_control" in before:
            content[block] = {**content[block], "cache_control": before["cache_control"]}
        items[index] = {**items[index], "content": content}
    return items


def _is_call(item: Item) -> bool:
    return isinstance(item, dict) and (
        "tool_calls" in item or "function_call" in item or "arguments" in item
    )


def _is_result(item: Item) -> bool:
    if not isinstance(item, dict):
        return False
    kind = item.get("type")
    return item.get("role") in ("tool", "function") or (
        isinstance(kind, str) and kind.endswith("_output")
    )


def _result_blocks(item: Item) -> list[int]:
    """The indexes of the `tool_result` blocks in a message's content."""
    content = item.get("content") if isinstance(item, dict) else None
    if not isinstance(content, list) or _is_result(item):
        return []
    return [
        index
        for index, block in enumerate(content)
        if isinstance(block, dict) and block.get("type") == "tool_result"
    ]


def _with_plain_arguments(item: dict[str, Any]) -> dict[str, Any]:
    changed = dict(item)
    if "arguments" in item:
        changed["arguments"] = _plain(item["arguments"])
    if isinstance(item.get("function_call"), dict):
        changed["function_call"] = _with_plain_arguments(item["function_call"])
    calls = item.get("tool_calls")
    if isinstance(calls, list):
        changed["tool_calls"] = [
            {**call, "function": _with_plain_arguments(call["function"])}
            if isinstance(call, dict) and isinstance(call.get("function"), dict)
            else call
            for call in calls
        ]
    return changed


def _plain(arguments: Any) -> Any:
    """Arguments in canonical text; as they are where they are no text or no JSON."""
    if isinstance(arguments, str):
        try:
            return dump_json(parse_json(arguments))
        except ValueError:
            return arguments
    return arguments


def _without_outcome(item: Item) -> Item:
    if _is_result(item):
        return _identity(item)
    blocks = _result_blocks(item)
    if blocks:
        content = list(item["content"])
        for block in blocks:
            content[block] = _identity(content[block])
        return {**item, "content": content}
    return item


def _identity(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name not in _OUTCOME_KEYS}


def _unmarked(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != "cache_control"}
