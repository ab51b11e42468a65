"""What becomes of answers that clients have not read when a proxy stops."""

from __future__ import annotations

import asyncio

import pytest

from support.wire import PATIENCE_S, connect
from wiretape.server import listener as listener_module
from wiretape.server.downstream import Answer, Downstream
from wiretape.server.listener import Listener
from wiretape.server.request import Request

LARGE = b"x" * 32_000_000  # more than the kernel takes


async def answer_large(_: Request, downstream: Downstream) -> None:
    downstream.answer(Answer.of(200, LARGE, "text/plain"))


@pytest.mark.parametrize("waits", [True, False])
async def test_who_has_not_read_all_is_waited_for_as_long_as_is_said(
    *, waits: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(listener_module, "_STEPS", 1)
    listener = Listener(answer_large)
    url = f"http://127.0.0.1:{await listener.start('127.0.0.1', 0)}"
    client = await connect(url)
    await client.send("GET", "/")
    await client.head()
    looked = asyncio.Event()

    def look() -> bool:
        looked.set()
        return waits

    closing = asyncio.create_task(listener.close(look))
    async with asyncio.timeout(PATIENCE_S):
        await looked.wait()
        if waits:
            assert await client.reader.readexactly(len(LARGE)) == LARGE
            await closing
        else:
            await closing
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.reader.readexactly(len(LARGE))
    client.close()


async def test_an_idle_client_is_waited_for_no_longer_than_a_moment(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(listener_module, "_STEPS", 1)
    listener = Listener(answer_large)
    url = f"http://127.0.0.1:{await listener.start('127.0.0.1', 0)}"
    client = await connect(url)
    await listener.close(lambda: True)
    client.close()
