"""The options that commands share, and where their values come from.

A flag beats `WIRETAPE_NAME` in the environment, which beats `name` in `[tool.wiretape]` of the
nearest pyproject.toml.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click
from click.core import ParameterSource

from wiretape.cassette.redaction import Redactor
from wiretape.cassette.secrets import Secrets, compile_pattern
from wiretape.cli import logs
from wiretape.core.addresses import (
    DEFAULT_LISTEN,
    DEFAULT_UPSTREAM,
    parse_listen,
    parse_upstream,
)
from wiretape.errors import UsageError, WiretapeError
from wiretape.pyproject import Config, Value, read_config
from wiretape.variables import misspelt, values_in, variable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Command = TypeVar("Command", bound="Callable[..., Any]")

Source = Literal["flag", "environment", "pyproject", "default"]
_SOURCES: dict[ParameterSource, Source] = {
    ParameterSource.COMMANDLINE: "flag",
    ParameterSource.ENVIRONMENT: "environment",
    ParameterSource.DEFAULT_MAP: "pyproject",
}
_LOG_LEVEL, _LOG_FORMAT = "wiretape.log_level", "wiretape.log_format"


class Parsed(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.4
    """A value that one of wiretape's own parsers reads; its error becomes click's.

    Args:
        name: what the help calls it.
        parse: reads it.
    """

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


class Setting(click.Option):
    """An option that can also be set in the environment and in pyproject.toml.

    Attributes:
        key: its name there, with hyphens.
    """

    def __init__(self, param_decls: Sequence[str], **attributes: Any) -> None:
        self.key = param_decls[0].lstrip("-").partition("/")[0]
        attributes.setdefault("envvar", variable(self.key))
        attributes.setdefault("show_default", True)
        super().__init__(param_decls, **attributes)

    def configured(self, config: Config) -> Value:
        """What a pyproject.toml that has this setting gives it.

        Raises:
            UsageError: it is a list where one value is wanted, or a boolean where a text is.
        """
        value = config.values[self.key]
        if isinstance(value, bool) and not self.is_flag:
            raise UsageError(
                f"{config.path}: {self.key} in [tool.wiretape] takes a value, not true or false"
            )
        if isinstance(value, list) and not self.multiple:
            raise UsageError(f"{config.path}: {self.key} in [tool.wiretape] takes one value")
        if isinstance(value, str) and isinstance(self.type, click.Path):
            return config.resolved(value)
        return [value] if self.multiple and isinstance(value, str) else value

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """The setting's variable; the values of a repeatable one are split as for tests."""
        text = self.resolve_envvar_value(ctx)
        if self.multiple and text is not None:
            return values_in(self.key, text)
        return super().value_from_envvar(ctx)

    def source(self, context: click.Context) -> Source:
        """What kind of place the value in force comes from."""
        found = context.get_parameter_source(self.name or "")
        return _SOURCES.get(found, "default") if found else "default"

    def origin(self, context: click.Context) -> str:
        """Where the value in force comes from, as people find it."""
        places: dict[Source, str] = {
            "flag": f"--{self.key}",
            "environment": str(self.envvar),
            "pyproject": f"[tool.wiretape] in {config_of(context).path}",
            "default": "default",
        }
        return places[self.source(context)]


def setting(*flags: str, **attributes: Any) -> Callable[[Command], Command]:
    """An option that can also be set in the environment and in pyproject.toml."""
    return click.option(*flags, cls=Setting, **attributes)


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, listed in the given order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def parse_token(text: str) -> str:
    """What clients must bring.

    Raises:
        UsageError: it is empty, as that of a variable that is unset: anybody brings that.
    """
    if not text.strip():
        raise UsageError("an empty token keeps nobody out; leave it away if that is meant")
    return text


class _Directory(click.Path):
    """A directory. The empty text, which would be the current one, is a variable that is unset."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("an empty name means no directory", param, ctx)
        return super().convert(value, param, ctx)


directory = setting(
    "--dir",
    "directory",
    type=_Directory(path_type=Path, file_okay=False),
    default="cassettes",
    help="Where cassettes are.",
)


def checked_pattern(text: str) -> str:
    """A regular expression for secrets.

    Raises:
        UsageError: it is none.
    """
    compile_pattern(text)
    return text


def redactor_of(given: dict[str, Any]) -> Redactor:
    """What decides about secrets, from the options in `secrets`."""
    names = frozenset(name.lower() for name in given["secret_header"])
    return Redactor(Secrets(given["redact"], builtin=not given["keep_secrets"]), names)


def _set_up_logging(key: str) -> Callable[[click.Context, click.Parameter, str], str]:
    """A callback that notes a value; whichever of the two comes last has both."""

    def note(context: click.Context, _option: click.Parameter, value: str) -> str:
        context.meta[key] = value
        level = context.meta.get(_LOG_LEVEL, "info")
        logs.set_up(level, context.meta.get(_LOG_FORMAT, "text"))
        return value

    return note


log_level = together(
    setting(
        "--log-level",
        type=click.Choice(logs.LEVELS, case_sensitive=False),
        default="info",
        help="How much is said on standard error.",
        expose_value=False,
        callback=_set_up_logging(_LOG_LEVEL),
        is_eager=True,
    ),
    setting(
        "--log-format",
        type=click.Choice(logs.FORMATS, case_sensitive=False),
        default="text",
        help="How it is said: text for people, json for programs (one object a line).",
        expose_value=False,
        callback=_set_up_logging(_LOG_FORMAT),
        is_eager=True,
    ),
)
secrets = together(
    setting(
        "--secret-header",
        multiple=True,
        metavar="NAME",
        help="Redact this header too. Repeatable.",
    ),
    setting(
        "--redact",
        type=Parsed("REGEX", checked_pattern),
        multiple=True,
        help="Redact what this matches (in text, as Python's re has it) too, in bodies, targets and"
        " headers. Repeatable.",
    ),
    setting(
        "--keep-secrets",
        is_flag=True,
        help="Leave well-known keys, tokens and passwords as they are, but in credential headers.",
    ),
)
listen = setting(
    "--listen",
    type=Parsed("HOST:PORT", parse_listen),
    default=DEFAULT_LISTEN,
    help="Where to listen; port 0 is any free one.",
)


def _upstream(help_text: str) -> Callable[[Command], Command]:
    return setting("--upstream", type=Parsed("URL", parse_upstream), default=None, help=help_text)


upstream = _upstream(
    "Whom to forward to, an https one by way of HTTPS_PROXY if set."
    f"  [default: OLLAMA_HOST, else {DEFAULT_UPSTREAM}]"
)
upstream_asked = _upstream("Whom to ask.  [default: the upstream that the cassette names]")


class Configured(click.Command):
    """A command whose options' defaults come from pyproject.toml."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Look up the defaults before the arguments are parsed; tell what is misspelt after.

        Raises:
            UsageError: pyproject.toml holds what no command takes.
        """
        config = read_config()
        settings = [param for param in self.params if isinstance(param, Setting)]
        extra.setdefault(
            "default_map",
            {each.name: each.configured(config) for each in settings if each.key in config.values},
        )
        extra.setdefault("obj", config)
        try:
            made = super().make_context(info_name, args, parent, **extra)
        except click.MissingParameter:
            raise
        except click.BadParameter as error:
            option, context = error.param, error.ctx
            if not isinstance(option, Setting) or context is None:
                raise
            if option.source(context) == "flag":
                raise
            text = f"{error.message.rstrip('.')} (set by {option.origin(context)})"
            raise click.BadParameter(text, context, option, error.param_hint) from None
        if not made.resilient_parsing:  # as where a shell completes a line
            for text in misspelt(os.environ):
                logs.say(text, level="warning")
        return made


def config_of(context: click.Context) -> Config:
    """The pyproject.toml that a command's context was made with."""
    return context.obj if isinstance(context.obj, Config) else Config()
