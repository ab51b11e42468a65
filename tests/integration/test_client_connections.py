"""What clients may send on one connection, and how it is answered; bytes on real sockets."""

from __future__ import annotations

import asyncio
import logging

import pytest

from support.proxies import Proxy
from support.upstream import Gate, Seen, head, scripted_upstream
from support.wire import PATIENCE_S, Answer, Connection, ask, connect

ASKS = b"GET /_wiretape/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def echoing(seen: Seen) -> list[bytes]:
    return [head("200 OK", f"Content-Length: {len(seen.target)}") + seen.target.encode()]


def get(target: str, *fields: str, method: str = "GET") -> bytes:
    return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: localhost", *fields, "", "")).encode()


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


@pytest.mark.parametrize(
    ("name", "ahead"), [("h2c", b""), ("websocket", b""), ("websocket", get("/ahead"))]
)
async def test_who_asks_for_another_protocol_is_answered_in_http(
    name: str, ahead: bytes, proxy: Proxy
):
    upgrade = ("Connection: Upgrade", f"Upgrade: {name}", "Content-Length: 2")
    async with (
        scripted_upstream(echoing) as upstream,
        proxy("passthrough", upstream=upstream.url) as passing,
    ):
        client = await connect(passing.url)
        client.writer.write(get("/a", *upgrade, method="POST") + b"hi" + ahead)
        assert (await answer_on(client)).body == b"/a"
        if ahead:
            assert (await answer_on(client)).body == b"/ahead"
        client.writer.write(get("/b"))
        assert (await answer_on(client)).body == b"/b"
        client.close()
    assert upstream.seen[0].body == b"hi"
    assert upstream.seen[0].header("Upgrade") is None


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
