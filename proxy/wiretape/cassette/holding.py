"""A name held for a recording: its `.part`, locked and empty, whatever a crash left there.

Knows how a recording begins and is given up; nothing of entries.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from wiretape.cassette.library import PART_SUFFIX, SUFFIX
from wiretape.cassette.partfile import (
    is_at,
    mode_of,
    move_to_first_free,
    numbered,
    open_locked,
    write_all,
)
from wiretape.cassette.recover import recover_held
from wiretape.errors import CassetteBusyError, CassetteError, JournalError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger(__name__)

# What of a cassette's permissions its `.part` has, and what it has in any case: who records it
# must be able to recover it.
_SHARED, _OWN = 0o666, 0o600


def part_path_of(final_path: Path) -> Path:
    """The `.part` of a cassette, beside it.

    Raises:
        UsageError: the cassette's file name does not end in `.yaml`.
    """
    if not final_path.name.endswith(SUFFIX):
        raise UsageError(f"{final_path}: a cassette's file name ends in {SUFFIX}")
    return final_path.with_name(final_path.name.removesuffix(SUFFIX) + PART_SUFFIX)


def hold(final_path: Path) -> int:
    """Hold a cassette's name with an empty `.part`, until the descriptor returned is closed.

    What a crash left there is recovered or, if that cannot be, set aside, and logged. Nobody else
    may read the `.part` who may not read the cassette that is there.

    Raises:
        CassetteBusyError: another session records under this name.
        JournalError: the file cannot be made.
    """
    part_path = part_path_of(final_path)
    try:
        final_path.parent.mkdir(parents=True, exist_ok=True)
        mode = mode_of(final_path)
        mode = None if mode is None else mode & _SHARED | _OWN
        while True:
            descriptor = open_locked(part_path, create=True, mode=mode)
            if not os.fstat(descriptor).st_size:
                return descriptor
            try:
                _clear(descriptor, part_path)
            finally:
                os.close(descriptor)
    except CassetteBusyError:
        raise CassetteBusyError(final_path) from None
    except OSError as error:
        raise JournalError(final_path, f"cannot be recorded: {why(error)}") from error


def fill(descriptor: int, base: bytes, final_path: Path) -> None:
    """Write what a journal starts with; if that fails, let go of the name.

    Raises:
        JournalError: it failed.
    """
    try:
        write_all(descriptor, base)
    except OSError as error:
        let_go(descriptor, final_path)
        raise JournalError(final_path, f"cannot be recorded: {why(error)}") from error


def let_go(descriptor: int, final_path: Path) -> None:
    """Let go of the name, leaving no `.part`."""
    part_path = part_path_of(final_path)
    try:
        with suppress(OSError):
            if is_at(descriptor, part_path):
                part_path.unlink()
    finally:
        os.close(descriptor)


def why(error: OSError) -> str:
    """What the system says, without the path."""
    return error.strerror or str(error)


def _clear(descriptor: int, part_path: Path) -> None:
    try:
        recovered = recover_held(descriptor, part_path)
    except CassetteError as error:
        stem = part_path.name.removesuffix(PART_SUFFIX)
        broken = numbered(part_path.with_name(f"{stem}.broken{PART_SUFFIX}"), PART_SUFFIX)
        kept = move_to_first_free(part_path, broken)
        _log.warning("an earlier recording did not end and is kept as %s: %s", kept, error)
        return
    if recovered.path is not None:
        _log.warning(
            "an earlier recording did not end and was recovered as %s (%d entries)%s",
            recovered.path,
            recovered.entries,
            "".join(f"; {warning}" for warning in recovered.warnings),
        )
