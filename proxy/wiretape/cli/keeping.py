"""The commands that mend cassettes: recover what a crash left, redact what slipped through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wiretape.analysis.printable import counted
from wiretape.cassette.cleaning import clean_file
from wiretape.cassette.library import find_abandoned
from wiretape.cassette.recover import recover as recover_part
from wiretape.cli import EXIT_FAILED, EXIT_USAGE
from wiretape.cli import options as shared
from wiretape.cli.arguments import found_or_missing, given_path
from wiretape.cli.logs import say
from wiretape.cli.options import Configured
from wiretape.errors import CassetteError, UsageError, WiretapeError

if TYPE_CHECKING:
    from pathlib import Path


@click.command(cls=Configured, short_help="Finish the recordings that a crash left in a directory.")
@click.argument("place", metavar="[DIR]", required=False)
@shared.directory
@shared.log_level
def recover(place: str | None, directory: Path) -> int:
    """Finish the recordings that a crash left in a directory, or a single .part file."""
    target = given_path(place) if place is not None else directory
    if not target.exists():
        raise UsageError(f"{target}: no such directory or file")
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
            entries = counted(recovered.entries, "entry", "entries")
            click.echo(f"{part}: recovered as {recovered.path}, {entries}")
    return status


@click.command(
    cls=Configured, short_help="Take secrets out of cassettes, in place; exit 1 if some stay."
)
@click.argument("cassettes", nargs=-1, required=True, metavar="CASSETTE...")
@shared.directory
@shared.secrets
@shared.log_level
def redact(cassettes: tuple[str, ...], directory: Path, **given: Any) -> int:
    """Take secrets out of cassettes, in place; exit 1 where some must stay.

    A CASSETTE may be a directory. Stand-ins are as long as the secrets, so that lengths, chunk
    boundaries and framing stay true. Layout and comments stay, but where a secret is spread over
    several lines: then the file is written anew, with only the comments above it. A cassette that
    cannot be read keeps no other from being redacted; it makes the exit status 2.
    """
    redactor = shared.redactor_of(given)
    files, missing = found_or_missing(cassettes, directory)
    failures: list[WiretapeError | OSError] = [*missing]
    status = 0
    for path in files:
        try:
            leaks, anew = clean_file(path, redactor)
        except (WiretapeError, OSError) as error:
            failures.append(error)
            continue
        for leak in leaks:
            where = "" if leak.interaction is None else f"interaction {leak.interaction}, "
            done = "redacted" if leak.cleanable else "stays, for it is inside a coding"
            click.echo(f"{path}: {where}{leak.place}: {' and '.join(leak.kinds)}: {done}")
            if not leak.cleanable:
                status = EXIT_FAILED
        if anew:
            click.echo(f"{path}: written anew, with only the comments above it")
        if not leaks:
            click.echo(f"{path}: no secrets")
    for failure in failures:
        say(str(failure), level="error")
    return EXIT_USAGE if failures else status
