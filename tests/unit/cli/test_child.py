import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from wiretape.cli import child
from wiretape.cli.child import Attendant
from wiretape.errors import UsageError

# Says that it listens, and with which signal it was stopped.
LISTENER = """
import os, signal, sys
def stop(number, frame):
    os.write(out, bytes([number]))
    sys.exit(number)
out = int(sys.argv[1])
for number in {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1}:
    signal.signal(number, stop)
os.write(out, b"!")
while True:
    signal.pause()
"""


class Listener:
    """A command that tells which signal reaches it."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_inheritable(self._write, True)  # noqa: FBT003  the name says what is true
        self.command = [sys.executable, "-c", LISTENER, str(self._write)]

    async def hear(self) -> int:
        loop, spoken = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._read, spoken.set)
        try:
            async with asyncio.timeout(20):
                await spoken.wait()
        finally:
            loop.remove_reader(self._read)
        return os.read(self._read, 1)[0]

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture(autouse=True)
def nothing_ignored() -> Iterator[None]:
    """Take back what `nohup` and a shell's background have a process ignore from its start.

    Afterwards all is as it was: who attends to signals ignores them from the end on.
    """
    before = {number: signal.getsignal(number) for number in child.PASSED_ON}
    for number, handler in before.items():
        if handler is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@contextlib.asynccontextmanager
async def attended(attendant: Attendant, command: list[str]) -> AsyncIterator[asyncio.Task[int]]:
    with attendant.attending():
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            yield tasks.create_task(attendant.run(command, os.environ))


@pytest.mark.parametrize(
    ("command", "status"),
    [("exit 7", 7), ("true", 0), ("kill -KILL $$", 128 + 9), ("kill -TERM $$", 128 + 15)],
)
async def test_the_status_is_the_commands_own_as_a_shell_tells_it(command: str, status: int):
    async with attended(Attendant(), ["sh", "-c", command]) as running:
        assert await running == status


async def test_the_environment_is_the_one_given():
    command = ["sh", "-c", 'test "$WANTED" = yes']

    assert await Attendant().run(command, {**os.environ, "WANTED": "yes"}) == 0


@pytest.mark.parametrize("command", ["/nowhere/at/all", "/"])
async def test_a_command_that_cannot_be_started_is_bad_usage(command: str):
    with pytest.raises(UsageError, match=f"cannot start '{command}': "):
        await Attendant().run([command], os.environ)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT, signal.SIGQUIT]
)
async def test_signals_are_passed_on(
    number: signal.Signals, listener: Listener, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(child, "_in_foreground", lambda: False)
    async with attended(Attendant(), listener.command) as running:
        assert await listener.hear() == ord("!")
        os.kill(os.getpid(), number)
        assert await listener.hear() == number
        assert await running == number


async def test_a_key_is_not_passed_on_as_the_terminal_has_sent_it_to_the_command_too(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(child, "_in_foreground", lambda: True)
    attendant = Attendant()
    async with attended(attendant, listener.command):
        assert await listener.hear() == ord("!")
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert await listener.hear() == signal.SIGUSR1
    assert attendant.stopped_by is signal.SIGINT


async def test_a_signal_while_no_command_runs_is_remembered():
    attendant = Attendant()
    with attendant.attending():
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(attendant.stopped.wait(), 20)
    assert attendant.stopped_by is signal.SIGTERM


async def test_a_signal_that_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Attendant().attending():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
