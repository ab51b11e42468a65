"""What is asked again, with whose keys, and where takes are kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wiretape.core.model import Body, Cassette, End, Entry, Outcome, Request, Response
from wiretape.core.variation import Assignment
from wiretape.errors import UsageError
from wiretape.server.retaking import Takes, credentials, questions, to_be_asked, unset_keys

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
KEYS = {
    "OPENAI_API_KEY": "sk-openai",
    "ANTHROPIC_API_KEY": "sk-anthropic",
    "ANTHROPIC_AUTH_TOKEN": "token",
}


def asking(number: int, method: str, target: str, body: Body | None = None) -> list[Entry]:
    given = Body.of(b'{"model": "m"}') if body is None else body
    return [
        Request(number, number, method, target, (("Authorization", "REDACTED"),), given),
        Response(number, number + 1, 200, ()),
        End(number, number + 2, Outcome.COMPLETE),
    ]


def recorded(*groups: list[Entry]) -> Cassette:
    return Cassette("a", NOON, "http://x", tuple(entry for group in groups for entry in group))


def test_only_what_asks_a_model_is_asked_again():
    cassette = recorded(
        asking(1, "GET", "/v1/models"),
        asking(4, "POST", "/v1/chat/completions"),
        asking(7, "DELETE", "/api/delete"),
        asking(10, "POST", "/api/chat"),
        asking(13, "POST", "/v1/messages", Body(None, 5, "0" * 64)),
    )
    assert [each.number for each in questions(cassette).interactions()] == [4, 10]
    with pytest.raises(UsageError, match="no request that asks a model"):
        questions(recorded(asking(1, "GET", "/v1/models")))


def test_a_body_is_varied_and_the_recording_stays():
    cassette = recorded(asking(1, "POST", "/api/chat"))
    varied = to_be_asked(cassette, [Assignment.parse("seed=3")], {})
    (interaction,) = varied.interactions()
    body = json.loads(interaction.request.body.content or b"")
    assert body == {"model": "m", "options": {"seed": 3}}
    assert cassette.interactions()[0].request.body.content == b'{"model": "m"}'


@pytest.mark.parametrize(
    ("target", "header", "sent"),
    [
        ("/v1/chat/completions", ("Authorization", "REDACTED"), "Bearer sk-openai"),
        ("/v1/chat/completions", ("authorization", "REDACTED-BEARER-xx"), "Bearer sk-openai"),
        ("/v1/messages", ("x-api-key", "REDACTED"), "sk-anthropic"),
        ("/v1/messages", ("Authorization", "REDACTED"), "Bearer token"),
        ("/v1/chat/completions", ("Cookie", "REDACTED"), None),
        ("/v1/chat/completions", ("X-Goog-Api-Key", "REDACTED"), None),
        ("/api/chat", ("Authorization", "REDACTED"), None),
        ("/v1/chat/completions", ("Authorization", "Bearer kept"), "Bearer kept"),
        ("/v1/chat/completions", ("X-Note", "REDACTED"), None),
        ("/v1/chat/completions", ("X-Note", "not REDACTED"), "not REDACTED"),
    ],
)
def test_keys_come_from_the_environment_where_they_were_redacted(
    target: str, header: tuple[str, str], sent: str | None
):
    request = Request(1, 0, "POST", target, (("Accept", "*/*"), header), Body.of(b""))
    rest = () if sent is None else ((header[0], sent),)
    assert credentials(request, KEYS) == (("Accept", "*/*"), *rest)


CLAUDE = "/v1/messages"
CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("target", "redacted", "variable", "sent"),
    [
        (CLAUDE, ["Authorization"], "ANTHROPIC_API_KEY", [("x-api-key", "key")]),
        (CLAUDE, ["X-Api-Key"], "ANTHROPIC_AUTH_TOKEN", [("Authorization", "Bearer key")]),
        (CLAUDE, ["Authorization", "X-Api-Key"], "ANTHROPIC_API_KEY", [("x-api-key", "key")]),
        (CLAUDE, ["X-Api-Key", "Authorization"], "ANTHROPIC_API_KEY", [("X-Api-Key", "key")]),
        (CHAT, ["x-api-key"], "OPENAI_API_KEY", [("Authorization", "Bearer key")]),
        (CHAT, ["api-key"], "AZURE_OPENAI_API_KEY", [("api-key", "key")]),
        (CHAT, ["api-key"], "OPENAI_API_KEY", []),
        (CHAT, ["Authorization"], "AZURE_OPENAI_API_KEY", []),
        (CHAT, ["Authorization"], "ANTHROPIC_API_KEY", []),
    ],
)
def test_a_key_goes_where_its_api_takes_it_whatever_was_recorded(
    target: str, redacted: list[str], variable: str, sent: list[tuple[str, str]]
):
    headers = tuple((name, "REDACTED") for name in redacted)
    request = Request(1, 0, "POST", target, headers, Body.of(b""))
    assert credentials(request, {variable: "key"}) == tuple(sent)


def test_the_keys_that_were_looked_for_in_vain_are_told_once():
    cassette = recorded(asking(1, "POST", CHAT), asking(4, "POST", CLAUDE), asking(7, "POST", CHAT))
    anthropic = ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"]
    assert unset_keys(cassette, {}) == ["OPENAI_API_KEY", *anthropic]
    assert unset_keys(cassette, {"OPENAI_API_KEY": "key", "ANTHROPIC_API_KEY": ""}) == anthropic
    assert unset_keys(cassette, {"OPENAI_API_KEY": "key", "ANTHROPIC_API_KEY": "key"}) == []


def test_takes_are_kept_beside_the_cassette(tmp_path: Path):
    path = tmp_path / "deep" / "a.b.yaml"
    assert Takes.of(path, []).file(2) == tmp_path / "deep" / "a.b.rerun-2.yaml"
    varied = Takes.of(path, [Assignment.parse("temperature=0.7")])
    assert varied.file(1).name == "a.b.temperature=0.7.rerun-1.yaml"
