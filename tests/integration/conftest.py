"""Proxies on real sockets for the tests that cross them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.certificates import make_certificates
from support.proxies import Proxy
from wiretape.core.addresses import Address
from wiretape.core.model import Mode
from wiretape.server.serve import Running, start
from wiretape.server.settings import Settings


@pytest.fixture
def proxy(tmp_path: Path) -> Proxy:
    """Start a proxy in a mode; its cassettes are in the test's own directory."""

    @contextlib.asynccontextmanager
    async def started(mode: str, **changes: Any) -> AsyncIterator[Running]:
        settings = {
            "directory": tmp_path,
            "listen": Address("127.0.0.1", 0),
            "grace_s": 1.0,
            **changes,
        }
        running = await start(Settings(Mode(mode), **settings))
        try:
            yield running
        finally:
            await running.stop()

    return started


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a private CA, of a certificate of its for this machine, and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    make_certificates(folder)
    return folder
