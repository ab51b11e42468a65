"""What the report on a replay says of what matched, but not to the letter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.proxies import Proxy
from support.wire import ask, ask_json
from wiretape.core.matching import Level, Matcher, Repeat, Rules

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
