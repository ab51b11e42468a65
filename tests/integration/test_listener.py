"""Clients that are too many, and those that have not read their answers when a proxy stops."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from typing import TYPE_CHECKING, Any

import pytest

from support.proxies import Proxy
from support.transport import turns
from support.wire import PATIENCE_S, ask_json, connect
from wiretape.core.addresses import Address
from wiretape.server import listener as listener_module
from wiretape.server.downstream import Answer, Downstream
from wiretape.server.listener import Listener
from wiretape.server.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


async def answer(_: Request, downstream: Downstream) -> None:
    downstream.answer(Answer.of(200, b"", "text/plain"))


@contextlib.contextmanager
def few_files(port: int) -> Iterator[list[socket.socket]]:
    """A dozen connections, for four of which the other side can open a file."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    clients = [socket.socket() for _ in range(12)]  # which take all numbers up to the last one's
    resource.setrlimit(resource.RLIMIT_NOFILE, (clients[-1].fileno() + 5, limits[1]))
    try:
        for each in clients:
            each.connect(("127.0.0.1", port))
            each.settimeout(0)
        yield clients
    finally:
        for each in clients:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("stops", [False, True])
async def test_connections_that_no_file_can_be_opened_for_wait_and_that_is_said_once(
    *, stops: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(listener_module, "_RETRY_S", 0.0)
    loop = asyncio.get_running_loop()
    complaints: list[Any] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    listener = Listener(answer)
    with few_files(await listener.start("127.0.0.1", 0)) as clients:
        async with asyncio.timeout(PATIENCE_S):
            await turns()
            for each in () if stops else clients:
                await loop.sock_sendall(each, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert (await loop.sock_recv(each, 1000)).startswith(b"HTTP/1.1 200 OK")
                each.close()
        await listener.close()
        await turns()
    said = "no more connections can be taken until others are closed: too many open files;"
    assert [each.getMessage() for each in caplog.records] == [
        f"{said} raise the limit with ulimit -n"
    ]
    assert not complaints


@pytest.mark.parametrize(
    ("listens", "here", "there", "own"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.1", "127.0.0.2", False),
        ("127.0.0.1", "::1", "::1", False),
        ("0.0.0.0", "127.0.0.1", "127.0.0.9", True),  # noqa: S104  to be tested
        ("0.0.0.0", "192.0.2.7", "192.0.2.7", True),  # noqa: S104  likewise
        ("0.0.0.0", "::ffff:192.0.2.7", "::ffff:192.0.2.7", True),  # noqa: S104  likewise
        ("0.0.0.0", "192.0.2.7", "203.0.113.9", False),  # noqa: S104  likewise
        ("0.0.0.0", "::1", "::1", False),  # noqa: S104  likewise
    ],
)
async def test_a_listener_knows_the_connections_that_lead_to_it(
    listens: str, here: str, there: str, *, own: bool
):
    listener = Listener(answer)
    port = await listener.start(listens, 0)
    assert listener.takes(Address(here, 1), Address(there, port)) is own
    assert not listener.takes(Address(here, 1), Address(there, port + 1))
    await listener.close()
    assert not listener.takes(Address(here, 1), Address(there, port))


async def test_an_upstream_that_is_the_proxy_by_whatever_name_is_not_asked(
    proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *more: look_up("127.0.0.1", *more))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = Address("0.0.0.0", taken.getsockname()[1])  # noqa: S104  not by its own name
    upstream = f"http://a-container:{listen.port}"
    async with proxy("once", upstream=upstream, listen=listen, cassette="c") as recording:
        answered = await ask_json(f"http://127.0.0.1:{listen.port}", "/v1/chat/completions", {})
        await recording.stop()
    assert answered.status == 502
    assert "it is this proxy itself; say where the model is" in answered.json()["error"]["message"]
    assert not (tmp_path / "c.yaml").exists()
