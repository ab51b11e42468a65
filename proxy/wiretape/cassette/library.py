"""Cassettes in a directory: names, where they lead, what is there, what a crash left.

Knows names and directories; opens no cassette.
"""

from __future__ import annotations

import os
import unicodedata
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from wiretape.cassette.partfile import is_held
from wiretape.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

SUFFIX = ".yaml"
PART_SUFFIX = ".yaml.part"

# A file name has 255 bytes; the time, a number and `.yaml.part` must still fit.
_LONGEST_SEGMENT = 200
_FORBIDDEN = {"\\": "a backslash", "~": "`~` (it separates a session's label)"}
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def cassette_path(directory: Path, name: str) -> Path:
    """The file of the cassette NAME: `NAME.yaml` in the directory; `/` leads into folders.

    Raises:
        UsageError: no cassette can have the name, or it leads out of the directory.
    """
    stem = name.removesuffix(SUFFIX)
    _check_name(name, stem)
    path = directory / (stem + SUFFIX)
    try:
        inside = path.resolve().is_relative_to(directory.resolve())
    except (OSError, RuntimeError) as error:
        raise UsageError(f"the cassette name {name!r} leads nowhere: {error}") from error
    if not inside:
        raise UsageError(f"the cassette name {name!r} leads out of {directory}")
    return path


def _check_name(name: str, stem: str) -> None:
    if not stem:
        raise UsageError("a cassette's name must not be empty")
    for character in stem:
        what = _FORBIDDEN.get(character)
        if what is None and unicodedata.category(character) in _FORBIDDEN_CATEGORIES:
            what = f"the character U+{ord(character):04X}"
        if what is not None:
            raise UsageError(f"the cassette name {name!r} must not hold {what}")
    if stem.startswith("/"):
        raise UsageError(f"the cassette name {name!r} must not be an absolute path")
    for segment in stem.split("/"):
        if segment.startswith(".") or not segment:
            raise UsageError(
                f"the cassette name {name!r} must not hold {segment or 'an empty part'!r}:"
                " no part of it may be empty or begin with a dot",
            )
        if len(segment.encode()) > _LONGEST_SEGMENT:
            raise UsageError(
                f"a part of the cassette name {name[:20]!r}… is over {_LONGEST_SEGMENT} bytes long",
            )


def timestamp_name(now: datetime) -> str:
    """The name of a cassette recorded at this time: `YYYY-MM-DDTHHMMSSZ`."""
    aware = now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)
    return aware.replace(tzinfo=None, microsecond=0).isoformat().replace(":", "") + "Z"


def expand_time(name: str, now: datetime) -> str:
    """The name with the time in place of `{time}`."""
    return name.replace("{time}", timestamp_name(now))


def find_cassettes(directory: Path) -> list[Path]:
    """Every cassette in the directory and below, in name order, hidden ones left out."""
    return sorted(
        _files(directory, SUFFIX),
        key=lambda path: path.relative_to(directory).as_posix().removesuffix(SUFFIX),
    )


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
