"""An open session of the proxy, as the viewer is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class LiveSession:
    """An open session of the proxy, as the list shows it; counts are of interactions.

    Attributes:
        path: its cassette; None if it replays several or passes all through.
    """

    name: str
    mode: str
    path: Path | None
    in_flight: int
    recorded: int
    replayed: int
    misses: int
    interactions: int
