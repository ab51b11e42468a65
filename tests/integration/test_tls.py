"""TLS on both sides: verified upstreams, a private CA by flag, a certificate of one's own."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.certificates import tls_upstream
from support.command import serving, wiretape
from support.proxies import Proxy
from support.upstream import CLOSE, LAST, SSE_HEAD, Step, chunk, head
from support.wire import PATIENCE_S, Connection, ask
from wiretape.cassette.loader import load
from wiretape.core.model import Outcome
from wiretape.server.downstream import Answer, Downstream
from wiretape.server.listener import Listener
from wiretape.server.request import Request

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")

STREAM: list[Step] = [SSE_HEAD, chunk(b"data: 1\n\n"), chunk(b"data: 2\n\n"), LAST]


@pytest.mark.parametrize(
    ("script", "ending", "outcome"),
    [
        (STREAM, "complete", Outcome.COMPLETE),
        ([*STREAM[:-1], CLOSE], "closed", Outcome.UPSTREAM_CLOSED),
        ([head("200 OK", "Content-Length: 9"), b"abc", CLOSE], "closed", Outcome.UPSTREAM_CLOSED),
    ],
)
async def test_an_upstream_of_a_private_ca_is_recorded(
    script: list[Step], ending: str, outcome: Outcome, certificates: Path, proxy: Proxy
):
    ca = certificates / "ca.pem"
    async with (
        tls_upstream(certificates, script) as url,
        proxy("record", upstream=url, upstream_ca=ca, cassette="c") as tape,
    ):
        for _ in range(2):
            answer = await ask(tape.url, "GET", "/")
            assert (answer.status, answer.ending) == (200, ending)
    first, second = load(tape.app.settings.directory / "c.yaml").interactions()
    assert first.outcome is second.outcome is outcome
    assert [each.data for each in first.chunks] == answer.chunks


async def test_an_upstream_that_nobody_vouches_for_is_not_spoken_to(
    certificates: Path, proxy: Proxy
):
    async with (
        tls_upstream(certificates, STREAM) as unknown,
        tls_upstream(certificates, STREAM, "127.0.0.2") as misnamed,
        proxy("record", upstream=unknown) as one,
        proxy("record", upstream=misnamed, upstream_ca=certificates / "ca.pem") as other,
    ):
        for tape in (one, other):
            refused = await ask(tape.url, "GET", "/")
            assert refused.status == 502
            assert "certificate is not trusted" in refused.json()["error"]["message"]
        assert "--upstream-ca" in (await ask(one.url, "GET", "/")).json()["error"]["message"]


async def test_listening_with_a_certificate(certificates: Path, tmp_path: Path):
    files = ("--tls-cert", certificates / "own.pem", "--tls-key", certificates / "own.key")
    ca = ("--upstream-ca", certificates / "ca.pem")
    common = ("--dir", tmp_path, "--cassette", "c", *files)
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    async with tls_upstream(certificates, STREAM) as url:
        for command in (("record", "--upstream", url, *ca), ("replay",)):
            async with serving(*command, *common) as tape:
                assert tape.url.startswith("https://127.0.0.1:")
                port = urlsplit(tape.url).port
                streams = await asyncio.open_connection("127.0.0.1", port, ssl=context)
                client = Connection(*streams)
                await client.send("GET", "/")
                await client.head()
                answer = await client.rest()
                assert answer.chunks == [b"data: 1\n\n", b"data: 2\n\n"]
                assert answer.ending == "complete"
                client.close()
                await client.writer.wait_closed()
                in_the_clear = await ask(tape.url.replace("https", "http"), "GET", "/")
                assert in_the_clear.status == 0
                assert await tape.stop() == 0


async def test_a_client_that_keeps_its_connection_costs_a_stop_nothing(
    certificates: Path, tmp_path: Path
):
    files = ("--tls-cert", certificates / "own.pem", "--tls-key", certificates / "own.key")
    ca = ("--upstream-ca", certificates / "ca.pem")
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    common = ("--dir", tmp_path, "--cassette", "c")
    async with (
        tls_upstream(certificates, STREAM) as url,
        serving("record", "--upstream", url, *ca, *common, *files) as tape,
    ):
        # A blocking socket that nobody reads from does not answer when TLS is closed.
        client = await asyncio.to_thread(ask_and_keep, tape.url, context)
        assert await tape.stop() == 0
        client.close()
    (interaction,) = load(tmp_path / "c.yaml").interactions()
    assert interaction.outcome is Outcome.COMPLETE


async def test_who_has_not_agreed_on_tls_when_it_stops_is_not_served_afterwards(
    certificates: Path, tmp_path: Path, proxy: Proxy
):
    files = {"tls_cert": certificates / "own.pem", "tls_key": certificates / "own.key"}
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    async with proxy("record", upstream="http://127.0.0.1:1", **files) as tape:
        address = ("127.0.0.1", urlsplit(tape.url).port)
        plain = await asyncio.to_thread(socket.create_connection, address)
        plain.settimeout(0)
        for _ in range(5):  # it is accepted, and nothing more
            await asyncio.sleep(0)
        await tape.stop()
        answer = b""
        with suppress(OSError):  # closed, or reset, or the handshake fails
            reader, writer = await asyncio.open_connection(
                sock=plain, ssl=context, server_hostname="localhost"
            )
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = await reader.read(1000)
        assert not answer
    assert not list(tmp_path.iterdir())


def ask_and_keep(url: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    address = ("127.0.0.1", urlsplit(url).port or 0)
    client = context.wrap_socket(socket.create_connection(address), server_hostname="localhost")
    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = b""
    while not answer.endswith(LAST):
        answer += client.recv(1000)
    return client


@pytest.mark.parametrize("waits", [True, False])
async def test_an_answer_that_is_read_slowly_is_cut_off_only_when_it_is_waited_for_no_more(
    *, waits: bool, certificates: Path, monkeypatch: pytest.MonkeyPatch
):
    # What asyncio would give it, of its own accord, is over before the listener looks at all.
    monkeypatch.setattr("asyncio.constants.SSL_SHUTDOWN_TIMEOUT", 1e-9)
    monkeypatch.setattr("wiretape.server.listener._STEPS", 1)
    large = b"x" * 32_000_000  # more than the kernel takes

    async def answer_large(_: Request, downstream: Downstream) -> None:
        downstream.answer(Answer.of(200, large, "text/plain"))

    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(certificates / "both.pem")
    listener = Listener(answer_large)
    port = await listener.start("127.0.0.1", 0, own)
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    client = Connection(*await asyncio.open_connection("127.0.0.1", port, ssl=context))
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
            assert await client.reader.readexactly(len(large)) == large
        else:
            await closing
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.reader.readexactly(len(large))
    client.close()
    await closing


def test_files_that_are_no_certificates_are_said_at_the_start(certificates: Path, tmp_path: Path):
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing\n")
    missing = tmp_path / "missing.pem"
    for arguments in (
        ("--upstream-ca", nothing),
        ("--upstream-ca", missing),
        ("--tls-cert", nothing),
        ("--tls-cert", certificates / "own.pem"),
        ("--tls-cert", certificates / "ca.pem", "--tls-key", certificates / "own.key"),
        ("--tls-cert", missing),
    ):
        refused = wiretape("record", "--dir", tmp_path, "--listen", "127.0.0.1:0", *arguments)
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1
        assert str(arguments[0]) in refused.stderr
        assert "Traceback" not in refused.stderr
