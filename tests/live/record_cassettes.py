"""Record the example cassettes anew from a running engine.

    python tests/live/record_cassettes.py ENGINE URL "MODEL" [--into DIR]

ENGINE is one of the names in tests/support/scenarios.py. `get_engines.sh` beside this file
gets the engines and says how to start them; CONTRIBUTING.md has the whole recipe.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.provenance import add_provenance
from support.scenarios import SCENARIOS, Scenario, demo
from wiretape.core.addresses import Address
from wiretape.core.model import Mode
from wiretape.server.serve import running
from wiretape.server.settings import Settings

ENGINES = {
    "llamacpp": "llama.cpp's own server, from xllamacpp 2026.10.11549",
    "ollama-0.6.5": "ollama 0.6.5, built with go",
    "ollama-0.24.0": "ollama 0.24.0, built with go",
}


DEMO_ENGINE = "llamacpp"
PACKAGE = Path(__file__).parents[2] / "proxy" / "wiretape"


async def record(scenario: Scenario, url: str, into: Path, name: str) -> Any:
    """Record one scenario; return what its client got."""
    settings = Settings(
        Mode.RECORD,
        directory=into,
        cassette=name,
        upstream=url,
        listen=Address("127.0.0.1", 0),
    )
    async with running(settings) as proxy:
        return await scenario(proxy.url)


def add_origin(path: Path, engine: str, model: str) -> None:
    """Say above a cassette which engine it comes from."""
    command = f'python tests/live/record_cassettes.py {engine} URL "{model}"'
    add_provenance(path, engine=ENGINES[engine], model=model, command=command)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("engine", choices=SCENARIOS)
    parser.add_argument("url")
    parser.add_argument("model", help="the model's whole name, for the record")
    parser.add_argument("--into", type=Path, default=Path("cassettes"))
    given = parser.parse_args()
    into = given.into / given.engine
    results: dict[str, Any] = {}
    for name, scenario in SCENARIOS[given.engine].items():
        results[name] = asyncio.run(record(scenario, given.url, into, name))
        add_origin(into / f"{name}.yaml", given.engine, given.model)
        sys.stdout.write(f"{name}: {json.dumps(results[name])}\n")
    if given.engine == DEMO_ENGINE:
        asyncio.run(record(demo, given.url, PACKAGE, "demo"))
        add_origin(PACKAGE / "demo.yaml", given.engine, given.model)
    text = json.dumps(results, indent=2, ensure_ascii=False)
    (into / "results.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
