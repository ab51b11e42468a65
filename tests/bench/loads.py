"""The loads that every system is put under, and one measured run of one of them.

Whatever is measured is checked in the same run: the client counts an answer only when it is whole
and its checksum is right, and what wiretape recorded meanwhile is held against that.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from checking import check_cassette
from machine import Quietness
from systems import PATH, Bench, Server, System, ask

CHUNKS_BESIDE_EVENTS = 2  # the checksum and [DONE]
_PATIENCE_S = 120


class FailedRunError(Exception):
    """A run whose answers were not whole; its figures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the client is told; see load/client.c.

    Attributes:
        streams: connections at once.
        events: of each answer.
        gap_us: between them; 0 for as fast as they are read.
        requests: of each stream.
        seconds: after which no request is begun.
        spread_us: within which the streams begin.
    """

    streams: int
    events: int
    gap_us: int = 0
    requests: int = 1
    seconds: float = 3600.0
    spread_us: int = 0
    warmup: int = 2

    @property
    def chunks(self) -> int:
        """HTTP chunks in one answer."""
        return self.events + CHUNKS_BESIDE_EVENTS

    def options(self) -> list[str]:
        """For the client's command line."""
        given = {
            "streams": self.streams,
            "n": self.events,
            "gap-us": self.gap_us,
            "requests": self.requests,
            "seconds": self.seconds,
            "spread-us": self.spread_us,
            "warmup": self.warmup,
        }
        return [word for name, value in given.items() for word in (f"--{name}", str(value))]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        loads: by name.
        rounds: how often each is put on each system.
        rival_rounds: the same for rivals.
    """

    loads: dict[str, Load]
    rounds: int
    rival_rounds: int


FULL = Plan(
    {
        "flat out": Load(64, 500),
        "paced": Load(64, 200, gap_us=20_000, spread_us=20_000),
        "together": Load(256, 50, gap_us=20_000),
        "short": Load(64, 1, requests=100_000, seconds=1.0),
    },
    rounds=5,
    rival_rounds=2,
)
QUICK = Plan(
    {
        "flat out": Load(64, 200),
        "paced": Load(64, 25, gap_us=20_000, spread_us=20_000),
        "together": Load(256, 10, gap_us=20_000),
        "short": Load(64, 1, requests=100_000, seconds=0.3),
    },
    rounds=2,
    rival_rounds=1,
)


class Meter:
    """Runs the client and takes its figures.

    Args:
        bench: where things run.
        quietness: is told after each run what else ran.
    """

    def __init__(self, bench: Bench, quietness: Quietness) -> None:
        self._bench = bench
        self._quietness = quietness
        self._client = str(bench.cache.load_tool("client"))
        self._count = 0

    def client(self, server: Server, path: str, options: list[str]) -> dict[str, Any]:
        """One run of the client.

        Raises:
            FailedRunError: an answer was not whole.
        """
        pids = ",".join(map(str, server.pids)) or str(os.getpid())
        command = [*self._bench.pinning.for_load(), self._client, str(server.port), path]
        busy_s, began = Quietness.busy_s(), time.monotonic()
        done = subprocess.run(
            [*command, *options, "--pids", pids],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        if done.returncode:
            raise FailedRunError(done.stderr.strip() or f"the client ended with {done.returncode}")
        result: dict[str, Any] = json.loads(done.stdout)
        own_s = result["cpu_s"] + result["client_cpu_s"] * 2  # the upstream's is much the same
        elapsed_s = time.monotonic() - began
        self._quietness.note(Quietness.busy_s() - busy_s, own_s, elapsed_s)
        self._quietness.spin()
        if result["failed"] or not result["answers"]:
            raise FailedRunError(f"{result['failed']} answers failed: {result['failure']}")
        return result

    def run(self, system: System, server: Server, name: str, load: Load) -> dict[str, Any]:
        """Put a load on a system; its figures.

        Raises:
            FailedRunError: an answer was not whole.
            FalseRecordingError: wiretape recorded something else than what crossed it.
        """
        self._count += 1
        tape = f"run-{self._count}"
        recording = system.name == "wiretape record"
        path = f"/@{tape}{PATH}" if recording else PATH
        result = self.client(server, path, [*load.options(), "--key", tape])
        if recording:
            ask(server, "POST", f"/_wiretape/sessions/{tape}/close")
            warmups = load.warmup * load.streams
            check_cassette(
                server.place / f"{tape}.yaml",
                result["answers"] + warmups,
                result["answers"] * load.chunks + warmups * (1 + CHUNKS_BESIDE_EVENTS),
            )
            (server.place / f"{tape}.yaml").unlink()
        return {"system": system.name, "load": name, **figures(result, load), "raw": result}


def figures(result: dict[str, Any], load: Load) -> dict[str, float]:
    """What a run comes to, per chunk and per answer."""
    chunks = result["answers"] * load.chunks
    return {
        "cpu_us_per_chunk": result["cpu_s"] / chunks * 1e6,
        "cpu_us_per_answer": result["cpu_s"] / result["answers"] * 1e6,
        "chunks_per_s": chunks / result["seconds"],
        "answers_per_s": result["answers"] / result["seconds"],
        "latency_p50_us": result["latency_us"]["p50"],
        "latency_p99_us": result["latency_us"]["p99"],
        "first_byte_p99_us": result["first_byte_us"]["p99"],
        "memory_mb": result["memory_mb"],
        "boundaries_changed": _changed(result["http_chunks"], result["odd_chunks"], chunks),
    }


def _changed(received: int, odd: int, sent: int) -> float:
    """The part of the upstream's chunks that did not come as they were."""
    return 1.0 - max(0, received - odd) / sent
