"""`[tool.wiretape]` of the nearest pyproject.toml: where it is, what it says, what is wrong in it.

Knows TOML and the names of settings; nothing of what they mean.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wiretape.errors import UsageError

SETTINGS = frozenset(
    {
        "allow-host",
        "cassette",
        "dir",
        "grace",
        "ignore",
        "keep-reading",
        "keep-secrets",
        "listen",
        "log-format",
        "log-level",
        "match",
        "max-body",
        "mode",
        "on-disk-error",
        "order",
        "order-timeout",
        "redact",
        "repeat",
        "secret-header",
        "shuffle",
        "speed",
        "strict",
        "tls-cert",
        "tls-key",
        "token",
        "upstream",
        "upstream-ca",
        "upstream-timeout",
    }
)
"""Every setting of every command, so that a misspelt one is found without importing them all."""

Value = str | bool | list[str]


@dataclass(frozen=True, slots=True)
class Config:
    """What a pyproject.toml sets.

    Attributes:
        path: the file; None if there is none.
        values: by the name of the setting, as in `SETTINGS`; numbers as text.
    """

    path: Path | None = None
    values: dict[str, Value] = field(default_factory=dict)

    def resolved(self, place: str) -> str:
        """A path in it as seen from here: it is meant from the file's own folder."""
        if self.path is None or Path(place).is_absolute():
            return place
        return os.path.relpath(self.path.parent / place)


def read_config(here: Path | None = None) -> Config:
    """Read the nearest pyproject.toml, in a folder or above it.

    Args:
        here: the folder; None for the current one.

    Raises:
        UsageError: it cannot be read, is no TOML, or holds an unknown setting or one that is
            neither text, number, boolean nor a list of texts, or that holds a NUL.
    """
    here = here or Path.cwd()
    for folder in (here, *here.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            return Config(path, _values(path, _table(path)))
    return Config()


def _table(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    tools = document.get("tool", {})
    table = tools.get("wiretape", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise UsageError(f"{path}: tool.wiretape is no table")
    return table


def _values(path: Path, table: dict[str, Any]) -> dict[str, Value]:
    values = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        if name not in SETTINGS:
            close = difflib.get_close_matches(name, SETTINGS, 1)
            hint = f"did you mean {close[0]}?" if close else "see: wiretape config"
            raise UsageError(f"{path}: [tool.wiretape] has no setting {key!r}; {hint}")
        values[name] = _value(path, key, value)
    return values


def _value(path: Path, key: str, value: Any) -> Value:
    texts = value if isinstance(value, list) else [value]
    if any(isinstance(text, str) and "\0" in text for text in texts):
        raise UsageError(f"{path}: {key} in [tool.wiretape] holds a NUL, which no name can")
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise UsageError(
        f"{path}: {key} in [tool.wiretape] must be text, a number, true, false or a list of texts"
    )
