"""A few kills of each kind; tests/bench/crash.py does hundreds and prints its figures."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from support.crashing import PHASES, STREAMS, Figures, crash, numbered_stream
from support.upstream import scripted_upstream


@pytest.mark.parametrize("phase", PHASES)
async def test_a_kill_loses_nothing_that_was_seen_and_harms_no_cassette(phase: str, tmp_path: Path):
    figures = Figures()
    async with scripted_upstream(numbered_stream) as upstream:
        for seed in range(2):
            await crash(phase, random.Random(seed), tmp_path / "d", upstream, figures)
    assert figures.complaints == []
    assert (figures.chunks_lost, figures.cassettes_harmed) == (0, 0)
    assert figures.kills == {phase: 2}
    assert figures.streams == 2 * STREAMS
    assert figures.chunks_seen > 0
