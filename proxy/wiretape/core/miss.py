"""A live request that was not found among the recorded ones, and what to tell the user.

Knows how a miss reads in a terminal, in an SDK's error message and in a report. It decides
nothing: `core.explanation` finds the closest recording and what would help.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wiretape.core.commands import with_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from wiretape.core.differences import Difference

Key = tuple[int, int]
"""A recording: the index of its cassette and the number of its interaction. Opaque to matching."""

RECORD_THE_REST = "--mode new_episodes"
"""What helps where a conversation goes on past its recording."""

MAX_SHOWN = 5
"""How many differences the text spells out, and how many more it names."""


class Reason(enum.StrEnum):
    """Why there is no answer; also the words in the header `Wiretape-Miss`."""

    NO_MATCH = "no-match"
    EXHAUSTED = "exhausted"


@dataclass(frozen=True, slots=True)
class Miss:
    """A live request without an answer.

    Attributes:
        reason: `exhausted` if it was recorded but every recording has been used.
        method: the live request's.
        path: the live request's, without the query, which may hold a secret.
        closest: the recorded request that comes closest; None if none is comparable.
        closest_used: whether that one has been used already.
        differences: what keeps the two from agreeing; empty if exhausted.
        recordings: how many recorded requests agree with this one (0 if no-match).
        agreeing: how many of the live conversation's messages (or input items) agree.
        items: how many it has; 0 if the request is no conversation.
        more: how many messages more the recording has, if all of these agree.
        reordered: whether these are all that the recording has, but not where they stand there.
        another_conversation: whether most of the conversation differs.
        goes_on: whether all of the recorded conversation agrees, and the live one is longer.
        routes: the methods and paths that are recorded, with how often; most frequent first.
            Empty if one of them is, or ends as, the live request's.
        max_body: the --max-body (`17M`) that keeps both bodies, where one was too long to be kept,
            so that only digests were compared; None where none was.
        suggestion: the flags that would make it match, ready to paste, or RECORD_THE_REST; None if
            none would help.
    """

    reason: Reason
    method: str
    path: str
    closest: Key | None = None
    closest_used: bool = False
    differences: tuple[Difference, ...] = ()
    recordings: int = 0
    agreeing: int = 0
    items: int = 0
    more: int = 0
    reordered: bool = False
    another_conversation: bool = False
    goes_on: bool = False
    max_body: str | None = None
    routes: tuple[tuple[str, int], ...] = ()
    suggestion: str | None = None

    def text(
        self,
        describe: Callable[[Key], str],
        record: str | None = None,
        spell: Callable[[str], str] = str,
    ) -> str:
        """Explain the miss in a few lines, the most useful first.

        Args:
            describe: names a recording for people (`chat.yaml, request 3`).
            record: the command that records again, if the caller knows it.
            spell: how the suggestion is written where it is no matter of flags.
        """
        helping = self._helping(record, spell)
        goes_on = ["the conversation goes on past the recording"] if self.goes_on else []
        return "\n".join([*self._found(describe), *self._differing(), *goes_on, *helping])

    def to_json(self, describe: Callable[[Key], str] | None = None) -> dict[str, Any]:
        """The miss for the session report, as JSON values; `closest` a name or a key."""
        closest: str | list[int] | None = None
        if self.closest is not None:
            closest = describe(self.closest) if describe else list(self.closest)
        return {
            "reason": self.reason.value,
            "method": self.method,
            "path": self.path,
            "closest": closest,
            "differences": [difference.to_json() for difference in self.differences],
            "suggestion": self.suggestion,
        }

    def _found(self, describe: Callable[[Key], str]) -> list[str]:
        request = f"{self.method} {self.path}"
        if self.reason is Reason.EXHAUSTED:
            name = "" if self.closest is None else describe(self.closest)
            if self.recordings == 1:
                return [f"{request} was recorded once ({name}), and that has been used"]
            return [f"{request} was recorded {self.recordings} times (last: {name}), all used"]
        first = f"no recorded request matches {request}"
        if self.routes:
            routes = ", ".join(f"{route} ({count})" for route, count in self.routes[:MAX_SHOWN])
            first += f"; recorded: {routes}" + ", ..." * (len(self.routes) > MAX_SHOWN)
        if self.closest is None:
            return [first if self.routes else f"{first}; nothing is recorded"]
        used = ", already used" if self.closest_used else ""
        return [f"{first}; closest: {describe(self.closest)}{used}{self._agreement()}"]

    def _agreement(self) -> str:
        if self.another_conversation:
            return ", but it is another conversation" if self.items else ", but with another text"
        if self.reordered:
            return " (the same messages, in another order)"
        more = f"; the recording has {self.more} more" if self.more else ""
        return f" ({self.agreeing} of {self.items} messages agree{more})" if self.agreeing else ""

    def _differing(self) -> list[str]:
        shown = 1 if self.another_conversation else MAX_SHOWN
        lines = [f"  {difference.text()}" for difference in self.differences[:shown]]
        rest = [difference.pointer for difference in self.differences[shown:]]
        if rest:
            names = ", ".join(rest[:MAX_SHOWN]) + ", ..." * (len(rest) > MAX_SHOWN)
            lines.append(f"  and {len(rest)} more: {names}")
        return lines

    def _helping(self, record: str | None, spell: Callable[[str], str]) -> list[str]:
        again = f"record again: {record}" if record else "record again"
        if self.suggestion == RECORD_THE_REST:
            return [f"to have the rest recorded: {spell(self.suggestion)}; or {again}"]
        if self.suggestion:
            return [f"to make it match: {spell(self.suggestion)}; or {again}"]
        if self.max_body:
            why = "a body over --max-body is compared by its digest alone"
            larger = spell(f"--max-body {self.max_body}")
            if record:
                again = f"record again: {with_option(record, '--max-body', self.max_body)}"
            return [f"{why}; replay with {larger}, and {again}"]
        return [f"to have it answered, {again}"]
