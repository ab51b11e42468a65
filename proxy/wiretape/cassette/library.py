"""Cassettes in a directory: names, where they lead, what is there, what a crash left.

Knows names and directories; opens no cassette.
"""

from __future__ import annotations

import errno
import os
import re
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from wiretape.cassette.partfile import is_held
from wiretape.core.routing import check_cassette_name
from wiretape.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

SUFFIX = ".yaml"
PART_SUFFIX = ".yaml.part"
_TAKE = re.compile(r"(.+)\.rerun-[0-9]+\.yaml")


def cassette_path(directory: Path, name: str) -> Path:
    """The file of the cassette NAME: `NAME.yaml` in the directory; `/` leads into folders.

    Raises:
        UsageError: no cassette can have the name, or it leads out of the directory.
    """
    path = directory / (check_cassette_name(name) + SUFFIX)
    try:
        path.stat()
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENAMETOOLONG}:
            raise UsageError(f"the cassette name {name!r} leads nowhere: {error}") from error
    if not is_inside(path, directory):
        raise UsageError(f"the cassette name {name!r} leads out of {directory}")
    return path


def name_in(directory: Path, path: Path) -> str:
    """The name that `cassette_path` gives a cassette's file in the directory for.

    Raises:
        ValueError: it is not in the directory.
    """
    return path.relative_to(directory).as_posix().removesuffix(SUFFIX)


def is_inside(path: Path, directory: Path) -> bool:
    """Whether the path is in the directory when all links are followed.

    Links that lead round in a circle are taken as they stand, and cannot be opened either.
    """
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))


def timestamp_name(now: datetime) -> str:
    """The name of a cassette recorded at this time: `YYYY-MM-DDTHHMMSSZ`."""
    aware = now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)
    return aware.replace(tzinfo=None, microsecond=0).isoformat().replace(":", "") + "Z"


def expand_time(name: str, now: datetime) -> str:
    """The name with the time in place of `{time}`."""
    return name.replace("{time}", timestamp_name(now))


def take_path(path: Path, label: str, number: int) -> Path:
    """Where a take of a cassette is, counted from 1; the label, if any, says what was varied."""
    stem = path.name.removesuffix(SUFFIX)
    return path.with_name(f"{stem}{label and '.'}{label}.rerun-{number}{SUFFIX}")


def find_cassettes(directory: Path) -> list[Path]:
    """Every cassette in the directory and below, in name order, hidden ones left out."""
    return sorted(
        _files(directory, SUFFIX),
        key=lambda path: name_in(directory, path),
    )


def find_recordings(directory: Path) -> list[Path]:
    """The same without the takes of other cassettes there, which were made to be compared."""
    paths = find_cassettes(directory)
    there = set(paths)
    return [path for path in paths if not any(each in there for each in _taken_from(path))]


def _taken_from(path: Path) -> Iterator[Path]:
    """The cassettes that a file may be a take of, going by its name."""
    take = _TAKE.fullmatch(path.name)
    stem = take[1] if take else ""
    while stem:
        yield path.with_name(stem + SUFFIX)
        stem = stem.rpartition(".")[0]  # what was varied may stand between


def find_abandoned(directory: Path) -> list[Path]:
    """Every `.part` in the directory and below that no recorder holds, in name order."""
    return [part for part in find_parts(directory) if not is_held(part)]


def find_parts(directory: Path) -> list[Path]:
    """Every `.part` in the directory and below, held or not, in name order."""
    return sorted(_files(directory, PART_SUFFIX))


def _files(directory: Path, suffix: str) -> Iterator[Path]:
    for folder, folders, files in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.endswith(suffix) and not name.startswith("."):
                yield Path(folder, name)
