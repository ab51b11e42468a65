"""verify finds every kind of difference: each is made on the wire and must be named."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.upstream import CLOSE, LAST, RESET, Gate, Script, chunk, head, scripted_upstream
from wiretape.cassette.loader import load, loads
from wiretape.core.model import Mode
from wiretape.core.tempo import Speed
from wiretape.server import driver
from wiretape.server.comparison import Difference, Verification, compare, order_differences
from wiretape.server.driver import drive
from wiretape.server.settings import Settings
from wiretape.server.verify import verify

EVENT = b"data: 1\n\n"
HEAD = head("200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
INSTANT = Speed(None)
CASSETTE = loads(
    """\
wiretape: 1
recorded: 2026-11-22T10:00:00Z
upstream: http://127.0.0.1:11434
entries:
- {request: 1, at: 0, method: POST, target: /v1/chat/completions, headers: {}, json: {a: 1}}
- {response: 1, at: 0.1, status: 200,
   headers: {Content-Type: text/event-stream, Transfer-Encoding: chunked}}
- {chunk: 1, at: 0.2, sse: '1'}
- {chunk: 1, at: 0.3, sse: '1'}
- {end: 1, at: 0.4, outcome: complete}
""",
    Path("tape.yaml"),
)


@pytest.mark.parametrize(
    ("aspects", "script"),
    [
        ([], [HEAD, chunk(EVENT), chunk(EVENT), LAST]),
        (["boundaries"], [HEAD, chunk(EVENT * 2), LAST]),
        (["bytes"], [HEAD, chunk(EVENT), chunk(b"data: 2\n\n"), LAST]),
        (["bytes"], [HEAD, chunk(EVENT), LAST]),
        (["ending"], [HEAD, chunk(EVENT), chunk(EVENT), CLOSE]),
        (["ending"], [HEAD, chunk(EVENT), chunk(EVENT), RESET]),
        (["status"], [HEAD.replace(b"200", b"201"), chunk(EVENT), chunk(EVENT), LAST]),
        (["headers"], [HEAD.replace(b"Type", b"type"), chunk(EVENT), chunk(EVENT), LAST]),
        (["status", "bytes", "ending"], [CLOSE]),
    ],
)
async def test_a_difference_is_named(aspects: list[str], script: Script):
    async with scripted_upstream([head("200 OK", "Content-Length: 0")], script) as upstream:
        received = await drive(CASSETTE, upstream.url, INSTANT)
    verification = compare(CASSETTE, received, INSTANT)
    assert [each.aspect for each in verification.differences] == aspects
    assert verification.same is not bool(aspects)
    assert bool(aspects) is any(line.startswith("#1 ") for line in verification.lines())


def test_what_a_header_holds_does_not_control_the_terminal():
    difference = Difference(1, "headers", "recorded X: \x1b[31m\u202e, received -")
    verification = Verification(1, (), 0, 0, (difference,), None)
    assert verification.lines()[0] == r"#1 headers: recorded X: \x1b[31m\u202e, received -"


async def verified(path: Path, target: str, headers: str = "{}") -> list[str]:
    """The differences that are found in a cassette of one request."""
    path.write_text(
        "wiretape: 1\nrecorded: 2026-11-22T10:31:02Z\nupstream: http://h\nentries:\n"
        f"- {{request: 1, at: 0, method: POST, target: {target}, headers: {headers}}}\n"
        "- {response: 1, at: 1, status: 200, headers: {Content-Length: 2}}\n"
        "- {chunk: 1, at: 1, text: ok}\n- {end: 1, at: 1, outcome: complete}\n"
    )
    settings = Settings(Mode.REPLAY, directory=path.parent, cassettes=(path,))
    verification = await verify(load(path), settings)
    return [each.aspect for each in verification.differences]


async def test_what_a_page_of_another_site_had_asked_is_no_difference(tmp_path: Path):
    page = "{Origin: 'https://app.example', Sec-Fetch-Site: cross-site}"
    assert await verified(tmp_path / "page.yaml", "/a", page) == []


@pytest.mark.parametrize("name", ["tape", "default", "a b#%é"])
async def test_a_target_that_looks_like_a_session_is_asked_for_as_it_is(name: str, tmp_path: Path):
    assert await verified(tmp_path / f"{name}.yaml", "/@scope/package?x=/@y") == []


@pytest.mark.parametrize("name", ["a~b", ".hidden", "a.yaml", "a" * 220])
async def test_a_cassette_whose_name_no_url_can_have_is_verified_too(name: str, tmp_path: Path):
    assert await verified(tmp_path / f"{name}.yaml", "/a/@scope") == []


async def test_an_answer_that_was_whole_before_its_recorder_died_is_the_same_again():
    text = """\
wiretape: 1
recorded: 2026-11-22T10:31:02Z
upstream: http://h
entries:
- {request: 1, at: 0, method: GET, target: /}
- {response: 1, at: 1, status: 200, headers: {Content-Length: 2}}
- {chunk: 1, at: 1, text: ok}
"""
    cassette = loads(text, Path("tape.yaml"))
    script: Script = [head("200 OK", "Content-Length: 2"), b"ok", CLOSE]
    async with scripted_upstream([head("200 OK", "Content-Length: 0")], script) as upstream:
        received = await drive(cassette, upstream.url, INSTANT)
    assert compare(cassette, received, INSTANT).same


async def test_an_answer_that_never_ends_is_a_difference(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(driver, "_PATIENCE_S", 0.1)
    script: Script = [HEAD, chunk(EVENT), chunk(EVENT), Gate()]
    async with scripted_upstream([head("200 OK", "Content-Length: 0")], script) as upstream:
        received = await drive(CASSETTE, upstream.url, INSTANT)
    (difference,) = compare(CASSETTE, received, INSTANT).differences
    assert difference.aspect == "ending"


def test_another_order_of_overlapping_steps_is_a_difference():
    text = """\
wiretape: 1
recorded: 2026-11-22T10:00:00Z
upstream: http://127.0.0.1:11434
entries:
- {request: 1, at: 0, method: POST, target: /a, headers: {}}
- {request: 2, at: 0, method: POST, target: /b, headers: {}}
- {response: 1, at: 1, status: 200, headers: {}}
- {response: 2, at: 2, status: 200, headers: {}}
- {end: 1, at: 3, outcome: complete}
- {end: 2, at: 4, outcome: complete}
"""
    cassette = loads(text, Path("tape.yaml"))
    assert order_differences(cassette, [(1, 0), (2, 0), (1, 1), (2, 1)]) == []
    (difference,) = order_differences(cassette, [(2, 0), (1, 0), (1, 1), (2, 1)])
    assert (difference.interaction, difference.aspect) == (1, "order")
