"""Entries in their order: what may follow what, and what is odd though allowed.

Knows the life of an interaction (request, response, chunks, end); nothing of YAML or files.
"""

from __future__ import annotations

import enum

from wiretape.core.model import Chunk, End, Entry, Request, Response


class Stage(enum.IntEnum):
    """How far an interaction has come."""

    ASKED = 1
    ANSWERED = 2
    ENDED = 3


class Timeline:
    """Entries taken one after the other, each checked against what came before.

    Attributes:
        entries: what was taken.
        stages: by interaction.
        latest_us: the `at` of the last entry.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.stages: dict[int, Stage] = {}
        self.latest_us = 0
        self._backwards: list[int] = []

    def add(self, entry: Entry, line: int) -> None:
        """Take an entry that stands in this line of the file.

        Raises:
            ValueError: it cannot come here.
        """
        number = entry.interaction
        stage = self.stages.get(number)
        if isinstance(entry, Chunk):
            if stage is not Stage.ANSWERED:
                raise ValueError(_misplaced("chunk", number, stage))
        elif isinstance(entry, Request):
            if stage is not None:
                raise ValueError(f"a second request {number}")
            self.stages[number] = Stage.ASKED
        elif isinstance(entry, Response):
            if stage is not Stage.ASKED:
                raise ValueError(_misplaced("response", number, stage))
            self.stages[number] = Stage.ANSWERED
        elif isinstance(entry, End):
            if stage is None or stage is Stage.ENDED:
                raise ValueError(_misplaced("end", number, stage))
            self.stages[number] = Stage.ENDED
        self.entries.append(entry)
        if entry.at_us < self.latest_us:
            self._backwards.append(line)
        self.latest_us = entry.at_us

    def unfinished(self) -> tuple[int, ...]:
        """The interactions without an end, in the order of their requests."""
        return tuple(n for n, stage in self.stages.items() if stage is not Stage.ENDED)

    def warnings(self) -> list[str]:
        """What is odd, one line each."""
        odd = [f"interaction {number} has no end" for number in self.unfinished()]
        if self._backwards:
            more = len(self._backwards) - 1
            text = f"line {self._backwards[0]}: `at` goes back"
            odd.append(f"{text} (and {more} more times)" if more else text)
        return odd


def _misplaced(kind: str, number: int, stage: Stage | None) -> str:
    if stage is None:
        return f"{kind} {number} stands before its request"
    if stage is Stage.ENDED:
        return f"{kind} {number} stands after its end"
    if stage is Stage.ASKED:
        return f"{kind} {number} stands before its response"
    return f"a second {kind} {number}"
