"""The commands that count and compare behaviour: stats and diff."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

import click

from wiretape.cassette.loader import load
from wiretape.cli import EXIT_FAILED
from wiretape.cli import options as shared
from wiretape.cli.arguments import cassette_file, cassette_files
from wiretape.cli.options import Configured
from wiretape.cli.progress import tracked
from wiretape.cli.reading import print_json, print_rich
from wiretape.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wiretape.core.model import Cassette


@click.command(cls=Configured, short_help="Count behaviour per model: endings, tool calls, times.")
@click.argument("cassettes", nargs=-1, metavar="[CASSETTE]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@shared.directory
@shared.log_level
def stats(cassettes: tuple[str, ...], directory: Path, *, as_json: bool, as_csv: bool) -> None:
    """Count behaviour per model and endpoint: endings, tool calls, times.

    A CASSETTE may be a directory; without one it counts all in --dir.
    """
    from wiretape.analysis.stats import stats as count  # noqa: PLC0415  not for --help
    from wiretape.analysis.stats_text import stats_text  # noqa: PLC0415  as above

    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other")
    files = cassette_files(cassettes, directory)
    with tracked("reading", len(files)) as step:
        counted = count(_read(path, step) for path in files)
    if as_json:
        print_json(counted.to_json())
    elif as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(counted.csv_rows())
    else:
        print_rich(stats_text(counted))


@click.command(
    cls=Configured, short_help="Compare the behaviour in two cassettes; exit 1 if it changed."
)
@click.argument("a")
@click.argument("b")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@shared.directory
@shared.log_level
def diff(a: str, b: str, directory: Path, *, as_json: bool) -> int:
    """Compare the behaviour in two cassettes; exit 1 if something changed.

    Texts, calls, arguments, endings and usage count; ids and timing only wobble.
    """
    from wiretape.analysis.diff import diff as compare  # noqa: PLC0415  not for --help
    from wiretape.analysis.diff_text import diff_text  # noqa: PLC0415  as above

    compared = compare(*(load(cassette_file(each, directory)) for each in (a, b)))
    if as_json:
        print_json(compared.to_json())
    else:
        print_rich(diff_text(compared))
    return EXIT_FAILED if compared.changed else 0


def _read(path: Path, step: Callable[[], None]) -> Cassette:
    loaded = load(path)
    step()
    return loaded
