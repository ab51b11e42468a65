"""The commands that serve: record, replay and serve."""

from __future__ import annotations

import asyncio
import os
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from wiretape.cassette.library import expand_time
from wiretape.cli import EXIT_FAILED, EXIT_STRICT
from wiretape.cli import options as shared
from wiretape.cli.arguments import cassette_file
from wiretape.cli.logs import hide, say
from wiretape.cli.options import Configured, Parsed, setting, together
from wiretape.core.addresses import DEFAULT_UPSTREAM, parse_allowed_host
from wiretape.core.matching import Level, Repeat, Rules
from wiretape.core.model import Mode
from wiretape.core.pointer import parse_pointer
from wiretape.core.routing import check_cassette_name
from wiretape.core.sizes import parse_size
from wiretape.core.tempo import Order, Speed, parse_seconds
from wiretape.environment import upstream_of
from wiretape.errors import UsageError
from wiretape.server.clock import utc_now
from wiretape.server.report import report_lines
from wiretape.server.serve import Running, Summary
from wiretape.server.serve import serve as serve_until_stopped
from wiretape.server.settings import MAX_BODY_BYTES, UPSTREAM_TIMEOUT_S, Settings

if TYPE_CHECKING:
    from wiretape.core.addresses import Address

_SEEDS = 1_000_000


def _parse_order(text: str) -> Order:
    return Order.parse(text, drawn_seed=random.SystemRandom().randrange(_SEEDS))


grace = setting(
    "--grace",
    type=Parsed("SECONDS", parse_seconds),
    default=30.0,
    metavar="SECONDS",
    help="How long a shutdown waits for what is in flight.",
)
mode = setting(
    "--mode",
    "mode_name",
    type=click.Choice([each.value for each in Mode]),
    required=True,
    help="What to do.",
)
_serving = together(
    shared.directory,
    shared.listen,
    setting(
        "--allow-host",
        type=Parsed("NAME", parse_allowed_host),
        multiple=True,
        help="Answer to this name in Host too, besides loopback ones, and to web pages from there."
        " Repeatable.",
    ),
    setting(
        "--tls-cert",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        help="Listen with this certificate (PEM, with its chain).",
    ),
    setting(
        "--tls-key",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        help="Its key (PEM), unless that is in the same file.",
    ),
    setting(
        "--token",
        type=Parsed("TOKEN", shared.parse_token),
        default=None,
        help="What clients must bring: in Wiretape-Token, as their API key, or as /~TOKEN in the"
        " base URL. Better said in WIRETAPE_TOKEN.",
    ),
    grace,
    shared.secrets,
    shared.log_level,
)
max_body = setting(
    "--max-body",
    type=Parsed("SIZE", parse_size),
    default=str(MAX_BODY_BYTES // 1024**2) + "M",
    help="Request bodies over this are streamed, and only their digests kept and compared;"
    " new_episodes records them each time.",
)
recording = together(
    shared.upstream,
    setting(
        "--upstream-ca",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        help="Trust the certificates in this file too (PEM), for an https upstream.",
    ),
    setting(
        "--on-disk-error",
        type=click.Choice(["continue", "stop"]),
        default="continue",
        help="When the recording can no longer be written: let requests pass, or refuse them.",
    ),
    setting(
        "--upstream-timeout",
        type=Parsed("SECONDS", parse_seconds),
        default=UPSTREAM_TIMEOUT_S,
        metavar="SECONDS",
        help="How long the upstream may send nothing at all; 0 for ever.",
    ),
    max_body,
    setting(
        "--keep-reading",
        is_flag=True,
        help="Read an answer to its end, for the record, when its client has left.",
    ),
)
matching = together(
    setting(
        "--match",
        type=click.Choice([level.value for level in Level]),
        default=Level.TOOL_ORDER.value,
        help="How alike requests must be.",
    ),
    setting(
        "--ignore",
        type=Parsed("POINTER", parse_pointer),
        multiple=True,
        help="Leave this part of the body out of the comparison. Repeatable.",
    ),
    setting(
        "--repeat",
        type=click.Choice([repeat.value for repeat in Repeat]),
        default=Repeat.NONE.value,
        help="What answers an equal request when all its recordings are used.",
    ),
)
speed = setting(
    "--speed",
    type=Parsed("SPEED", Speed.parse),
    default="instant",
    help="instant, original, or a factor such as 4.",
)
pacing = together(
    speed,
    setting(
        "--order",
        type=Parsed("ORDER", _parse_order),
        default="recorded",
        help="recorded, free, or shuffle[:SEED].",
    ),
    setting(
        "--order-timeout",
        type=Parsed("SECONDS", parse_seconds),
        default=2.0,
        metavar="SECONDS",
        help="How long the order waits for a request that does not come.",
    ),
)
replaying = together(
    matching,
    pacing,
    setting(
        "--strict",
        is_flag=True,
        help=f"Exit {EXIT_STRICT} after a miss, for a cassette that could not be had, or where a"
        " recording was not used.",
    ),
)
cassette = setting(
    "--cassette",
    metavar="NAME",
    default=None,
    help="The cassette's name; {time} in it becomes the time.",
)


@click.command(cls=Configured)
@cassette
@recording
@_serving
def record(**given: Any) -> int:
    """Forward requests and record them into a new cassette."""
    return _serve(Mode.RECORD, given)


@click.command(cls=Configured)
@click.argument("cassettes", nargs=-1, metavar="[CASSETTE]...")
@cassette
@replaying
@max_body
@_serving
@click.pass_context
def replay(context: click.Context, /, **given: Any) -> int:
    """Answer requests from cassettes, never from the network.

    Without a CASSETTE it replays all in the directory.
    """
    return _serve(Mode.REPLAY, _chosen(context, given))


@click.command(cls=Configured)
@click.argument("cassettes", nargs=-1, metavar="[CASSETTE]...")
@mode
@cassette
@recording
@replaying
@_serving
@click.pass_context
def serve(context: click.Context, /, mode_name: str, **given: Any) -> int:
    """Serve in any mode.

    record forwards and records. replay answers from cassettes. once records a cassette that does
    not exist and replays one that does. new_episodes replays what matches and records the rest.
    passthrough forwards and writes nothing. A CASSETTE is for replay alone.
    """
    mode = Mode(mode_name)
    if given["cassettes"] and mode is not Mode.REPLAY:
        raise UsageError(
            f"a CASSETTE is what a replay answers from; for {mode_name} choose one with"
            " --cassette NAME"
        )
    return _serve(mode, _chosen(context, given))


def _chosen(context: click.Context, given: dict[str, Any]) -> dict[str, Any]:
    """Options in which a CASSETTE argument goes before a `cassette` that is only configured."""
    configured = context.get_parameter_source("cassette") is not ParameterSource.COMMANDLINE
    return {**given, "cassette": None} if given["cassettes"] and configured else given


def settings_for(mode: Mode, given: dict[str, Any]) -> Settings:
    """Settings from parsed options, by whichever of them a command has.

    Raises:
        WiretapeError: a cassette's name is no good, or there is none of it.
    """
    directory: Path = given["directory"]
    listen = given.get("listen")
    cassette = given.get("cassette")
    if cassette is not None:
        cassette = check_cassette_name(expand_time(cassette, utc_now()))
    settings = Settings(
        mode=mode,
        directory=directory,
        cassette=cassette,
        cassettes=tuple(cassette_file(each, directory) for each in given.get("cassettes", ())),
        upstream=given.get("upstream") or _upstream(mode, listen),
    )
    changes: dict[str, Any] = {}
    if listen is not None:
        changes["listen"] = listen
        changes["tls_cert"] = given["tls_cert"]
        changes["tls_key"] = given["tls_key"]
        changes["token"] = given["token"]
        changes["allow_hosts"] = frozenset(given["allow_host"])
    if "grace" in given:
        changes["grace_s"] = given["grace"]
    if "redact" in given:
        changes["secret_headers"] = frozenset(name.lower() for name in given["secret_header"])
        changes["redact"] = given["redact"]
        changes["keep_secrets"] = given["keep_secrets"]
    if "max_body" in given:
        changes["max_body_bytes"] = given["max_body"]
    if "upstream_ca" in given:
        changes["upstream_ca"] = given["upstream_ca"]
        changes["stops_on_disk_error"] = given["on_disk_error"] == "stop"
        changes["upstream_timeout_s"] = given["upstream_timeout"]
        changes["keep_reading"] = given["keep_reading"]
    if "match" in given:
        changes["rules"] = Rules(
            level=Level(given["match"]),
            ignore=tuple(given["ignore"]),
            repeat=Repeat(given["repeat"]),
        )
    if "speed" in given:
        changes["speed"] = given["speed"]
    if "order" in given:
        changes["order"] = given["order"]
        changes["order_timeout_s"] = given["order_timeout"]
    changes["strict"] = given.get("strict", False)
    settings = replace(settings, **changes)
    hide(settings.redactor().secrets)
    return settings


def _upstream(mode: Mode, listen: Address | None) -> str:
    # A replay calls nobody, so what OLLAMA_HOST says, good or bad, is nothing to it.
    return DEFAULT_UPSTREAM if mode is Mode.REPLAY else upstream_of(os.environ, listen)


def _serve(mode: Mode, given: dict[str, Any]) -> int:
    settings = settings_for(mode, given)

    def ready(proxy: Running) -> None:
        click.echo(f"wiretape: {mode.value} on {proxy.url}")

    summary = asyncio.run(serve_until_stopped(settings, ready))
    return finish(summary, strict=settings.strict)


def finish(summary: Summary, *, strict: bool) -> int:
    """Say what a proxy leaves behind; return the exit status."""
    failed = strict and summary.failed
    sum_up(summary, failed=failed)
    if summary.errors:
        return EXIT_FAILED
    return EXIT_STRICT if failed else 0


def sum_up(summary: Summary, *, failed: bool) -> None:
    """Say what a proxy leaves behind: sessions, cassettes, errors."""
    for report in summary.reports:
        lines = report_lines(report, strict=failed)
        # What is indented belongs to the line before it.
        said = re.split(r"\n(?! )", "\n".join(lines)) if lines else []
        for position, text in enumerate(said, 1):
            fields = {"report": report} if position == len(said) else {}
            say(text, level="error" if failed else "info", **fields)
    if not summary.reports and not summary.refused:
        say("nothing was recorded, replayed or passed on")
    for text in summary.refused:
        say(f"refused: {text}", level="error" if failed else "info")
    for path in summary.written:
        say(f"wrote {path}", written=str(path))
    for error in summary.errors:
        say(error, level="error")
