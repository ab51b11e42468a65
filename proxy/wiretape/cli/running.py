"""The command that runs another one against a proxy of its own: run."""

from __future__ import annotations

import asyncio
import os
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from wiretape.analysis.printable import counted
from wiretape.cli import EXIT_FAILED, EXIT_STRICT
from wiretape.cli import options as shared
from wiretape.cli.child import SIGNALLED, Attendant
from wiretape.cli.logs import say
from wiretape.cli.options import Configured, setting
from wiretape.cli.serving import cassette, grace, mode, recording, replaying, settings_for, sum_up
from wiretape.core.addresses import redact_user_info
from wiretape.core.model import Mode
from wiretape.core.tempo import Order
from wiretape.environment import client_environment, redirected
from wiretape.errors import UsageError
from wiretape.server.serve import any_port, spare_collecting, start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wiretape.server.serve import Summary
    from wiretape.server.settings import Settings

_ARGUMENTS = "wiretape.arguments"
_RECORDING = frozenset({Mode.RECORD, Mode.ONCE, Mode.NEW_EPISODES, Mode.PASSTHROUGH})
_FIRST_SEED = 1


class _Run(Configured):
    """Remembers how it was called, so that it can say how to call it otherwise."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)


@dataclass(frozen=True, slots=True)
class _Call:
    """The options of a `wiretape run` as they were typed, and the command."""

    options: tuple[str, ...]
    command: tuple[str, ...]

    @classmethod
    def of(cls, context: click.Context, command: tuple[str, ...]) -> _Call:
        options = context.meta[_ARGUMENTS][: -len(command)]
        return cls(options[:-1] if options[-1:] == ("--",) else options, command)

    def with_options(self, **changes: str | None) -> str:
        """The same call with some options changed or, for None, taken away; ready to paste."""
        given: list[str] = []
        left = dict(changes)
        options = iter(self.options)
        for option in options:
            flag, equals, _ = option.partition("=")
            # A value can be spelt as an option is, or be the `--` that `of` took for the end.
            values = [] if equals or flag in _flags() else [next(options, "--")]
            name = flag.removeprefix("--")
            if name not in changes:
                given += [option, *values]
            elif (value := left.pop(name, None)) is not None:
                given += [flag, value]
        for name, value in left.items():
            given += [f"--{name}", value] if value is not None else []
        return shlex.join(["wiretape", "run", *given, "--", *self.command])


def _flags() -> frozenset[str]:
    """The options of `run` that take no value."""
    options = [param for param in run.params if isinstance(param, click.Option) and param.is_flag]
    return frozenset(spelling for option in options for spelling in option.opts)


@click.command(
    cls=_Run,
    context_settings={"allow_interspersed_args": False},
    epilog="The status is the command's own, 128+N if signal N ended it, 2 if it could not be"
    " started. With --strict, a miss, a cassette that could not be had or a recording that was not"
    f" used makes it {EXIT_STRICT}, unless the run was interrupted.",
)
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND...")
@mode
@cassette
@recording
@replaying
@setting(
    "--shuffle",
    type=click.IntRange(min=1),
    metavar="N",
    default=None,
    help="Run the command N times, each in another order of overlapping answers."
    "  [seeds from 1, or from that of --order shuffle:SEED]",
)
@shared.directory
@grace
@shared.secrets
@shared.log_level
@click.pass_context
def run(
    context: click.Context,
    /,
    command: tuple[str, ...],
    mode_name: str,
    shuffle: int | None,
    **given: Any,
) -> int:
    """Run a command with a proxy of its own.

    OPENAI_BASE_URL, OPENAI_API_BASE, OLLAMA_HOST, OLLAMA_API_BASE, OLLAMA_BASE_URL and
    ANTHROPIC_BASE_URL lead its clients to the proxy, on a free port. Where no API key is set, a
    stand-in is.
    """
    call = _Call.of(context, command)
    settings = replace(
        any_port(settings_for(Mode(mode_name), given)),
        record_command=call.with_options(mode=Mode.RECORD.value, shuffle=None, order=None),
    )
    if given["upstream"] is None:
        _warn_of_others(settings)
    if shuffle is None:
        return asyncio.run(_run_once(settings, command))
    if settings.mode is not Mode.REPLAY:
        raise UsageError("--shuffle repeats a replay: use it with --mode replay")
    if settings.order.kind == "free":
        raise UsageError("--shuffle draws an order of its own: leave --order free out")
    return asyncio.run(_run_shuffled(settings, call, shuffle))


async def _run_once(settings: Settings, command: Sequence[str]) -> int:
    attendant = Attendant()
    with attendant.attending():
        return await _attend(attendant, settings, command)


async def _run_shuffled(settings: Settings, call: _Call, count: int) -> int:
    attendant = Attendant()
    first = settings.order.seed if settings.order.seed is not None else _FIRST_SEED
    failed: dict[int, int] = {}
    with attendant.attending():
        for seed in range(first, first + count):
            order = Order("shuffle", seed)
            say(f"seed {seed} ({seed - first + 1} of {count})", seed=seed)
            status = await _attend(attendant, replace(settings, order=order), call.command)
            if attendant.stopped_by is not None:
                return status
            if status:
                failed[seed] = status
                again = call.with_options(shuffle=None, order=str(order))
                text = f"seed {seed} failed with status {status}; run it again with: {again}"
                say(text, level="error", seed=seed, status=status, again=again)
    if not failed:
        say("the one seed passed" if count == 1 else f"all {count} seeds passed")
        return 0
    seeds = ", ".join(map(str, failed))
    say(
        f"{len(failed)} of {counted(count, 'seed')} failed: {seeds}",
        level="error",
        failed=[*failed],
    )
    return next(iter(failed.values()))


async def _attend(attendant: Attendant, settings: Settings, command: Sequence[str]) -> int:
    """Run a command once, with a proxy that lives as long as it does."""
    proxy = await start(settings)
    spare_collecting()
    try:
        if attendant.stopped_by is not None:
            return SIGNALLED + attendant.stopped_by
        status = await attendant.run(
            command, {**os.environ, **client_environment(proxy.url, os.environ)}
        )
    finally:
        summary = await proxy.stop(hurry=attendant.stopped)
    # Who interrupts a run leaves recordings unused, and waits for the status of that.
    interrupted = attendant.stopped_by is not None
    result = _status(status, summary, strict=settings.strict and not interrupted)
    if settings.mode is Mode.ONCE and (interrupted or status):
        why = "the run was interrupted" if interrupted else "the command failed"
        for path in summary.written:
            text = (
                f"{why}: {path} has what was asked until then, and is replayed from now on;"
                f" record it whole with: {settings.record_command}"
            )
            say(text, level="warning", path=str(path))
    return result


def _status(status: int, summary: Summary, *, strict: bool) -> int:
    """The status of the whole, from the command's own."""
    failed = strict and summary.failed
    sum_up(summary, failed=failed)
    if summary.errors:
        return status or EXIT_FAILED
    if failed:
        if status:
            say(f"the command's own status was {status}", level="error", status=status)
        return EXIT_STRICT
    return status


def _warn_of_others(settings: Settings) -> None:
    """Say what is no upstream although clients were led there: a surprise while recording."""
    if settings.mode not in _RECORDING:
        return
    for name, url in redirected(os.environ).items():
        if not f"{url}/".startswith(f"{settings.upstream}/"):
            text = (
                f"{name} is {redact_user_info(url)}, but requests go to"
                f" {redact_user_info(settings.upstream)}; choose where with --upstream"
            )
            say(text, level="warning")
