"""Load and soak: a thousand streams at once, then a million chunks into one recording.

    python tests/bench/soak.py --chunks 1000000

Prints, after each round, the proxy's memory and open files; in the end whether both stayed flat and
whether the cassette holds exactly what crossed the proxy. Exit status 1 if not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from checking import check_cassette
from installing import Cache
from loads import CHUNKS_BESIDE_EVENTS, Load, Meter
from machine import Pinning, Quietness, allow_many_files, description
from systems import PATH, SYSTEMS, Bench, Server, ask

_TAPE = "soak"
_MOST_GROWTH_MIB = 16.0
_SETTLING_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """The proxy after a round."""

    name: str
    chunks: int
    resident_mib: float
    files: int
    cpu_us_per_chunk: float
    elapsed_s: float


class Soak:
    """One proxy under one load after the other."""

    def __init__(self, meter: Meter, server: Server) -> None:
        self._meter = meter
        self._server = server
        self._began = time.monotonic()
        self.samples: list[Sample] = []
        self.answers = 0
        self.chunks = 0

    def round(self, name: str, load: Load) -> None:
        """Put a load on, and look at the proxy afterwards."""
        options = [*load.options(), "--key", f"{name}-{len(self.samples)}"]
        result = self._meter.client(self._server, f"/@{_TAPE}{PATH}", options)
        crossed = result["answers"] * load.chunks
        warmups = load.warmup * load.streams
        self.answers += result["answers"] + warmups
        self.chunks += crossed + warmups * (1 + CHUNKS_BESIDE_EVENTS)
        sample = Sample(
            name,
            self.chunks,
            sum(map(_resident_mib, self._server.pids)),
            sum(map(_files, self._server.pids)),
            result["cpu_s"] / crossed * 1e6,
            time.monotonic() - self._began,
        )
        self.samples.append(sample)
        print(
            f"{sample.elapsed_s:6.0f} s  {name:14} {self.chunks:9,} chunks in all"
            f"  {sample.resident_mib:6.1f} MiB  {sample.files:3} files"
            f"  {sample.cpu_us_per_chunk:5.2f} us/chunk",
            flush=True,
        )


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _files(pid: int) -> int:
    """The open files, once the connections of the last round are gone."""
    folder = Path(f"/proc/{pid}/fd")
    count = sum(1 for _ in folder.iterdir())
    for _ in range(50):
        time.sleep(0.1)
        now = sum(1 for _ in folder.iterdir())
        if now == count:
            break
        count = now
    return count


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--streams", type=int, default=1_000, help="at once, in the first round")
    parser.add_argument("--json", type=Path, help="also write the samples there")
    given = parser.parse_args()
    allow_many_files()
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(Cache.of_user(), Pinning.of_this_machine(), Path(work))
        with (
            bench.upstream() as upstream,
            bench.running(SYSTEMS["wiretape record"], upstream) as server,
        ):
            soak = Soak(Meter(bench, Quietness()), server)
            paced = Load(given.streams, 97, gap_us=100_000)
            soak.round("many at once", paced)
            long = Load(64, 400 - CHUNKS_BESIDE_EVENTS, requests=2, warmup=0)
            while soak.chunks < given.chunks:
                soak.round("flat out", long)
            soak.round("many at once", paced)
            ask(server, "POST", f"/_wiretape/sessions/{_TAPE}/close")
            check_cassette(server.place / f"{_TAPE}.yaml", soak.answers, soak.chunks)
    settled = soak.samples[min(_SETTLING_ROUNDS, len(soak.samples) - 2) :]
    growth_mib = settled[-2].resident_mib - settled[0].resident_mib
    more_files = settled[-1].files - soak.samples[0].files
    print(
        f"{description()}: {soak.answers:,} answers, {soak.chunks:,} chunks, each in the cassette"
    )
    print(f"memory grew by {growth_mib:+.1f} MiB, open files by {more_files:+}")
    if given.json:
        given.json.write_text(json.dumps([asdict(each) for each in soak.samples], indent=2) + "\n")
    sys.exit(1 if growth_mib > _MOST_GROWTH_MIB or more_files > 0 else 0)


if __name__ == "__main__":
    main()
