"""The command that mends what a crash left: recover."""

from __future__ import annotations

from pathlib import Path

import click

from wiretape.cassette.library import find_abandoned
from wiretape.cassette.recover import recover as recover_part
from wiretape.cli import EXIT_FAILED
from wiretape.cli import options as shared
from wiretape.cli.options import Configured
from wiretape.errors import CassetteError, CassetteNotFoundError


@click.command(cls=Configured)
@click.argument("place", metavar="[DIR]", required=False)
@shared.directory
@shared.log_level
def recover(place: str | None, directory: Path) -> int:
    """Finish the recordings that a crash left in a directory, or a single .part file."""
    target = Path(place) if place is not None else directory
    if not target.exists():
        raise CassetteNotFoundError(target)
    parts = [target] if target.is_file() else find_abandoned(target)
    if not parts:
        click.echo(f"nothing to recover in {target}")
    status = 0
    for part in parts:
        try:
            recovered = recover_part(part)
        except CassetteError as error:
            click.echo(f"wiretape: error: {error}", err=True)
            status = EXIT_FAILED
            continue
        for warning in recovered.warnings:
            click.echo(f"{part}: {warning}")
        if recovered.path is None:
            click.echo(f"{part}: held no entry; removed")
        else:
            click.echo(f"{part}: recovered as {recovered.path}, {recovered.entries} entries")
    return status
