"""Which interactions continue which: the conversations inside a cassette.

Knows that a client sends the whole conversation again with each request.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wiretape.analysis.shape import as_object, as_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wiretape.analysis.answer import Transcript


@dataclass(frozen=True, slots=True)
class Place:
    """Where an interaction stands in its conversation.

    Attributes:
        earlier: number of the interaction whose messages this one's begin with; None if it
            begins a conversation.
        shared: how many messages they share.
        echoed: how many messages after those are the model's own answer, sent back.
    """

    earlier: int | None
    shared: int
    echoed: int


_MODELS_OWN = frozenset({"function_call", "reasoning", "custom_tool_call"})


def places(transcripts: Iterable[Transcript]) -> dict[int, Place]:
    """The place of each interaction, by its number; the longest shared beginning counts."""
    known: dict[bytes, int] = {}
    found: dict[int, Place] = {}
    for transcript in transcripts:
        messages = transcript.question.messages
        chain = digests(messages)
        number = transcript.interaction.number
        found[number] = Place(None, 0, 0)
        for shared in range(len(chain), 0, -1):
            earlier = known.get(chain[shared - 1])
            if earlier is not None:
                found[number] = Place(earlier, shared, _echoed(messages[shared:]))
                break
        if chain:
            known[chain[-1]] = number
    return found


def repeated(transcripts: Iterable[Transcript]) -> dict[int, int]:
    """Of interactions that ask what an earlier one asked, to the byte: the latest such one."""
    known: dict[tuple[str, str, str], int] = {}
    found: dict[int, int] = {}
    for transcript in transcripts:
        request = transcript.interaction.request
        asked = (request.method, request.target, request.body.digest())
        if asked in known:
            found[request.interaction] = known[asked]
        known[asked] = request.interaction
    return found


def digests(messages: Iterable[Any]) -> list[bytes]:
    """For each message, a digest of it and all before it; key order does not count."""
    chain: list[bytes] = []
    so_far = hashlib.sha256()
    for message in messages:
        so_far.update(json.dumps(message, sort_keys=True).encode())
        so_far.update(b"\n")
        chain.append(so_far.digest())
    return chain


def by_the_model(message: Any) -> bool:
    """Whether a message of a request is the model's own, sent back to it."""
    fields = as_object(message)
    return fields.get("role") == "assistant" or as_text(fields.get("type")) in _MODELS_OWN


def _echoed(messages: tuple[Any, ...]) -> int:
    count = 0
    for message in messages:
        if not by_the_model(message):
            break
        count += 1
    return count
