"""A command as a child process: started, sent the signals that are meant for it, waited for.

Knows processes, signals and the terminal; nothing of proxies.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

from wiretape.errors import UsageError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Iterator, Mapping, Sequence

SIGNALLED = 128
"""A shell's status for a command that a signal ended, less the signal's number."""

_KEYS = frozenset({signal.SIGINT, signal.SIGQUIT})
PASSED_ON = (
    *_KEYS,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_STOPPING = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP})


class Attendant:
    """Runs commands, one after the other, and passes signals on to the one that runs.

    Attributes:
        stopped: set by a signal that asks to stop while no command runs.
        stopped_by: the first signal that asked to stop; None if none did.
    """

    def __init__(self) -> None:
        self.stopped = asyncio.Event()
        self.stopped_by: signal.Signals | None = None
        self._process: Process | None = None

    @contextlib.contextmanager
    def attending(self) -> Iterator[None]:
        """Take signals for as long as the context lasts; an ignored one stays ignored.

        Those that ask to stop are ignored afterwards, as in `server.serve`.
        """
        loop = asyncio.get_running_loop()
        taken = [each for each in PASSED_ON if signal.getsignal(each) is not signal.SIG_IGN]
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # else no status would ever come back

        def take(number: int, _: object) -> None:
            loop.call_soon_threadsafe(self._take, signal.Signals(number))

        before = {number: signal.signal(number, take) for number in taken}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_IGN if number in _STOPPING else handler)

    async def run(self, command: Sequence[str], environ: Mapping[str, str]) -> int:
        """Run a command to its end, with wiretape's own input and output; return its status.

        Raises:
            UsageError: it cannot be started.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=environ,
                close_fds=False,  # what a shell or make has opened for it is its own
            )
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(f"cannot start {command[0]!r}: {reason}") from None
        self._process = process
        if self.stopped_by is not None:  # while it was being started
            self._pass_on(process, self.stopped_by)
        try:
            status = await process.wait()
        finally:
            self._process = None
        return status if status >= 0 else SIGNALLED - status

    def _take(self, number: signal.Signals) -> None:
        if number in _STOPPING and self.stopped_by is None:
            self.stopped_by = number
        if self._process is None:
            if number in _STOPPING:
                self.stopped.set()
        else:
            self._pass_on(self._process, number)

    @staticmethod
    def _pass_on(process: Process, number: signal.Signals) -> None:
        if number not in _KEYS or not _in_foreground():
            # Its own `send_signal` asks first whether it has ended, which takes the status from who
            # waits for it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)


def _in_foreground() -> bool:
    """Whether a key's signal comes from the terminal, which sends it to the command as well."""
    with contextlib.suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False
