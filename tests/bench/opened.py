"""Where the time of reading cassettes goes, by function.

    python tests/bench/opened.py DIRECTORY

Prints as JSON, for the functions that take most by themselves: name, calls, seconds.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import sys
from pathlib import Path

from wiretape.cassette.loader import load

_LISTED = 8


def main(directory: Path) -> None:
    """Read all cassettes of a directory under Python's own profiler."""
    paths = sorted(directory.glob("*.yaml"))
    if not paths:
        sys.exit(f"opened: {directory} holds no cassette")
    profiler = cProfile.Profile()
    profiler.enable()
    for path in paths:
        load(path)
    profiler.disable()
    stats = pstats.Stats(profiler).get_stats_profile().func_profiles.items()
    by_time = sorted(stats, key=lambda function: -function[1].tottime)
    rows = [(name, each.ncalls, each.tottime) for name, each in by_time[:_LISTED]]
    print(json.dumps(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
