"""A serving proxy: sockets, signals, and what is said at the beginning and the end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from wiretape.analysis.printable import counted
from wiretape.cassette.library import cassette_path, find_abandoned
from wiretape.cassette.loader import check_replaceable
from wiretape.cassette.recover import recover_command
from wiretape.core.addresses import Address, is_loopback, names_listener, redact_user_info
from wiretape.core.model import Mode
from wiretape.core.routing import DEFAULT_SESSION, SessionName
from wiretape.errors import CassetteError, UsageError, WiretapeError
from wiretape.server.app import App
from wiretape.server.descriptors import allow_many
from wiretape.server.listener import Listener
from wiretape.server.patience import ClientPatience
from wiretape.server.tls import showing
from wiretape.server.unreachable import why_unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from wiretape.server.settings import Settings

_log = logging.getLogger(__name__)

_COLLECT_AFTER = 20_000
_STEP_S = 0.02
_QUIET_S = 0.2
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a proxy leaves behind.

    Attributes:
        reports: one for each session, as `GET sessions/NAME` gives it.
        written: the cassettes that were finished.
        errors: one line each: recordings that could not be finished.
        refused: one line each: cassettes that were asked for and could not be had, or not be named.
        failed: what a strict run must not have: a miss, an unused recording, one of `refused`.
    """

    reports: tuple[dict[str, Any], ...]
    written: tuple[Path, ...]
    errors: tuple[str, ...]
    refused: tuple[str, ...]
    failed: bool


class Running:
    """A proxy that listens.

    Attributes:
        url: where, without a trailing slash.
        app: the application behind it.
    """

    def __init__(self, app: App, listener: Listener, address: Address) -> None:
        self.app = app
        scheme = "https" if app.settings.tls_cert else "http"
        self.url = f"{scheme}://{address}"
        self._listener = listener
        self._patience = ClientPatience(app.settings.head_timeout_s, listener.idle)
        self._patience.begin()
        self._summary: Summary | None = None

    async def stop(self, *, hurry: asyncio.Event | None = None) -> Summary:
        """Finish what is in flight, close the sessions and stop listening.

        Args:
            hurry: once set, what is still in flight is cut off.
        """
        if self._summary is not None:
            return self._summary
        now = asyncio.get_running_loop().time
        deadline = now() + self.app.settings.grace_s
        said = False

        def waits() -> bool:
            nonlocal said
            if now() >= deadline or (hurry and hurry.is_set()):
                return False
            if not said:
                said = True
                _log.warning(
                    "waiting for clients that have not read all of their answers;"
                    " interrupt again to cut them off"
                )
            return True

        try:
            self._listener.stop()
            await drain(self.app, hurry=hurry)
            self._patience.stop()
            await self._listener.close(waits)
            await _open_what_nobody_asked_for(self.app)
        finally:
            # Whatever keeps the rest from its end, what was recorded becomes a cassette.
            self._summary = close_sessions(self.app)
        return self._summary


async def _open_what_nobody_asked_for(app: App) -> None:
    """Have a strict replay fail that nothing was asked of: all of its recordings are unused."""
    settings = app.settings
    if not settings.strict or not settings.mode.may_replay:
        return
    sessions = app.sessions
    if sessions.find(SessionName(settings.cassette)) if settings.cassette else sessions.all():
        return
    try:
        await app.sessions.get(DEFAULT_SESSION)
    except CassetteError as error:
        app.refused[str(error)] = None
    except UsageError:
        pass  # each request would have had to say which cassette


async def drain(app: App, *, hurry: asyncio.Event | None = None) -> None:
    """Wait for what is in flight, for as long as the settings say; cut off what is left.

    What is made for the viewer is not waited for.

    Args:
        app: which is given no new connections.
        hurry: once set, nothing is waited for.
    """
    now = asyncio.get_running_loop().time
    deadline = now() + app.settings.grace_s
    say_at = now() + _QUIET_S
    app.leave_viewers()
    while app.in_flight and now() < deadline and not (hurry and hurry.is_set()):
        if now() > say_at:
            say_at = deadline
            count = len(app.in_flight)
            _log.warning("waiting for %d in flight; interrupt again to cut them off", count)
        await asyncio.wait(app.in_flight, timeout=_STEP_S)
    if app.in_flight:
        hurried = hurry is not None and hurry.is_set()
        _log.warning(
            "cut off %s in flight: %s",
            counted(len(app.in_flight), "request"),
            "interrupted" if hurried else f"the grace of {app.settings.grace_s:g} s is over",
        )
    await app.close()


def close_sessions(app: App) -> Summary:
    """Close the sessions of an application that is sent no more requests."""
    written, errors = app.sessions.close_all()
    return summarize(app, written, errors)


def summarize(app: App, written: Sequence[Path] = (), errors: Sequence[Exception] = ()) -> Summary:
    """What has come of an application so far."""
    everyone = app.sessions.all()
    # A proxy opens the session of --cassette before anybody asks; its clients may all be labelled.
    asked = {session.path for session in everyone if session.asked}
    sessions = [each for each in everyone if each.asked or each.path not in asked]
    return Summary(
        tuple(session.report() for session in sessions),
        tuple(written),
        tuple(str(error) for error in errors),
        tuple(app.refused),
        bool(app.refused) or any(session.failed() for session in sessions),
    )


async def start(settings: Settings) -> Running:
    """Make a proxy listen.

    Raises:
        UsageError: it cannot listen so or there, or the directory cannot be recorded into.
        CassetteError: what it is to replay cannot be read, or what it is to replace is no cassette.
    """
    upstream = redact_user_info(settings.upstream)
    if settings.mode is not Mode.REPLAY and names_listener(settings.upstream, settings.listen):
        raise UsageError(
            f"the upstream {upstream} is this proxy itself; say where the model is"
            " with --upstream, or listen elsewhere with --listen"
        )
    if settings.tls_key is not None and settings.tls_cert is None:
        raise UsageError(
            f"--tls-key {settings.tls_key} is of no use without its certificate; give that with"
            " --tls-cert"
        )
    _check_directory(settings)
    if settings.mode is not Mode.REPLAY and urlsplit(settings.upstream).path.endswith("/v1"):
        _log.warning(
            "the upstream %s ends in /v1, and what clients ask for begins with it: they are"
            " forwarded to /v1/v1/...; leave it out, unless that is meant",
            upstream,
        )
    if settings.token is None and not is_loopback(settings.listen.host):
        _log.warning(
            "%s can be reached from other machines: whoever reaches it can use the upstream and"
            " read the cassettes; set WIRETAPE_TOKEN to ask for a token",
            settings.listen,
        )
    tls = showing(settings.tls_cert, settings.tls_key) if settings.tls_cert else None
    app = App(settings)
    try:
        if settings.mode is Mode.REPLAY and (settings.cassette or settings.cassettes):
            await app.sessions.get(DEFAULT_SESSION)
        listener = Listener(app.handle)
        listen = settings.listen
        try:
            port = await listener.start(listen.host, listen.port, tls)
        except (OSError, UnicodeError) as error:
            raise UsageError(
                f"cannot listen on {listen}: {why_unreachable(error).lower()};"
                " choose another address with --listen (port 0: any free one)"
            ) from None
        app.avoid(listener.takes)
    except WiretapeError:
        await app.close()
        raise
    return Running(app, listener, Address(listen.host, port))


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """A proxy for as long as the context lasts."""
    proxy = await start(settings)
    try:
        yield proxy
    finally:
        await proxy.stop()


async def serve(settings: Settings, ready: Callable[[Running], None]) -> Summary:
    """Serve until SIGINT or SIGTERM; a second one cuts off what is still in flight.

    Those that come afterwards are ignored, for the process is to end with its own status: some
    send each twice, to a command and to its group.

    Args:
        settings: of the proxy.
        ready: is called once it answers.

    Raises:
        WiretapeError: as `start`.
    """
    allow_many()
    stop, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupted(*_: object) -> None:
        loop.call_soon_threadsafe((hurry if stop.is_set() else stop).set)

    # The loop's own handlers would be followed by the system's, which kills.
    for number in _STOP_SIGNALS:
        signal.signal(number, interrupted)
    try:
        proxy = await start(settings)
        spare_collecting()
        ready(proxy)
        await stop.wait()
        return await proxy.stop(hurry=hurry)
    finally:
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def spare_collecting() -> None:
    """Have the collector of cycles look seldom, and never through what has been set up and stays.

    Requests leave next to no cycles, and each look holds everything up.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)


def any_port(settings: Settings) -> Settings:
    """The same settings on any free loopback port."""
    return replace(settings, listen=Address("127.0.0.1", 0))


def _check_directory(settings: Settings) -> None:
    """Say at once what would else be said with the first request."""
    directory = settings.directory
    if settings.mode in {Mode.RECORD, Mode.ONCE, Mode.NEW_EPISODES}:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"cannot make the cassette directory {directory}: {error.strerror}"
            ) from None
        if not os.access(directory, os.W_OK | os.X_OK):
            raise UsageError(f"cannot write into the cassette directory {directory}")
    if settings.mode is Mode.RECORD and settings.cassette is not None:
        path = cassette_path(directory, settings.cassette)
        if path.exists():
            check_replaceable(path)
    chosen = settings.cassette or settings.cassettes
    if settings.mode is Mode.REPLAY and not chosen and not directory.exists():
        _log.warning(  # which is no error, as it may come before the first request does
            "the cassette directory %s is not there: until it is, all requests are refused; if"
            " cassettes are elsewhere, say so with --dir",
            directory,
        )
    for part in find_abandoned(directory):
        _log.warning(
            "%s was left by a recording that did not end; finish it with: %s",
            part,
            recover_command(directory),
        )
