"""The commands about wiretape's own set-up: config and completion."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import get_completion_class

from wiretape.cassette.secrets import Secrets
from wiretape.cli import group
from wiretape.cli.options import Configured, Setting, config_of
from wiretape.cli.reading import print_json
from wiretape.core.addresses import redact_user_info
from wiretape.environment import upstream_of

if TYPE_CHECKING:
    from wiretape.core.addresses import Address

_SHELLS = ("bash", "zsh", "fish")
_COMPLETE_VARIABLE = "_WIRETAPE_COMPLETE"
_INSTALL = {
    "bash": 'eval "$(wiretape completion bash)"  # in ~/.bashrc',
    "zsh": 'eval "$(wiretape completion zsh)"  # in ~/.zshrc',
    "fish": "wiretape completion fish > ~/.config/fish/completions/wiretape.fish",
}


def all_settings() -> list[Setting]:
    """Every setting of every command, each once, none of them required."""
    found: dict[str, Setting] = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        # The commands of this module have none, and may not be there yet.
        command = None if name in {"config", "completion"} else group.get_command(context, name)
        for param in command.params if command else ():
            if isinstance(param, Setting) and param.key not in found:
                setting = found[param.key] = copy.copy(param)
                setting.required = False
                setting.expose_value = True
    return [found[key] for key in sorted(found)]


@click.pass_context
def _config(context: click.Context, /, *, as_json: bool, **values: Any) -> None:
    config = config_of(context)
    rows = [
        _row(context, option, values[option.name or ""], values["listen"])
        for option in context.command.params
        if isinstance(option, Setting)
    ]
    if as_json:
        print_json({"pyproject": str(config.path) if config.path else None, "settings": rows})
        return
    widest = max(len(row["name"]) for row in rows)
    shown = [(row["name"], _shown(row["value"]), row["from"]) for row in rows]
    middle = max(len(value) for _, value, _ in shown)
    for name, value, origin in shown:
        click.echo(f"{name:{widest}}  {value:{middle}}  {origin}")


def _row(context: click.Context, option: Setting, value: Any, listen: Address) -> dict[str, Any]:
    source, origin = option.source(context), option.origin(context)
    if option.key == "upstream" and value is None:
        value = upstream_of(os.environ, listen)
        # Where it names the proxy itself, it is not what is called.
        if os.environ.get("OLLAMA_HOST", "").strip() and value == upstream_of(os.environ):
            source, origin = "environment", "OLLAMA_HOST"
    if option.key == "token" and value:
        value = "(set)"
    if option.key == "upstream":
        value = Secrets().redact_text(redact_user_info(str(value)))
    if isinstance(value, tuple | list):
        value = [_plain(each) for each in value]
    return {
        "name": option.key,
        "value": _plain(value),
        "source": source,
        "from": origin,
        "environment": option.envvar,
    }


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if value is None or isinstance(value, bool | int | float | str | list):
        return value
    return getattr(value, "text", None) or str(value)


def _shown(value: Any) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


config = Configured(
    "config",
    callback=_config,
    params=[
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON for programs."),
        *all_settings(),
    ],
    help="""Show the settings in force, and where each comes from.

    A flag beats WIRETAPE_NAME in the environment, which beats name in [tool.wiretape] of the
    nearest pyproject.toml. Flags given here show what they would change.
    """,
)


@click.command(
    short_help="Print the script that teaches a shell to complete commands.",
    epilog="\b\nTo install:\n" + "\n".join(f"  {line}" for line in _INSTALL.values()),
)
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print the script that teaches a shell to complete wiretape's commands and options."""
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  click knows these three
    click.echo(kind(group, {}, "wiretape", _COMPLETE_VARIABLE).source())
