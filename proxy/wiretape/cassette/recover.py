"""What a crash left in a `.part`, made a cassette: the torn ending mended, the file renamed.

Knows what may be thrown away (nothing but a torn last entry) and what must not be overwritten.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wiretape.cassette.library import PART_SUFFIX, SUFFIX, timestamp_name
from wiretape.cassette.loader import read_torn
from wiretape.cassette.partfile import (
    move_to_first_free,
    numbered,
    open_locked,
    read_all,
    sync_directory,
)
from wiretape.cassette.torn import begins_head, has_head
from wiretape.errors import CassetteError, CassetteNotFoundError, CorruptCassetteError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of an abandoned `.part`.

    Attributes:
        path: the cassette; None if there was nothing to keep and the `.part` was removed.
        warnings: what was repaired or is odd, one line each.
        entries: how many entries the cassette has.
        unfinished: the interactions that have no end.
    """

    path: Path | None
    warnings: tuple[str, ...]
    entries: int
    unfinished: tuple[int, ...]


def recover_command(place: Path) -> str:
    """What recovers a `.part`, or all of them in a directory, ready to paste."""
    return shlex.join(["wiretape", "recover", str(place)])


def recover(part: Path) -> Recovered:
    """Make an abandoned `NAME.yaml.part` the cassette `NAME.TIMESTAMP.yaml`.

    TIMESTAMP is the time it was recorded; where that name is taken, `-2` and so on follows it.

    Raises:
        CassetteNotFoundError: no file is there.
        CassetteBusyError: it is being recorded.
        CorruptCassetteError: more than its last entry is wrong; the file stays as it is.
        CassetteError: it is no `.part`, or cannot be read or renamed.
    """
    if not part.name.endswith(PART_SUFFIX):
        raise CassetteError(part, f"not a recording in progress (its name ends in {PART_SUFFIX})")
    try:
        descriptor = open_locked(part, create=False)
        try:
            return recover_held(descriptor, part)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise CassetteNotFoundError(part) from None
    except OSError as error:
        raise CassetteError(part, f"cannot be recovered: {error.strerror or error}") from error


def recover_held(descriptor: int, part: Path) -> Recovered:
    """`recover` for a `.part` whose lock is held through the descriptor.

    Raises:
        OSError: it cannot be read or renamed.
        CassetteError: as in `recover`.
    """
    content = read_all(descriptor)
    if not has_head(content):
        if b"\n- " in content or content.startswith(b"- "):
            raise CorruptCassetteError(part, "it has entries and no head; it was left as it is")
        if not begins_head(content):
            raise CorruptCassetteError(part, "it is no recording; it was left as it is")
        part.unlink()
        warning = f"the recording died before its first entry ({len(content)} bytes were removed)"
        return Recovered(None, (warning,), 0, ())
    mended = read_torn(content, part)
    timeline = mended.document.timeline
    if not timeline.entries:
        part.unlink()
        return Recovered(None, (*mended.warnings, "nothing was recorded"), 0, ())
    if mended.length < len(content):
        os.ftruncate(descriptor, mended.length)
    os.fsync(descriptor)
    stem = part.name.removesuffix(PART_SUFFIX)
    stem = f"{stem}.{timestamp_name(mended.document.head.recorded)}"
    path = move_to_first_free(part, numbered(part.with_name(stem + SUFFIX), SUFFIX))
    sync_directory(part.parent)
    warnings = (*mended.warnings, *timeline.warnings())
    return Recovered(path, warnings, len(timeline.entries), timeline.unfinished())
