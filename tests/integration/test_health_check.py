"""The image's health check, against proxies that are well and things that are not."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.proxies import Proxy
from support.upstream import head, scripted_upstream
from support.wire import PATIENCE_S

HEALTH = Path(__file__).parents[2] / "docker" / "health.py"


async def status(url: str, **environment: str) -> int:
    listen = f"0.0.0.0:{urlsplit(url).port}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, HEALTH, env={"WIRETAPE_LISTEN": listen, **environment}
    )
    async with asyncio.timeout(PATIENCE_S):
        return await process.wait()


async def test_a_proxy_that_answers_is_healthy_whatever_proxies_the_environment_names(
    proxy: Proxy,
):
    async with proxy("replay", allow_hosts=frozenset({"wiretape"})) as well:
        assert await status(well.url) == 0
        assert await status(well.url, http_proxy="http://127.0.0.1:9", HTTP_PROXY="nonsense") == 0
    assert await status(well.url) == 1


@pytest.mark.parametrize("answer", [head("503 Busy", "Content-Length: 0"), b"SSH-2.0\r\n\r\n", b""])
async def test_what_answers_otherwise_is_not_healthy(answer: bytes):
    async with scripted_upstream([answer, "close"]) as other:
        assert await status(other.url) == 1
