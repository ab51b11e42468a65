"""The command that compares a cassette's replay with the cassette: verify."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from wiretape.cassette.loader import load
from wiretape.cli import EXIT_FAILED
from wiretape.cli import options as shared
from wiretape.cli.arguments import cassette_file
from wiretape.cli.options import Configured
from wiretape.cli.reading import print_json
from wiretape.cli.serving import settings_for, speed
from wiretape.core.model import Mode
from wiretape.errors import UsageError
from wiretape.server.serve import spare_collecting
from wiretape.server.verify import verify as verify_cassette

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    cls=Configured, short_help="Replay through the proxy and compare; exit 1 if it differs."
)
@click.argument("cassette")
@speed
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@shared.directory
@shared.log_level
def verify(cassette: str, directory: Path, *, as_json: bool, **given: Any) -> int:
    """Replay a cassette through the proxy and compare; exit 1 if something differs.

    Compared are bytes, chunk boundaries, endings, the order across streams and, unless the speed
    is instant, timing.
    """
    path = cassette_file(cassette, directory)
    settings = settings_for(
        Mode.REPLAY, {"directory": directory, "cassettes": (str(path),), **given}
    )
    loaded = load(path)
    spare_collecting()  # a pause would be taken for a timing error
    verification = asyncio.run(verify_cassette(loaded, settings))
    if not verification.interactions:
        raise UsageError(f"{path}: nothing to verify: no request in it has its body")
    if as_json:
        print_json({"cassette": str(path), **verification.to_json()})
    else:
        for line in verification.lines():
            click.echo(line)
    return 0 if verification.same else EXIT_FAILED
