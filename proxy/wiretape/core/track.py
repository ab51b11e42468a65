"""What goes into a schedule and what comes out of it, as data: tracks, batches, stalls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


@dataclass(frozen=True, slots=True)
class Track:
    """One recorded interaction, as far as order and pace go.

    Its steps are its response entries: head, chunks, end. Positions are places in the one order
    of all entries of the library: no two are equal, and where several cassettes make up a
    library the caller shifts each past the one before.

    Attributes:
        key: what the interaction goes by; unique in the library.
        request_position: the position of the request entry.
        request_at_us: its time.
        positions: the position of each step, ascending, all after the request's.
        ats_us: the time of each step.
        end_position: the last position that counts as its own: the end entry's, or for a
            recording that broke off whatever the caller takes for it.
        ordered: whether it takes part in the order across streams; metadata does not.
    """

    key: Hashable
    request_position: int
    request_at_us: int
    positions: Sequence[int]
    ats_us: Sequence[int]
    end_position: int
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class Batch:
    """Steps of one play that are delivered together.

    Attributes:
        play: the handle that `Schedule.arrive` gave.
        first_step: an index into the track's steps.
        count: how many, at least 1.
        ordered: whether others overlapped it, so that the order among them matters.
    """

    play: int
    first_step: int
    count: int
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Stall:
    """The order was broken because somebody did not come, or did not read, in time.

    Attributes:
        waiting: the key of the track that went on without.
        missing: the key of the track that was given up.
        waited_ns: for how long it was waited for.
        position: the recorded position of the step that went on.
        paused: the missing request had come, but its client did not read.
    """

    waiting: Hashable
    missing: Hashable
    waited_ns: int
    position: int
    paused: bool
