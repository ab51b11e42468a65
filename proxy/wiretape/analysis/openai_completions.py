"""OpenAI's older completions: `text_completion`, whole and streamed.

Knows the plain-text choices; shares the top of the object with chat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wiretape.analysis.answer import Part
from wiretape.analysis.openai_chat import CHOICE_FIELDS, read_top
from wiretape.analysis.shape import as_index, as_text, objects, text_or_none

if TYPE_CHECKING:
    from wiretape.analysis.assembly import Assembly
    from wiretape.analysis.events import Event


class OpenAiCompletions:
    """Reads one completion."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    def read(self, event: Event, value: dict[str, Any]) -> bool:
        """Read one event; False if it is not of this dialect."""
        if not read_top(value, event, self._assembly):
            return False
        for position, choice in enumerate(objects(value.get("choices"))):
            sent = as_index(choice.get("index"))
            index = position if sent is None else sent
            self._assembly.choice(index)  # it counts even if it says nothing
            self._assembly.unknown_fields(choice, CHOICE_FIELDS, "choices", event)
            self._assembly.say(Part.CONTENT, as_text(choice.get("text")), event, index)
            self._assembly.finish(text_or_none(choice.get("finish_reason")), event, index)
        return True
