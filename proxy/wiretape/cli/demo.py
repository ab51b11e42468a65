"""The command that shows the whole round trip, with no network and no engine: demo."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wiretape.analysis.show_text import show_text
from wiretape.cassette.loader import load
from wiretape.cli import EXIT_FAILED
from wiretape.cli import options as shared
from wiretape.cli.options import Configured
from wiretape.cli.reading import print_rich
from wiretape.core.model import Mode
from wiretape.core.tempo import Speed
from wiretape.server.comparison import compare
from wiretape.server.driver import drive
from wiretape.server.serve import any_port, running
from wiretape.server.settings import Settings
from wiretape.server.verify import verify

if TYPE_CHECKING:
    from wiretape.core.model import Cassette
    from wiretape.server.comparison import Verification

_SHIPPED = "demo.yaml"
_ORIGINAL = Speed(1.0)


@click.command(cls=Configured)
@shared.log_level
def demo() -> int:
    """Record, replay, verify and show, offline, in a few seconds.

    A shipped cassette, recorded from a real engine, plays the upstream at its original speed.
    """
    shipped = resources.files("wiretape") / _SHIPPED
    with resources.as_file(shipped) as path, tempfile.TemporaryDirectory() as folder:
        original = load(path)
        click.echo(f"1. the upstream: {original.name}, replayed at its original speed")
        through, recorded = asyncio.run(_record(path, original, Path(folder)))
        click.echo("2. recorded through the proxy")
        _say(through)
        click.echo("3. the recording, replayed")
        replayed = asyncio.run(
            verify(recorded, Settings(Mode.REPLAY, cassettes=(Path(folder) / "demo.yaml",)))
        )
        _say(replayed)
        click.echo("4. what was said and called\n")
        print_rich(show_text(recorded))
    return 0 if through.same and replayed.same else EXIT_FAILED


async def _record(path: Path, original: Cassette, folder: Path) -> tuple[Verification, Cassette]:
    """Record the original through a proxy; compare what its client got with the original."""
    playing = any_port(Settings(Mode.REPLAY, cassettes=(path,), speed=_ORIGINAL))
    async with running(playing) as upstream:
        recording = replace(
            any_port(Settings(Mode.RECORD, directory=folder, cassette="demo")),
            upstream=upstream.url,
        )
        async with running(recording) as proxy:
            received = await drive(original, proxy.url, _ORIGINAL)
    return compare(original, received, _ORIGINAL), load(folder / "demo.yaml")


def _say(verification: Verification) -> None:
    for line in verification.lines():
        click.echo(f"   {line}")
