"""What the report on a replay says of what went otherwise than recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.proxies import Proxy
from support.wire import ask, ask_json, connect
from wiretape.core.matching import Level, Matcher, Repeat, Rules
from wiretape.server.report import report_lines

HEAD = "wiretape: 1\nrecorded: 2026-11-22T10:00:00Z\nupstream: http://127.0.0.1:11434\nentries:\n"
CHAT = "/v1/chat/completions"


def body(output: str) -> dict[str, Any]:
    return {"messages": [{"role": "tool", "tool_call_id": "a", "content": output}]}


async def test_of_very_many_divergences_the_first_are_kept_and_all_are_counted(
    proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    explained = []
    differences = Matcher.differences
    monkeypatch.setattr(
        Matcher, "differences", lambda *args: explained.append(args) or differences(*args)
    )
    monkeypatch.setattr("wiretape.server.replayer._DIVERGENCES_KEPT", 2)
    (tmp_path / "tape.yaml").write_text(
        f"{HEAD}- {{request: 1, at: 0, method: POST, target: {CHAT}, headers: {{}},"
        ' json: {"messages": [{"role": "tool", "tool_call_id": "a", "content": "x"}]}}\n'
        "- {response: 1, at: 0.1, status: 200, headers: {Content-Length: '0'}}\n"
        "- {end: 1, at: 0.1, outcome: complete}\n"
    )
    rules = Rules(Level.TOOL_OUTPUT, repeat=Repeat.LAST)
    async with proxy("replay", cassette="tape", rules=rules) as replaying:
        for number in range(5):
            assert (await ask_json(replaying.url, CHAT, body(f"other {number}"))).status == 200
        report = (await ask(replaying.url, "GET", "/_wiretape/sessions/default")).json()
        assert (len(report["divergences"]), report["divergences_left_out"]) == (2, 3)
        assert len(explained) == 2
        await ask(replaying.url, "POST", "/_wiretape/sessions/tape/rewind")
        report = (await ask(replaying.url, "GET", "/_wiretape/sessions/default")).json()
    assert (report["divergences"], report["divergences_left_out"]) == ([], 0)


async def test_a_client_that_does_not_read_is_told_from_one_that_is_not_there(
    proxy: Proxy, tmp_path: Path
):
    text = "x" * 60_000  # more in all than the sockets hold
    (tmp_path / "tape.yaml").write_text(
        HEAD
        + "".join(
            f"- {{request: {n}, at: 0, method: POST, target: /{n}, headers: {{}}}}\n"
            for n in (1, 2)
        )
        + "- {response: 1, at: 0.1, status: 200, headers: {}}\n"
        + f"- {{chunk: 1, at: 0.1, text: {text}}}\n" * 300
        + "- {response: 2, at: 0.2, status: 200, headers: {Content-Length: '0'}}\n"
        + "".join(f"- {{end: {n}, at: 0.3, outcome: complete}}\n" for n in (1, 2))
    )
    async with proxy("replay", cassette="tape", order_timeout_s=0.05) as replaying:
        lazy = await connect(replaying.url)
        await lazy.send("POST", "/1")
        await lazy.head()
        assert (await ask(replaying.url, "POST", "/2")).status == 200
        report = (await ask(replaying.url, "GET", "/_wiretape/sessions/default")).json()
        lazy.close()
    (stall,) = report["stalls"]
    assert (stall["missing"]["interaction"], stall["paused"]) == (1, True)
    assert any("POST /1 in tape, whose client did not read" in x for x in report_lines(report))
