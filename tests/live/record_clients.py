"""Record the cassettes of real clients anew from a running ollama 0.24.0.

    python tests/live/record_clients.py URL [CLIENT...] [--into DIR]

CLIENT is one of the names in tests/support/clients.py; all that are installed if there is none.
CONTRIBUTING.md has the whole recipe.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.clients import CASSETTES, CLIENTS, SCENARIOS, Client
from support.provenance import add_provenance
from support.rounds import Finishing
from wiretape.core.addresses import Address
from wiretape.core.model import Mode
from wiretape.server.serve import running
from wiretape.server.settings import Settings

ENGINE = "ollama 0.24.0, built with go"
MODEL = "smollm2 (SmolLM2-135M-Instruct, Q4_1)"


async def record(client: Client, url: str, into: Path) -> None:
    """Record every scenario of one client, and keep what the client got."""
    results = {}
    for scenario in SCENARIOS:
        settings = Settings(
            Mode.RECORD,
            directory=into,
            cassette=scenario,
            upstream=url,
            listen=Address("127.0.0.1", 0),
        )
        async with running(settings) as proxy:
            played = await client.play(scenario, proxy.url, Finishing.AS_CALLED)
        results[scenario] = played["got"]
        add_provenance(
            into / f"{scenario}.yaml",
            engine=ENGINE,
            model=MODEL,
            client=f"{client.package} {client.version()}",
            command=f"python tests/live/record_clients.py URL {client.name}",
        )
        print(client.name, scenario, json.dumps(played))
    text = json.dumps(results, indent=2, ensure_ascii=False)
    (into / "results.json").write_text(text + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("url")
    parser.add_argument("clients", nargs="*", metavar="CLIENT")
    parser.add_argument("--into", type=Path, default=CASSETTES)
    given = parser.parse_args()
    for client in CLIENTS:
        wanted = client.name in given.clients if given.clients else client.version() is not None
        if wanted:
            asyncio.run(record(client, given.url, given.into / client.name))


if __name__ == "__main__":
    main()
