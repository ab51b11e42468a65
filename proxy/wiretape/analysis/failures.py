"""Errors that servers report, in the shapes of all dialects.

Knows `{"error": …}` in its forms and what stands in for it when a status says error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wiretape.analysis.events import compact_json
from wiretape.analysis.shape import as_object, as_text

if TYPE_CHECKING:
    from wiretape.analysis.assembly import Assembly
    from wiretape.analysis.events import Event


def read_failure(event: Event, value: dict[str, Any], assembly: Assembly) -> bool:
    """Add the error that an event reports to the assembly; False if it reports none."""
    error = value.get("error") or as_object(value.get("response")).get("error")
    kind = value.get("type")
    if error:
        fields = as_object(error)
        message = error if isinstance(error, str) else as_text(fields.get("message"))
        named = fields.get("type") or fields.get("code")
        assembly.fail(message or compact_json(error), _word(named), event)
        return True
    if kind == "error" or event.event == "error" or value.get("object") == "error":
        assembly.fail(
            as_text(value.get("message")) or compact_json(value), _word(value.get("code")), event
        )
        return True
    return False


def read_refused(events: list[Event], status: int, assembly: Assembly) -> None:
    """A status of 400 and more without an error in a known shape: its body is the message."""
    for event in events:
        value = as_object(event.json)
        message = as_text(value.get("detail")) or as_text(value.get("message")) or event.data
        assembly.fail(message, str(status), event)
        return


def _word(value: Any) -> str | None:
    if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
        return str(value)
    return None
