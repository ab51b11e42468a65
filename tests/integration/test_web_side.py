"""What comes from the web: pages of other sites, smuggled requests, fields hidden in cassettes."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.command import serving, wiretape
from support.proxies import Proxy
from support.upstream import head, scripted_upstream
from support.wire import PATIENCE_S, ask, connect

OK = [head("200 OK", "Content-Length: 2"), b"ok"]
TOKEN = "not-to-be-guessed"  # noqa: S105  for tests
HOST = b"Host: localhost\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(fields: bytes, body: bytes = b"") -> bytes:
    return b"POST /a HTTP/1.1\r\n" + HOST + fields + b"\r\n\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked"
REFUSED = {
    "both lengths": post(b"Content-Length: 4\r\n" + CHUNKED, b"0\r\n\r\n" + NEXT),
    "both lengths, the other way": post(CHUNKED + b"\r\nContent-Length: 4", b"0\r\n\r\n" + NEXT),
    "two lengths": post(b"Content-Length: 4\r\nContent-Length: 5", b"abcde" + NEXT),
    "two equal lengths": post(b"Content-Length: 4\r\nContent-Length: 4", b"abcd" + NEXT),
    "a list of lengths": post(b"Content-Length: 4, 4", b"abcd" + NEXT),
    "a signed length": post(b"Content-Length: +4", b"abcd" + NEXT),
    "a hexadecimal length": post(b"Content-Length: 0x4", b"abcd" + NEXT),
    "a folded line": post(b"X: a\r\n b\r\nContent-Length: 4", b"abcd" + NEXT),
    "a folded coding": post(b"Transfer-Encoding:\r\n chunked", b"0\r\n\r\n" + NEXT),
    "bare line feeds": b"POST /a HTTP/1.1\nHost: localhost\nContent-Length: 4\n\nabcd" + NEXT,
    "a bare line feed": post(b"X: a\nContent-Length: 4", b"abcd" + NEXT),
    "a bare carriage return": post(b"X: a\rContent-Length: 4", b"abcd" + NEXT),
    "a space before the colon": post(b"Content-Length : 4", b"abcd" + NEXT),
    "another coding": post(b"Transfer-Encoding: xchunked", b"0\r\n\r\n" + NEXT),
    "a coding before": post(b"Transfer-Encoding: gzip, chunked", b"0\r\n\r\n" + NEXT),
    "a coding behind": post(b"Transfer-Encoding: chunked, identity", b"0\r\n\r\n" + NEXT),
    "two codings": post(CHUNKED + b"\r\n" + CHUNKED, b"0\r\n\r\n" + NEXT),
    "a vertical tab": post(b"Transfer-Encoding: \x0bchunked", b"0\r\n\r\n" + NEXT),
    "chunked in HTTP/1.0": post(CHUNKED, b"0\r\n\r\n" + NEXT).replace(b"/1.1", b"/1.0", 1),
    "a size and a space": post(CHUNKED, b"4 \r\nabcd\r\n0\r\n\r\n" + NEXT),
    "a space and a size": post(CHUNKED, b" 4\r\nabcd\r\n0\r\n\r\n" + NEXT),
    "a prefixed size": post(CHUNKED, b"0x4\r\nabcd\r\n0\r\n\r\n" + NEXT),
    "a negative size": post(CHUNKED, b"-4\r\nabcd\r\n0\r\n\r\n" + NEXT),
    "a huge size": post(CHUNKED, b"f" * 17 + b"\r\nabcd\r\n0\r\n\r\n" + NEXT),
    "chunks with line feeds": post(CHUNKED, b"4\nabcd\n0\n\n" + NEXT),
    "a longer chunk than said": post(CHUNKED, b"4\r\nabcdefgh\r\n0\r\n\r\n" + NEXT),
    "a line feed in an extension": post(CHUNKED, b"4;a\nb\r\nabcd\r\n0\r\n\r\n" + NEXT),
    "NUL in a field": post(b"X: a\0b"),
    "no host": b"GET /a HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /a HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no request at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("case", REFUSED)
async def test_an_ambiguous_request_is_refused_and_its_connection_closed(case: str, proxy: Proxy):
    async with scripted_upstream(OK) as upstream, proxy("record", upstream=upstream.url) as tape:
        client = await connect(tape.url)
        client.writer.write(REFUSED[case])
        async with asyncio.timeout(PATIENCE_S):
            answer = await client.reader.read()  # to the end of the connection
        first, _, rest = answer.partition(b"\r\n\r\n")
        assert first.split(b" ", 2)[1] == b"400"
        length = re.search(rb"(?i)content-length: (\d+)", first)
        assert length is not None
        assert len(rest) == int(length[1]), "nothing behind it is answered"
        client.close()
        assert (await ask(tape.url, "GET", "/next")).body == b"ok", "the proxy serves on"
    assert [each.target for each in upstream.seen] == ["/next"]


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        (post(b"Content-Length: 4", b"abcd" + NEXT), (b"abcd", ["/a", "/smuggled"])),
        (
            post(CHUNKED, b"2\r\nab\r\n2;x=y\r\ncd\r\n0\r\nT: u\r\n\r\n" + NEXT),
            (b"abcd", ["/a"]),  # its trailer might be taken for fields of the next
        ),
        (post(b"Connection: content-length\r\nContent-Length: 4", b"abcd"), (b"abcd", ["/a"])),
        (
            post(b"Connection: transfer-encoding\r\n" + CHUNKED, b"1\r\na\r\n0\r\n\r\n"),
            (b"a", ["/a"]),
        ),
        (b"GET http://evil.example/a HTTP/1.1\r\n" + HOST + b"\r\n", (b"", ["/a"])),
    ],
)  # fmt: skip
async def test_what_is_clear_is_passed_on_in_one_way_only(sent: bytes, got: Any, proxy: Proxy):
    async with scripted_upstream(OK) as upstream, proxy("record", upstream=upstream.url) as tape:
        client = await connect(tape.url)
        client.writer.write(sent)
        for _ in got[1]:
            await client.head()
            assert (await client.rest()).body == b"ok"
        client.close()
    assert upstream.seen[0].body == got[0]
    assert [each.target for each in upstream.seen] == got[1]
    first = upstream.seen[0]
    assert first.head.lower().count(b"content-length:") + first.head.lower().count(b"chunked") <= 1
    assert b"evil" not in first.head


FROM_ANOTHER_SITE = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://["},
]


@pytest.mark.parametrize("path", ["/_wiretape", "/@other/_wiretape", "http://localhost/_wiretape"])
@pytest.mark.parametrize("headers", FROM_ANOTHER_SITE)
async def test_a_page_of_another_site_changes_nothing(
    headers: dict[str, str], path: str, proxy: Proxy
):
    async with scripted_upstream(OK) as upstream, proxy("record", upstream=upstream.url) as tape:
        await ask(tape.url, "GET", "/@c/a")
        for action in ("rewind", "close"):
            refused = await ask(tape.url, "POST", f"{path}/sessions/c/{action}", headers=headers)
            assert refused.status == 403
            assert not any("access-control" in name.lower() for name, _ in refused.headers)
        preflight = await ask(tape.url, "OPTIONS", "/_wiretape/sessions/c/close", headers=headers)
        assert preflight.status in {403, 404, 405}
        assert not any("access-control" in name.lower() for name, _ in preflight.headers)
        own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
        closed = await ask(tape.url, "POST", "/_wiretape/sessions/c/close", headers=own)
        assert closed.status == 200


@pytest.mark.parametrize("mode", ["record", "replay"])
async def test_a_page_of_another_site_is_not_recorded_and_misses_nothing(
    mode: str, proxy: Proxy, tmp_path: Path
):
    (tmp_path / "c.yaml").write_text(PAGE)
    picture = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    script = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    frame = {"Sec-Fetch-Site": "cross-site", "Origin": "null"}
    async with scripted_upstream(OK) as upstream, proxy(mode, upstream=upstream.url) as tape:
        for headers in (picture, link, script, frame):
            for method in ("GET", "POST", "OPTIONS"):
                refused = await ask(tape.url, method, "/@c/api/chat", headers=headers)
                assert refused.status == 403
                assert "another site" in refused.json()["error"], "in the API's own dialect"
        sessions = (await ask(tape.url, "GET", "/_wiretape/sessions")).json()["sessions"]
        assert sessions == []
    assert upstream.seen == []
    assert (tmp_path / "c.yaml").read_text() == PAGE


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "app://notes"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "file://"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://ours.example"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
        {"Origin": "https://no-browser.example"},
    ],
)
async def test_applications_in_a_browser_are_served(headers: dict[str, str], proxy: Proxy):
    allowed = frozenset({"ours.example"})
    async with (
        scripted_upstream(OK) as upstream,
        proxy("record", upstream=upstream.url, cassette="c", allow_hosts=allowed) as tape,
    ):
        answer = await ask(tape.url, "POST", "/v1/chat/completions", b"{}", headers=headers)
    assert (answer.status, answer.body) == (200, b"ok")
    assert upstream.seen[0].header("Origin") == headers.get("Origin")


PAGE = """\
wiretape: 1
recorded: 2026-11-22T10:31:02Z
upstream: http://h
entries:
- {request: 1, at: 0, method: GET, target: /page}
- {response: 1, at: 0.01, status: 200, headers: {Content-Type: text/html, Content-Length: 2}}
- {chunk: 1, at: 0.02, text: ok}
- {end: 1, at: 2, outcome: complete}
"""


async def test_a_recorded_page_is_shown_apart_from_the_proxys_own(proxy: Proxy, tmp_path: Path):
    (tmp_path / "c.yaml").write_text(PAGE)
    async with proxy("replay", cassette="c") as tape:
        for kind in ("document", "iframe"):
            shown = await ask(tape.url, "GET", "/page", headers={"Sec-Fetch-Dest": kind})
            policy = shown.header("Content-Security-Policy") or ""
            assert policy.startswith("sandbox")
            assert "allow-same-origin" not in policy
        for headers in ({}, {"Sec-Fetch-Dest": "empty"}):
            read = await ask(tape.url, "GET", "/page", headers=headers)
            assert read.end_to_end == [("Content-Type", "text/html"), ("Content-Length", "2")]


async def test_what_the_proxy_tells_of_itself_is_nothing_for_other_sites(proxy: Proxy):
    async with proxy("passthrough", upstream="http://127.0.0.1:1") as tape:
        for path in ("health", "metrics", "sessions", "", "nothing"):
            answer = await ask(tape.url, "GET", f"/_wiretape/{path}")
            assert answer.header("Cross-Origin-Resource-Policy") == "same-origin", path
            assert answer.header("X-Content-Type-Options") == "nosniff", path
            assert answer.header("Access-Control-Allow-Origin") is None, path
        page = await ask(tape.url, "GET", "/_wiretape/")
        policy = page.header("Content-Security-Policy") or ""
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"me:{token}".encode()).decode()


@pytest.mark.parametrize(
    ("prefix", "headers"),
    [
        ("", {"Wiretape-Token": TOKEN}),
        ("", {"Authorization": f"Bearer {TOKEN}"}),
        ("", {"Authorization": basic(TOKEN)}),
        ("", {"X-Api-Key": TOKEN}),
        (f"/~{TOKEN}", {}),
        (f"/~{TOKEN}/@c", {"Authorization": "Bearer of-the-upstream"}),
        (f"/~{TOKEN}", {"Referer": f"http://localhost/~{TOKEN}/page"}),
    ],
)
async def test_a_token_lets_in_and_goes_no_further(
    prefix: str, headers: dict[str, str], proxy: Proxy, tmp_path: Path
):
    async with (
        scripted_upstream(OK) as upstream,
        proxy("record", upstream=upstream.url, token=TOKEN, cassette="c") as tape,
    ):
        assert (await ask(tape.url, "GET", f"{prefix}/v1/models", headers=headers)).status == 200
        sessions = await ask(tape.url, "GET", f"{prefix}/_wiretape/sessions", headers=headers)
        assert sessions.json()["sessions"][0]["recorded"] == 1
    (seen,) = upstream.seen
    assert seen.target == "/v1/models"
    assert TOKEN.encode() not in seen.head
    assert base64.b64encode(TOKEN.encode())[:-4] not in seen.head
    assert (b"of-the-upstream" in seen.head) == ("/@c" in prefix), "the client's own key goes on"
    assert TOKEN not in (tmp_path / "c.yaml").read_text()


@pytest.mark.parametrize(
    ("prefix", "headers"),
    [
        ("", {}),
        ("", {"Wiretape-Token": TOKEN[:-1]}),
        ("", {"Authorization": f"Bearer {TOKEN}x"}),
        ("", {"Authorization": "Basic !!!"}),
        ("/~wrong", {}),
        ("/~", {}),
        ("/@c", {"Cookie": TOKEN}),
    ],
)
async def test_without_the_token_nothing_is_served(
    prefix: str, headers: dict[str, str], proxy: Proxy
):
    async with (
        scripted_upstream(OK) as upstream,
        proxy("record", upstream=upstream.url, token=TOKEN, cassette="c") as tape,
    ):
        for path in ("/v1/models", "/_wiretape/sessions", "/_wiretape/", "/_wiretape/health/../x"):
            refused = await ask(tape.url, "GET", f"{prefix}{path}", headers=headers)
            assert refused.status == 401
            assert "Wiretape-Token" in refused.json()["error"]["message"]
            assert refused.header("WWW-Authenticate")
        refused = await ask(tape.url, "POST", "/@c/api/chat", headers=headers)
        assert "Wiretape-Token" in refused.json()["error"], "in the API's own dialect"
        assert (await ask(tape.url, "GET", "/_wiretape/health")).status == 200
    assert upstream.seen == []


async def test_listening_beyond_loopback_without_a_token_is_warned_of(tmp_path: Path):
    common = ("passthrough", "--dir", tmp_path, "--listen", "0.0.0.0:0")
    async with serving("serve", "--mode", *common, "--listen", "0.0.0.0:0") as tape:
        pass  # `serving` has the last word: on loopback there is nothing to warn of
    assert "other machines" not in tape.said
    said = wiretape("config", WIRETAPE_TOKEN=TOKEN, WIRETAPE_UPSTREAM="http://me:Tr0ub4@h")
    assert TOKEN not in said.stdout
    assert "Tr0ub4" not in said.stdout


HOSTILE = [
    ("X-A", "b\r\nEvil: 1"),
    ("X-A", "b\nEvil: 1\n\nHTTP/1.1 200 OK"),
    ("X-A\r\nEvil", "1"),
    ("X-A: b\r\nEvil", "1"),
    ("X-A\nEvil: 1\n\n", "b"),
    ("X-A\rEvil", "1"),
    ("X\u010d\u010aEvil", "1"),
    ("X-A", "b\u010d\u010aEvil: 1"),
]


@pytest.mark.parametrize("field", HOSTILE)
async def test_a_cassette_cannot_add_fields_or_answers_of_its_own(
    field: tuple[str, str], proxy: Proxy, tmp_path: Path
):
    headers = json.dumps({field[0]: field[1], "Content-Length": "2"}, ensure_ascii=True)
    (tmp_path / "c.yaml").write_text(
        "wiretape: 1\nrecorded: 2026-11-22T10:31:02Z\nupstream: http://h\nentries:\n"
        "- {request: 1, at: 0, method: GET, target: /a}\n"
        f"- {{response: 1, at: 0.01, status: 200, headers: {headers}}}\n"
        "- {chunk: 1, at: 0.02, text: ok}\n- {end: 1, at: 2, outcome: complete}\n"
    )
    async with proxy("replay", cassette="c") as tape:
        answer = await ask(tape.url, "GET", "/a")
    assert answer.body == b"ok"
    assert not any(name.strip().lower() == "evil" for name, _ in answer.headers)
    assert answer.header("Wiretape-Interaction") == "1"
