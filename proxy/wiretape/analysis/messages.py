"""The messages of a request as lines for people: who speaks, and what.

Knows the shapes of messages in all dialects; escapes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wiretape.analysis.events import compact_json, parse_json
from wiretape.analysis.printable import cut, one_line
from wiretape.analysis.shape import as_array, as_object, as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_SAID = 60
_TEXT_TYPES = frozenset({"text", "input_text", "output_text", "summary_text", "refusal"})


def call_line(name: str, arguments: Any, raw: str) -> str:
    """A call as people write one: `run_command(command="ls")`; raw if it has no named arguments."""
    if isinstance(arguments, dict):
        given = [f"{key}={compact_json(value)}" for key, value in arguments.items()]
        return f"{name or '?'}({', '.join(given)})"
    return f"{name or '?'}({raw})"


def message_lines(message: Any) -> list[tuple[str, str]]:
    """A message as (who, text) pairs, several where it holds calls or results beside text."""
    fields = as_object(message)
    if not fields:
        return [("message", compact_json(message))]
    kind = as_text(fields.get("type"))
    if kind in {"function_call", "custom_tool_call"}:
        given = fields.get("arguments", fields.get("input"))
        return [("assistant", _called(as_text(fields.get("name")), given))]
    if kind.endswith("_call_output"):
        return [("tool", _result(fields.get("call_id"), fields.get("output")))]
    if kind == "reasoning":
        return [("reasoning", _content(fields.get("summary") or fields.get("content")))]
    who = as_text(fields.get("role")) or kind or "message"
    if who == "tool":
        named = fields.get("tool_call_id") or fields.get("tool_name") or fields.get("name")
        return [("tool", _result(named, fields.get("content")))]
    return _spoken(who, fields)


def last_said(messages: Sequence[Any]) -> str | None:
    """The last of a request's messages, on one short printable line; None where there are none."""
    if not messages:
        return None
    who, text = message_lines(messages[-1])[-1]
    # Long before it is made printable: a message may have megabytes.
    quoted = compact_json(cut(text, _LONGEST_SAID))
    return one_line(f"{cut(who, _LONGEST_SAID)} {quoted}")


def _spoken(who: str, fields: dict[str, Any]) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    thought = fields.get("reasoning_content") or fields.get("reasoning") or fields.get("thinking")
    if isinstance(thought, str) and thought:
        lines.append(("reasoning", thought))
    content = fields.get("content")
    if isinstance(content, list):
        lines += [_part(who, part) for part in content]
    elif content not in (None, ""):
        lines.append((who, _content(content)))
    for call in as_array(fields.get("tool_calls")):
        function = as_object(as_object(call).get("function"))
        lines.append((who, _called(as_text(function.get("name")), function.get("arguments"))))
    return lines or [(who, "")]


def _part(who: str, part: Any) -> tuple[str, str]:
    fields = as_object(part)
    kind = as_text(fields.get("type"))
    if kind == "tool_use":
        return who, _called(as_text(fields.get("name")), fields.get("input"))
    if kind == "tool_result":
        return "tool", _result(fields.get("tool_use_id"), fields.get("content"))
    if kind == "thinking":
        return "reasoning", as_text(fields.get("thinking"))
    return who, _content([part])


def _called(name: str, given: Any) -> str:
    if isinstance(given, str):
        value = parse_json(given, strict=True)
        return call_line(name, value, given)
    return call_line(name, given, "" if given is None else compact_json(given))


def _result(name: Any, output: Any) -> str:
    text = _content(output)
    return f"{name} → {text}" if isinstance(name, str) and name else text


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_piece(part) for part in content)
    return "" if content is None else compact_json(content)


def _piece(part: Any) -> str:
    if isinstance(part, str):
        return part
    fields = as_object(part)
    kind = as_text(fields.get("type"))
    text = fields.get("text", fields.get("refusal"))
    if isinstance(text, str) and (not kind or kind in _TEXT_TYPES):
        return text
    return f"[{kind}]" if kind else compact_json(part)
