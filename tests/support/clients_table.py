"""The README's table of real clients, made from what the tests replay.

python tests/support/clients_table.py        writes it into the README
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.clients import CLIENTS, SCENARIOS, Client
from wiretape.cassette.loader import load
from wiretape.environment import client_environment

README = Path(__file__).parents[2] / "README.md"
_BEGIN, _END = "<!-- clients: made by tests/support/clients_table.py -->\n", "<!-- /clients -->\n"
_HEAD = "| client | led to the proxy by | API | replayed | results of tools go back |\n"


def table() -> str:
    """The table, in Markdown."""
    return _HEAD + "|---|---|---|---|---|\n" + "".join(map(_row, CLIENTS))


def with_table(readme: str) -> str:
    """The README with the table between its markers."""
    before, _, rest = readme.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end:
        raise ValueError(f"the README has no {_BEGIN.strip()} ... {_END.strip()}")
    return f"{before}{_BEGIN}{table()}{end}{after}"


def _row(client: Client) -> str:
    variable = client_environment("URL", {})[client.variable]
    provider = f" with {client.provider}" if client.provider else ""
    cells = (
        f"{client.package} {_recorded_version(client)}{provider} ({client.language})",
        f"`{client.led_by or f'{client.variable}={variable}'}`",
        ", ".join(f"`{target}`" for target in _targets(client)),
        ", ".join(text for name, text in SCENARIOS.items() if _cassette(client, name).exists()),
        client.results.value + (", by its own loop" if client.own_loop else ""),
    )
    return f"| {' | '.join(cells)} |\n"


def _recorded_version(client: Client) -> str:
    comment = _cassette(client, "stream").read_text("utf-8").partition("\nwiretape:")[0]
    found = re.search(rf"(?m)^# client: {re.escape(client.package)} (\S+)$", comment)
    assert found is not None, f"{_cassette(client, 'stream')} does not say with what"
    return found[1]


def _targets(client: Client) -> list[str]:
    """The paths asked for, in order of first use; query strings are of no interest."""
    targets = [
        each.request.target.partition("?")[0]
        for name in SCENARIOS
        for each in load(_cassette(client, name)).interactions()
    ]
    return list(dict.fromkeys(targets))


def _cassette(client: Client, scenario: str) -> Path:
    return client.cassettes / f"{scenario}.yaml"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text("utf-8")), "utf-8")
