"""The machine that is measured on: which processor is for whom, what it is, how quiet it is."""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_SHORTEST_TOLD_S = 0.25  # the kernel counts in ticks of a hundredth


@dataclass(frozen=True, slots=True)
class Pinning:
    """Which processors the measured proxy and the load tools run on; none: wherever they may."""

    proxy: tuple[int, ...]
    load: tuple[int, ...]

    @classmethod
    def of_this_machine(cls) -> Pinning:
        """The first processor for the proxy, up to two others for the load tools."""
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2 or shutil.which("taskset") is None:
            return cls((), ())
        return cls((allowed[0],), tuple(allowed[1:3]))

    def for_proxy(self) -> list[str]:
        """The beginning of a command that is measured."""
        return _taskset(self.proxy)

    def for_load(self) -> list[str]:
        """The beginning of a load tool's command."""
        return _taskset(self.load)

    def __str__(self) -> str:
        if not self.proxy:
            return "not pinned (one processor, or no taskset)"
        load = ", ".join(map(str, self.load))
        return f"proxy on processor {self.proxy[0]}, load tools on {load}"


def _taskset(processors: tuple[int, ...]) -> list[str]:
    return ["taskset", "-c", ",".join(map(str, processors))] if processors else []


def description() -> str:
    """Processor, how many, memory, kernel, Python."""
    model = "unknown processor"
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    if found:
        model = found[1].strip()
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{len(os.sched_getaffinity(0))} x {model}, {memory_gib:.0f} GiB,"
        f" Linux {platform.release().split('-')[0]}, Python {platform.python_version()}"
    )


def allow_many_files() -> None:
    """A thousand streams through a proxy need more descriptors than a shell may give."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Quietness:
    """What else ran meanwhile, and how evenly the processors run the same work."""

    def __init__(self) -> None:
        self._foreign: list[float] = []
        self._spins_ms: list[float] = []

    @staticmethod
    def busy_s() -> float:
        """CPU seconds that all processors have spent on anything, stolen ones included."""
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        user, nice, system, _idle, _wait, irq, softirq, steal = map(int, fields)
        return (user + nice + system + irq + softirq + steal) / _TICKS_PER_S

    def note(self, busy_s: float, own_s: float, elapsed_s: float) -> None:
        """After a measured run: all that was busy, our part of it, and how long it took."""
        if elapsed_s < _SHORTEST_TOLD_S:
            return
        processors = len(os.sched_getaffinity(0))
        self._foreign.append(max(0.0, busy_s - own_s) / (elapsed_s * processors))

    def spin(self) -> None:
        """Time the same small piece of work once more."""
        start = time.perf_counter()
        sum(range(1_000_000))
        self._spins_ms.append((time.perf_counter() - start) * 1e3)

    def to_json(self) -> dict[str, float]:
        """Parts of all processors' time that were others', and how the same work varied."""
        spins = sorted(self._spins_ms) or [1.0]
        foreign = sorted(self._foreign) or [0.0]
        return {
            "others_median": statistics.median(foreign),
            "others_most": foreign[-1],
            "same_work_slowest_over_median": spins[-1] / statistics.median(spins),
        }

    def __str__(self) -> str:
        noise = self.to_json()
        return (
            f"other work took {noise['others_median']:.0%} of the processors' time in the median"
            f" run, {noise['others_most']:.0%} in the worst; the same piece of work took up to"
            f" {noise['same_work_slowest_over_median']:.2f} x its median time"
        )
