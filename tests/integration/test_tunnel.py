"""An https upstream that only the proxy which HTTPS_PROXY names can reach."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.certificates import tls_upstream
from support.proxies import Proxy
from support.upstream import LAST, SSE_HEAD, Step, chunk
from support.wire import PATIENCE_S, ask
from wiretape.cassette.loader import load
from wiretape.server.tunnel import tunnel_to

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")

STREAM: list[Step] = [SSE_HEAD, chunk(b"data: 1\n\n"), chunk(b"data: 2\n\n"), LAST]
CONNECTED = b"HTTP/1.1 200 Connection established\r\nVia: a proxy\r\n\r\n"


class Forward:
    """A proxy that connects to one port, whatever it is asked for.

    Args:
        answer: what it says, and connects only if that is a 200; nothing for closing at once.
        port: where it connects to.
    """

    def __init__(self, answer: bytes, port: int) -> None:
        self.asked: list[bytes] = []
        self.over: list[asyncio.Event] = []
        self._answer = answer
        self._port = port

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over = asyncio.Event()
        self.over.append(over)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            for cut in (self._answer[:9], self._answer[9:]):
                writer.write(cut)
                await writer.drain()
            if b" 200 " in self._answer:
                there, back = await asyncio.open_connection("127.0.0.1", self._port)
                await asyncio.gather(pumped(reader, back), pumped(there, writer))
                back.close()
        writer.close()
        over.set()


async def pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@asynccontextmanager
async def forward(answer: bytes, upstream_url: str) -> AsyncIterator[tuple[Forward, str]]:
    """A proxy and its address; everything it is asked for is the upstream."""
    proxy = Forward(answer, urlsplit(upstream_url).port or 0)
    server = await asyncio.start_server(proxy.connected, "127.0.0.1", 0)
    async with server:
        yield proxy, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with asyncio.timeout(PATIENCE_S):
            for each in proxy.over:
                await each.wait()


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


async def test_a_stream_is_recorded_through_it(
    certificates: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    async with (
        tls_upstream(certificates, STREAM) as url,
        forward(CONNECTED, url) as (asked, address),
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:p%40ss@{address}")
        named = f"https://upstream.test:{urlsplit(url).port}"
        ca = certificates / "ca.pem"
        async with proxy("record", upstream=named, upstream_ca=ca, cassette="c") as tape:
            for _ in range(2):
                answer = await ask(tape.url, "GET", "/")
                assert (answer.status, answer.ending) == (200, "complete")
    request = asked.asked[0]
    lines = request.decode().split("\r\n")
    assert lines[0] == f"CONNECT upstream.test:{urlsplit(url).port} HTTP/1.1"
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'me:p@ss').decode()}" in lines
    cassette = load(tape.app.settings.directory / "c.yaml")
    assert [each.data for each in cassette.interactions()[1].chunks] == answer.chunks
    assert cassette.upstream == named


async def test_whose_certificate_is_somebody_elses_is_not_spoken_to(
    certificates: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    async with (
        tls_upstream(certificates, STREAM) as url,
        forward(CONNECTED, url) as (_, address),
    ):
        monkeypatch.setenv("HTTPS_PROXY", address)
        ca = certificates / "ca.pem"
        async with proxy("record", upstream="https://another.test", upstream_ca=ca) as tape:
            refused = await ask(tape.url, "GET", "/")
    assert refused.status == 502
    assert "certificate is not trusted" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "answered 'HTTP/1.1 403 Forbidden'"),
        (b"HTTP/1.1 407 Who are you\r\n\r\n", "give it as http://USER:PASSWORD@HOST:PORT"),
        (b"SSH-2.0-x\r\n\r\n", "answered 'SSH-2.0-x'"),
        (b"", "closed the connection without an answer"),
        (b"x" * 70_000, f"answered '{'x' * 200}'"),
    ],
)
async def test_what_it_does_not_let_through_is_told(
    answer: bytes, told: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    async with forward(answer, "http://nobody:1") as (_, address):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:geheim@{address}")
        async with proxy("record", upstream="https://upstream.test") as tape:
            async with asyncio.timeout(PATIENCE_S):
                refused = await ask(tape.url, "GET", "/")
    message = refused.json()["error"]["message"]
    assert refused.status == 502
    assert f"the proxy {address}, which HTTPS_PROXY names, " in message
    assert told in message
    assert "geheim" not in message


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1:1", "cannot be reached: connection refused"),
        ("socks5://127.0.0.1:1", "set it to http://HOST:PORT"),
        ("http://127.0.0.1:many", "set it to http://HOST:PORT"),
        ("http://", "set it to http://HOST:PORT"),
        ("http://[::1", "set it to http://HOST:PORT"),
        ("http://me:p[geheim]x@127.0.0.1:1", "percent-encoded"),
        ("http://me:geheim#1@127.0.0.1:1", "percent-encoded"),
        ("http://me:geheim/1@127.0.0.1:1", "percent-encoded"),
        ("http://me:geheim?1@127.0.0.1:1", "percent-encoded"),
        ("http://me:1234/geheim@127.0.0.1:1", "percent-encoded"),
    ],
)
async def test_one_that_cannot_be_asked_is_told(
    address: str, told: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HTTPS_PROXY", address)
    async with proxy("record", upstream="https://upstream.test") as tape:
        refused = await ask(tape.url, "GET", "/")
    assert refused.status == 502
    assert told in refused.json()["error"]["message"]
    assert "geheim" not in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("host", "no_proxy", "through"),
    [
        ("api.test", "", True),
        ("api.test", "other.test", True),
        ("api.test", "api.test", False),
        ("api.test", ".test", False),
        ("api.test", "api.test:443", False),
        ("api.test", "*", False),
        ("localhost", "", False),
        ("127.0.0.1", "", False),
        ("::1", "", False),
        ("10.1.2.3", "", True),
    ],
)
def test_which_hosts_it_is_for(
    host: str, no_proxy: str, *, through: bool, monkeypatch: pytest.MonkeyPatch
):
    assert tunnel_to(host, 443) is None
    monkeypatch.setenv("https_proxy", "127.0.0.1:1")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert (tunnel_to(host, 443) is not None) is through
