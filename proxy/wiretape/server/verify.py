"""Verifying: a cassette is replayed through the real proxy and compared with itself."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from wiretape.cassette.loader import load
from wiretape.core.model import Mode
from wiretape.core.routing import DEFAULT_SESSION, parse_session_name
from wiretape.errors import UsageError
from wiretape.server.comparison import Verification, compare, order_differences
from wiretape.server.driver import drive
from wiretape.server.serve import any_port, running, spare_collecting

if TYPE_CHECKING:
    from pathlib import Path

    from wiretape.core.model import Cassette
    from wiretape.core.routing import SessionName
    from wiretape.core.tempo import Speed
    from wiretape.server.driver import Received
    from wiretape.server.settings import Settings


async def verify(cassette: Cassette, settings: Settings) -> Verification:
    """Replay a cassette through a proxy of its own and compare.

    Args:
        cassette: loaded from one of `settings.cassettes`.
        settings: of the replay; the mode and the address are set here.

    Raises:
        WiretapeError: the proxy cannot start.
    """
    replaying = replace(any_port(settings), mode=Mode.REPLAY, admits_pages=True)
    async with running(replaying) as proxy:
        session = await proxy.app.sessions.get(DEFAULT_SESSION)
        replayer, url = session.replayer, _base_url(proxy.url, session.name)
        assert replayer is not None  # noqa: S101  the mode is replay
        written = replayer.trace = []
        if settings.speed.factor is None:
            received = await drive(cassette, url, settings.speed)
        else:
            received = await _drive_apart(settings.cassettes[0], url, settings.speed)
    differences = order_differences(cassette, [(key[1], step) for key, step in written])
    return compare(cassette, received, settings.speed, differences)


def _base_url(url: str, name: SessionName) -> str:
    """Where to ask: under the session's name, for a recorded target may begin with `/@` itself."""
    try:
        named = parse_session_name(str(name)) == name
    except UsageError:
        named = False  # not every file's name can be asked for
    return f"{url}/@{quote(str(name), safe='')}" if named else url


async def _drive_apart(path: Path, url: str, speed: Speed) -> list[Received]:
    """Drive from a process of its own, so that client and proxy do not time each other."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        running_loop = asyncio.get_running_loop()
        return await running_loop.run_in_executor(pool, _drive_file, path, url, speed)


def _drive_file(path: Path, url: str, speed: Speed) -> list[Received]:
    cassette = load(path)
    spare_collecting()
    return asyncio.run(drive(cassette, url, speed))
