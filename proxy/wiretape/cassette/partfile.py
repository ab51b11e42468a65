"""The `.part` file of a recording: its lock, its identity, its bytes, its way to a final name.

Knows the operating system's promises (flock, rename, link, fsync); nothing of what is inside.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from wiretape.errors import CassetteBusyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLOCK = 1 << 20
_NEW = 0o666
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_TRIES = 10
_PAUSE_S = 0.002
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def open_locked(part: Path, *, create: bool, mode: int | None = None) -> int:
    """Open a `.part` for appending and hold it until the descriptor is closed.

    Args:
        part: the file.
        create: make it, if it is not there.
        mode: what its permissions are to be at most; None for the usual ones.

    Raises:
        CassetteBusyError: somebody else holds it.
        OSError: it cannot be opened, or is no regular file.
    """
    for tries_left in range(_TRIES, -1, -1):
        flags = _FLAGS | (os.O_CREAT if create else 0)
        descriptor = os.open(part, flags, _NEW if mode is None else mode)
        kept = False
        try:
            _check_regular(descriptor, part)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may just have renamed or removed it.
            if is_at(descriptor, part):
                # Some file systems show all files as executable, and let nobody change that.
                if mode is not None and os.fstat(descriptor).st_mode & _NEW & ~mode:
                    os.fchmod(descriptor, mode)
                kept = True
                return descriptor
        except BlockingIOError:
            # Whoever looks for abandoned files holds one too, and not for long.
            if not tries_left:
                break
            time.sleep(_PAUSE_S)
        finally:
            if not kept:
                os.close(descriptor)
    raise CassetteBusyError(part)


def _check_regular(descriptor: int, path: Path) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))


def is_held(part: Path) -> bool:
    """Whether a recorder holds the `.part` now; also true where nothing is left to be found."""
    try:
        descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return not is_at(descriptor, part)
    finally:
        os.close(descriptor)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the path leads to this very file."""
    return leads_to(path, os.fstat(descriptor))


def leads_to(path: Path, file: os.stat_result) -> bool:
    """Whether the path leads to this very file."""
    try:
        return os.path.samestat(file, os.lstat(path))
    except OSError:
        return False


def version_of(path: Path) -> tuple[int, int, int]:
    """What is another after each change of a file: its inode, size and time of change (ns).

    Raises:
        OSError: it is not there, or cannot be reached.
    """
    file = path.stat()
    return file.st_ino, file.st_size, file.st_mtime_ns


def mode_of(path: Path) -> int | None:
    """The permissions of a file, links followed; None if it is not there.

    Raises:
        OSError: it cannot be reached.
    """
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None


def place_of(descriptor: int) -> str:
    """Where the file is now, as far as the system tells."""
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except OSError:
        return "a place unknown"


def write_all(descriptor: int, content: bytes) -> None:
    """Write everything, however many writes it takes.

    Raises:
        OSError: not everything could be written.
    """
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def read_all(descriptor: int) -> bytes:
    """The whole file's content.

    Raises:
        OSError: it cannot be read.
    """
    blocks = []
    offset = 0
    while block := os.pread(descriptor, _BLOCK, offset):
        blocks.append(block)
        offset += len(block)
    return b"".join(blocks)


def write_new(path: Path, content: bytes, mode: int = _NEW) -> None:
    """Make a file that does not exist yet, and wait for the disk.

    Args:
        path: the file.
        content: all that is to be in it.
        mode: its permissions, as far as the process grants them to new files.

    Raises:
        FileExistsError: it exists.
        OSError: it cannot be made.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(path, flags, mode)
    try:
        write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Make names in the directory survive a power cut, where the file system can."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def move_to_first_free(path: Path, targets: Iterable[Path]) -> Path:
    """Rename a file to the first of the targets that does not exist, never over another file.

    Raises:
        OSError: it cannot be renamed.
    """
    for target in targets:
        try:
            os.link(path, target, follow_symlinks=False)
        except FileExistsError:
            continue
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if not _reserve(target):
                continue
            path.replace(target)
            return target
        path.unlink()
        return target
    raise FileExistsError(errno.EEXIST, "no free name", str(path))


def numbered(path: Path, suffix: str) -> Iterator[Path]:
    """The path, then the same with `-2`, `-3` and so on before its suffix, without end."""
    yield path
    stem = path.name.removesuffix(suffix)
    for number in count(2):
        yield path.with_name(f"{stem}-{number}{suffix}")


def _reserve(target: Path) -> bool:
    """Make an empty file, so that nobody else takes the name; False if it is taken."""
    try:
        write_new(target, b"")
    except FileExistsError:
        return False
    return True
