"""What a user asks of time: how fast, in which order, how long. The spellings, not the doing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from wiretape.errors import UsageError

SLOWEST = 1e-6
"""The smallest factor: at it a second takes eleven days, and nanoseconds still fit a float."""

MAX_SEED_DIGITS = 40
"""Enough for 128 bits, and few enough for an error message."""


def parse_seconds(text: str) -> float:
    """A time to wait.

    Raises:
        UsageError: it is no finite number, or below 0.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise UsageError(f"{text!r} is no number of seconds: write 2 or 0.5")
    return seconds


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast answers replay.

    Attributes:
        factor: how many times as fast as they were recorded; None for without any wait.

    Raises:
        UsageError: the factor is not a finite number above `SLOWEST`.
    """

    factor: float | None

    def __post_init__(self) -> None:
        if self.factor is None:
            return
        if not math.isfinite(self.factor) or self.factor < SLOWEST:
            raise UsageError(_bad_speed(str(self.factor)))

    @classmethod
    def parse(cls, text: str) -> Speed:
        """Read `instant`, `original` or a factor such as `4` or `0.5`.

        Raises:
            UsageError: it is none of these.
        """
        if text == "instant":
            return cls(None)
        if text == "original":
            return cls(1.0)
        try:
            return cls(float(text))
        except (ValueError, UsageError):
            raise UsageError(_bad_speed(text)) from None

    def __str__(self) -> str:
        if self.factor is None:
            return "instant"
        return "original" if self.factor == 1 else f"{self.factor:g}"


@dataclass(frozen=True, slots=True)
class Order:
    """In which order answers that overlapped in the recording reach their clients.

    Attributes:
        kind: `recorded`; `free`, each stream by itself; or `shuffle`, another order that could
            have been recorded.
        seed: what a shuffle is drawn from; None for the other two.
    """

    kind: Literal["recorded", "free", "shuffle"]
    seed: int | None = None

    def __post_init__(self) -> None:
        if (self.kind == "shuffle") is not (self.seed is not None):
            raise ValueError(f"an order {self.kind!r} with seed {self.seed!r}")

    @classmethod
    def parse(cls, text: str, drawn_seed: int = 0) -> Order:
        """Read `recorded`, `free`, `shuffle` or `shuffle:SEED`.

        Args:
            text: what the user wrote.
            drawn_seed: the seed of a `shuffle` that names none; the caller draws it.

        Raises:
            UsageError: it is none of these, or SEED is not a whole number.
        """
        name, colon, seed = text.partition(":")
        if name == "shuffle":
            return cls("shuffle", _seed(seed, text) if colon else drawn_seed)
        if text == "recorded":
            return cls("recorded")
        if text == "free":
            return cls("free")
        raise UsageError(f"unknown order {text!r}: use recorded, free, shuffle or shuffle:SEED")

    def __str__(self) -> str:
        return self.kind if self.seed is None else f"{self.kind}:{self.seed}"


def _bad_speed(text: str) -> str:
    return f"bad speed {text!r}: use instant, original or a factor such as 4 (four times as fast)"


def _seed(seed: str, text: str) -> int:
    # A sign is refused because `random.Random` drops it: 7 and -7 would be one interleaving.
    if seed.isascii() and seed.isdigit() and len(seed) <= MAX_SEED_DIGITS:
        return int(seed)
    shown = text if len(text) <= MAX_SEED_DIGITS else text[:MAX_SEED_DIGITS] + "..."
    raise UsageError(
        f"bad seed in {shown!r}: use shuffle:SEED with a whole number, as in shuffle:7"
    )
