"""The command that asks a live upstream again: rerun."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from wiretape.cassette.loader import load
from wiretape.cli import options as shared
from wiretape.cli.arguments import cassette_file
from wiretape.cli.logs import say
from wiretape.cli.options import Configured, Parsed
from wiretape.cli.progress import tracked
from wiretape.cli.reading import print_json, print_rich
from wiretape.cli.serving import settings_for
from wiretape.core.addresses import redact_user_info
from wiretape.core.model import Mode
from wiretape.core.variation import Assignment
from wiretape.errors import UsageError, WiretapeError
from wiretape.server.retaking import Takes, questions, retake, to_be_asked, unset_keys

if TYPE_CHECKING:
    from pathlib import Path

    from wiretape.core.model import Cassette
    from wiretape.server.settings import Settings


@click.command(
    cls=Configured, short_help="Ask a live upstream a cassette's questions again and compare."
)
@click.argument("cassette")
@click.option(
    "-n",
    "--takes",
    "count",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How many takes there are to be; those that are there count.",
)
@click.option(
    "--set",
    "assignments",
    type=Parsed("NAME=VALUE", Assignment.parse),
    multiple=True,
    help="Set a member of each request's body, such as temperature=0.7. Repeatable.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many takes are made at once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@shared.upstream_asked
@shared.directory
@shared.secrets
@shared.log_level
def rerun(
    cassette: str,
    directory: Path,
    count: int,
    assignments: tuple[Assignment, ...],
    concurrency: int,
    *,
    as_json: bool,
    **given: Any,
) -> None:
    """Ask a live upstream a cassette's questions again, and compare what it does.

    Each take becomes NAME.rerun-1.yaml and so on beside the cassette; takes that are there already
    are kept and counted, so that it goes on where it was stopped. It asks the cassette's own
    upstream unless told otherwise, with the key from OPENAI_API_KEY or ANTHROPIC_API_KEY where the
    recorded one was redacted; where none is set, it says so and asks without. A replay of the whole
    directory leaves takes out.
    """
    from wiretape.analysis.reruns import reruns  # noqa: PLC0415  not for --help
    from wiretape.analysis.reruns_text import reruns_text  # noqa: PLC0415  as above

    path = cassette_file(cassette, directory)
    recorded = questions(load(path))
    asked = to_be_asked(recorded, assignments, os.environ)
    settings = settings_for(Mode.RECORD, {"directory": path.parent, **given})
    if given.get("upstream") is None:
        settings = replace(settings, upstream=recorded.upstream)
    shown = redact_user_info(settings.upstream)
    upstream = settings.redactor().secrets.redact_text(shown)  # as takes have it
    takes = Takes.of(path, assignments)
    files = [takes.file(number) for number in range(1, count + 1)]
    missing = [number for number, file in enumerate(files, 1) if not file.exists()]
    for file in files:
        if file.exists():
            _loaded(file, upstream)
    if missing:
        if unset := unset_keys(recorded, os.environ):
            say(f"asking without the key that was redacted: none is set in {', '.join(unset)}")
        _make(asked, takes, missing, settings, count=count, concurrency=concurrency)
    compared = reruns(recorded, (_loaded(file, upstream) for file in files))
    if as_json:
        print_json({**compared.to_json(), "files": [str(file) for file in files]})
    else:
        print_rich(reruns_text(compared))


def _loaded(file: Path, upstream: str) -> Cassette:
    take = load(file)
    if take.upstream != upstream:
        raise UsageError(
            f"{file} is a take from {take.upstream}, not from {upstream}; move it away first"
        )
    return take


def _make(
    asked: Cassette,
    takes: Takes,
    missing: list[int],
    settings: Settings,
    *,
    count: int,
    concurrency: int,
) -> None:
    there = count - len(missing)
    made = 0

    def done() -> None:
        nonlocal made
        made += 1
        step()

    async def making() -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a coroutine runs in one
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await retake(asked, takes, missing, settings, concurrency=concurrency, done=done)

    try:
        with tracked("asking", count, done=there, patience_s=0) as step:
            asyncio.run(making())
    except (KeyboardInterrupt, asyncio.CancelledError, WiretapeError) as stopped:
        if there + made:
            say(f"{there + made} of {count} takes are there; the same command goes on from here")
        if isinstance(stopped, asyncio.CancelledError):
            raise KeyboardInterrupt from None
        raise
