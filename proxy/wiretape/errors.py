"""Every error that wiretape raises on purpose. They carry data and render themselves.

Knows nothing of HTTP or the terminal: the tables that map errors to statuses and exit codes are
in `server.app` and `cli`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from wiretape.core.model import Outcome


class WiretapeError(Exception):
    """The base of them all: `str(error)` is one clear message that says what to do."""


class UsageError(WiretapeError):
    """The user asked for something that cannot be: a bad option, name or URL."""


class CassetteError(WiretapeError):
    """A cassette cannot be used.

    Attributes:
        path: the cassette file.
        reason: what is wrong, without the path.
    """

    def __init__(self, path: Path | str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class CassetteNotFoundError(CassetteError):
    """No file is there; or, with a reason of its own, none where one was looked for."""

    def __init__(
        self, path: Path | str, hint: str = "", *, reason: str = "no such cassette"
    ) -> None:
        super().__init__(path, reason + (f"; {hint}" if hint else ""))


class CorruptCassetteError(CassetteError):
    """The file is not a cassette of a known format.

    Attributes:
        line: where it is wrong, counted from 1; None if it is wrong as a whole.
        entry: which entry is wrong, counted from 1; None if none is.
    """

    def __init__(
        self,
        path: Path | str,
        reason: str,
        *,
        line: int | None = None,
        entry: int | None = None,
    ) -> None:
        self.line = line
        self.entry = entry
        where = [f"line {line}"] if line is not None else []
        where += [f"entry {entry}"] if entry is not None else []
        super().__init__(path, f"{', '.join(where)}: {reason}" if where else reason)


class UnsupportedVersionError(CassetteError):
    """The cassette was written in a format version that this wiretape does not read."""

    def __init__(self, path: Path | str, version: object) -> None:
        self.version = version
        super().__init__(
            path,
            f"format version {version!r} is not supported (this wiretape reads version 1);"
            " upgrade wiretape or record the cassette again",
        )


class CassetteBusyError(CassetteError):
    """Another recording holds this name."""

    def __init__(self, path: Path | str) -> None:
        text = "is being recorded by another session; choose another name"
        super().__init__(path, f"{text} (labels share a cassette in a replay alone)")


class JournalError(CassetteError):
    """The recording can no longer be written (a full disk, a directory removed meanwhile)."""


class UpstreamError(WiretapeError):
    """The upstream gave no response.

    Attributes:
        url: whom the proxy called.
        reason: why it failed, in a few words.
        outcome: how the interaction ended.
    """

    def __init__(self, url: str, reason: str, outcome: Outcome) -> None:
        self.url = url
        self.reason = reason
        self.outcome = outcome
        super().__init__(f"no response from the upstream {url}: {reason}")
