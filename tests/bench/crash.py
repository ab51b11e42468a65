"""The crash test: kill -9 some hundred times, and count what was lost.

    python tests/bench/crash.py --kills 300 --json crash.json

Exit status 1 if a chunk that a client had seen was lost or a cassette harmed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.crashing import PHASES, Figures, crash, numbered_stream
from support.upstream import scripted_upstream


async def run(kills: int, seed: int, at_once: int, root: Path) -> Figures:
    """So many kills, the phases in turn."""
    figures = Figures()
    rounds = iter(range(kills))
    began = time.monotonic()

    async def lane(number: int) -> None:
        for index in rounds:
            phase = PHASES[index % len(PHASES)]
            dice = random.Random(f"{seed}/{index}")
            await crash(phase, dice, root / str(number), upstream, figures)
            if index % 20 == 19:
                print(f"{index + 1} kills, {time.monotonic() - began:.0f} s", file=sys.stderr)

    async with scripted_upstream(numbered_stream) as upstream:
        await asyncio.gather(*itertools.starmap(lane, ((number,) for number in range(at_once))))
    return figures


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=2, help="rounds side by side")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        figures = asyncio.run(run(given.kills, given.seed, given.at_once, Path(root))).as_json()
    for complaint in figures.pop("complaints")[:20]:
        print(complaint, file=sys.stderr)
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):18} {value}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")
    sys.exit(1 if figures["chunks_lost"] or figures["cassettes_harmed"] else 0)


if __name__ == "__main__":
    main()
