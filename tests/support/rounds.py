"""A round of parallel tool calls whose tools run at the same time and finish in a set order."""

from __future__ import annotations

import asyncio
import enum
import json
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar

from support.wire import PATIENCE_S

MODEL = "smollm2"
ASK_TWO = "Run ls and ls -l"
"""What the model answers with two calls in one round, whichever the API."""

NAME = "run_command"
DESCRIPTION = "Run a shell command and return what it prints"
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"command": {"type": "string", "description": "The command to run"}},
    "required": ["command"],
}
TOOL: Any = {
    "type": "function",
    "function": {"name": NAME, "description": DESCRIPTION, "parameters": PARAMETERS},
}
OUTPUTS = {
    "ls": "README.md\nsrc",
    "ls -l": "-rw-r--r-- 1 me me 512 README.md\ndrwxr-xr-x 2 me me 4096 src",
}

Result = TypeVar("Result")


class Finishing(enum.Enum):
    """In which order the tools of a round finish."""

    AS_CALLED = "as-called"
    REVERSED = "reversed"

    @property
    def commands(self) -> list[str]:
        commands = list(OUTPUTS)
        return commands if self is Finishing.AS_CALLED else commands[::-1]


class Tools:
    """`run_command`, which waits until the call that is to finish before it has finished.

    So an agent that does not run its tools at the same time gets nowhere.
    """

    def __init__(self, finishing: Finishing) -> None:
        self._finishing = finishing
        commands = finishing.commands
        self._before = dict(zip(commands[1:], commands, strict=False))
        self._done = {command: asyncio.Event() for command in commands}
        self.finished: list[str] = []

    async def run_command(self, command: str) -> str:
        if command in self._before:
            async with asyncio.timeout(PATIENCE_S):
                await self._done[self._before[command]].wait()
        self.finished.append(command)
        if command in self._done:
            self._done[command].set()
        return OUTPUTS.get(command, f"{command}: not found")

    def spell(self, arguments: str) -> str:
        """Arguments as an agent writes them that keeps them parsed: each run in its own way."""
        indent = None if self._finishing is Finishing.AS_CALLED else 1
        return json.dumps(json.loads(arguments), indent=indent)


async def as_finished(calls: Iterable[Awaitable[Result]]) -> list[Result]:
    """Run the calls at the same time; their results in the order in which they came."""
    return [await each for each in asyncio.as_completed(list(calls))]
