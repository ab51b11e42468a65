"""wiretape with a clock on each step, for `profiling` to tell where its time goes.

    python tests/bench/traced.py FILE WARMUPS WIRETAPE_ARGUMENT...

Runs wiretape as it is, with the functions below wrapped: what a step takes is without the steps
that are called within it. When it ends, FILE has as JSON what `Trace.to_json` says of all that
came after so many reads of requests. The clock makes a chunk dearer by some microseconds, which
are in the figures.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import itertools
import json
import selectors
import sys
import threading
from array import array
from asyncio import events
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from wiretape import cli
from wiretape.server.client import ClientConnection

LONG_NS = 1_000_000
"""A turn of the event loop that takes longer is told of by itself."""

# Where each step is called, by its name in the profile. Functions that a module has by their own
# names are wrapped in that module.
STEPS = {
    "accepting connections": ["wiretape.server.listener:Listener._accept"],
    "a connection made": ["wiretape.server.client:ClientConnection.connection_made"],
    "parsing a request's head": ["wiretape.server.client:ClientConnection.data_received"],
    "recording a request": ["wiretape.server.recorder:Recorder.begin"],
    "redacting a request": ["wiretape.cassette.redaction:Redactor.request"],
    "a request's entry": ["wiretape.server.recorder:request_text"],
    "an upstream's head": [
        "wiretape.server.connection:UpstreamConnection._receive_heads",
        "wiretape.server.relay:Relay.begin",
    ],
    "redacting an answer's head": ["wiretape.cassette.redaction:Redactor.headers"],
    "framing and passing on": ["wiretape.server.connection:UpstreamConnection.data_received"],
    "redaction's look at one more alike": [
        "wiretape.cassette.streamredaction:StreamRedactor.take_alike"
    ],
    "redaction's look at others": [
        "wiretape.cassette.streamredaction:StreamRedactor.take",
        "wiretape.server.interaction:none_in",
    ],
    "chunks' entries": [
        "wiretape.server.interaction:chunk_text",
        "wiretape.server.interaction:chunks_text",
    ],
    "the journal's checks": ["wiretape.cassette.journal:Journal.write"],
    "write(2) of the journal": ["os:write"],
    "finding the answer to a request": ["wiretape.server.replayer:Replayer.find"],
    "a replayed answer's bytes": ["wiretape.server.replayer:replayed_wire"],
    "what is due of a replay": ["wiretape.core.schedule:Schedule.due"],
    "setting the replay's timer": ["wiretape.server.alarm:Alarm.set"],
    "asyncio: reading a socket": [
        "asyncio.selector_events:_SelectorSocketTransport._read_ready__data_received"
    ],
    "asyncio: writing a socket": ["asyncio.selector_events:_SelectorSocketTransport.write"],
}
TASK_STEPS, CALLBACKS, LOOP = "requests' tasks", "other callbacks", "asyncio: the loop itself"


class Trace:
    """What the steps of the main thread took, and the turns of its event loop."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        names = [*STEPS, TASK_STEPS, CALLBACKS]
        self._taken_ns = {name: array("q") for name in names}
        self._sums_ns = dict.fromkeys(names, 0)
        self._turns_ns = array("q")
        self._long: list[dict[str, int]] = []
        self._inner_ns = 0
        self._turn_began = 0
        self._sums_before: dict[str, int] = {}

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that takes down what it took each time, without what it called."""
        taken, sums = self._taken_ns[name].append, self._sums_ns

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != self._thread:
                return function(*args, **kwargs)
            around, self._inner_ns = self._inner_ns, 0
            began = perf_counter_ns()
            try:
                return function(*args, **kwargs)
            finally:
                whole = perf_counter_ns() - began
                own = whole - self._inner_ns
                self._inner_ns = around + whole
                taken(own)
                sums[name] += own

        return timed

    def turn_ends(self) -> None:
        """The loop is about to wait."""
        if not self._turn_began:
            return
        turn = perf_counter_ns() - self._turn_began
        self._turns_ns.append(turn)
        if turn > LONG_NS:
            steps = {
                name: total - self._sums_before[name]
                for name, total in self._sums_ns.items()
                if total > self._sums_before[name]
            }
            steps[LOOP] = turn - sum(steps.values())
            self._long.append(steps)

    def turn_begins(self) -> None:
        """The loop has waited."""
        self._sums_before = dict(self._sums_ns)
        self._turn_began = perf_counter_ns()

    def forget(self) -> None:
        """Begin anew: what was before was not measured."""
        for taken in self._taken_ns.values():
            del taken[:]
        del self._turns_ns[:]
        self._long.clear()

    def to_json(self) -> dict[str, Any]:
        """In nanoseconds: each step's times, each turn's, and each long turn's by step."""
        return {
            "steps_ns": {name: list(taken) for name, taken in self._taken_ns.items() if taken},
            "turns_ns": list(self._turns_ns),
            "long_turns_ns": self._long,
        }


def install(trace: Trace, warmups: int) -> None:
    """Wrap every step, the loop's callbacks and its wait."""
    for name, places in STEPS.items():
        for place in places:
            module, _, path = place.partition(":")
            *owners, attribute = path.split(".")
            owner = functools.reduce(getattr, owners, importlib.import_module(module))
            setattr(owner, attribute, trace.timed(name, getattr(owner, attribute)))
    forget_before(warmups + 1, trace)
    run = events.Handle._run  # noqa: SLF001
    a_task, another = trace.timed(TASK_STEPS, run), trace.timed(CALLBACKS, run)

    def run_one(handle: events.Handle) -> None:
        owner = getattr(handle._callback, "__self__", None)  # noqa: SLF001
        (a_task if isinstance(owner, asyncio.Task) else another)(handle)

    events.Handle._run = run_one  # type: ignore[method-assign]  # noqa: SLF001
    select = selectors.DefaultSelector.select

    def wait(selector: Any, timeout: float | None = None) -> Any:
        trace.turn_ends()
        found = select(selector, timeout)
        trace.turn_begins()
        return found

    selectors.DefaultSelector.select = wait  # type: ignore[method-assign]


def forget_before(count: int, trace: Trace) -> None:
    """Have the trace begin with this read of a request."""
    reads = itertools.count(1)
    read = ClientConnection.data_received

    def counted(self: ClientConnection, data: bytes) -> None:
        if next(reads) == count:
            trace.forget()
        read(self, data)

    ClientConnection.data_received = counted  # type: ignore[method-assign]


def main(place: Path, warmups: int, arguments: list[str]) -> None:
    """Run wiretape and write the trace, whatever ends it."""
    trace = Trace()
    install(trace, warmups)
    try:
        cli.main(arguments)
    finally:
        place.write_text(json.dumps(trace.to_json()))


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), int(sys.argv[2]), sys.argv[3:])
