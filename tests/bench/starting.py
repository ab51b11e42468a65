"""Starting, opening and idling: what wiretape costs before and between requests."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from loads import FailedRunError
from machine import Pinning
from recordings import Recorded, edited_by_hand, write_cassette
from systems import PATH, Bench, Server, ask, free_port, serving, wiretape

BIG = Recorded(100, 198)
"""A cassette of 20,000 chunks."""

_OPEN = """
import json, sys, time
from pathlib import Path
import yaml
from wiretape.cassette.loader import load
from wiretape.core.model import Mode
from wiretape.server.peer import ReceiveQueues
from wiretape.server.replayer import Replayer
from wiretape.server.settings import Settings
settings = Settings(Mode.REPLAY)
loads, opens, full = [], [], []
for _ in range({times}):
    start = time.perf_counter()
    cassette = load(Path(sys.argv[1]))
    loads.append(time.perf_counter() - start)
    Replayer([cassette], settings, "", ReceiveQueues())
    opens.append(time.perf_counter() - start)
    del cassette
for _ in range({full_times}):
    start = time.perf_counter()
    yaml.load(Path(sys.argv[1]).read_bytes(), Loader=yaml.CSafeLoader)
    full.append(time.perf_counter() - start)
print(json.dumps([loads, opens, full]))
"""


def version(pinning: Pinning, times: int) -> dict[str, list[float]]:
    """Seconds to `wiretape --version`, and to start and end Python itself, in turn."""
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "wiretape --version": [str(Path(sys.executable).parent / "wiretape"), "--version"],
    }
    if not Path(commands["wiretape --version"][0]).exists():
        commands["wiretape --version"] = wiretape("--version")
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for index in range(times + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run([*pinning.for_proxy(), *command], check=True, capture_output=True)
            if index:  # the first one may read from disk
                seconds[name].append(time.perf_counter() - start)
    return seconds


def idle_memory(bench: Bench) -> dict[str, float]:
    """MiB resident, of a recorder and of a replayer that have answered one request."""
    memory = {}
    with bench.upstream() as upstream:
        place, port = bench.place("idle-record"), free_port()
        command = serving("record", place, port, upstream)
        with bench.process(command, place, port) as server:
            _ask(server, "bench n=1 gap_us=0 size=300 key=k-0.")
            memory["record"] = _resident_mib(server)
    place, port = bench.place("idle-replay"), free_port()
    write_cassette(place / "one.yaml", Recorded(1, 1))
    with bench.process(_replay(place, port), place, port) as server:
        _ask(server, _words(0))
        memory["replay"] = _resident_mib(server)
    return memory


def opening(bench: Bench, times: int) -> dict[str, Any]:
    """Seconds to load a 20,000-chunk cassette, and to have it ready for replay."""
    place = bench.place("opening")
    cassette = write_cassette(place / "big.yaml", BIG)
    edited = edited_by_hand(cassette, place / "edited.yaml")
    result: dict[str, Any] = {"chunks": 20_000, "mb": cassette.stat().st_size / 1e6}
    for name, path in (("as recorded", cassette), ("reindented", edited)):
        script = _OPEN.format(times=times, full_times=3)
        done = subprocess.run(
            [*bench.pinning.for_proxy(), sys.executable, "-c", script, str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
        loads, opens, full = json.loads(done.stdout)
        result[name] = {"load_s": loads, "ready_s": opens, "full_yaml_s": full}
    return result


def write_library(bench: Bench, cassettes: int) -> Path:
    """A directory of so many small cassettes, each of which answers another request."""
    place = bench.place("library")
    for index in range(cassettes):
        write_cassette(place / f"{index:05d}.yaml", Recorded(1, 8), first=index)
    return place


def library(bench: Bench, cassettes: int) -> dict[str, float]:
    """Seconds from the start of a replay of a whole directory to its first answer."""
    place = write_library(bench, cassettes)
    port = free_port()
    start = time.perf_counter()
    with bench.process(_replay(place, port), place, port) as server:
        listening_s = time.perf_counter() - start
        _ask(server, _words(cassettes // 2, events=8))
        first_s = time.perf_counter() - start
        named = time.perf_counter()
        _ask(server, _words(7, events=8), path=f"/@{7:05d}{PATH}")
        named_s = time.perf_counter() - named
    return {
        "cassettes": cassettes,
        "listening_s": listening_s,
        "first_answer_s": first_s,
        "one_by_name_s": named_s,
    }


def explanation(bench: Bench, interactions: int, times: int) -> dict[str, Any]:
    """Milliseconds until a request that nothing answers has been told what comes closest."""
    place = bench.place("miss")
    write_cassette(place / "many.yaml", Recorded(interactions, 1))
    port = free_port()
    took_ms = []
    with bench.process(_replay(place, port), place, port) as server:
        _ask(server, _words(0))
        for index in range(times):
            start = time.perf_counter()
            _ask(server, f"another question, the {index}th", status=400)
            took_ms.append((time.perf_counter() - start) * 1e3)
    return {"interactions": interactions, "ms": took_ms, "median_ms": statistics.median(took_ms)}


def _replay(place: Path, port: int) -> list[str]:
    return [
        *wiretape("replay", "--dir", str(place), "--log-level", "error"),
        *("--listen", f"127.0.0.1:{port}"),
    ]


def _words(number: int, events: int = 1) -> str:
    return f"bench n={events} gap_us=100 size=300 key=k-{number}."


def _ask(server: Server, words: str, path: str = PATH, status: int = 200) -> None:
    messages = [{"role": "user", "content": words}]
    body = json.dumps({"model": "bench", "stream": True, "messages": messages}).encode()
    got, text = ask(server, "POST", path, body)
    if got != status:
        raise FailedRunError(f"status {got} where {status} was due: {text[:200]!r}")


def _resident_mib(server: Server) -> float:
    total_kib = 0
    for pid in server.pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total_kib += int(line.split()[1])
    return total_kib / 1024
