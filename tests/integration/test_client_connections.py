"""What clients may send on one connection, and how it is answered; bytes on real sockets."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

import pytest

from support.proxies import Proxy
from support.upstream import Gate, Seen, head, reset, scripted_upstream
from support.wire import PATIENCE_S, Answer, Connection, ask, connect

NOTHING = "wiretape: 1\nrecorded: 2026-11-22T10:31:02Z\nupstream: http://x\nentries: []\n"
ASKS = b"GET /_wiretape/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def echoing(seen: Seen) -> list[bytes]:
    return [head("200 OK", f"Content-Length: {len(seen.target)}") + seen.target.encode()]


def get(target: str, *fields: str, method: str = "GET") -> bytes:
    return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: localhost", *fields, "", "")).encode()


def memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def answer_on(client: Connection) -> Answer:
    await client.head()
    return await client.rest()


async def is_closed(client: Connection) -> bool:
    async with asyncio.timeout(PATIENCE_S):
        return await client.reader.read() == b""


@pytest.mark.parametrize("size", [1, 7, 1_000_000])
async def test_requests_sent_ahead_are_answered_in_their_order(size: int, proxy: Proxy):
    asked = get("/a") + get("/b", "Content-Length: 3", method="POST") + b"xyz" + get("/c")
    async with (
        scripted_upstream(echoing) as upstream,
        proxy("passthrough", upstream=upstream.url) as passing,
    ):
        client = await connect(passing.url)
        for start in range(0, len(asked), size):
            client.writer.write(asked[start : start + size])
            await client.writer.drain()
            await asyncio.sleep(0)
        assert [(await answer_on(client)).body for _ in range(3)] == [b"/a", b"/b", b"/c"]
        client.close()
    assert [each.body for each in upstream.seen] == [b"", b"xyz", b""]


async def test_a_client_that_asks_far_ahead_is_answered_in_full(proxy: Proxy):
    count = 3000
    async with proxy("passthrough") as passing:
        client = await connect(passing.url)
        client.writer.write(ASKS * count)
        for _ in range(count):
            assert (await answer_on(client)).status == 200
        client.close()


@pytest.mark.parametrize("name", ["h2c", "websocket", "tcp"])
async def test_who_asks_for_another_protocol_is_answered_in_http_and_may_ask_anew(
    name: str, proxy: Proxy, caplog: pytest.LogCaptureFixture
):
    upgrade = ("Connection: Upgrade", f"Upgrade: {name}", "Content-Length: 2")
    async with (
        scripted_upstream(echoing) as upstream,
        proxy("passthrough", upstream=upstream.url) as passing,
    ):
        client = await connect(passing.url)
        client.writer.write(get("/a", *upgrade, method="POST") + b"hi" + get("/b"))
        answer = await answer_on(client)
        assert answer.body == b"/a"
        assert answer.header("Connection") == "close"
        assert await is_closed(client)
        client.close()
    (seen,) = upstream.seen
    assert seen.body == b"hi"
    assert seen.header("Upgrade") is None
    told = "POST /a asks for a WebSocket, which wiretape does not speak"
    assert (told in caplog.text) == (name == "websocket")


async def test_trailer_fields_are_no_header_fields_of_another_request(proxy: Proxy):
    body = b"2\r\nhi\r\n0\r\nX-B: c\r\n\r\n"
    asked = get("/a", "Transfer-Encoding: chunked", method="POST") + body
    async with (
        scripted_upstream(echoing) as upstream,
        proxy("passthrough", upstream=upstream.url) as passing,
    ):
        client = await connect(passing.url)
        for asks in (asked, asked, get("/b")):
            client.writer.write(asks[:-1])
            await client.writer.drain()
            client.writer.write(asks[-1:])
            assert (await answer_on(client)).status == 200
        client.close()
        for ahead in (get("/b"), get("/b")[:5]):
            client = await connect(passing.url)
            client.writer.write(asked + ahead)
            assert (await answer_on(client)).body == b"/a"
            assert await is_closed(client)
            client.close()
    assert [each.target for each in upstream.seen] == ["/a", "/a", "/b", "/a", "/a"]
    assert not any(each.header("X-B") for each in upstream.seen)


@pytest.mark.parametrize(
    ("asks", "rest"),
    [
        pytest.param(get("/a", "X: " + "y" * 300_000), b"", id="a head too long"),
        pytest.param(
            get("/a", "Transfer-Encoding: gzip, chunked", method="POST"),
            b"%x\r\n%b\r\n0\r\n\r\n" % (2_000_000, b"x" * 2_000_000),
            id="an unknown coding",
        ),
        pytest.param(
            get("/a", "Transfer-Encoding: chunked", method="POST") + b"2\r\nhi\r\nzz\r\n",
            b"x" * 2_000_000,
            id="a broken chunk",
        ),
        pytest.param(b"\x16\x03\x01\0\r\n\r\n", b"x" * 2_000_000, id="no HTTP"),
        pytest.param(
            get("/a", f"Content-Length: {2**64 - 1}", method="POST"), b"", id="a length too long"
        ),
    ],
)
async def test_a_refusal_is_heard_by_who_is_still_sending(asks: bytes, rest: bytes, proxy: Proxy):
    async with proxy("passthrough") as passing:
        for _ in range(5):
            client = await connect(passing.url)
            client.writer.write(asks + rest)
            answer = await answer_on(client)
            assert (answer.status, answer.ending) == (400, "complete")
            assert answer.header("Connection") == "close"
            client.close()


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(head("413 Too Large", "Content-Length: 2") + b"no")
    await reader.read()
    writer.close()


async def test_an_early_answer_is_heard_by_who_is_still_sending(proxy: Proxy):
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with proxy("passthrough", upstream=url, max_body_bytes=1000) as passing:
            for _ in range(5):
                answer = await ask(passing.url, "POST", "/", b"x" * 20_000_000)
                assert (answer.status, answer.body) == (413, b"no")


async def test_the_rest_of_a_body_that_nobody_wants_is_waited_for_once(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("wiretape.server.request.UNWANTED_BODY_S", 0.1)
    monkeypatch.setattr("wiretape.server.client.UNWANTED_BODY_S", PATIENCE_S * 5)

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with proxy("passthrough", upstream=url, max_body_bytes=10) as passing:
            client = await connect(passing.url)
            await client.send("POST", "/", b"x" * 100, {"Content-Length": "1000"})
            assert (await answer_on(client)).status == 413
            assert await is_closed(client)
            client.close()


async def test_an_early_answer_to_a_body_that_pauses_does_not_cost_the_connection(proxy: Proxy):
    async def answer_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(head("200 OK", "Content-Length: 2") + request.split()[1])
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer_early, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with proxy("passthrough", upstream=url, max_body_bytes=1) as passing:
            client = await connect(passing.url)
            client.writer.write(get("/a", "Content-Length: 6", method="POST") + b"abc")
            assert (await answer_on(client)).body == b"/a"
            client.writer.write(b"def" + get("/b"))
            assert (await answer_on(client)).body == b"/b"
            client.close()


@pytest.mark.parametrize("mode", ["passthrough", "replay"])
async def test_a_streamed_body_that_goes_wrong_is_the_clients_fault(
    mode: str, proxy: Proxy, tmp_path: Path
):
    (tmp_path / "c.yaml").write_text(NOTHING)
    asks = get("/a", "Transfer-Encoding: chunked", method="POST") + b"7d0\r\n" + b"x" * 2000
    changes = {"cassette": "c", "max_body_bytes": 1000, "body_timeout_s": 0.3}
    async with (
        scripted_upstream(echoing) as upstream,
        proxy(mode, upstream=upstream.url, **changes) as passing,
    ):
        for rest, status in ((b"", 408), (b"\r\nzz\r\n", 400)):
            client = await connect(passing.url)
            client.writer.write(asks + rest)
            assert (await answer_on(client)).status == status
            client.close()


@pytest.mark.parametrize(
    ("asks", "resets"),
    [
        (get("/") * 40, True),
        (get("/", "Content-Length: 99999999", method="POST") + b"x" * 50_000_000, True),
        pytest.param(
            get("/") * 40,
            False,
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only a reset is seen there"),
        ),
    ],
    ids=["reset", "upload reset", "closed"],
)
async def test_a_client_that_leaves_while_nothing_is_read_from_it_is_noticed(
    asks: bytes, *, resets: bool, proxy: Proxy
):
    asked, over = asyncio.Event(), asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await over.wait()
        writer.transport.abort()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0, limit=2**12) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with proxy("passthrough", upstream=url, max_body_bytes=10) as passing:
            client = await connect(passing.url)
            client.writer.write(asks)
            async with asyncio.timeout(PATIENCE_S):
                await asked.wait()
                left = -1
                # Until the proxy takes no more.
                while left != (left := client.writer.transport.get_write_buffer_size()):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                if resets:
                    reset(client.writer)
                client.close()
                while passing.app.in_flight:  # noqa: ASYNC110  it is seen now and then
                    await asyncio.sleep(0.01)
            over.set()


async def test_who_asks_ahead_and_never_reads_is_not_answered_without_end(proxy: Proxy):
    async with proxy("passthrough") as passing:
        client = await connect(passing.url)
        transport = client.writer.transport
        transport.pause_reading()
        transport.write(ASKS * 200_000)
        before = memory_mb()
        unsent = 0
        for _ in range(100):
            if unsent == (unsent := transport.get_write_buffer_size()):
                break
            await asyncio.sleep(0.5)
        assert unsent, "the proxy takes no more"
        assert memory_mb() - before < 32
        transport.abort()


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_body_that_is_not_framed_is_a_400(*, at_once: bool, proxy: Proxy):
    asks = get("/a", "Transfer-Encoding: chunked", "Expect: 100-continue", method="POST")
    rest = b"2\r\nhi\r\nzz\r\n" + ASKS
    async with (
        scripted_upstream(echoing) as upstream,
        proxy("passthrough", upstream=upstream.url) as passing,
    ):
        client = await connect(passing.url)
        client.writer.write(asks + rest if at_once else asks)
        if not at_once:
            async with asyncio.timeout(PATIENCE_S):
                await client.reader.readuntil(b"100 Continue\r\n\r\n")
            client.writer.write(rest)
        answer = await answer_on(client)
        assert answer.status == 400
        assert "not HTTP" in answer.json()["error"]["message"]
        assert await is_closed(client)
        client.close()
    assert not upstream.seen


async def test_a_body_that_nobody_wants_does_not_cost_the_answer_or_the_connection(proxy: Proxy):
    size = 3_000_000
    async with proxy("passthrough") as passing:
        client = await connect(passing.url)
        client.writer.write(
            b"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: %d\r\n\r\n" % size
        )
        assert (await answer_on(client)).status == 403
        client.writer.write(b"x" * size + ASKS)
        assert (await answer_on(client)).status == 200
        client.close()


async def test_garbage_after_a_request_does_not_cost_its_answer(
    proxy: Proxy, caplog: pytest.LogCaptureFixture
):
    gate = Gate()
    key = "sk-proj-" + "a1" * 20
    async with (
        scripted_upstream([gate, head("200 OK", "Content-Length: 2") + b"ok"]) as upstream,
        proxy("passthrough", upstream=upstream.url) as passing,
    ):
        client = await connect(passing.url)
        client.writer.write(get("/a"))
        async with asyncio.timeout(PATIENCE_S):
            await upstream.asked.wait()
        client.writer.write(f"{key} / HTTP/1.1\r\n\r\n".encode())
        gate.set()
        assert (await answer_on(client)).body == b"ok"
        refused = await answer_on(client)
        assert refused.status == 400
        assert await is_closed(client)
        client.close()
    (said,) = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert "not HTTP" in said
    assert key not in said
    assert key not in refused.body.decode()


async def test_stopping_closes_connections_that_nobody_uses(proxy: Proxy):
    async with proxy("passthrough") as passing:
        client = await connect(passing.url)
        client.writer.write(ASKS)
        await answer_on(client)
        silent = await connect(passing.url)
    assert await is_closed(client)
    assert await is_closed(silent)
    client.close()
    silent.close()


async def test_who_asks_to_close_is_told_so_and_closed(proxy: Proxy):
    async with proxy("passthrough") as passing:
        for version, fields in (("1.1", ("Connection: close",)), ("1.0", ())):
            client = await connect(passing.url)
            client.writer.write(ASKS.replace(b"1.1", version.encode())[:-2])
            client.writer.write("".join(f"{each}\r\n" for each in (*fields, "")).encode())
            answer = await answer_on(client)
            assert answer.header("Connection") == "close"
            assert await is_closed(client)
            client.close()
        assert (await ask(passing.url, "GET", "/_wiretape/health")).status == 200
