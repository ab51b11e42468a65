"""The `wiretape` command as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from support.wire import PATIENCE_S

_COMMAND = (sys.executable, "-m", "wiretape.cli")


def wiretape(
    *arguments: str | Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [*_COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE_S * 3,
        cwd=cwd,
        env={**_clean_environment(), **environment},
        check=False,
    )


class Serving:
    """A serving command: where, and what it has said."""

    def __init__(self, process: asyncio.subprocess.Process, line: str) -> None:
        self.process = process
        self.line = line
        self.url = line.rsplit(" on ", maxsplit=1)[-1].strip()
        self.said = ""

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the status; keeps standard error."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            self.said += (await self.process.stderr.read()).decode()
            return await self.process.wait()


@contextlib.asynccontextmanager
async def serving(
    *arguments: str | Path, cwd: Path | None = None, **environment: str
) -> AsyncIterator[Serving]:
    """Start a serving command on any free port; it is killed if it has not ended."""
    process = await asyncio.create_subprocess_exec(
        *_COMMAND,
        *map(str, arguments),
        "--listen",
        "127.0.0.1:0",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env={**_clean_environment(), **environment},
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            line = (await process.stdout.readline()).decode()
        if not line:
            raise AssertionError((await process.stderr.read()).decode())
        yield Serving(process, line)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
        process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001  else it warns


async def start(*arguments: str | Path) -> asyncio.subprocess.Process:
    """Start the command and leave it alone."""
    return await asyncio.create_subprocess_exec(
        *_COMMAND,
        *map(str, arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_clean_environment(),
    )


def _clean_environment() -> dict[str, str]:
    ours = ("WIRETAPE_", "OLLAMA_", "OPENAI_", "ANTHROPIC_")
    return {key: value for key, value in os.environ.items() if not key.startswith(ours)}
