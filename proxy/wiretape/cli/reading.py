"""The commands that read cassettes: show and check."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wiretape.analysis.printable import counted, printable
from wiretape.cassette.cleaning import Leak, clean, leaks_in_text
from wiretape.cassette.library import PART_SUFFIX, SUFFIX, find_abandoned
from wiretape.cassette.loader import load, loads, read_bytes
from wiretape.cassette.partfile import is_held
from wiretape.cassette.recover import recover_command
from wiretape.cli import EXIT_FAILED
from wiretape.cli import options as shared
from wiretape.cli.arguments import cassette_file, found_or_missing
from wiretape.cli.options import Configured
from wiretape.core.model import Chunk
from wiretape.errors import (
    CassetteError,
    CorruptCassetteError,
    UsageError,
)

if TYPE_CHECKING:
    from wiretape.cassette.redaction import Redactor
    from wiretape.core.model import Cassette

_WIDTH_WHEN_PIPED = 100
_UNFINISHED = re.compile(r"interaction (\d+) has no end")


@click.command(cls=Configured)
@click.argument("cassette")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.option("--raw", is_flag=True, help="Print every chunk as it came, with its time.")
@shared.directory
@shared.log_level
def show(cassette: str, directory: Path, *, as_json: bool, raw: bool) -> None:
    """Show what was said, what was called and how it ended."""
    from wiretape.analysis.show_json import show_json  # noqa: PLC0415  not for --help
    from wiretape.analysis.show_text import show_text  # noqa: PLC0415  as above

    path = cassette_file(cassette, directory)
    loaded = load(path)
    for warning in loaded.warnings:
        click.echo(f"wiretape: warning: {path}: {printable(warning)}", err=True)
    if as_json:
        print_json(show_json(loaded))
    else:
        print_rich(show_text(loaded, raw=raw))


@click.command(
    cls=Configured, short_help="Check format, torn endings and secrets; exit 1 if it is wrong."
)
@click.argument("cassettes", nargs=-1, metavar="[CASSETTE]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@shared.directory
@shared.secrets
@shared.log_level
def check(cassettes: tuple[str, ...], directory: Path, *, as_json: bool, **given: Any) -> int:
    """Check cassettes for their format, torn endings and secrets; exit 1 if something is wrong.

    A CASSETTE may be a directory; without one it checks all in --dir. In a directory it
    also finds, and checks, recordings that a crash left.
    """
    redactor = shared.redactor_of(given)
    results, missing = [], []
    asked: list[tuple[str, ...]] = [(each,) for each in cassettes]
    for each in asked or [()]:
        files, absent = found_or_missing(each, directory)
        left = _left_in(Path(*each) if each else directory)
        missing += [] if left else absent
        results += [_checked(file, redactor) for file in (*files, *left)]
    wrong = any(result["problems"] for result in results)
    if as_json:
        told = [{"path": str(error.path), "text": error.reason} for error in missing]
        print_json({"ok": not wrong and not missing, "cassettes": results, "missing": told})
    else:
        for result in results:
            for problem in result["problems"]:
                click.echo(f"{result['path']}: {printable(problem['text'])}")
            if not result["problems"]:
                interactions = counted(result["interactions"], "interaction")
                chunks = counted(result["chunks"], "chunk")
                click.echo(f"{result['path']}: ok, {interactions}, {chunks}")
    if missing:  # which keeps nobody from reading what is wrong with the others
        raise UsageError("; ".join(map(str, missing)))
    return EXIT_FAILED if wrong else 0


def _left_in(place: Path) -> list[Path]:
    """What recorders that died left in a directory; nothing where it is none."""
    return find_abandoned(place) if place.is_dir() and place.suffix != SUFFIX else []


def _left(path: Path) -> list[dict[str, Any]]:
    """What is to be said of a recording that nobody goes on with."""
    if not path.name.endswith(PART_SUFFIX) or is_held(path):
        return []
    text = f"left by a recording that did not end; finish it with: {recover_command(path)}"
    return [{"kind": "torn", "interaction": None, "text": text}]


def _checked(path: Path, redactor: Redactor) -> dict[str, Any]:
    try:
        content = read_bytes(path)
        cassette = loads(content, path)
    except CassetteError as error:
        where = (
            {"line": error.line, "entry": error.entry}
            if isinstance(error, CorruptCassetteError)
            else {}
        )
        text = str(error).removeprefix(f"{path}: ")
        problem = {"kind": "format", "text": text, **where}
        return {"path": str(path), "interactions": 0, "chunks": 0, "problems": [problem]}
    return {
        "path": str(path),
        "interactions": len(cassette.interactions()),
        "chunks": sum(isinstance(entry, Chunk) for entry in cassette.entries),
        "problems": [
            *_left(path),
            *_problems(cassette),
            *_secrets(cassette, content, redactor),
        ],
    }


def _problems(cassette: Cassette) -> list[dict[str, Any]]:
    problems: list[dict[str, Any]] = []
    for warning in cassette.warnings:
        unfinished = _UNFINISHED.fullmatch(warning)
        if unfinished:
            number, text = int(unfinished[1]), f"{warning}: its recording was cut off"
            problems.append({"kind": "torn", "interaction": number, "text": text})
        else:
            problems.append({"kind": "format", "text": warning})
    return problems


def _secrets(cassette: Cassette, content: bytes, redactor: Redactor) -> list[dict[str, Any]]:
    problems: list[dict[str, Any]] = [
        {
            "kind": "secret",
            "interaction": leak.interaction,
            "place": leak.place,
            "secrets": list(leak.kinds),
            "text": str(leak),
        }
        for leak in _leaks(cassette, redactor)
    ]
    return problems or [
        {
            "kind": "secret",
            "line": line,
            "secrets": [kind],
            "text": f"line {line}: a secret ({kind}); wiretape redact takes it out",
        }
        for line, kind in leaks_in_text(content, redactor)
    ]


def _leaks(cassette: Cassette, redactor: Redactor) -> list[Leak]:
    """What `redact` would take out, and what shows only in the answers as they read."""
    from wiretape.analysis.show_json import show_json  # noqa: PLC0415  not for --help

    cleaned, leaks = clean(cassette, redactor)
    told = {leak.interaction for leak in leaks if not leak.cleanable}
    found = list(leaks)
    for interaction in show_json(cleaned)["interactions"]:
        number = interaction["id"]
        text = json.dumps(interaction["response"], ensure_ascii=False, default=str)
        secrets = redactor.secrets.find(text.encode("utf-8", "replace"))
        if secrets and number not in told:
            kinds = tuple(sorted({each.kind for each in secrets}))
            found.append(Leak(kinds, number, "answer as it reads", cleanable=False))
    return found


def print_json(document: Any) -> None:
    """Print JSON on standard output, as UTF-8 whatever the terminal speaks."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()


def print_rich(renderable: Any) -> None:
    """Print something that rich renders, plainly where standard output is no terminal."""
    from rich.console import Console  # noqa: PLC0415  not for --json

    console = Console(markup=False, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = _WIDTH_WHEN_PIPED
    console.print(renderable)
