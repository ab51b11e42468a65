"""What a request asks for besides its conversation: temperature, a schema and the like.

Knows which members of a body are shown otherwise, and how a schema is called; judges no value.
"""

from __future__ import annotations

from typing import Any

from wiretape.analysis.events import compact_json
from wiretape.analysis.shape import as_object

LONGEST_VALUE = 40
"""Characters of one value."""

MOST = 20
"""Parameters of one request."""

_TOLD = frozenset(
    {"model", "messages", "input", "prompt", "system", "instructions", "stream", "tools"}
)
# Whose members are the parameters.
_HOLDERS = frozenset({"options", "text", "output_config"})
# Where a type, a tool or a schema is named, in whatever wrapping.
_NAMING = frozenset(
    {"response_format", "format", "text.format", "output_format", "output_config.format"}
    | {"tool_choice"}
)


def parameters_of(body: Any) -> dict[str, Any]:
    """The parameters of a request's JSON body by name, those of a holder by `holder.name`.

    Args:
        body: as parsed, whatever it is.
    """
    members = _members(as_object(body))
    return {name: value for name, value in members if value not in (None, [], {})}


def parameters_text(body: Any) -> str:
    """The parameters of a request's JSON body as `name=value, ...`; empty if there are none.

    Args:
        body: as parsed, whatever it is.
    """
    given = parameters_of(body)
    shown = [f"{_cut(name)}={_cut(_brief(name, given[name]))}" for name in [*given][:MOST]]
    more = len(given) - len(shown)
    return ", ".join([*shown, f"and {more} more"] if more > 0 else shown)


def _members(body: dict[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in body.items():
        if name in _HOLDERS and isinstance(value, dict):
            found += [(f"{name}.{inner}", each) for inner, each in value.items()]
        elif name not in _TOLD:
            found.append((name, value))
    return found


def _brief(name: str, value: Any) -> str:
    called = _called(value) if name in _NAMING else None
    return called or (value if isinstance(value, str) else compact_json(value))


def _called(value: Any) -> str | None:
    """The name of a schema or tool inside its wrapping, or the type of what has no more to say."""
    while isinstance(value, dict):
        kind = value.get("type")
        for name in (value.get("name"), value.get("title"), kind if len(value) == 1 else None):
            if isinstance(name, str) and name:
                return name
        # OpenAI wraps a schema or a function in a member that is called as its type is.
        inner = value.get(kind) if isinstance(kind, str) else None
        value = inner if inner is not None else value.get("schema")
    return None


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
