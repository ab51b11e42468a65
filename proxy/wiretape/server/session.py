"""One session: the live use of one cassette, and the report on it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from wiretape.errors import JournalError

if TYPE_CHECKING:
    from pathlib import Path

    from wiretape.core.matching import Key
    from wiretape.core.model import Mode
    from wiretape.core.routing import SessionName
    from wiretape.server.recorder import Recorder
    from wiretape.server.replayer import Replayer

_CLOSE_WAIT_STEP_S = 0.01
_CLOSE_WAIT_STEPS = 500
# What unused recordings ask is told of so many: to read a request costs more than to name it.
_UNUSED_READ = 100


@dataclass(frozen=True, slots=True)
class _Closed:
    """What is left of a session that was closed."""

    report: dict[str, Any]
    count: Count
    failed: bool
    written: Path | None
    failure: JournalError | None


class Count(NamedTuple):
    """How much has come of a session, also before it was rewound."""

    recorded: int = 0
    used: int = 0
    misses: int = 0
    stalls: int = 0


class Session:
    """One live use of one cassette.

    Attributes:
        mode: what happens to its requests; `once` has been resolved.
        path: its cassette; None if it replays several or passes all through.
        recorder: set if it may record.
        replayer: set if it may replay.
        in_flight: how many of its requests are being answered.
    """

    def __init__(self, name: SessionName, mode: Mode, path: Path | None) -> None:
        self.name = name
        self.mode = mode
        self.path = path
        self.recorder: Recorder | None = None
        self.replayer: Replayer | None = None
        self.in_flight = 0
        self._before = Count()
        self._used_before: dict[Key, None] = {}
        self._closed: _Closed | None = None

    async def settle(self) -> bool:
        """Wait a while for what is in flight; whether nothing is any more."""
        for _ in range(_CLOSE_WAIT_STEPS):
            if not self.in_flight:
                return True
            await asyncio.sleep(_CLOSE_WAIT_STEP_S)
        return False

    def rewind(self) -> None:
        """Begin a replay again, every recording unused. What was before still counts."""
        if self.replayer is not None:
            self._before = self.count()
            self._used_before |= dict.fromkeys(self.replayer.used)
            self.replayer.rewind()

    @property
    def asked(self) -> bool:
        """Whether anything has come of it."""
        return any(self.count())

    def failed(self) -> bool:
        """Whether a strict run has failed: a miss, or a recording that was never used."""
        if self._closed is not None:
            return self._closed.failed
        replayer = self.replayer
        if replayer is None:
            return False
        never_used = any(key not in self._used_before for key in replayer.unused())
        return never_used or bool(replayer.missed or self._before.misses)

    async def finish(self) -> Path | None:
        """As `close`, but no other stream waits for the disk.

        Raises:
            JournalError: as `close`.
        """
        if self._closed is None and self.recorder is not None:
            with suppress(JournalError):
                await self.recorder.finish()
        return self.close()

    def close(self) -> Path | None:
        """Finish the recording, and let go of all but the report.

        Again, it does nothing more, and gives or raises the same.

        Returns:
            The cassette that was written; None if none was.

        Raises:
            JournalError: it could not be finished.
        """
        if self._closed is not None:
            if self._closed.failure is not None:
                raise self._closed.failure
            return self._closed.written
        recorder, replayer = self.recorder, self.replayer
        written = None
        try:
            written = recorder.close() if recorder is not None else None
        finally:
            if replayer is not None:
                replayer.stop()
            failure = recorder.failure if recorder is not None else None
            self._closed = _Closed(self._report(), self.count(), self.failed(), written, failure)
            self.recorder = self.replayer = None
        return written

    def wrote(self, path: Path) -> bool:
        """Whether it was closed, and has written this cassette."""
        return self._closed is not None and self._closed.written == path

    def report(self) -> dict[str, Any]:
        """What has come of the session so far, as JSON; of a closed one, what had come of it."""
        return self._report() if self._closed is None else self._closed.report

    def count(self) -> Count:
        """How much has come of it since it was opened; of a closed one, how much had come."""
        if self._closed is not None:
            return self._closed.count
        recorded = self.recorder.interactions if self.recorder else 0
        replayer, before = self.replayer, self._before
        if replayer is None:
            return Count(recorded)
        return Count(
            recorded,
            before.used + len(replayer.used),
            before.misses + replayer.missed,
            before.stalls + len(replayer.schedule.stalls()),
        )

    def _report(self) -> dict[str, Any]:
        report: dict[str, Any] = {
            "session": str(self.name),
            "mode": self.mode.value,
            "cassette": str(self.path) if self.path else None,
            "in_flight": self.in_flight,
            "recorded": self.recorder.interactions if self.recorder else 0,
            "error": str(self.recorder.failure)
            if self.recorder and self.recorder.failure
            else None,
            "order": None,
            "interactions": 0,
            "used": [],
            "unused": [],
            "misses": [],
            "misses_left_out": 0,
            "missed_before": self._before.misses,
            "used_before": [],
            "stalls": [],
            "divergences": [],
            "divergences_left_out": 0,
        }
        replayer = self.replayer
        if replayer is None:
            return report

        def named(key: Key) -> dict[str, Any]:
            request = replayer.interactions[key].request
            return {
                "cassette": replayer.cassettes[key[0]].name,
                "interaction": key[1],
                "method": request.method,
                "target": request.target,
            }

        report["order"] = str(replayer.order)
        report["interactions"] = len(replayer.interactions)
        report["used"] = [named(key) for key in replayer.used]
        unused = replayer.unused()
        report["unused"] = [
            *({**named(key), "asks": replayer.asks(key)} for key in unused[:_UNUSED_READ]),
            *map(named, unused[_UNUSED_READ:]),
        ]
        report["used_before"] = [named(key) for key in self._used_before]
        report["misses"] = list(replayer.misses)
        report["misses_left_out"] = replayer.missed - len(replayer.misses)
        report["stalls"] = [
            {
                "waiting": named(cast("Key", stall.waiting)),
                "missing": named(cast("Key", stall.missing)),
                "waited_s": stall.waited_ns / 1e9,
                "paused": stall.paused,
            }
            for stall in replayer.schedule.stalls()
        ]
        report["divergences"] = [
            {
                **named(divergence.key),
                "match": divergence.level.value,
                "differences": list(divergence.differences),
            }
            for divergence in replayer.divergences
        ]
        report["divergences_left_out"] = replayer.diverged - len(replayer.divergences)
        return report
