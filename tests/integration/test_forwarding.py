"""What the proxy does on the way: nothing is held back, changed, leaked or left behind."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from support.proxies import Proxy
from support.upstream import (
    CLOSE,
    LAST,
    SSE_HEAD,
    Gate,
    Script,
    ScriptedUpstream,
    Seen,
    chunk,
    head,
    scripted_upstream,
)
from support.wire import PATIENCE_S, Answer, ask, ask_json, connect
from wiretape.cassette.loader import load
from wiretape.core.addresses import parse_listen, parse_upstream
from wiretape.core.model import Body, Outcome, Request
from wiretape.errors import UpstreamError
from wiretape.server.clock import monotonic_ns
from wiretape.server.connection import UpstreamConnection
from wiretape.server.serve import Running
from wiretape.server.upstream import Upstream

OK = head("200 OK", "Content-Length: 2") + b"ok"


def entries(path: Path) -> list[dict]:
    return yaml.safe_load(path.read_text())["entries"]


async def test_the_client_has_each_chunk_before_the_upstream_sends_the_next(proxy: Proxy):
    gates = [Gate() for _ in range(5)]
    script = [SSE_HEAD]
    for number, gate in enumerate(gates):
        script += [gate, chunk(b"data: %d\n\n" % number)]
    async with (
        scripted_upstream([*script, LAST]) as upstream,
        proxy("record", upstream=upstream.url) as recording,
    ):
        client = await connect(recording.url)
        await client.send("GET", "/v1/stream")
        assert (await client.head()).status == 200  # before any chunk was sent
        for number, gate in enumerate(gates):
            gate.set()
            assert await client.chunk() == b"data: %d\n\n" % number
        assert (await client.rest()).ending == "complete"
        client.close()


async def test_a_piece_of_a_chunk_is_not_held_back(proxy: Proxy, tmp_path: Path):
    gate = Gate()
    async with (
        scripted_upstream([SSE_HEAD, b"a\r\nhello", gate, b"world\r\n", LAST]) as upstream,
        proxy("record", upstream=upstream.url, cassette="pieces") as recording,
    ):
        client = await connect(recording.url)
        await client.send("GET", "/v1/stream")
        await client.head()
        async with asyncio.timeout(PATIENCE_S):
            assert await client.reader.readexactly(8) == b"a\r\nhello"
        gate.set()
        async with asyncio.timeout(PATIENCE_S):
            assert await client.reader.readexactly(12) == b"world\r\n0\r\n\r\n"
        client.close()
    chunks = [entry for entry in entries(tmp_path / "pieces.yaml") if "chunk" in entry]
    assert [(each["text"], each.get("part")) for each in chunks] == [
        ("hello", True),
        ("world", None),
    ]


async def test_the_upstream_sees_a_request_of_its_own(proxy: Proxy):
    fields = {
        "Host": "localhost:11435",
        "Authorization": "Bearer sk-1",
        "Accept-Encoding": "gzip, br",
        "Connection": "keep-alive, X-Hop",
        "X-Hop": "1",
        "Keep-Alive": "5",
        "TE": "trailers",
        "x-Stainless-Lang": "python",
        "Wiretape-Cassette": "named",
        "X-UTF8": "caf\xc3\xa9",
        "Content-Type": "application/json",
    }
    async with (
        scripted_upstream([OK]) as upstream,
        proxy("record", upstream=upstream.url + "/base") as recording,
    ):
        await ask(recording.url, "POST", "/v1/x?b=2&a=%2F%20%C3%A9", b'{"a": 1}', fields)
    seen = upstream.seen[0]
    assert (seen.method, seen.target) == ("POST", "/base/v1/x?b=2&a=%2F%20%C3%A9")
    assert seen.body == b'{"a": 1}'
    assert seen.header("Host") == upstream.url.removeprefix("http://")
    assert seen.header("Accept-Encoding") == "identity"
    assert seen.header("Authorization") == "Bearer sk-1"
    assert b"x-Stainless-Lang: python\r\n" in seen.head
    assert "caf\xc3\xa9".encode("latin-1") in seen.head
    for gone in ("X-Hop", "Keep-Alive", "TE", "Wiretape-Cassette", "User-Agent", "Accept"):
        assert seen.header(gone) is None, gone


async def test_secrets_in_headers_never_reach_the_disk(proxy: Proxy, tmp_path: Path):
    fields = dict.fromkeys(
        ("Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "api-key", "X-Mine"),
        "s3cr3t",
    )
    answer = head("200 OK", "Set-Cookie: s3cr3t=1", "set-cookie: s3cr3t=2", "Content-Length: 0")
    async with (
        scripted_upstream([answer]) as upstream,
        proxy(
            "record",
            upstream=upstream.url,
            cassette="secret",
            secret_headers=frozenset({"x-mine"}),
        ) as recording,
    ):
        live = await ask(recording.url, "GET", "/", headers=fields)
        part = (tmp_path / "secret.yaml.part").read_text()
    assert live.header("Set-Cookie") == "s3cr3t=1"
    assert upstream.seen[0].header("X-Api-Key") == "s3cr3t"
    text = (tmp_path / "secret.yaml").read_text()
    assert "s3cr3t" not in part + text
    assert text.count("REDACTED") == 8


@pytest.mark.parametrize(
    "method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "QUERY"]
)
async def test_any_method_passes(method: str, proxy: Proxy):
    async with (
        scripted_upstream([OK]) as upstream,
        proxy("record", upstream=upstream.url, cassette="m") as recording,
    ):
        assert (await ask(recording.url, method, "/any/path?x", b"\0\xff")).body == b"ok"
    assert (upstream.seen[0].method, upstream.seen[0].body) == (method, b"\0\xff")
    async with proxy("replay", cassette="m") as replaying:
        assert (await ask(replaying.url, method, "/any/path?x", b"\0\xff")).body == b"ok"


async def test_a_chunked_request_arrives_whole(proxy: Proxy, tmp_path: Path):
    body = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    async with (
        scripted_upstream([OK]) as upstream,
        proxy("record", upstream=upstream.url, cassette="c") as recording,
    ):
        await ask(recording.url, "POST", "/", body, {"Transfer-Encoding": "chunked"})
    assert upstream.seen[0].body == b"abcde"
    assert entries(tmp_path / "c.yaml")[0]["text"] == "abcde"


async def test_expect_100_continue_is_answered(proxy: Proxy):
    async with (
        scripted_upstream([OK]) as upstream,
        proxy("passthrough", upstream=upstream.url) as passing,
    ):
        client = await connect(passing.url)
        lines = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
        client.writer.write((lines + "Expect: 100-continue\r\n\r\n").encode())
        async with asyncio.timeout(PATIENCE_S):
            assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.writer.write(b"abc")
        assert (await client.head()).status == 200
        client.close()
    assert upstream.seen[0].header("Expect") is None


async def test_a_body_over_the_limit_is_passed_on_and_kept_as_a_digest(
    proxy: Proxy, tmp_path: Path
):
    body = b"0123456789" * 1000
    async with (
        scripted_upstream([OK]) as upstream,
        proxy("record", upstream=upstream.url, cassette="big", max_body_bytes=100) as recording,
    ):
        await ask(recording.url, "POST", "/api/blobs/x", body)
        await ask(recording.url, "POST", "/small", body[:100])
    assert upstream.seen[0].body == body
    recorded = entries(tmp_path / "big.yaml")
    digest = hashlib.sha256(body).hexdigest()
    assert (recorded[0]["sha256"], recorded[0]["length"]) == (digest, 10_000)
    async with proxy("replay", cassette="big", max_body_bytes=100) as replaying:
        assert (await ask(replaying.url, "POST", "/api/blobs/x", body)).body == b"ok"
        assert (await ask(replaying.url, "POST", "/api/blobs/x", body + b"!")).status == 400


async def test_a_client_that_goes_cancels_the_upstream_and_is_recorded(
    proxy: Proxy, tmp_path: Path
):
    never = Gate()
    async with (
        scripted_upstream([SSE_HEAD, chunk(b"data: 1\n\n"), never]) as upstream,
        proxy("record", upstream=upstream.url, cassette="gone") as recording,
    ):
        client = await connect(recording.url)
        await client.send("POST", "/v1/chat/completions", b"{}")
        await client.head()
        await client.chunk()
        client.close()
        async with asyncio.timeout(PATIENCE_S):
            await upstream.client_left.wait()
    assert entries(tmp_path / "gone.yaml")[-1]["outcome"] == "client_disconnected"
    async with proxy("replay", cassette="gone") as replaying:
        again = await ask(replaying.url, "POST", "/v1/chat/completions", b"{}")
    assert (again.chunks, again.ending) == ([b"data: 1\n\n"], "closed")


async def test_a_client_that_goes_before_the_head_cancels_the_upstream_too(
    proxy: Proxy, tmp_path: Path
):
    never = Gate()
    async with (
        scripted_upstream([never]) as upstream,
        proxy("record", upstream=upstream.url, cassette="early") as recording,
    ):
        client = await connect(recording.url)
        await client.send("POST", "/v1/chat/completions", b"{}")
        async with asyncio.timeout(PATIENCE_S):
            await upstream.asked.wait()
            client.close()
            await upstream.client_left.wait()
    assert entries(tmp_path / "early.yaml")[-1]["outcome"] == "client_disconnected"


@pytest.mark.parametrize(
    ("content_type", "last"),
    [
        ("text/event-stream", b"data: [DONE]\n\n"),
        ("text/event-stream", b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
        ("text/event-stream; charset=utf-8", b'data: {"type":"response.completed"}\r\n\r\n'),
        ("application/x-ndjson", b'{"done":true}\n'),
    ],
)
async def test_a_client_that_goes_after_the_last_event_has_a_complete_answer(
    content_type: str, last: bytes, proxy: Proxy, tmp_path: Path
):
    answer = head("200 OK", f"Content-Type: {content_type}", "Transfer-Encoding: chunked")
    never = Gate()
    script = [answer, chunk(b"data: x\n\n"), chunk(last[:9]), chunk(last[9:]), never]
    async with (
        scripted_upstream(script) as upstream,
        proxy("record", upstream=upstream.url, cassette="done") as recording,
    ):
        client = await connect(recording.url)
        await client.send("POST", "/v1/chat/completions", b"{}")
        await client.head()
        for _ in range(3):
            await client.chunk()
        client.close()
        async with asyncio.timeout(PATIENCE_S):
            await upstream.client_left.wait()
    assert entries(tmp_path / "done.yaml")[-1]["outcome"] == "complete"


async def test_keep_reading_reads_on_when_the_client_has_gone(proxy: Proxy, tmp_path: Path):
    gate = Gate()
    async with (
        scripted_upstream(
            [SSE_HEAD, chunk(b"data: 1\n\n"), gate, chunk(b"data: 2\n\n"), LAST]
        ) as upstream,
        proxy("record", upstream=upstream.url, cassette="on", keep_reading=True) as recording,
    ):
        client = await connect(recording.url)
        await client.send("POST", "/v1/chat/completions", b"{}")
        await client.head()
        await client.chunk()
        (session,) = recording.app.sessions.all()
        answering = set(recording.app.in_flight)
        client.close()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait(answering)
        closing = asyncio.create_task(recording.app.sessions.close(session))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not closing.done(), "a session does not close while an answer of its is read"
        gate.set()
        assert await closing == tmp_path / "on.yaml"
    recorded = entries(tmp_path / "on.yaml")
    assert [entry.get("sse") for entry in recorded if "chunk" in entry] == ["1", "2"]
    assert recorded[-1]["outcome"] == "complete"


async def ask_and_leave(upstream: ScriptedUpstream, recording: Running) -> None:
    """Be a client that leaves before its answer begins, until the proxy has let go of it."""
    client = await connect(recording.url)
    await client.send("POST", "/v1/chat/completions", b"{}")
    async with asyncio.timeout(PATIENCE_S):
        await upstream.asked.wait()
        answering = set(recording.app.in_flight)
        client.close()
        await asyncio.wait(answering)


async def test_what_is_read_without_a_client_is_recorded_when_it_comes(
    proxy: Proxy, tmp_path: Path
):
    headed, ended = Gate(), Gate()
    async with (
        scripted_upstream([headed, SSE_HEAD, ended, chunk(b"data: 1\n\n"), LAST], [OK]) as upstream,
        proxy("record", upstream=upstream.url, cassette="on", keep_reading=True) as recording,
    ):
        await ask_and_leave(upstream, recording)
        headed.set()
        async with asyncio.timeout(PATIENCE_S):
            part = tmp_path / "on.yaml.part"
            while "- response: 1" not in part.read_text():  # noqa: ASYNC110  written before long
                await asyncio.sleep(0.001)
        assert (await ask(recording.url, "POST", "/quick", b"{}")).body == b"ok"
        ended.set()
    times = [each["at"] for each in entries(tmp_path / "on.yaml")]
    assert times == sorted(times)


@pytest.mark.parametrize("script", [[Gate()], [SSE_HEAD, chunk(b"data: 1\n\n"), Gate()]])
async def test_an_answer_that_is_given_up_in_the_turn_in_which_its_client_leaves_has_an_end(
    script: Script, proxy: Proxy, tmp_path: Path
):
    settings = {"cassette": "on", "keep_reading": True, "grace_s": 0.0}
    async with scripted_upstream(script) as upstream:
        async with proxy("record", upstream=upstream.url, **settings) as recording:
            client = await connect(recording.url)
            await client.send("POST", "/v1/chat/completions", b"{}")
            async with asyncio.timeout(PATIENCE_S):
                await upstream.asked.wait()
                answering = set(recording.app.in_flight)
                client.close()
                while recording.app.in_flight == answering:  # noqa: ASYNC110  until it is let go of
                    await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S):
            await upstream.client_left.wait()
    assert entries(tmp_path / "on.yaml")[-1]["outcome"] == "client_disconnected"


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ([SSE_HEAD, chunk(b"data: 1\n\n"), LAST], "complete"),
        ([CLOSE], "upstream_closed"),
    ],
)
async def test_keep_reading_waits_for_an_answer_that_had_not_begun(
    script: Script, outcome: str, proxy: Proxy, tmp_path: Path
):
    gate = Gate()
    async with (
        scripted_upstream([gate, *script]) as upstream,
        proxy("record", upstream=upstream.url, cassette="on", keep_reading=True) as recording,
    ):
        await ask_and_leave(upstream, recording)
        gate.set()
    recorded = entries(tmp_path / "on.yaml")
    assert [entry.get("sse") for entry in recorded if "chunk" in entry] == ["1"] * len(script[2:])
    assert recorded[-1]["outcome"] == outcome


async def test_a_stop_cuts_an_answer_that_is_waited_for_without_a_client(
    proxy: Proxy, tmp_path: Path
):
    settings = {"cassette": "on", "keep_reading": True, "grace_s": 0.0}
    async with scripted_upstream([Gate()]) as upstream:
        async with proxy("record", upstream=upstream.url, **settings) as recording:
            client = await connect(recording.url)
            await client.send("POST", "/v1/chat/completions", b"{}")
            async with asyncio.timeout(PATIENCE_S):
                await upstream.asked.wait()
            client.close()
        async with asyncio.timeout(PATIENCE_S):
            await upstream.client_left.wait()
    assert entries(tmp_path / "on.yaml")[-1]["outcome"] == "client_disconnected"


async def test_one_client_connection_serves_request_after_request(proxy: Proxy):
    def echo(seen: Seen) -> list[bytes]:
        return [head("200 OK", f"Content-Length: {len(seen.target)}") + seen.target.encode()]

    async with (
        scripted_upstream(echo) as upstream,
        proxy("record", upstream=upstream.url, cassette="keep") as recording,
    ):
        client = await connect(recording.url)
        for number in range(3):
            await client.send("GET", f"/{number}")
            await client.head()
            assert (await client.rest()).body == b"/%d" % number
        client.close()


async def test_a_stale_upstream_connection_is_replaced_without_the_client_noticing(proxy: Proxy):
    async with (
        scripted_upstream([OK, "close"], [OK]) as upstream,
        proxy("passthrough", upstream=upstream.url) as passing,
    ):
        assert (await ask(passing.url, "POST", "/", b"1")).body == b"ok"
        assert (await ask(passing.url, "POST", "/", b"2")).body == b"ok"


async def test_nothing_is_sent_twice_that_may_not_be(proxy: Proxy):
    async with (
        scripted_upstream([OK], [CLOSE], [OK]) as upstream,
        proxy("passthrough", upstream=upstream.url) as passing,
    ):
        assert (await ask(passing.url, "POST", "/", b"1")).body == b"ok"
        assert (await ask(passing.url, "POST", "/", b"2")).ending == "closed"
        assert [seen.body for seen in upstream.seen] == [b"1", b"2"]
    async with (
        scripted_upstream([OK], [CLOSE], [OK]) as upstream,
        proxy("passthrough", upstream=upstream.url) as passing,
    ):
        assert (await ask(passing.url, "GET", "/1")).body == b"ok"
        assert (await ask(passing.url, "GET", "/2")).body == b"ok"
        assert [seen.target for seen in upstream.seen] == ["/1", "/2", "/2"]


@pytest.mark.parametrize("size", [1, 500_000])
async def test_what_nobody_can_have_read_is_sent_again_whatever_it_is(
    size: int, monkeypatch: pytest.MonkeyPatch
):
    # As if it had been closed between the last look at it and the request.
    monkeypatch.setattr(UpstreamConnection, "quiet", lambda _: True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        upstream = Upstream(f"http://127.0.0.1:{server.getsockname()[1]}")
        asking = asyncio.create_task(upstream.send("POST", "/", (), b"1"))
        first = await asyncio.to_thread(answered, server)
        exchange = await asking
        assert (await exchange.read())[1] is Outcome.COMPLETE
        first.close()
        asking = asyncio.create_task(upstream.send("POST", "/", (), b"x" * size))
        await asyncio.sleep(0)  # the request is sent before the end is seen
        second = await asyncio.to_thread(answered, server)
        assert (await (await asking).read())[1] is Outcome.COMPLETE
        second.close()
        await upstream.close()


def answered(server: socket.socket) -> socket.socket:
    connection = server.accept()[0]
    came = b""
    while b"\r\n\r\n" not in came:
        came += connection.recv(65536)
    head, _, body = came.partition(b"\r\n\r\n")
    missing = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) - len(body)
    while missing:
        missing -= len(connection.recv(65536))
    connection.sendall(OK)
    return connection


async def test_a_connection_that_is_kept_too_long_is_not_used(monkeypatch: pytest.MonkeyPatch):
    async with scripted_upstream([OK], [OK]) as server:
        upstream = Upstream(server.url)
        now_ns = monotonic_ns()
        monkeypatch.setattr("wiretape.server.pool.monotonic_ns", lambda: now_ns)
        connections = []
        for _ in range(3):
            exchange = await upstream.send("GET", "/", (), b"")
            await exchange.read()
            connections.append(next(iter(upstream._pool._idle)))  # noqa: SLF001  that is it
            now_ns += 3_000_000_000 if len(connections) == 1 else 5_000_000_000
        assert connections[0] is connections[1] is not connections[2]
        await upstream.close()


STREAM = [SSE_HEAD, chunk(b"data: 1\n\n"), LAST]


async def test_an_upstream_that_closes_after_a_stream_is_not_asked_on_what_it_closes(proxy: Proxy):
    """As llama.cpp's server does, some time after it has sent the end."""
    closes = Gate()
    async with (
        scripted_upstream([*STREAM, closes, CLOSE], [OK], [OK]) as upstream,
        proxy("passthrough", upstream=upstream.url) as passing,
    ):
        assert (await ask(passing.url, "POST", "/1", b"{}")).ending == "complete"
        asking = asyncio.create_task(ask(passing.url, "POST", "/2", b"{}"))
        async with asyncio.timeout(PATIENCE_S):
            while len(upstream.seen) < 2:  # noqa: ASYNC110  on which connection shows then
                await asyncio.sleep(0.001)
        closes.set()
        assert (await asking).body == b"ok"
        assert (await ask(passing.url, "POST", "/3", b"{}")).body == b"ok"
    assert [each.target for each in upstream.seen] == ["/1", "/2", "/3"]


class Asking:
    """Asks an upstream for streams, on a clock that is set by hand."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.upstream = Upstream(url)
        self.now_ns = monotonic_ns()
        monkeypatch.setattr("wiretape.server.pool.monotonic_ns", lambda: self.now_ns)

    async def ask(self, wait_ms: int) -> UpstreamConnection:
        """Ask after a while; on which connection the answer came."""
        self.now_ns += wait_ms * 1_000_000
        exchange = await self.upstream.send("POST", "/", (), b"{}")
        while exchange.outcome is None:
            await exchange.read()
        return [*self.upstream._pool._idle][-1]  # noqa: SLF001  freed just now


async def test_connections_are_kept_once_an_upstream_has_kept_one_after_a_stream(
    monkeypatch: pytest.MonkeyPatch,
):
    async with scripted_upstream(STREAM) as server:
        asking = Asking(server.url, monkeypatch)
        first, second, third, *later = [await asking.ask(each) for each in (0, 0, 60, 0, 0)]
        assert first is not second
        assert [third, *later] == [second] * 3
        await asking.upstream.close()


async def test_an_upstream_that_has_closed_once_may_keep_the_next_ones(
    monkeypatch: pytest.MonkeyPatch,
):
    async with scripted_upstream([*STREAM, CLOSE], STREAM) as server:
        asking = Asking(server.url, monkeypatch)
        await asking.ask(0)
        while asking.upstream._pool._all:  # noqa: ASYNC110, SLF001  until it is seen to be closed
            await asyncio.sleep(0.001)
        first, second, *later = [await asking.ask(each) for each in (0, 60, 0, 0)]
        assert [second, *later] == [first] * 3
        await asking.upstream.close()


async def test_an_upstream_that_closes_late_for_once_is_not_taken_for_one_that_keeps(
    monkeypatch: pytest.MonkeyPatch,
):
    async with scripted_upstream(STREAM, [CLOSE], STREAM) as server:
        asking = Asking(server.url, monkeypatch)
        await asking.ask(0)
        with pytest.raises(UpstreamError):
            await asking.ask(60)
        assert await asking.ask(0) is not await asking.ask(0)
        await asking.upstream.close()


async def test_to_look_for_a_connection_asks_nothing_of_those_that_may_not_be_used(
    monkeypatch: pytest.MonkeyPatch,
):
    gates = [Gate() for _ in range(20)]
    async with scripted_upstream(*([gate, *STREAM] for gate in gates), STREAM) as server:
        asking = Asking(server.url, monkeypatch)
        all_at_once = [asyncio.create_task(asking.ask(0)) for _ in gates]
        while len(server.seen) < len(gates):  # noqa: ASYNC110  each on a connection of its own
            await asyncio.sleep(0.001)
        for gate in gates:
            gate.set()
        await asyncio.gather(*all_at_once)
        looked_at: list[UpstreamConnection] = []
        monkeypatch.setattr(
            UpstreamConnection, "quiet", lambda self: looked_at.append(self) is not None
        )
        await asking.ask(0)
        assert not looked_at
        await asking.upstream.close()


async def test_a_streamed_body_is_not_sent_again_even_where_the_method_allows_it(proxy: Proxy):
    async with (
        scripted_upstream([OK], [CLOSE], [OK]) as upstream,
        proxy("passthrough", upstream=upstream.url, max_body_bytes=10) as passing,
    ):
        assert (await ask(passing.url, "GET", "/")).body == b"ok"
        assert (await ask(passing.url, "PUT", "/", b"x" * 1000)).ending == "closed"
    assert [len(seen.body) for seen in upstream.seen] == [0, 1000]


async def test_a_streamed_request_is_recorded_when_it_comes_and_whole(proxy: Proxy, tmp_path: Path):
    gate = Gate()
    body = bytes(range(256)) * 2000
    async with (
        scripted_upstream([gate, SSE_HEAD, LAST]) as upstream,
        proxy("record", upstream=upstream.url, cassette="c", max_body_bytes=10) as recording,
    ):
        asking = asyncio.create_task(ask(recording.url, "POST", "/big", body))
        async with asyncio.timeout(PATIENCE_S):
            while not upstream.seen:  # noqa: ASYNC110  it is read by then
                await asyncio.sleep(0.01)
        (request,) = load(tmp_path / "c.yaml.part").entries
        assert isinstance(request, Request)
        assert request.body == Body(None, len(body), hashlib.sha256(body).hexdigest())
        gate.set()
        assert (await asking).ending == "complete"
    (interaction,) = load(tmp_path / "c.yaml").interactions()
    assert interaction.request == request
    async with proxy("replay", cassette="c", max_body_bytes=10) as replaying:
        assert (await ask(replaying.url, "POST", "/big", body)).status == 200
        assert (await ask(replaying.url, "POST", "/big", body[1:])).status == 400


async def upload_in_two(url: str, body: bytes, first_bytes: int) -> Answer:
    """What is answered to a body whose second part is sent once the answer has begun."""
    client = await connect(url)
    length = {"Content-Length": str(len(body))}
    await client.send("POST", "/big", body[:first_bytes], headers=length)
    await client.head()
    client.writer.write(body[first_bytes:])
    answer = await client.rest()
    client.close()
    return answer


async def test_a_streamed_request_that_is_refused_early_is_recorded_whole(proxy: Proxy):
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head("413 Too Large", "Content-Length: 2", "Connection: close") + b"no")
        await reader.read()
        writer.close()

    body = b"x" * 300_000
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with proxy("record", upstream=url, cassette="c", max_body_bytes=10) as recording:
            answer = await upload_in_two(recording.url, body, 50_000)
    assert (answer.status, answer.ending) == (413, "complete")
    async with proxy("replay", cassette="c", max_body_bytes=10) as replaying:
        assert (await ask(replaying.url, "POST", "/big", body)).status == 413


async def test_a_streamed_request_that_is_answered_early_is_recorded_whole(
    proxy: Proxy, tmp_path: Path
):
    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SSE_HEAD)
        await reader.readexactly(300_000)
        writer.write(LAST)
        writer.close()

    body = b"x" * 300_000
    async with await asyncio.start_server(early, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with proxy("record", upstream=url, cassette="c", max_body_bytes=10) as recording:
            answer = await upload_in_two(recording.url, body, 150_000)
    assert (answer.status, answer.ending) == (200, "complete")
    (interaction,) = load(tmp_path / "c.yaml").interactions()
    assert interaction.request.body == Body(None, 300_000, hashlib.sha256(body).hexdigest())


async def test_large_bodies_share_a_connection(proxy: Proxy):
    connections: set[int] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(id(writer))
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                writer.write(OK)
        except asyncio.IncompleteReadError:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with proxy("passthrough", upstream=url) as passing:
            for _ in range(5):
                answer = await ask(passing.url, "POST", "/", b"x" * 1_000_000)
                assert answer.body == b"ok"
    assert len(connections) == 1


async def test_an_upstream_that_refuses_a_long_body_is_heard(proxy: Proxy):
    refusal = head("413 Too Large", "Content-Length: 2", "Connection: close") + b"no"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal)
        writer.close()  # with much unread, which is a reset

    async with await asyncio.start_server(refuse, "127.0.0.1", 0, limit=2**12) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with proxy("passthrough", upstream=url) as passing:
            for _ in range(20):
                answer = await ask(passing.url, "POST", "/", b"x" * 3_000_000)
                assert (answer.status, answer.body) == (413, b"no")


async def test_a_name_that_no_host_can_have_is_unreachable(proxy: Proxy, tmp_path: Path):
    async with proxy("record", upstream="http://a..b:1", cassette="name") as recording:
        answer = await ask_json(recording.url, "/v1/chat/completions", {})
    assert answer.status == 502
    assert entries(tmp_path / "name.yaml")[-1]["outcome"] == "upstream_unreachable"


async def test_a_stop_that_cuts_an_answer_read_on_does_not_call_it_complete(
    proxy: Proxy, tmp_path: Path
):
    async with scripted_upstream([head("200 OK"), b"data: 1\n\n", Gate()]) as upstream:
        settings = {"cassette": "on", "keep_reading": True, "grace_s": 0.0}
        async with proxy("record", upstream=upstream.url, **settings) as recording:
            client = await connect(recording.url)
            await client.send("POST", "/v1/chat/completions", b"{}")
            await client.head()
            assert await client.chunk() == b"data: 1\n\n"
        client.close()
    assert entries(tmp_path / "on.yaml")[-1]["outcome"] != "complete"


async def test_two_answers_on_one_upstream_connection_do_not_mix(proxy: Proxy):
    gate = Gate()
    async with (
        scripted_upstream([OK, gate, OK], [OK]) as upstream,
        proxy("passthrough", upstream=upstream.url) as passing,
    ):
        assert (await ask(passing.url, "GET", "/1")).body == b"ok"
        gate.set()  # an answer that nobody asked for
        for _ in range(3):
            answer = await ask(passing.url, "GET", "/2")
            assert (answer.status, answer.body) == (200, b"ok")


async def test_backpressure_reaches_the_upstream(proxy: Proxy):
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SSE_HEAD)
        block = chunk(b"x" * 65536)
        try:
            for _ in range(2000):
                writer.write(block)
                await writer.drain()
                sent += len(block)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with proxy("passthrough", upstream=url) as passing:
        client = await connect(passing.url)
        client.writer.transport.pause_reading()
        client.writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        before = -1
        async with asyncio.timeout(PATIENCE_S):
            while sent != before or not sent:
                before = sent
                await asyncio.sleep(0.2)
        assert sent < 64 * 1024 * 1024  # of 128 MB; the rest waits in the upstream
        client.close()
    server.close()


async def test_web_pages_cannot_reach_the_proxy_by_dns_rebinding(proxy: Proxy):
    async with (
        scripted_upstream([OK]) as upstream,
        proxy(
            "passthrough", upstream=upstream.url, allow_hosts=frozenset({"proxy.test"})
        ) as passing,
    ):
        refused = await ask(passing.url, "GET", "/v1/models", headers={"Host": "evil.example"})
        control = await ask(passing.url, "GET", "/_wiretape/health", headers={"Host": "evil.test"})
        allowed = await ask(passing.url, "GET", "/v1/models", headers={"Host": "proxy.test:1"})
    assert (refused.status, control.status, allowed.status) == (403, 403, 200)
    assert "--allow-host evil.example" in refused.json()["error"]["message"]
    assert len(upstream.seen) == 1


@pytest.mark.parametrize(("names", "foreign"), [(frozenset(), 200), (frozenset({"wiretape"}), 403)])
async def test_beyond_loopback_the_host_is_checked_if_names_are_given(
    proxy: Proxy, names: frozenset[str], foreign: int
):
    async with proxy("replay", listen=parse_listen(":0"), allow_hosts=names) as everywhere:
        url = f"http://127.0.0.1:{urlsplit(everywhere.url).port}"
        statuses = [
            (await ask(url, "GET", "/_wiretape/health", headers={"Host": host})).status
            for host in ("wiretape:11435", "localhost", "evil.example")
        ]
    assert statuses == [200, 200, foreign]


async def test_garbage_from_the_upstream_is_not_passed_on_and_logged(
    proxy: Proxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with (
        scripted_upstream([b"this is no HTTP\r\n\r\n", "close"], [OK]) as upstream,
        proxy("record", upstream=upstream.url, cassette="g") as recording,
    ):
        answer = await ask(recording.url, "GET", "/1?key=secret")
        assert answer.ending == "closed"
        assert (await ask(recording.url, "GET", "/2")).body == b"ok"
    outcomes = [entry["outcome"] for entry in entries(tmp_path / "g.yaml") if "end" in entry]
    assert outcomes == ["upstream_closed", "complete"]
    assert "GET /1: no response from the upstream" in caplog.text
    assert "not HTTP" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", id="version"),
        pytest.param(b"\x16\x03\x01\x00\r\n\r\n", id="TLS"),
        pytest.param(b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", id="length"),
    ],
)
async def test_garbage_from_a_client_is_a_400_and_one_line_in_the_log(
    request_bytes: bytes, proxy: Proxy, caplog: pytest.LogCaptureFixture
):
    async with proxy("passthrough") as passing:
        client = await connect(passing.url)
        client.writer.write(request_bytes)
        async with asyncio.timeout(PATIENCE_S):
            assert b" 400 " in await client.reader.readline()
        client.close()
    for record in caplog.records:
        assert record.exc_info is None
        assert "\n" not in record.getMessage()


async def test_a_broken_chunk_size_cuts_the_answer_and_is_logged(
    proxy: Proxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with (
        scripted_upstream([SSE_HEAD, chunk(b"data: 1\n\n"), b"zz\r\n"]) as upstream,
        proxy("record", upstream=upstream.url, cassette="b") as recording,
    ):
        answer = await ask(recording.url, "GET", "/")
    assert (answer.chunks, answer.ending) == ([b"data: 1\n\n"], "closed")
    assert entries(tmp_path / "b.yaml")[-1]["outcome"] == "upstream_closed"
    assert "bad chunk size" in caplog.text


async def test_json_bodies_are_recorded_as_json(proxy: Proxy, tmp_path: Path):
    payload = {"model": "m", "messages": [{"role": "user", "content": "a\nb\tc: {x} 'é'"}]}
    body = json.dumps(payload).encode()
    async with (
        scripted_upstream([OK]) as upstream,
        proxy("record", upstream=upstream.url, cassette="j") as recording,
    ):
        await ask(recording.url, "POST", "/v1/chat/completions", body)
    assert entries(tmp_path / "j.yaml")[0]["json"] == payload
    assert upstream.seen[0].body == body


async def test_a_body_of_megabytes_passes_whole(proxy: Proxy):
    body = json.dumps({"image": "x" * 3_000_000}).encode()
    async with (
        scripted_upstream([OK]) as upstream,
        proxy("record", upstream=upstream.url, cassette="m") as recording,
    ):
        assert (await ask(recording.url, "POST", "/v1/chat/completions", body)).body == b"ok"
    assert upstream.seen[0].body == body
    assert upstream.seen[0].header("Content-Length") == str(len(body))
    async with proxy("replay", cassette="m") as replaying:
        assert (await ask(replaying.url, "POST", "/v1/chat/completions", body)).body == b"ok"


@pytest.mark.parametrize(("path", "warns"), [("/v1", True), ("/v1/", True), ("/api/v1x", False)])
async def test_an_upstream_that_ends_as_targets_begin_is_warned_of(
    path: str, proxy: Proxy, caplog: pytest.LogCaptureFixture, *, warns: bool
):
    upstream = parse_upstream(f"http://127.0.0.1:1{path}")
    async with proxy("passthrough", upstream=upstream), proxy("replay", upstream=upstream):
        assert caplog.text.count("leave it out, unless that is meant") == warns
