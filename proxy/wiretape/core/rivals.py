"""Which other recordings a looser comparison would make agree with a live request too.

Knows readings and fingerprints, and no index. It is asked before pointers to ignore are
suggested: which of several different recordings then answers would be a matter of luck.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wiretape.core.canonical import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wiretape.core.closest import Shape
    from wiretape.core.conversation import Level
    from wiretape.core.model import Request
    from wiretape.core.pointer import Pointer

MAX_READ_BYTES = 2_000_000
"""So many bytes of bodies are read (but one body in any case); of more nothing is known."""


class Rivals:
    """The recordings that a live request is compared with, the closest among them.

    Args:
        shape: the live request's fingerprints, at the level and by the pointers in force.
        recorded: gives the recordings with theirs; of equal ones, one is enough. Few misses need
            them.
    """

    def __init__(
        self, shape: Shape, recorded: Callable[[], Iterable[tuple[Request, Shape]]]
    ) -> None:
        self._shape = shape
        self._recorded = recorded

    def part_on(
        self,
        closest: Reading,
        digest: bytes,
        level: Level,
        ignore: tuple[Pointer, ...],
        pointers: tuple[Pointer, ...],
        *,
        in_force: bool,
    ) -> bool:
        """Whether recordings that the pointers make agree with the closest differ without them.

        Args:
            closest: the closest recording, whole.
            digest: of it and of the live request, with all the pointers.
            level: how bodies are compared.
            ignore: the pointers in force.
            pointers: more of them; each names one place, and no whole item.
            in_force: the level is the one that the fingerprints are of.
        """
        room = MAX_READ_BYTES
        for request, shape in self._recorded():
            if request.body.content == closest.body.content or not self._shape.may_agree(
                shape, len(pointers), whatever_items=not in_force
            ):
                continue
            if room < 0:
                return True
            room -= request.body.length
            reading = Reading(
                request.method, request.target, request.headers, request.body, ignore + pointers
            )
            if reading.digest(level) != digest:
                continue
            if reading.ignoring(ignore).digest(level) != closest.ignoring(ignore).digest(level):
                return True
        return False
