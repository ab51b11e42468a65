"""The options that commands share, and where their values come from.

A flag beats `WIRETAPE_NAME` in the environment, which beats `name` in `[tool.wiretape]` of the
nearest pyproject.toml.
"""

from __future__ import annotations

import logging
import os
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wiretape.cassette.library import cassette_path
from wiretape.core.addresses import (
    DEFAULT_LISTEN,
    DEFAULT_UPSTREAM,
    names_listener,
    ollama_host_url,
    parse_listen,
    parse_upstream,
)
from wiretape.errors import CassetteNotFoundError, UsageError, WiretapeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wiretape.core.addresses import Address

Command = TypeVar("Command", bound="Callable[..., Any]")

_SIZE_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_LOG_LEVELS = ("debug", "info", "warning", "error")


class Parsed(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.4
    """A value that one of wiretape's own parsers reads; its error becomes click's."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse a text; what is parsed already stays."""
        if not isinstance(value, str | int | float):
            return value
        try:
            return self._parse(str(value))
        except WiretapeError as error:
            self.fail(str(error), param, ctx)


def setting(*flags: str, **attributes: Any) -> Callable[[Command], Command]:
    """An option that can also be set in the environment and in pyproject.toml."""
    name = flags[0].lstrip("-").partition("/")[0].replace("-", "_")
    attributes.setdefault("envvar", f"WIRETAPE_{name.upper()}")
    attributes.setdefault("show_default", True)
    return click.option(*flags, **attributes)


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, listed in the given order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def parse_size(text: str) -> int:
    """A number of bytes, with K, M or G behind it if need be.

    Raises:
        UsageError: it is none.
    """
    number = text.strip().lower().removesuffix("b").removesuffix("i")
    unit = number[-1:] if number[-1:].isalpha() else ""
    digits = number.removesuffix(unit)
    if not (digits.isascii() and digits.isdigit()) or unit not in _SIZE_UNITS:
        raise UsageError(f"{text!r} is no size: write 500000, 64K, 16M or 1G")
    return int(digits) * _SIZE_UNITS[unit]


directory = setting(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default="cassettes",
    help="Where cassettes are.",
)
log_level = setting(
    "--log-level",
    type=click.Choice(_LOG_LEVELS, case_sensitive=False),
    default="info",
    help="How much is said on standard error.",
    expose_value=False,
    callback=lambda _context, _option, value: _set_up_logging(value),
    is_eager=True,
)
listen = setting(
    "--listen",
    type=Parsed("HOST:PORT", parse_listen),
    default=DEFAULT_LISTEN,
    help="Where to listen; port 0 is any free one.",
)


def upstream_or_default(upstream: str | None, address: Address | None) -> str:
    """The upstream's URL: as told, else what OLLAMA_HOST says, else ollama's usual place.

    An OLLAMA_HOST that names the proxy itself is there for the clients and no upstream.
    """
    if upstream is not None:
        return upstream
    value = os.environ.get("OLLAMA_HOST", "").strip()
    if value:
        url = ollama_host_url(value)
        if address is None or not names_listener(url, address):
            return parse_upstream(url)
    return DEFAULT_UPSTREAM


upstream = setting(
    "--upstream",
    type=Parsed("URL", parse_upstream),
    default=None,
    help=f"Whom to forward to.  [default: OLLAMA_HOST, else {DEFAULT_UPSTREAM}]",
)


def read_config() -> dict[str, Any]:
    """`[tool.wiretape]` of the nearest pyproject.toml, its keys as parameters are named.

    Raises:
        UsageError: the file is no TOML.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            try:
                document = tomllib.loads(path.read_text("utf-8"))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise UsageError(f"{path}: {error}") from None
            table = document.get("tool", {}).get("wiretape", {})
            names = {"dir": "directory", "mode": "mode_name"}
            keys = {key: key.replace("-", "_") for key in table}
            return {names.get(key, key): table[name] for name, key in keys.items()}
    return {}


class Configured(click.Command):
    """A command whose options' defaults come from pyproject.toml."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Look up the defaults before the arguments are parsed."""
        extra.setdefault("default_map", read_config())
        return super().make_context(info_name, args, parent, **extra)


def _set_up_logging(level: str) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=level.upper(),
        format="wiretape: %(levelname)s: %(message)s",
        force=True,
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def cassette_file(text: str, folder: Path) -> Path:
    """The file that a CASSETTE argument means: a path, or a name in the directory.

    Raises:
        CassetteNotFoundError: it is neither.
        UsageError: it is no path, and as a name no good.
    """
    path = Path(text)
    if path.exists():
        return path
    if path.is_absolute() or path.suffix:
        raise CassetteNotFoundError(path)
    named = cassette_path(folder, text)
    if not named.exists():
        raise CassetteNotFoundError(named)
    return named
