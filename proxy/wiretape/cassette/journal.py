"""The write-ahead journal of a recording: `NAME.yaml.part`, until it takes the cassette's place.

Knows how not to lose what was written; the entries come to it as text.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from wiretape.cassette.continuation import continuation, indented
from wiretape.cassette.holding import fill, hold, let_go, part_path_of, why
from wiretape.cassette.library import PART_SUFFIX
from wiretape.cassette.loader import cassette_of, read_bytes, read_whole
from wiretape.cassette.partfile import (
    leads_to,
    mode_of,
    numbered,
    place_of,
    read_all,
    sync_directory,
    version_of,
    write_all,
    write_new,
)
from wiretape.cassette.recover import recover_command
from wiretape.cassette.writer import header_text
from wiretape.errors import JournalError

if TYPE_CHECKING:
    from datetime import datetime

    from wiretape.core.model import Cassette


class Journal:
    """A recording that is being written. Make one with `create` or `append_to`.

    The operating system has each entry before `write` returns, so that a killed recorder loses
    none; only `close` waits for the disk.

    Attributes:
        path: the cassette that it will be.
        part_path: the file that it is until then.
        bytes_written: the size of the file: what it began with and every whole entry since.
    """

    def __init__(
        self,
        path: Path,
        descriptor: int,
        size: int,
        *,
        indent: str = "",
        continued: tuple[int, int, int] | None = None,
    ) -> None:
        self.path = path
        self.part_path = part_path_of(path)
        self._descriptor = descriptor
        self._file = os.fstat(descriptor)
        self._place = self._led_to(path)
        self.bytes_written = self._base_size = size
        self._indent = indent
        self._continued = continued
        self._failure = ""
        self._closed = False
        self._published: Path | None = None

    @classmethod
    def create(cls, final_path: Path, recorded: datetime, upstream: str) -> Journal:
        """Begin a new cassette; one of this name stays as it is until `close`.

        What a crash left under this name is recovered first, and logged.

        Raises:
            CassetteBusyError: another session records under this name.
            JournalError: the file cannot be made.
        """
        base = header_text(recorded, upstream).encode()
        descriptor = hold(final_path)
        fill(descriptor, base, final_path)
        return cls(final_path, descriptor, len(base))

    @classmethod
    def append_to(cls, final_path: Path) -> tuple[Journal, Cassette]:
        """Go on with a cassette.

        The journal starts as a copy: the text as it stands, with its comments, where entries
        can follow it; otherwise the same cassette written anew.

        Raises:
            CassetteBusyError: another session records under this name.
            CassetteError: the cassette cannot be read, or is missing.
            JournalError: the file cannot be made.
        """
        descriptor = hold(final_path)
        try:
            # Taken first, so that a change while it is read counts as one too.
            continued = version_of(final_path) if final_path.exists() else None
            content = read_bytes(final_path)
            document = read_whole(content, final_path)
            cassette = cassette_of(document, final_path)
            base, indent = continuation(content, document, cassette)
        except BaseException:
            let_go(descriptor, final_path)
            raise
        fill(descriptor, base, final_path)
        return cls(final_path, descriptor, len(base), indent=indent, continued=continued), cassette

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
        content = self._indented(text)
        try:
            written = os.write(self._descriptor, content)
            if written != len(content):
                write_all(self._descriptor, content[written:])
        except OSError as error:
            # What is torn off here would be torn off by `recover` too, if this failed as well.
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.bytes_written)
            raise self._failed(
                f"the recording stopped: {why(error)}; what was recorded before is kept:"
                f" `{recover_command(self.part_path)}` makes it a cassette",
            ) from error
        self.bytes_written += len(content)

    def size_of(self, text: str) -> int:
        """How many bytes some entries take, as they are written here."""
        return len(self._indented(text))

    def rewrite(self, position: int, old: str, new: str) -> None:
        """Write an entry again, where it stands.

        Args:
            position: what `bytes_written` was before it was written, and `size_of` what was
                written before it with the same `write`.
            old: as it was written.
            new: what is to stand there; no longer than the old one.

        Raises:
            JournalError: it cannot be done, now or since earlier; the old entry may still be there.
        """
        if self._failure or self._closed:
            raise JournalError(self.path, self._failure or "the recording is closed")
        content = self._indented(new)
        room = len(self._indented(old)) - len(content)
        if room < 0:
            raise self._failed("the recording stopped: a secret in it could not be redacted")
        content = content[:-1] + b" " * room + b"\n"
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        try:
            # Linux appends whatever the position, where a file was opened for appending.
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags & ~os.O_APPEND)
            os.pwrite(self._descriptor, content, position)
        except OSError as error:
            raise self._failed(f"the recording stopped: {why(error)}") from error
        finally:
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags)

    def _indented(self, text: str) -> bytes:
        return (indented(text, self._indent) if self._indent else text).encode()

    def _check_place(self) -> None:
        """Fail if the file is no longer where `close` and `recover` look for it.

        Raises:
            JournalError: it is not.
        """
        if leads_to(self.part_path, self._file):
            return
        if os.fstat(self._descriptor).st_nlink:
            place = place_of(self._descriptor)
            raise self._failed(f"the recording was moved away while it ran; it is now {place}")
        try:
            saved = self._save_again()
        except OSError as error:
            raise self._failed(
                f"the recording was removed while it ran, and cannot be saved again: {why(error)}",
            ) from error
        raise self._failed(
            "the recording was removed while it ran; what was recorded was saved again:"
            f" `{recover_command(saved)}` makes it a cassette",
        )

    def _save_again(self) -> Path:
        """Give the removed file, which is still open, a name again."""
        self.part_path.parent.mkdir(parents=True, exist_ok=True)
        content = read_all(self._descriptor)
        for place in numbered(self.part_path, PART_SUFFIX):
            with suppress(FileExistsError):
                write_new(place, content, stat.S_IMODE(self._file.st_mode))
                break
        return place

    def _led_to(self, path: Path) -> Path:
        """Where a link to a cassette leads; one to nowhere, or to another disk, gives way itself.

        Once, as who chose the name has seen that it does not lead out of the directory.
        """
        if path.is_symlink() and path.exists() and path.stat().st_dev == self._file.st_dev:
            return Path(os.path.realpath(path))
        return path

    def _failed(self, failure: str) -> JournalError:
        self._failure = failure
        return JournalError(self.path, failure)

    def close(self) -> Path | None:
        """Put the recording in the cassette's place, atomically; return the cassette's path.

        A link to the cassette stays one, and the cassette's permissions stay as they are.
        None where nothing was recorded: then the cassette stays as it was, or missing. Further
        calls change nothing and return the same, or None after a failure.

        Raises:
            JournalError: the recording failed, now or earlier; it tells where the `.part` is.
                The cassette stays as it was.
        """
        if self._closed:
            return self._published
        if not self._failure and self.bytes_written == self._base_size:
            self._closed = True
            let_go(self._descriptor, self.path)
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

    def discard(self) -> None:
        """Give the recording up; the cassette stays as it was, or missing."""
        if not self._closed:
            self._closed = True
            let_go(self._descriptor, self.path)

    def _check_continued(self) -> None:
        """Fail if somebody changed the cassette since it was copied, rather than undo that."""
        if self._continued is None:
            return
        try:
            if version_of(self.path) == self._continued:
                return
            how = "was changed while it was being continued"
        except FileNotFoundError:
            return
        except OSError as error:
            how = f"can no longer be read ({why(error)})"
        raise self._failed(
            f"the cassette {how}, so it was left as it is; the recording is kept:"
            f" `{recover_command(self.part_path)}` makes it a cassette of its own",
        )

    def _publish(self) -> None:
        try:
            mode = mode_of(self._place)
            if mode not in {None, stat.S_IMODE(self._file.st_mode)}:
                os.fchmod(self._descriptor, mode)
            os.fsync(self._descriptor)
            self.part_path.replace(self._place)
        except OSError as error:
            raise self._failed(
                f"the recording cannot take its place: {why(error)}; it is kept:"
                f" `{recover_command(self.part_path)}` makes it a cassette",
            ) from error
        sync_directory(self._place.parent)
