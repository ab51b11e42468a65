"""The write-ahead journal of a recording: `NAME.yaml.part`, until it takes the cassette's place.

Knows how not to lose what was written; the entries come to it as text.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from wiretape.cassette.continuation import continuation, indented
from wiretape.cassette.library import PART_SUFFIX, SUFFIX
from wiretape.cassette.loader import cassette_name, loads, read_bytes
from wiretape.cassette.partfile import (
    is_at,
    move_to_first_free,
    open_locked,
    place_of,
    read_all,
    sync_directory,
    write_all,
)
from wiretape.cassette.recover import numbered, recover_held
from wiretape.cassette.writer import header_text
from wiretape.core.model import Cassette
from wiretape.errors import (
    CassetteBusyError,
    CassetteError,
    CassetteNotFoundError,
    JournalError,
    UsageError,
)

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Self

_log = logging.getLogger(__name__)


class Journal:
    """A recording that is being written. Make one with `create` or `append_to`.

    The operating system has each entry before `write` returns, so that a killed recorder loses
    none; only `close` waits for the disk.

    Attributes:
        path: the cassette that it will be.
        part_path: the file that it is until then.
    """

    def __init__(self, path: Path, part_path: Path, descriptor: int) -> None:
        self.path = path
        self.part_path = part_path
        self._descriptor = descriptor
        self._indent = ""
        self._size = self._base_size = 0
        self._failure = ""
        self._closed = False
        self._published: Path | None = None
        self._continued: os.stat_result | None = None

    @classmethod
    def create(cls, final_path: Path, recorded: datetime, upstream: str) -> Journal:
        """Begin a new cassette; one of this name stays as it is until `close`.

        What a crash left under this name is recovered first, and logged.

        Raises:
            CassetteBusyError: another session records under this name.
            JournalError: the file cannot be made.
        """
        journal = cls._open(final_path)
        journal._start(header_text(recorded, upstream).encode())
        return journal

    @classmethod
    def append_to(
        cls,
        final_path: Path,
        recorded: datetime | None = None,
        upstream: str | None = None,
    ) -> tuple[Journal, Cassette]:
        """Go on with a cassette; where there is none, begin it with the time and upstream given.

        The journal starts as a copy: the text as it stands, with its comments, where entries
        can follow it; otherwise the same cassette written anew.

        Raises:
            CassetteBusyError: another session records under this name.
            CassetteError: the cassette cannot be read, or is missing and nothing is given.
            JournalError: the file cannot be made.
        """
        journal = cls._open(final_path)
        try:
            content = read_bytes(final_path)
            journal._continued = final_path.stat()
            cassette = loads(content, final_path)
            base, journal._indent = continuation(content, cassette)
        except BaseException as error:
            if not isinstance(error, CassetteNotFoundError) or recorded is None or upstream is None:
                journal._discard()
                raise
            cassette = Cassette(cassette_name(final_path), recorded, upstream, ())
            base = header_text(recorded, upstream).encode()
        journal._start(base)
        return journal, cassette

    @classmethod
    def _open(cls, final_path: Path) -> Journal:
        """Hold the name, with an empty file."""
        if not final_path.name.endswith(SUFFIX):
            raise UsageError(f"{final_path}: a cassette's file name ends in {SUFFIX}")
        part_path = final_path.with_name(final_path.name.removesuffix(SUFFIX) + PART_SUFFIX)
        try:
            final_path.parent.mkdir(parents=True, exist_ok=True)
            return cls(final_path, part_path, _open_fresh(part_path))
        except CassetteBusyError:
            raise CassetteBusyError(final_path) from None
        except OSError as error:
            raise JournalError(final_path, f"cannot be recorded: {_why(error)}") from error

    def _start(self, base: bytes) -> None:
        try:
            write_all(self._descriptor, base)
        except OSError as error:
            self._discard()
            raise JournalError(self.path, f"cannot be recorded: {_why(error)}") from error
        self._size = self._base_size = len(base)

    def _discard(self) -> None:
        """Let go of the name, leaving no file."""
        self._closed = True
        try:
            if is_at(self._descriptor, self.part_path):
                self.part_path.unlink()
        finally:
            os.close(self._descriptor)

    @property
    def bytes_written(self) -> int:
        """The size of the file: what it began with and every whole entry since."""
        return self._size

    def write(self, text: str) -> None:
        """Append one or more whole entries, as the writer gives them, in one go.

        Raises:
            JournalError: it cannot be done, now or since earlier. Nothing of the text is in the
                file, everything before it is, and nothing will follow.
        """
        if self._failure or self._closed:
            raise JournalError(self.path, self._failure or "the recording is closed")
        if text.startswith("- request"):
            self._check_place()
        content = (indented(text, self._indent) if self._indent else text).encode()
        try:
            written = os.write(self._descriptor, content)
            if written != len(content):
                write_all(self._descriptor, content[written:])
        except OSError as error:
            # What is torn off here would be torn off by `recover` too, if this failed as well.
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise self._failed(
                f"the recording stopped: {_why(error)}; what was recorded before is in"
                f" {self.part_path}: `wiretape recover` makes it a cassette",
            ) from error
        self._size += len(content)

    def _check_place(self) -> None:
        """Fail if the file is no longer where `close` and `recover` look for it.

        Raises:
            JournalError: it is not.
        """
        if is_at(self._descriptor, self.part_path):
            return
        if os.fstat(self._descriptor).st_nlink:
            place = place_of(self._descriptor)
            raise self._failed(f"the recording was moved away while it ran; it is now {place}")
        try:
            self._save_again()
        except OSError as error:
            raise self._failed(
                f"the recording was removed while it ran, and cannot be saved again: {_why(error)}",
            ) from error
        raise self._failed(
            "the recording was removed while it ran; what was recorded was saved again as"
            f" {self.part_path}: `wiretape recover` makes it a cassette",
        )

    def _save_again(self) -> None:
        """Give the removed file, which is still open, its name again."""
        content = read_all(self._descriptor)
        self.part_path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self.part_path, flags, 0o666)
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _failed(self, failure: str) -> JournalError:
        self._failure = failure
        return JournalError(self.path, failure)

    def close(self) -> Path | None:
        """Put the recording in the cassette's place, atomically; return the cassette's path.

        None where nothing was recorded: then the cassette stays as it was, or missing. Further
        calls change nothing and return the same, or None after a failure.

        Raises:
            JournalError: the recording failed, now or earlier; it tells where the `.part` is.
                The cassette stays as it was.
        """
        if self._closed:
            return self._published
        if not self._failure and self._size == self._base_size:
            self._discard()
            return None
        self._closed = True
        try:
            if self._failure:
                raise JournalError(self.path, self._failure)
            self._check_place()
            self._check_continued()
            self._publish()
        finally:
            os.close(self._descriptor)
        self._published = self.path
        return self.path

    def _check_continued(self) -> None:
        """Fail if somebody changed the cassette since it was copied, rather than undo that."""
        if self._continued is None:
            return
        with suppress(FileNotFoundError):
            now = self.path.stat()
            then = self._continued
            if (now.st_ino, now.st_size, now.st_mtime_ns) != (
                then.st_ino,
                then.st_size,
                then.st_mtime_ns,
            ):
                raise self._failed(
                    "the cassette was changed while it was being continued, so it was left as it"
                    f" is; the recording is in {self.part_path}: `wiretape recover` makes it a"
                    " cassette of its own",
                )

    def _publish(self) -> None:
        try:
            os.fsync(self._descriptor)
            self.part_path.replace(self.path)
        except OSError as error:
            raise self._failed(
                f"the recording cannot take its place: {_why(error)}; it is in {self.part_path}:"
                " `wiretape recover` makes it a cassette",
            ) from error
        sync_directory(self.path.parent)


def _open_fresh(part_path: Path) -> int:
    """Hold an empty `.part`; what a crash left there is recovered or, at worst, set aside."""
    while True:
        descriptor = open_locked(part_path, create=True)
        if not os.fstat(descriptor).st_size:
            return descriptor
        try:
            _set_aside(descriptor, part_path)
        finally:
            os.close(descriptor)


def _set_aside(descriptor: int, part_path: Path) -> None:
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


def _why(error: OSError) -> str:
    return error.strerror or str(error)
