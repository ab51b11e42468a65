"""The command line: what is typed becomes calls, what is raised becomes one line and a status.

Each command's module is imported when the command is used, so that `--version` and `--help`
answer at once.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
import sys
from typing import TYPE_CHECKING

import click

from wiretape import __version__
from wiretape.analysis.printable import printable
from wiretape.cli import logs
from wiretape.errors import WiretapeError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_STRICT = 3
_EXIT_INTERRUPTED = 130

_COMMANDS = {
    "record": "serving",
    "replay": "serving",
    "serve": "serving",
    "run": "running",
    "show": "reading",
    "stats": "analysing",
    "diff": "analysing",
    "rerun": "rerunning",
    "export": "exporting",
    "check": "reading",
    "verify": "verifying",
    "recover": "keeping",
    "redact": "keeping",
    "view": "viewing",
    "demo": "demo",
    "config": "configuring",
    "completion": "configuring",
}


class _Commands(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(_COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; say which may have been meant where there is none.

        Raises:
            UsageError: there is none.
        """
        name = args[0]
        if name in _COMMANDS or name.startswith("-"):
            return super().resolve_command(ctx, args)
        meant = difflib.get_close_matches(name, _COMMANDS, 1)
        hint = f". Did you mean '{meant[0]}'?" if meant else ""
        raise click.UsageError(f"No such command '{name}'{hint}", ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = getattr(importlib.import_module(f"wiretape.cli.{module}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101  as the table says
        return command


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Options can also be set as WIRETAPE_OPTION (repeatable ones: a value a line) or in"
    " [tool.wiretape] of pyproject.toml.",
)
@click.version_option(__version__, message="wiretape %(version)s")
def group() -> None:
    """Record and replay LLM traffic, to the byte, the chunk and the ending.

    Point OPENAI_BASE_URL (or OLLAMA_HOST, or ANTHROPIC_BASE_URL) at it. `wiretape demo` shows the
    whole round trip with no network.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its status."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        status = group.main(
            list(arguments) if arguments is not None else None,
            prog_name="wiretape",
            standalone_mode=False,
        )
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return EXIT_USAGE
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "wiretape"
        _complain(f"{error.format_message().rstrip('.')} (see: {path} --help)")
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        return _EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has enough of it; Python must not complain at its exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except (WiretapeError, OSError) as error:  # the latter of a path that was given
        _complain(str(error))
        return EXIT_USAGE
    return status if isinstance(status, int) else 0


def _complain(text: str) -> None:
    line = logs.without_secrets(" ".join(re.split(r"\n\s*|\t+", text)))
    if logs.speaks_json():
        logs.say(line, level="error")
    else:
        click.echo(f"wiretape: error: {printable(line)}", err=True)
