"""Which interactions of two cassettes belong together: by their place in the conversation.

Knows conversations and their turns. What only names things (ids) does not count, for a second
recording of the same session has other ones.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wiretape.analysis.answer import GENERATING
from wiretape.analysis.question import path_of
from wiretape.analysis.threads import by_the_model, places

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from wiretape.analysis.answer import Transcript

IDS = frozenset({"id", "tool_call_id", "call_id", "tool_use_id", "item_id"})
"""The members of a message that name something and mean nothing."""

PASSES = 4


@dataclass(frozen=True, slots=True)
class Seat:
    """Where an interaction sits.

    Attributes:
        transcript: the interaction, read.
        keys: what it can be paired by, the strictest first.
    """

    transcript: Transcript
    keys: tuple[Hashable, ...]


def without_ids(value: Any) -> Any:
    """A message without what only names things."""
    if isinstance(value, dict):
        return {name: without_ids(given) for name, given in value.items() if name not in IDS}
    if isinstance(value, list):
        return [without_ids(given) for given in value]
    return value


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def said_to_model(transcript: Transcript) -> list[Any]:
    """The messages of a request but the model's own, without ids."""
    return [
        without_ids(message)
        for message in transcript.question.messages
        if not by_the_model(message)
    ]


def seats(transcripts: Sequence[Transcript]) -> list[Seat]:
    """Where each interaction sits, in order of the requests.

    Keys, the strictest first: same conversation, turn and messages; same conversation and turn;
    same path and turn; and, for an answer of a model, the same turn at any path.
    """
    place = places(transcripts)
    roots: dict[int, str] = {}
    turns: dict[int, int] = {}
    found: list[Seat] = []
    for transcript in transcripts:
        number, asked = transcript.interaction.number, said_to_model(transcript)
        here = place[number]
        if here.earlier is None:
            roots[number], turns[number] = _digest(asked), 0
        else:
            again = here.shared == len(transcript.question.messages)
            roots[number] = roots[here.earlier]
            turns[number] = turns[here.earlier] + (0 if again else 1)
        request, turn = transcript.interaction.request, turns[number]
        path = (request.method, path_of(request.target))
        keys: tuple[Hashable, ...] = (
            (*path, roots[number], turn, _digest(asked)),
            (*path, roots[number], turn),
            (*path, turn),
            ("answer", turn) if transcript.dialect in GENERATING else path,
        )
        found.append(Seat(transcript, keys))
    return found


def pair(
    a: Sequence[Transcript], b: Sequence[Transcript]
) -> list[tuple[Transcript | None, Transcript | None]]:
    """Pair two cassettes' interactions; those without a partner stand alone.

    In order of the requests of `a`; what only `b` has comes after the pair before it.
    """
    left, right = seats(a), seats(b)
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for strictness in range(PASSES):
        waiting: dict[Hashable, list[int]] = {}
        for place, seat in enumerate(right):
            if place not in taken:
                waiting.setdefault(seat.keys[strictness], []).append(place)
        for queue in waiting.values():
            queue.reverse()
        for place, seat in enumerate(left):
            queue = waiting.get(seat.keys[strictness], [])
            if place not in partner and queue:
                partner[place] = queue.pop()
                taken.add(partner[place])
    return _in_order(left, right, partner)


def _in_order(
    left: list[Seat], right: list[Seat], partner: dict[int, int]
) -> list[tuple[Transcript | None, Transcript | None]]:
    paired = set(partner.values())
    after: dict[int, list[int]] = {}
    before = -1
    for place in range(len(right)):
        if place in paired:
            before = place
        else:
            after.setdefault(before, []).append(place)
    order: list[tuple[Transcript | None, Transcript | None]] = [
        (None, right[place].transcript) for place in after.get(-1, [])
    ]
    for place, seat in enumerate(left):
        other = partner.get(place)
        order.append((seat.transcript, None if other is None else right[other].transcript))
        if other is not None:
            order += [(None, right[extra].transcript) for extra in after.get(other, [])]
    return order
