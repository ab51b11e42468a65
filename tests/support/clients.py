"""Which real clients are tested, how each is led to a proxy, and how to run one of them.

Knows no client's API: that is in tests/clients, a module for each.
"""

from __future__ import annotations

import contextlib
import enum
import importlib
import importlib.metadata
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from support.rounds import Finishing, Tools
from wiretape.environment import client_environment

CASSETTES = Path(__file__).parents[2] / "cassettes" / "clients"
SCENARIOS = ("stream", "tools", "cancelled")
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
_ASIDE = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else importing it asks the network for prices
}


class Results(enum.Enum):
    """In which order a client sends the results of one round of parallel tools."""

    AS_CALLED = "as called"
    AS_FINISHED = "as finished"


@dataclass(frozen=True, slots=True)
class Client:
    """A real client.

    Attributes:
        name: of its module and of its folder of cassettes.
        package: as its registry names it.
        redirected_by: the one environment variable that it is given.
        results: in which order it sends the results of tools.
    """

    name: str
    package: str
    redirected_by: str
    results: Results

    how_to_install = "pip install '.[test]'"

    @property
    def cassettes(self) -> Path:
        return CASSETTES / self.name

    def version(self) -> str | None:
        """The installed version; None where it is not installed."""
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return None

    async def play(self, scenario: str, url: str, finishing: Finishing) -> dict[str, Any]:
        """Run a scenario against a proxy; `got` holds what the client's user gets, as JSON.

        `finished` lists the commands in the order in which their tools did.
        """
        tools = Tools(finishing)
        with self._redirected(url):
            module = importlib.import_module(f"clients.{self.name.replace('-', '_')}")
            arguments = (tools,) if scenario == "tools" else ()
            got = await getattr(module, scenario)(*arguments)
        return {"got": json.loads(json.dumps(got)), "finished": tools.finished}

    @contextlib.contextmanager
    def _redirected(self, url: str) -> Iterator[None]:
        """The environment as it is in a program that is told of the proxy, and of nothing else."""
        ours = ("OPENAI_", "OLLAMA_", "ANTHROPIC_")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        given = client_environment(url, clean)
        names = (self.redirected_by, *_KEYS, "NO_PROXY", "no_proxy")
        changed = clean | _ASIDE | {name: given[name] for name in names}
        with mock.patch.dict(os.environ, changed, clear=True):
            yield


PYTHON = (
    Client("openai", "openai", "OPENAI_BASE_URL", Results.AS_FINISHED),
    Client("anthropic", "anthropic", "ANTHROPIC_BASE_URL", Results.AS_FINISHED),
    Client("ollama", "ollama", "OLLAMA_HOST", Results.AS_FINISHED),
    Client("langchain-openai", "langchain-openai", "OPENAI_API_BASE", Results.AS_FINISHED),
    Client("pydantic-ai", "pydantic-ai-slim", "OPENAI_BASE_URL", Results.AS_CALLED),
    Client("openai-agents", "openai-agents", "OPENAI_BASE_URL", Results.AS_CALLED),
    Client("litellm", "litellm", "OPENAI_API_BASE", Results.AS_FINISHED),
    Client("langchain-ollama", "langchain-ollama", "OLLAMA_HOST", Results.AS_FINISHED),
)
NODE: tuple[Client, ...] = ()
CLIENTS = PYTHON + NODE
