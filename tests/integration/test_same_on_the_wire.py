"""A client gets from the proxy what it gets from the upstream: while recording, and in replay."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from support.proxies import Proxy
from support.upstream import (
    CLOSE,
    LAST,
    RESET,
    SSE_HEAD,
    Gate,
    Script,
    Step,
    chunk,
    head,
    scripted_upstream,
)
from support.wire import Answer, ask, connect

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
JSON = b'{"object":"list","data":[]}'
BINARY = bytes(range(256)) * 5
CHUNKED = "Transfer-Encoding: chunked"

SCRIPTS: dict[str, tuple[str, Script]] = {
    "events, one to a chunk": (
        "POST",
        [SSE_HEAD, chunk(EVENT), chunk(EVENT), chunk(b"data: [DONE]\n\n"), LAST],
    ),
    "comments, id and retry": (
        "POST",
        [SSE_HEAD, chunk(b": keep-alive\n\n"), chunk(b"id: 7\nretry: 10\n" + EVENT), LAST],
    ),
    "CRLF and lone CR": (
        "POST",
        [SSE_HEAD, chunk(b"data: a\r\n\r\n"), chunk(b"data: b\r\r"), LAST],
    ),
    "byte order mark": ("POST", [SSE_HEAD, chunk(b"\xef\xbb\xbf" + EVENT), LAST]),
    "a character split over two chunks": (
        "POST",
        [SSE_HEAD, chunk(b"data: \xf0\x9f"), chunk(b"\x90\x88\n\n"), LAST],
    ),
    "several events in a chunk": ("POST", [SSE_HEAD, chunk(EVENT * 3), LAST]),
    "one event over several chunks": (
        "POST",
        [SSE_HEAD, *(chunk(EVENT[i : i + 9]) for i in range(0, len(EVENT), 9)), LAST],
    ),
    "chunks of one byte": (
        "POST",
        [SSE_HEAD, b"".join(chunk(EVENT[i : i + 1]) for i in range(len(EVENT))), LAST],
    ),
    "a chunk in pieces": (
        "POST",
        [SSE_HEAD, b"%x\r" % len(EVENT), b"\n" + EVENT[:20], EVENT[20:], b"\r", b"\n" + LAST],
    ),
    "chunk extension and trailer": (
        "POST",
        [SSE_HEAD, b"5;name=value\r\nhello\r\n", b"0\r\nX-Trailer: yes\r\n\r\n"],
    ),
    "all in one write": ("POST", [SSE_HEAD + chunk(EVENT) + chunk(EVENT) + LAST]),
    "ndjson": (
        "POST",
        [
            head("200 OK", "Content-Type: application/x-ndjson", CHUNKED),
            chunk(b'{"message":{"content":"Hi"},"done":false}\n'),
            chunk(b'{"done":true}\n'),
            LAST,
        ],
    ),
    "plain JSON": (
        "GET",
        [
            head("200 OK", "Content-Type: application/json", f"Content-Length: {len(JSON)}", "a: 1")
            + JSON
        ],
    ),
    "JSON in pieces": (
        "GET",
        [head("200 OK", f"Content-Length: {len(JSON)}"), JSON[:5], JSON[5:]],
    ),
    "gzip": (
        "GET",
        [
            head("200 OK", "Content-Encoding: gzip", CHUNKED),
            chunk(gzip.compress(JSON, mtime=0)),
            LAST,
        ],
    ),
    "binary": ("GET", [head("200 OK", f"Content-Length: {len(BINARY)}"), BINARY]),
    "empty body": ("POST", [head("200 OK", "Content-Length: 0")]),
    "empty chunked body": ("POST", [head("200 OK", CHUNKED), LAST]),
    "HEAD": ("HEAD", [head("200 OK", "Content-Length: 5000", "Content-Type: text/html")]),
    "HEAD of a chunked body": ("HEAD", [head("200 OK", CHUNKED)]),
    "204": ("DELETE", [head("204 No Content", "X-Deleted: yes")]),
    "304": ("GET", [head("304 Not Modified", 'ETag: "x"')]),
    "404": ("GET", [head("404 Not Found", f"Content-Length: {len(JSON)}") + JSON]),
    "429": (
        "POST",
        [head("429 Too Many Requests", "Retry-After: 7", f"Content-Length: {len(JSON)}") + JSON],
    ),
    "500 in chunks": ("POST", [head("500 Internal Server Error", CHUNKED), chunk(JSON), LAST]),
    "odd status": ("GET", [head("299 Fine", "Content-Length: 2") + b"ok"]),
    "header fields": (
        "GET",
        [
            head(
                "200 OK",
                "x-LOWER-and-UPPER: 1",
                "Via: 1.1 a",
                "via: 1.1 b",
                "Access-Control-Allow-Origin:",
                "X-Latin: caf\xe9",
                "Content-Length: 0",
            )
        ],
    ),
    "interim response first": (
        "GET",
        [head("103 Early Hints", "Link: </a>") + head("200 OK", "Content-Length: 2") + b"ok"],
    ),
    "body until close": (
        "GET",
        [head("200 OK", "Content-Type: text/plain", "Connection: close"), b"to the end", CLOSE],
    ),
    "body until close, unannounced": ("GET", [head("200 OK"), b"to the end", CLOSE]),
    "body until close, though to be kept alive": (
        "POST",
        [head("200 OK", "Connection: keep-alive"), b"to ", b"the end", CLOSE],
    ),
    "body until close, another option": (
        "POST",
        [head("200 OK", "Connection: X-Foo", "X-Bar: close"), b"to the end", CLOSE],
    ),
    "a length that is said to be of the hop": (
        "GET",
        [head("200 OK", "Connection: Content-Length", "Content-Length: 2") + b"ok"],
    ),
    "a length with zeros before it": ("GET", [head("200 OK", "Content-Length: 0002") + b"ok"]),
    "a reason in UTF-8": (
        "GET",
        [b"HTTP/1.1 200 d\xc3\xa9j\xc3\xa0 \xe2\x86\x92\r\nContent-Length: 2\r\n\r\nok"],
    ),
    "a reason in Latin-1": ("GET", [b"HTTP/1.1 200 d\xe9j\xe0\r\nContent-Length: 2\r\n\r\nok"]),
    "closed without the last chunk": ("POST", [SSE_HEAD, chunk(EVENT), CLOSE]),
    "closed inside a chunk": ("POST", [SSE_HEAD, b"40\r\n" + EVENT[:10], CLOSE]),
    "closed before the length": ("GET", [head("200 OK", "Content-Length: 100"), b"abc", CLOSE]),
    "closed before the head": ("POST", [CLOSE]),
    "reset in mid-stream": ("POST", [SSE_HEAD, chunk(EVENT), chunk(EVENT), RESET]),
    "reset before the head": ("POST", [RESET]),
}


def comparable(answer: Answer) -> dict[str, object]:
    # Where the body is not chunked, reads are as the network makes them.
    chunked = "chunked" in (answer.header("Transfer-Encoding") or "") and answer.chunks
    return {
        "status": answer.status,
        "headers": answer.end_to_end,
        "chunks": answer.chunks if chunked else answer.body,
        "ending": answer.ending,
    }


@pytest.mark.parametrize("name", SCRIPTS)
async def test_recording_and_replay_are_as_direct(name: str, proxy: Proxy, tmp_path: Path):
    method, script = SCRIPTS[name]
    body = b'{"model":"m","stream":true}' if method == "POST" else b""
    async with scripted_upstream(script) as upstream:
        direct = await ask(upstream.url, method, "/v1/thing?q=1", body)
        async with proxy("record", upstream=upstream.url, cassette="wire") as recording:
            through = await ask(recording.url, method, "/v1/thing?q=1", body)
    assert comparable(through) == comparable(direct)
    assert through.reason == direct.reason
    async with proxy("replay", cassette="wire") as replaying:
        replayed = await ask(replaying.url, method, "/v1/thing?q=1", body)
    assert comparable(replayed) == comparable(direct)
    assert (tmp_path / "wire.yaml").exists()
    assert not (tmp_path / "wire.yaml.part").exists()


@pytest.mark.parametrize(
    ("sent", "framed"),
    [
        (["Content-Length: 999", CHUNKED], True),
        (["Content-Length: 2", "Content-Length: 2"], False),
        (["Transfer-Encoding: identity", "Content-Length: 2"], False),
    ],
)
async def test_a_body_framed_twice_passes_framed_once(
    sent: list[str], proxy: Proxy, *, framed: bool
):
    body = [chunk(b"ok"), LAST] if framed else [b"ok"]
    async with (
        scripted_upstream([head("200 OK", *sent), *body]) as upstream,
        proxy("record", upstream=upstream.url, cassette="twice") as recording,
    ):
        through = [await ask(recording.url, "GET", "/") for _ in range(2)]
    async with proxy("replay", cassette="twice") as replaying:
        through.append(await ask(replaying.url, "GET", "/"))
    for answer in through:
        assert (answer.status, answer.body, answer.ending) == (200, b"ok", "complete")
        assert answer.end_to_end == ([] if framed else [("Content-Length", "2")])


@pytest.mark.parametrize(
    "sent",
    [
        [head("502 Bad Gateway", CHUNKED), chunk(b"abc")],
        [head("504 Gateway Timeout", CHUNKED), chunk(b"abc")],
        [head("504 Gateway Timeout", "Content-Length: 10"), b"abc"],
        [head("502 Bad Gateway", "Content-Length: 10"), b"abc"],
    ],
)
async def test_an_upstreams_own_gateway_error_that_stalls_is_replayed_as_cut(
    sent: Script, proxy: Proxy
):
    settings = {"upstream_timeout_s": 0.2, "cassette": "stalls"}
    async with (
        scripted_upstream([*sent, Gate()]) as upstream,
        proxy("record", upstream=upstream.url, **settings) as recording,
    ):
        through = await ask(recording.url, "GET", "/")
    assert (through.body, through.ending) == (b"abc", "closed")
    async with proxy("replay", cassette="stalls") as replaying:
        replayed = await ask(replaying.url, "GET", "/")
    assert comparable(replayed) == comparable(through)


async def test_no_upstream_is_502_in_the_callers_dialect_and_replays(proxy: Proxy):
    nobody = "http://127.0.0.1:1"
    async with proxy("record", upstream=nobody, cassette="none") as recording:
        chat = await ask(recording.url, "POST", "/v1/chat/completions", b"{}")
        messages = await ask(recording.url, "POST", "/v1/messages", b"{}")
        ollama = await ask(recording.url, "POST", "/api/chat", b"{}")
    assert [each.status for each in (chat, messages, ollama)] == [502, 502, 502]
    assert f"{nobody}: connection refused" in chat.json()["error"]["message"]
    assert set(chat.json()["error"]) == {"message", "type", "param", "code"}
    assert messages.json()["type"] == "error"
    assert nobody in messages.json()["error"]["message"]
    assert nobody in ollama.json()["error"]
    async with proxy("replay", cassette="none") as replaying:
        again = await ask(replaying.url, "POST", "/v1/chat/completions", b"{}")
    assert comparable(again) == comparable(chat)


async def test_http_1_0_clients_get_the_bytes_until_close(proxy: Proxy):
    async with (
        scripted_upstream([SSE_HEAD, chunk(EVENT), chunk(EVENT), LAST]) as upstream,
        proxy("passthrough", upstream=upstream.url) as passing,
    ):
        connection = await connect(passing.url)
        connection.writer.write(b"GET /v1/models HTTP/1.0\r\n\r\n")
        answer = await connection.head()
        await connection.rest()
        connection.close()
    assert answer.header("Transfer-Encoding") is None
    assert answer.body == EVENT * 2
    assert answer.ending == "complete"


@pytest.mark.parametrize(
    "torn", [[CLOSE], [b"ff\r\ndata: ", CLOSE], [b"zz\r\n"]], ids=["closed", "inside", "broken"]
)
async def test_http_1_0_clients_do_not_take_what_broke_off_for_whole(
    proxy: Proxy, torn: list[Step]
):
    async def asked(url: str) -> Answer:
        connection = await connect(url)
        connection.writer.write(b"GET /v1/models HTTP/1.0\r\n\r\n")
        await connection.head()
        answer = await connection.rest()
        connection.close()
        return answer

    async with (
        scripted_upstream([SSE_HEAD, chunk(EVENT), *torn]) as upstream,
        proxy("record", upstream=upstream.url, cassette="torn") as recording,
    ):
        live = await asked(recording.url)
    async with proxy("replay", cassette="torn") as replaying:
        replayed = await asked(replaying.url)
    assert live.ending == replayed.ending == "reset"
    assert live.body.startswith(EVENT)
    assert live.body == replayed.body
