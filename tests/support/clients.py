"""Which real clients are tested, how each is led to a proxy, and how to run one of them.

Knows no client's API: that is in tests/clients, a module for each.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import importlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from support.rounds import Finishing, Tools
from support.wire import PATIENCE_S
from wiretape.environment import client_environment

CASSETTES = Path(__file__).parents[2] / "cassettes" / "clients"
SCENARIOS = {
    "stream": "a stream",
    "tools": "parallel tools",
    "cancelled": "a cancelled stream",
}
_NODE = Path(__file__).parents[1] / "clients" / "node"
_CACHE = Path(os.environ.get("WIRETAPE_ENGINE_CACHE") or Path.home() / ".cache" / "wiretape")
_NODE_CACHE = _CACHE / "node-clients"
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
_ASIDE = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else importing it asks the network for prices
}


class Results(enum.Enum):
    """In which order a client sends the results of one round of parallel tools."""

    AS_CALLED = "as called"
    AS_FINISHED = "as finished"


@dataclass(frozen=True, slots=True)
class Client(ABC):
    """A real client.

    Attributes:
        name: of its module and of its folder of cassettes.
        package: as its registry names it.
        variable: the one environment variable that it is given.
        results: in which order it sends the results of tools.
        own_loop: whether the client itself runs the tools; else that is up to its user.
        provider: the package that talks to the API, where the client has that apart.
        led_by: how it is led to the proxy where it does not read the variable itself.
    """

    name: str
    package: str
    variable: str
    results: Results
    own_loop: bool = False
    provider: str | None = None
    led_by: str | None = None

    how_to_install = ""
    language = ""

    @property
    def cassettes(self) -> Path:
        return CASSETTES / self.name

    @abstractmethod
    def version(self) -> str | None:
        """The installed version; None where it is not installed."""

    @abstractmethod
    async def play(self, scenario: str, url: str, finishing: Finishing) -> dict[str, Any]:
        """Run a scenario against a proxy; `got` holds what the client's user gets, as JSON.

        `finished` lists the commands in the order in which their tools did.
        """

    def environment(self, url: str) -> dict[str, str]:
        """The environment of a program that is told of the proxy, and of nothing else."""
        ours = ("OPENAI_", "OLLAMA_", "ANTHROPIC_")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        given = client_environment(url, clean)
        names = (self.variable, *_KEYS, "NO_PROXY", "no_proxy")
        return clean | _ASIDE | {name: given[name] for name in names}


@dataclass(frozen=True, slots=True)
class PythonClient(Client):
    """A client in Python: a module of tests/clients, run in this process."""

    how_to_install = "pip install '.[test]'"
    language = "Python"

    def version(self) -> str | None:
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return None

    async def play(self, scenario: str, url: str, finishing: Finishing) -> dict[str, Any]:
        tools = Tools(finishing)
        with self._redirected(url):
            module = importlib.import_module(f"clients.{self.name.replace('-', '_')}")
            arguments = (tools,) if scenario == "tools" else ()
            got = await getattr(module, scenario)(*arguments)
        return {"got": json.loads(json.dumps(got)), "finished": tools.finished}

    @contextlib.contextmanager
    def _redirected(self, url: str) -> Iterator[None]:
        with mock.patch.dict(os.environ, self.environment(url), clear=True):
            yield


@dataclass(frozen=True, slots=True)
class NodeClient(Client):
    """A client from npm: a module of tests/clients/node, run by Node."""

    how_to_install = "tests/clients/node/install.sh"
    language = "npm"

    def version(self) -> str | None:
        if shutil.which("node") is None:
            return None
        try:
            installed = _NODE_CACHE / "node_modules" / self.package / "package.json"
            version = json.loads(installed.read_text("utf-8"))["version"]
        except FileNotFoundError:
            return None
        wanted = json.loads((_NODE / "package.json").read_text("utf-8"))["dependencies"]
        return version if version == wanted[self.package] else None

    async def play(self, scenario: str, url: str, finishing: Finishing) -> dict[str, Any]:
        return await asyncio.to_thread(self._play, scenario, url, finishing)

    def _play(self, scenario: str, url: str, finishing: Finishing) -> dict[str, Any]:
        # Node looks for packages beside the module that imports them, and nowhere else.
        with tempfile.TemporaryDirectory() as folder:
            for module in _NODE.glob("*.mjs"):
                shutil.copy(module, folder)
            Path(folder, "node_modules").symlink_to(_NODE_CACHE / "node_modules")
            module = self.name.removeprefix("npm-")
            done = subprocess.run(
                ["node", "play.mjs", module, scenario, finishing.value],
                cwd=folder,
                env=self.environment(url),
                capture_output=True,
                encoding="utf-8",
                timeout=PATIENCE_S * 3,
                check=False,
            )
        assert done.returncode == 0, done.stderr
        played: dict[str, Any] = json.loads(done.stdout)
        return played


PYTHON = (
    PythonClient("openai", "openai", "OPENAI_BASE_URL", Results.AS_FINISHED),
    PythonClient("anthropic", "anthropic", "ANTHROPIC_BASE_URL", Results.AS_FINISHED),
    PythonClient("ollama", "ollama", "OLLAMA_HOST", Results.AS_FINISHED),
    PythonClient("langchain-openai", "langchain-openai", "OPENAI_API_BASE", Results.AS_FINISHED),
    PythonClient("langchain-ollama", "langchain-ollama", "OLLAMA_HOST", Results.AS_FINISHED),
    PythonClient("litellm", "litellm", "OPENAI_API_BASE", Results.AS_FINISHED),
    PythonClient(
        "pydantic-ai", "pydantic-ai-slim", "OPENAI_BASE_URL", Results.AS_CALLED, own_loop=True
    ),
    PythonClient(
        "openai-agents", "openai-agents", "OPENAI_BASE_URL", Results.AS_CALLED, own_loop=True
    ),
)
NODE = (
    NodeClient("npm-openai", "openai", "OPENAI_BASE_URL", Results.AS_FINISHED),
    NodeClient("npm-anthropic", "@anthropic-ai/sdk", "ANTHROPIC_BASE_URL", Results.AS_FINISHED),
    NodeClient(
        "npm-ollama",
        "ollama",
        "OLLAMA_HOST",
        Results.AS_FINISHED,
        led_by="new Ollama({host})",
    ),
    NodeClient(
        "npm-ai",
        "ai",
        "OPENAI_BASE_URL",
        Results.AS_CALLED,
        own_loop=True,
        provider="@ai-sdk/openai",
    ),
)
CLIENTS: tuple[Client, ...] = PYTHON + NODE
