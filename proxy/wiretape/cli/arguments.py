"""What CASSETTE arguments mean: names in the directory of cassettes, paths, directories."""

from __future__ import annotations

import difflib
import shlex
from pathlib import Path

from wiretape.cassette.library import SUFFIX, cassette_path, find_cassettes
from wiretape.errors import CassetteNotFoundError, UsageError

# Other dots are a name's own, as in gpt-4.1.
_SUFFIXES_OF_PATHS = frozenset({SUFFIX, ".yml", ".part"})
_ALIKE = 3


def cassette_file(text: str, folder: Path) -> Path:
    """The file that a CASSETTE argument means: a name in the directory, or a path.

    Something else that is called as the cassette, a folder or a script, is not meant. A name may
    have its `.yaml` behind it, where no such path is there.

    Raises:
        CassetteNotFoundError: it is neither.
        UsageError: it is no path, and as a name no good.
    """
    path = given_path(text)
    is_path = path.is_absolute() or path.suffix in _SUFFIXES_OF_PATHS or text.endswith("/")
    if is_path and path.exists():
        return path
    named = _named(text, folder, is_path=is_path)
    if named is not None and named.exists():
        return named
    if path.exists():
        return path
    hint = _alike(text.removesuffix(SUFFIX), folder) if named else ""
    raise CassetteNotFoundError(named if named and not is_path else path, hint)


def given_path(text: str) -> Path:
    """The path that an argument is.

    Raises:
        UsageError: it is empty, as that of a variable that is unset; `Path` takes that for here.
    """
    if not text:
        raise UsageError("an empty argument names no cassette and no directory")
    return Path(text)


def _named(text: str, folder: Path, *, is_path: bool) -> Path | None:
    """The file of the cassette of this name; None where it can only be a path."""
    if is_path and not text.endswith(SUFFIX):
        return None
    try:
        return cassette_path(folder, text.removesuffix(SUFFIX) if is_path else text)
    except UsageError:
        if is_path or Path(text).exists():
            return None
        raise


def _alike(text: str, folder: Path) -> str:
    """The names of cassettes that may have been meant, as a hint."""
    if not folder.is_dir():
        return ""
    names = [str(each.relative_to(folder))[: -len(SUFFIX)] for each in find_cassettes(folder)]
    meant = [name for name in names if text in name] or difflib.get_close_matches(text, names)
    return f"did you mean {' or '.join(meant[:_ALIKE])}?" if meant else ""


def cassette_files(cassettes: tuple[str, ...], directory: Path) -> list[Path]:
    """The files that CASSETTE arguments mean, directories with all that is in them.

    Raises:
        CassetteNotFoundError: one is nowhere, or a directory has none.
        UsageError: one is no path, and as a name no good.
    """
    files: list[Path] = []
    for each in cassettes or (str(directory),):
        if not cassettes:
            check_directory(directory)
        path = given_path(each)
        if path.is_dir() and not each.endswith(SUFFIX):
            found = find_cassettes(path)
            if not found:
                found = [cassette_file(each, directory)]
                if found == [path]:
                    raise CassetteNotFoundError(
                        each, _how_to_record(path), reason="holds no cassette"
                    )
            files += found
        else:
            files.append(cassette_file(each, directory))
    return files


def found_or_missing(
    cassettes: tuple[str, ...], directory: Path
) -> tuple[list[Path], list[CassetteNotFoundError]]:
    """The same for commands that what is missing keeps from none of the others.

    Raises:
        UsageError: as `cassette_files`.
    """
    files: list[Path] = []
    missing: list[CassetteNotFoundError] = []
    asked: list[tuple[str, ...]] = [(each,) for each in cassettes]
    for each in asked or [()]:
        try:
            files += cassette_files(each, directory)
        except CassetteNotFoundError as error:
            missing.append(error)
    return files, missing


def check_directory(directory: Path) -> None:
    """See whether there is a directory of cassettes.

    Raises:
        CassetteNotFoundError: there is not.
    """
    if not directory.exists():
        raise CassetteNotFoundError(directory, _how_to_record(directory))


def _how_to_record(directory: Path) -> str:
    return f"record one with: {shlex.join(['wiretape', 'record', '--dir', str(directory)])}"
