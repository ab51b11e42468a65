"""The command that hands cassettes to other tools: export."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from wiretape import __version__
from wiretape.analysis.har import har
from wiretape.analysis.tables import (
    CHUNK_COLUMNS,
    INTERACTION_COLUMNS,
    chunk_rows,
    event_rows,
    interaction_rows,
)
from wiretape.cassette.loader import load
from wiretape.cli import options as shared
from wiretape.cli.arguments import cassette_files
from wiretape.cli.logs import say
from wiretape.cli.options import Configured
from wiretape.cli.parquet import available, tables
from wiretape.cli.progress import tracked
from wiretape.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wiretape.core.model import Cassette

FORMATS = ("har", "jsonl", "parquet")
_STANDARD_OUTPUT = "-"


@click.command(cls=Configured)
@click.argument("cassettes", nargs=-1, required=True, metavar="CASSETTE...")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    required=True,
    help="har: HTTP Archive 1.2. jsonl: one event a line. parquet: tables of chunks and of"
    " interactions, in two files (needs wiretape[parquet]).",
)
@click.option(
    "-o",
    "--output",
    default=_STANDARD_OUTPUT,
    metavar="FILE",
    help="Where to; - is standard output. parquet makes FILE.chunks.parquet and"
    " FILE.interactions.parquet.",
)
@shared.directory
@shared.log_level
def export(cassettes: tuple[str, ...], form: str, output: str, directory: Path) -> None:
    """Hand cassettes to other tools: browsers, jq, DuckDB.

    A CASSETTE may be a directory.
    """
    files = cassette_files(cassettes, directory)
    outputs = _outputs(form, output)
    _check_apart(files, outputs)
    with tracked("exporting", len(files)) as step:

        def loaded() -> Iterator[Cassette]:
            for path in files:
                # Cassettes of one name in several directories must not be taken for one.
                yield replace(load(path), name=path.with_suffix("").as_posix())
                step()

        if form == "parquet":
            _parquet(loaded(), outputs)
        else:
            with _writing(outputs) as file:
                (_har if form == "har" else _jsonl)(loaded(), file)


def _outputs(form: str, output: str) -> list[Path]:
    """The files to be written; none for standard output.

    Raises:
        UsageError: standard output cannot take the format.
    """
    if not output:
        raise UsageError("--output is empty: name a file, or leave it out")
    if form != "parquet":
        return [] if output == _STANDARD_OUTPUT else [Path(output)]
    if output == _STANDARD_OUTPUT:
        raise UsageError("--format parquet makes two files: give them a name with --output")
    stem = output.removesuffix(".parquet")
    return [Path(f"{stem}.{name}.parquet") for name in ("chunks", "interactions")]


def _check_apart(files: list[Path], outputs: list[Path]) -> None:
    """Refuse to write over what is to be read, by whatever name or link.

    Raises:
        UsageError: an output is one of the files.
    """
    for output in outputs:
        if output.exists() and any(map(output.samefile, files)):
            text = f"{output} is one of the cassettes to be exported; write to another file"
            raise UsageError(text)


def _har(cassettes: Iterator[Cassette], file: IO[bytes]) -> None:
    _dump(har(cassettes, __version__), file, indent=1)


def _jsonl(cassettes: Iterator[Cassette], file: IO[bytes]) -> None:
    for cassette in cassettes:
        for row in event_rows(cassette):
            _dump(row, file)


def _dump(value: Any, file: IO[bytes], indent: int | None = None) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    file.write(text.encode("utf-8", "backslashreplace") + b"\n")


def _parquet(cassettes: Iterator[Cassette], finals: list[Path]) -> None:
    available()
    with contextlib.ExitStack() as stack:
        parts = [stack.enter_context(_replacing(final)) for final in finals]
        columns = (CHUNK_COLUMNS, INTERACTION_COLUMNS)
        with tables(dict(zip(parts, columns, strict=True))) as (chunks, interactions):
            for cassette in cassettes:
                chunks.add(chunk_rows(cassette))
                interactions.add(interaction_rows(cassette))
    for final in finals:
        say(f"wrote {final}", written=str(final))


@contextlib.contextmanager
def _writing(outputs: list[Path]) -> Iterator[IO[bytes]]:
    if not outputs:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = outputs[0]
    if path.exists() and not path.is_file():  # a device or a pipe, which nothing must replace
        with _telling(path), path.open("wb") as file:
            yield file
        return
    with _replacing(path) as part, part.open("wb") as file:
        yield file


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place, or that of what it leads to, once it is whole.

    Raises:
        UsageError: nothing can be written there.
    """
    path = Path(os.path.realpath(path))
    with _telling(path):
        if path.exists() and not path.is_file():
            raise UsageError(f"cannot write {path}: not a regular file")
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(descriptor)
    part = Path(name)
    try:
        with _telling(path):
            yield part
            part.chmod(0o666 & ~_umask())
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Turn what writing fails with into one line."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
