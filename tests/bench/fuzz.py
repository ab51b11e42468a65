"""Fuzz the loader, the decoders and the redaction for as long as told; keep what breaks them.

    python tests/bench/fuzz.py --seconds 600

A finding is written to tests/support/seeds/, where tests/unit/test_fuzzed.py opens it from then on.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.fuzzing import SEEDS, must_be_borne, mutated

_LONGEST_BYTES = 30_000
_SLOW_S = 5.0


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    dice = random.Random(given.seed)
    root = Path(__file__).parents[2]
    corpus = [path.read_bytes()[:_LONGEST_BYTES] for path in (root / "cassettes").rglob("*.yaml")]
    corpus = [content[: content.rindex(b"\n- ") + 1] for content in corpus]
    runs = taken = found = 0
    until = time.monotonic() + given.seconds
    while time.monotonic() < until:
        content = mutated(dice.choice(corpus), dice)
        began = time.monotonic()
        runs += 1
        try:
            taken += must_be_borne(content) is not None
            assert time.monotonic() - began < _SLOW_S, "it takes too long"
        except Exception:  # noqa: BLE001  whatever it is, it is a finding
            traceback.print_exc()
            SEEDS.mkdir(exist_ok=True)
            (SEEDS / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
            found += 1
    print(f"seed {given.seed}: {runs} variants, {taken} of them cassettes, {found} findings")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
