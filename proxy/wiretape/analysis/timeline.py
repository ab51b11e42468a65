"""An interaction's time as a line of blocks: waiting, chunks, gaps, end.

Knows times alone; draws text of any width.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from wiretape.analysis.printable import seconds

if TYPE_CHECKING:
    from wiretape.analysis.answer import Transcript
    from wiretape.core.model import Interaction

_BLOCKS = "▁▂▃▄▅▆▇█"
WAITING = "░"
SILENT = "·"


def strip(interaction: Interaction, width: int) -> str:
    """Time from the request to the end in `width` columns: more chunks, higher blocks.

    Before the response head there is `░`, after it `·` where no chunk came.
    """
    began = interaction.request.at_us
    span = max(1, last_us(interaction) - began)

    def column(at_us: int) -> int:
        return min(width - 1, max(0, (at_us - began) * width // span))

    counts = [0] * width
    for chunk in interaction.chunks:
        counts[column(chunk.at_us)] += 1
    most = max(counts, default=0)
    head = column(interaction.response.at_us) if interaction.response else width
    return "".join(
        _BLOCKS[(count * (len(_BLOCKS) - 1)) // most]
        if count
        else (WAITING if place < head else SILENT)
        for place, count in enumerate(counts)
    )


def last_us(interaction: Interaction) -> int:
    """When the last thing known of an interaction happened."""
    moments = [interaction.request.at_us]
    if interaction.response:
        moments.append(interaction.response.at_us)
    if interaction.chunks:
        moments.append(interaction.chunks[-1].at_us)
    if interaction.end:
        moments.append(interaction.end.at_us)
    return max(moments)


def longest_gap_us(interaction: Interaction) -> int | None:
    """The longest time between two chunks; None if there are fewer than two."""
    times = [chunk.at_us for chunk in interaction.chunks]
    return max((later - earlier for earlier, later in itertools.pairwise(times)), default=None)


def in_words(transcript: Transcript) -> str:
    """The same in words: head, first token, longest gap, end; since the request."""
    interaction = transcript.interaction
    began = interaction.request.at_us
    said = []
    if interaction.response:
        said.append(f"head {seconds(interaction.response.at_us - began)}")
    first = transcript.first_said_us
    if first is not None:
        said.append(f"token {seconds(first - began)}")
    gap = longest_gap_us(interaction)
    if gap is not None:
        said.append(f"gap {seconds(gap)}")
    if interaction.end:
        said.append(f"end {seconds(interaction.end.at_us - began)}")
    return ", ".join(said)
