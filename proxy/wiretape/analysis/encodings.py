"""Content codings (RFC 9110, section 8.4.1), undone incrementally.

Knows gzip, deflate, and br and zstd where a library for them can be imported; nothing of what
the bytes mean.
"""

from __future__ import annotations

import contextlib
import importlib
import zlib
from typing import Any, Protocol

LARGEST = 64 * 1024 * 1024
"""At most this many bytes come out of one encoded body: a small body can hold a huge one."""


class EncodingError(Exception):
    """An encoded body cannot be decoded, or not beyond this point.

    Attributes:
        partial: what came out of the bytes that were fed last, before the failure.
    """

    def __init__(self, reason: str, partial: bytes = b"") -> None:
        self.partial = partial
        super().__init__(reason)


SALVAGE_STEP = 4096
FOREIGN_STEP = 64
"""How many bytes a library is given at once: few of them can be told how much may come out, and
brotli's 26 bytes can hold 16 MiB."""
MOST_MEMBERS = 1000
"""At most this many gzip members in one chunk: each costs a copy of what follows it."""

TOO_MUCH = f"more than {LARGEST >> 20} MiB come out of it; the rest is left out"

STOPPED = "the compressed data stops in the middle"


class Coding(Protocol):
    """One content coding being undone."""

    def feed(self, data: bytes) -> bytes:
        """Decode the next bytes.

        Raises:
            EncodingError: they are not of this coding.
        """

    def finish(self) -> None:
        """The input is over.

        Raises:
            EncodingError: it stopped too early.
        """


class Identity:
    """No coding at all."""

    def feed(self, data: bytes) -> bytes:
        """The bytes as they are."""
        return data

    def finish(self) -> None:
        """Nothing can be missing."""


class Inflate:
    """gzip (RFC 1952, several members too), and deflate with its zlib wrapper or without it."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._head = b""
        self._produced = 0
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS + 16) if gzip else None

    def feed(self, data: bytes) -> bytes:
        """Decode the next bytes."""
        if self._inflate is None:
            self._head += data
            if len(self._head) < 2:  # noqa: PLR2004 -- the two bytes of a zlib header
                return b""
            data = self._head
            wrapped = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        out = b""
        members = 0
        while data:
            if self._inflate.eof:
                if not self._gzip or not data.startswith(b"\x1f"):
                    break
                members += 1
                if members > MOST_MEMBERS:
                    raise EncodingError(f"more than {MOST_MEMBERS} gzip members in a chunk", out)
                self._inflate = zlib.decompressobj(zlib.MAX_WBITS + 16)
            before = self._inflate.copy()
            try:
                step = self._inflate.decompress(data, max(1, LARGEST - self._produced))
            except zlib.error as error:
                raise EncodingError(str(error), out + _salvage(before, data)) from error
            self._produced += len(step)
            out += step
            if self._inflate.unconsumed_tail:
                raise EncodingError(TOO_MUCH, out)
            data = self._inflate.unused_data
        return out

    def finish(self) -> None:
        """The input is over."""
        inflate = self._inflate
        if self._head if inflate is None else not inflate.eof:
            raise EncodingError(STOPPED)


def _salvage(inflate: zlib._Decompress, data: bytes) -> bytes:
    """What comes out of `data` before the byte that makes it fail."""
    out = b""
    for start in range(0, len(data), SALVAGE_STEP):
        before, piece = inflate.copy(), data[start : start + SALVAGE_STEP]
        try:
            out += inflate.decompress(piece)
        except zlib.error:
            return out + _salvage_bytes(before, piece)
    return out


def _salvage_bytes(inflate: zlib._Decompress, data: bytes) -> bytes:
    out = b""
    with contextlib.suppress(zlib.error):
        for position in range(len(data)):
            out += inflate.decompress(data[position : position + 1])
    return out


class Foreign:
    """A coding that a library from outside undoes: anything with `decompress` or `process`."""

    def __init__(self, name: str, decompressor: Any) -> None:
        self._name = name
        self._decompressor = decompressor
        self._step = getattr(decompressor, "decompress", None) or decompressor.process
        self._produced = 0

    def feed(self, data: bytes) -> bytes:
        """Decode the next bytes."""
        out = bytearray()
        for start in range(0, len(data), FOREIGN_STEP):
            ended = getattr(self._decompressor, "eof", False)
            try:
                piece = b"" if ended else self._step(data[start : start + FOREIGN_STEP])
            except Exception as error:  # the libraries' own error types cannot be named here
                raise EncodingError(f"{self._name}: {error}", bytes(out)) from error
            if not isinstance(piece, bytes):
                raise EncodingError(f"{self._name}: the library gave no bytes", bytes(out))
            out += piece
            self._produced += len(piece)
            if self._produced > LARGEST:
                raise EncodingError(TOO_MUCH, bytes(out))
            if ended or getattr(self._decompressor, "unused_data", b""):
                # It may be another zstd frame (RFC 8878, section 3.1), so that this is not all.
                reason = f"{self._name}: what follows its end is not decoded"
                raise EncodingError(reason, bytes(out))
        return bytes(out)

    def finish(self) -> None:
        """The input is over; not every library can tell whether something is missing."""
        # zstd's have the one, brotli's the other.
        ended = getattr(self._decompressor, "eof", True)
        is_finished = getattr(self._decompressor, "is_finished", None)
        if not ended or (is_finished is not None and not is_finished()):
            raise EncodingError(STOPPED)


_LIBRARIES = {
    "br": (("brotli", "Decompressor"), ("brotlicffi", "Decompressor")),
    "zstd": (
        ("compression.zstd", "ZstdDecompressor"),
        ("backports.zstd", "ZstdDecompressor"),
        ("zstandard", "ZstdDecompressor"),
    ),
}


def _foreign(name: str) -> Coding:
    for module, maker in _LIBRARIES[name]:
        try:
            decompressor = getattr(importlib.import_module(module), maker)()
        except (ImportError, AttributeError):
            continue
        if module == "zstandard":
            decompressor = decompressor.decompressobj()
        return Foreign(name, decompressor)
    wanted = " or ".join(module for module, _ in _LIBRARIES[name])
    raise EncodingError(f"{name} cannot be decoded here: none of {wanted} can be imported")


def coding(name: str) -> Coding:
    """What undoes the content coding of this name.

    Raises:
        EncodingError: the coding is not known, or its library is not there.
    """
    wanted = name.strip().lower()
    if wanted in {"", "identity", "none"}:
        return Identity()
    if wanted in {"gzip", "x-gzip"}:
        return Inflate(gzip=True)
    if wanted == "deflate":
        return Inflate(gzip=False)
    if wanted in _LIBRARIES:
        return _foreign(wanted)
    raise EncodingError(f"the content coding {name.strip()!r} is not known")


class Codings:
    """Several codings undone one after the other, the last applied first."""

    def __init__(self, names: list[str]) -> None:
        self._steps = [coding(name) for name in reversed(names)]

    def feed(self, data: bytes) -> bytes:
        """Decode the next bytes.

        Raises:
            EncodingError: they cannot be decoded; its `partial` has gone through all steps.
        """
        failure: EncodingError | None = None
        for step in self._steps:
            try:
                data = step.feed(data)
            except EncodingError as error:
                failure, data = error, error.partial
        if failure is not None:
            raise EncodingError(str(failure), data)
        return data

    def finish(self) -> None:
        """The input is over.

        Raises:
            EncodingError: it stopped too early.
        """
        for step in self._steps:
            step.finish()
