"""Finds the recorded request that a live one matches, in constant time per request.

Knows which recordings have been used, and nothing of cassettes: a recording is the key that its
owner gives it. Not thread-safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from wiretape.core.canonical import Reading
from wiretape.core.closest import closest
from wiretape.core.conversation import LEVELS, Level
from wiretape.core.differences import Difference, differences
from wiretape.core.explanation import Candidate, explain
from wiretape.core.likeness import MOST_LIKELY, likeliest, words
from wiretape.core.miss import RECORD_THE_REST, Key, Miss, Reason
from wiretape.core.pointer import Pointer, parse_pointer
from wiretape.core.rivals import Rivals
from wiretape.core.routing import is_metadata
from wiretape.core.rules import Repeat, Rules
from wiretape.core.sizes import room_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wiretape.core.closest import Shape
    from wiretape.core.model import Body, Headers, Request

__all__ = [
    "Difference",
    "Key",
    "Level",
    "Match",
    "Matcher",
    "Miss",
    "Pointer",
    "Reason",
    "Repeat",
    "Rules",
    "parse_pointer",
]


@dataclass(frozen=True, slots=True)
class Match:
    """The recording that answers a live request.

    Attributes:
        key: the recording.
        level: the tightest level at which the two agree.
        repeated: whether the recording had been used before.
    """

    key: Key
    level: Level
    repeated: bool


class _Queue:
    """The recordings that agree at one level, in recorded order."""

    __slots__ = ("_head", "_turn", "numbers")

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.rewind()

    def rewind(self) -> None:
        self._head = 0
        self._turn = 0

    def unused(self, used: bytearray) -> int | None:
        """The first that is not used. Used ones are skipped once and for all."""
        while self._head < len(self.numbers):
            if not used[self.numbers[self._head]]:
                return self.numbers[self._head]
            self._head += 1
        return None

    def turn(self) -> int:
        """Each in turn, from the first, round and round."""
        number = self.numbers[self._turn % len(self.numbers)]
        self._turn += 1
        return number


@dataclass(frozen=True, slots=True)
class _Recording:
    """A recorded request as the index keeps it: `digests` by level, only one if all are equal."""

    key: Key
    request: Request
    path: str
    digests: tuple[bytes, ...]
    shape: Shape


class Matcher:
    """An index of recorded requests that gives each of them out once.

    Args:
        recorded: every recorded request with its key, in recorded order; keys are distinct.
        rules: how to match.
    """

    def __init__(self, recorded: Iterable[tuple[Key, Request]], rules: Rules) -> None:
        self.rules = rules
        self._levels = LEVELS[: LEVELS.index(rules.level) + 1]
        self._recordings: list[_Recording] = []
        self._numbers: dict[Key, int] = {}
        self._used = bytearray()
        self._known: dict[bytes, int] = {}
        self._routes: dict[tuple[str, str], list[tuple[int, Shape]]] = {}
        self._queues: dict[Level, dict[bytes, _Queue]] = {level: {} for level in self._levels}
        for key, request in recorded:
            self.add(key, request)

    def add(self, key: Key, request: Request) -> None:
        """Add a recording after all the others, unused."""
        number = len(self._recordings)
        recording = self._indexed(key, request)
        self._recordings.append(recording)
        self._numbers[key] = number
        self._used.append(0)
        self._routes.setdefault((request.method, recording.path), []).append(
            (number, recording.shape)
        )
        for level, digest in zip(self._levels, recording.digests, strict=False):
            self._queues[level].setdefault(digest, _Queue()).numbers.append(number)

    def find(self, method: str, target: str, headers: Headers, body: Body) -> Match | None:
        """The recording that answers this request, which then is used; None if none does.

        The tightest level comes first, and at each an unused recording. A repeat, where it is
        allowed, comes after all unused recordings of the same request, whatever the order in
        which its tools happened to finish (`exact`, `tool-order`), but before one in which the
        tools returned something else (`tool-output`): that one is the answer to another.
        """
        live = Reading(method, target, headers, body, self.rules.ignore)
        repeat = Repeat.LAST if is_metadata(live.method, live.target) else self.rules.repeat
        tightest: tuple[Level, _Queue] | None = None
        for level, queue in self._agreeing(live):
            if level is Level.TOOL_OUTPUT and tightest and repeat is not Repeat.NONE:
                break
            number = queue.unused(self._used)
            if number is not None:
                self._used[number] = 1
                return Match(self._recordings[number].key, level, repeated=False)
            tightest = tightest or (level, queue)
        if tightest is None or repeat is Repeat.NONE:
            return None
        level, queue = tightest
        number = queue.turn() if repeat is Repeat.LOOP else queue.numbers[-1]
        return Match(self._recordings[number].key, level, repeated=True)

    def miss(self, method: str, target: str, headers: Headers, body: Body) -> Miss:
        """Why `find` has found nothing for this request; it costs far more than a match."""
        live = Reading(method, target, headers, body, self.rules.ignore)
        shape = live.shape(self.rules.level)
        for _, queue in self._agreeing(live):
            return Miss(
                Reason.EXHAUSTED,
                live.method,
                live.path,
                closest=self._recordings[queue.numbers[-1]].key,
                closest_used=True,
                recordings=len(queue.numbers),
                suggestion="--repeat last",
            )
        near = self._near(live)
        routes = () if near else self._counts()
        near = near or self._of_method(live.method)
        if not near:
            return Miss(Reason.NO_MATCH, live.method, live.path, routes=routes)
        candidates = self._candidates(live, shape, closest(shape, near))
        found = explain(
            live.ignoring(()),
            candidates,
            self.rules.level,
            self.rules.ignore,
            Rivals(shape, partial(self._distinct, near)),
        )
        recording = self._recordings[found.closest.number]
        agreeing, items = shape.agreeing(recording.shape), len(shape.prints)
        at_start = shape.shared(recording.shape)[0]
        recorded_items = len(recording.shape.prints)
        all_agree = agreeing == items > 0
        goes_on = recording.path == live.path and 0 < recorded_items == at_start < items
        suggestion = found.suggestion
        once = self.rules.repeat is Repeat.NONE and not is_metadata(method, target)
        if suggestion and suggestion.startswith("--") and found.closest.used and once:
            suggestion += " --repeat last"
        if goes_on:
            suggestion = suggestion or RECORD_THE_REST
        return Miss(
            Reason.NO_MATCH,
            live.method,
            live.path,
            closest=recording.key,
            closest_used=found.closest.used,
            differences=found.differences,
            agreeing=agreeing,
            items=items,
            more=recorded_items - items if all_agree else 0,
            reordered=all_agree and recorded_items == items > at_start,
            another_conversation=found.another_conversation and not all_agree,
            goes_on=goes_on,
            max_body=_max_body(live.body, recording.request.body),
            routes=routes,
            suggestion=suggestion,
        )

    def rewind(self) -> None:
        """Take every recording as unused again."""
        self._used = bytearray(len(self._used))
        for queues in self._queues.values():
            for queue in queues.values():
                queue.rewind()

    def unused(self) -> list[Key]:
        """The recordings that were never given out, in recorded order; metadata does not count."""
        return [
            recording.key
            for number, recording in enumerate(self._recordings)
            if not self._used[number]
            and not is_metadata(recording.request.method, recording.request.target)
        ]

    def differences(
        self, key: Key, method: str, target: str, headers: Headers, body: Body
    ) -> list[Difference]:
        """What the level was too loose to mind: what differs at the next tighter one.

        Empty if the two agree exactly. For two that agree at no level: what differs at the
        loosest allowed.
        """
        request = self._recordings[self._numbers[key]].request
        live = Reading(method, target, headers, body)
        recorded = Reading(request.method, request.target, request.headers, request.body)
        one, other = recorded.ignoring(self.rules.ignore), live.ignoring(self.rules.ignore)
        tighter = self._levels[-1]
        for level in reversed(self._levels):
            if one.digest(level) != other.digest(level):
                tighter = level
                break
        else:
            return []
        return differences(recorded, live, tighter, self.rules.ignore)

    def _indexed(self, key: Key, request: Request) -> _Recording:
        live = Reading(
            request.method, request.target, request.headers, request.body, self.rules.ignore
        )
        verbatim = live.verbatim()
        known = self._known.setdefault(verbatim, len(self._recordings))
        if known < len(self._recordings):
            same = self._recordings[known]
            return _Recording(key, request, same.path, same.digests, same.shape)
        levels = self._levels if live.uses_tools else self._levels[:1]
        digests = tuple(live.digest(level) for level in levels)
        return _Recording(key, request, live.path, digests, live.shape(self.rules.level))

    def _agreeing(self, live: Reading) -> Iterator[tuple[Level, _Queue]]:
        """The recordings that agree with `live`, the tightest level first, used or not."""
        known = self._known.get(live.verbatim())
        for place, level in enumerate(self._levels):
            if known is not None:
                digests = self._recordings[known].digests
                digest = digests[place] if place < len(digests) else None
            else:
                digest = live.digest(level) if place == 0 or live.uses_tools else None
            queue = None if digest is None else self._queues[level].get(digest)
            if queue is not None:
                yield level, queue

    def _candidates(self, live: Reading, shape: Shape, numbers: list[int]) -> list[Candidate]:
        """Of equally close recordings those that say most nearly the same, the likeliest first."""
        recordings = [self._recordings[number] for number in numbers]
        wanted = []
        if len(recordings) > MOST_LIKELY:  # or all of them are likely
            start, end = shape.shared(recordings[0].shape)
            wanted = words(live.items[start : len(live.items) - end] or live.payload)
        bodies = [recording.request.body.content or b"" for recording in recordings]
        return [
            Candidate(numbers[index], recordings[index].request, bool(self._used[numbers[index]]))
            for index in likeliest(wanted, live.body.length, bodies)
        ]

    def _distinct(self, numbers: Iterable[tuple[int, Shape]]) -> Iterator[tuple[Request, Shape]]:
        """Of these recordings one of each that differs from the others."""
        seen = set()
        for number, shape in numbers:
            recording = self._recordings[number]
            if recording.digests not in seen:
                seen.add(recording.digests)
                yield recording.request, shape

    def _near(self, live: Reading) -> list[tuple[int, Shape]]:
        """The recordings to compare with: of the same method and path, else of similar paths."""
        same = self._routes.get((live.method, live.path))
        if same:
            return same
        return [
            recording
            for (_, path), recordings in self._routes.items()
            if path == live.path or path.endswith(live.path) or live.path.endswith(path)
            for recording in recordings
        ]

    def _of_method(self, method: str) -> list[tuple[int, Shape]]:
        """The recordings of a method, whatever their paths."""
        return [
            recording
            for (recorded, _), recordings in self._routes.items()
            if recorded == method
            for recording in recordings
        ]

    def _counts(self) -> tuple[tuple[str, int], ...]:
        """The methods and paths that are recorded, with how often; most frequent first."""
        counts = [(f"{method} {path}", len(all_)) for (method, path), all_ in self._routes.items()]
        return tuple(sorted(counts, key=lambda route: -route[1]))


def _max_body(*bodies: Body) -> str | None:
    """The --max-body that keeps all of the bodies; None if all were kept."""
    if all(body.content is not None for body in bodies):
        return None
    return room_for(max(body.length for body in bodies))
