"""Verifying: a cassette is replayed through the real proxy and compared with itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wiretape.core.model import Mode
from wiretape.core.routing import DEFAULT_SESSION
from wiretape.server.comparison import Verification, compare, order_differences
from wiretape.server.driver import drive
from wiretape.server.serve import any_port, running

if TYPE_CHECKING:
    from wiretape.core.model import Cassette
    from wiretape.server.settings import Settings


async def verify(cassette: Cassette, settings: Settings) -> Verification:
    """Replay a cassette through a proxy of its own and compare.

    Args:
        cassette: loaded from one of `settings.cassettes`.
        settings: of the replay; the mode and the address are set here.

    Raises:
        WiretapeError: the proxy cannot start.
    """
    replaying = replace(any_port(settings), mode=Mode.REPLAY)
    async with running(replaying) as proxy:
        replayer = proxy.app.sessions.get(DEFAULT_SESSION).replayer
        assert replayer is not None  # noqa: S101  the mode is replay
        written = replayer.trace = []
        received = await drive(cassette, proxy.url, settings.speed)
    differences = order_differences(cassette, [(key[1], step) for key, step in written])
    return compare(cassette, received, settings.speed, differences)
