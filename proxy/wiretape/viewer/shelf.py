"""Which cassettes the page may show, and under which names.

Knows directories and names; opens no cassette. No name leads out of the directory, or to
anything but the given cassettes where some were given.
"""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wiretape.cassette.library import (
    PART_SUFFIX,
    SUFFIX,
    find_cassettes,
    find_parts,
    is_inside,
    name_in,
)
from wiretape.cassette.partfile import is_held
from wiretape.errors import CassetteNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class State(enum.Enum):
    """What a cassette file is; an abandoned one was left by a recorder that died."""

    RECORDED = "recorded"
    RECORDING = "recording"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Shelved:
    """A cassette as the list has it.

    Attributes:
        name: its file relative to the directory, without `.yaml`; a `.part` keeps its suffix.
        path: its file.
        size: in bytes.
        modified_s: when it was last written to, in seconds since 1970.
        inode: tells a file from another of the same name.
    """

    name: str
    path: Path
    size: int
    modified_s: float
    inode: int
    state: State


class Shelf:
    """The cassettes of a directory, or the given ones alone.

    Args:
        directory: searched with its folders.
        given: cassette files to show instead of all that the directory has.
    """

    def __init__(self, directory: Path, given: Sequence[Path] = ()) -> None:
        self._directory = directory
        self._given = tuple(given)

    def cassettes(self) -> list[Shelved]:
        """What there is now, in name order."""
        if self._given:
            paths = [path if path.exists() else _finished(path) for path in self._given]
        else:
            paths = [*find_cassettes(self._directory), *find_parts(self._directory)]
        shelved = [self._shelved(path) for path in paths]
        return sorted((each for each in shelved if each), key=lambda each: each.name)

    def find(self, name: str) -> Shelved:
        """The cassette of this name; for a recording that has ended, what it became.

        Raises:
            CassetteNotFoundError: there is none.
        """
        for each in dict.fromkeys((name, name.removesuffix(PART_SUFFIX))):
            path = self._path(each)
            found = path and self._shelved(path)
            if found:
                return found
        raise CassetteNotFoundError(name)

    def _path(self, name: str) -> Path | None:
        """Where a cassette of this name would be; None if none may have it."""
        if self._given:
            paths = (path if path.exists() else _finished(path) for path in self._given)
            return next((path for path in paths if self.name_of(path) == name), None)
        folders = name.split("/")
        if "\0" in name or any(not each or each.startswith(".") for each in folders):
            return None
        file = name if name.endswith(PART_SUFFIX) else name + SUFFIX
        path = self._directory / file
        return path if is_inside(path, self._directory) else None

    def name_of(self, path: Path) -> str:
        """The name of a cassette file, whether it is there or not."""
        try:
            return name_in(self._directory, path)
        except ValueError:  # it was given, from elsewhere
            return path.as_posix().removesuffix(SUFFIX)

    def _shelved(self, path: Path) -> Shelved | None:
        try:
            info = os.stat(path)  # noqa: PTH116  a Path's own costs twice as much, for thousands
        except OSError:
            return None
        state = State.RECORDED
        if path.name.endswith(PART_SUFFIX):
            state = State.RECORDING if is_held(path) else State.ABANDONED
        return Shelved(self.name_of(path), path, info.st_size, info.st_mtime, info.st_ino, state)


def _finished(path: Path) -> Path:
    """What a recording becomes when it ends."""
    return path.with_name(path.name.removesuffix(".part"))
