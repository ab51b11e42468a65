"""Cassette files read and checked, with clear errors.

Knows files and what may be wrong with them as such; what they say is left to the modules called.
"""

from __future__ import annotations

import gc
import os
import re
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wiretape.cassette.document import Document, DocumentError, VersionError
from wiretape.cassette.fastload import read_text
from wiretape.cassette.library import PART_SUFFIX, SUFFIX
from wiretape.cassette.torn import Mended, mend
from wiretape.core.model import Cassette
from wiretape.errors import (
    CassetteError,
    CassetteNotFoundError,
    CorruptCassetteError,
    UnsupportedVersionError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK = 1 << 20
_GLANCE_BYTES = 1 << 16
_VERSION = re.compile(r"(?:#.*\n|\n)*wiretape:[ ]+([0-9]{1,9})[ ]*(?:#.*)?\n")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def load(path: Path, *, tolerate_torn: bool | None = None) -> Cassette:
    """Read a cassette.

    Args:
        path: the file.
        tolerate_torn: whether a torn ending is left out with a warning, as after a crash;
            None: only in a `.part`, where a recording may have died.

    Raises:
        CassetteNotFoundError: no file is there.
        CorruptCassetteError: it is no cassette, with the line and entry that are wrong.
        UnsupportedVersionError: it was written in another format version.
        CassetteError: it cannot be read.
        WiretapeError: PyYAML has no C loader.
    """
    return loads(read_bytes(path), path, tolerate_torn=tolerate_torn)


def loads(text: str | bytes, path: Path, *, tolerate_torn: bool | None = None) -> Cassette:
    """Read a cassette from its text; `path` is where it is from, for names and errors.

    Args:
        text: the file's content.
        path: the file.
        tolerate_torn: as in `load`.

    Raises:
        CassetteError: as in `load`.
    """
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if tolerate_torn is None:
        tolerate_torn = path.name.endswith(PART_SUFFIX)
    if tolerate_torn:
        mended = read_torn(content, path)
        return cassette_of(mended.document, path, mended.warnings)
    return cassette_of(read_whole(content, path), path)


def check_replaceable(path: Path) -> None:
    """Refuse to have a recording take the place of a file that is no cassette.

    Of nearly every cassette, damaged ones too, a glance at its beginning tells that it is one. It
    may as well be empty, or of another version.

    Raises:
        CassetteError: it is none, or cannot be read.
    """
    beginning = read_bytes(path, _GLANCE_BYTES)
    if not beginning.strip() or _VERSION.match(beginning.decode("utf-8-sig", "replace")):
        return
    try:
        load(path)  # somebody may have spelt it in another way
    except (UnsupportedVersionError, CorruptCassetteError) as error:
        if isinstance(error, UnsupportedVersionError) and type(error.version) is int:
            return
        text = f"{error.reason}; a recording does not take its place: choose another name"
        raise CorruptCassetteError(path, text) from error


def cassette_of(document: Document, path: Path, warnings: tuple[str, ...] = ()) -> Cassette:
    """The cassette that a document says; `path` gives its name, without its suffix."""
    return Cassette(
        name=cassette_name(path),
        recorded=document.head.recorded,
        upstream=document.head.upstream,
        entries=tuple(document.timeline.entries),
        warnings=(*warnings, *document.timeline.warnings()),
    )


def cassette_name(path: Path) -> str:
    """A cassette file's name without its suffix."""
    return path.name.removesuffix(".part").removesuffix(SUFFIX)


def read_whole(content: bytes, path: Path) -> Document:
    """Read a cassette that was closed.

    Raises:
        CassetteError: as in `load`.
    """
    with _naming(content, path), _without_gc():
        try:
            return read_text(content.decode("utf-8-sig"))
        except DocumentError as error:
            if not error.syntax or _mended(content) is None:
                raise
            raise CorruptCassetteError(
                path,
                f"the file breaks off in its last entry ({error.reason}); `wiretape recover`"
                f" keeps what is before it, once the file is renamed to {path.name}.part",
                line=error.line,
                entry=error.entry,
            ) from error


def read_torn(content: bytes, path: Path) -> Mended:
    """Read a cassette whose last entry may be torn.

    Raises:
        CassetteError: as in `load`.
    """
    with _naming(content, path), _without_gc():
        return mend(content)


def _mended(content: bytes) -> Mended | None:
    try:
        return mend(content)
    except (DocumentError, VersionError, UnicodeDecodeError):
        return None


@contextmanager
def _naming(content: bytes, path: Path) -> Iterator[None]:
    """Turn what the readers raise into errors that name the file, line and entry."""
    if not content.strip():
        raise CorruptCassetteError(path, "the file is empty")
    if content.startswith(_UTF16):
        raise CorruptCassetteError(path, "the file is UTF-16; a cassette is UTF-8")
    try:
        yield
    except VersionError as error:
        raise UnsupportedVersionError(path, error.version) from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        reason = f"not UTF-8: byte 0x{content[error.start]:02x}"
        raise CorruptCassetteError(path, reason, line=line) from error
    except RecursionError as error:
        raise CorruptCassetteError(path, "nested too deeply") from error
    except DocumentError as error:
        # Another version may be written in ways that this one cannot read.
        version = _VERSION.match(content[:_BLOCK].decode("utf-8-sig", "replace"))
        if version is not None and version[1] != "1":
            raise UnsupportedVersionError(path, int(version[1])) from error
        raise CorruptCassetteError(
            path,
            error.reason,
            line=error.line,
            entry=error.entry,
        ) from error


@contextmanager
def _without_gc() -> Iterator[None]:
    """Loading makes many objects and no cycles; collecting among them takes longer than reading."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_bytes(path: Path, at_most: int | None = None) -> bytes:
    """A regular file's content, or its beginning.

    Args:
        path: the file.
        at_most: how many bytes are wanted; None for all.

    Raises:
        CassetteNotFoundError: no file is there.
        CorruptCassetteError: it is no regular file, or holds binary data.
        CassetteError: it cannot be read.
    """
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise CassetteNotFoundError(path) from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise CorruptCassetteError(path, "not a regular file")
        if at_most is not None:
            return os.read(descriptor, at_most)
        blocks = []
        while block := os.read(descriptor, _BLOCK):
            blocks.append(block)
            # A sparse or binary file of any size is refused before it fills the memory.
            if not blocks[0].rstrip(b"\0") or (len(blocks) > 1 and not block.rstrip(b"\0")):
                raise CorruptCassetteError(path, "a file of zeros")
        return b"".join(blocks)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)


def _unreadable(path: Path, error: Exception) -> CassetteError:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return CassetteError(path, f"cannot be read: {reason}")
