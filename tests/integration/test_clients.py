"""Real clients, led to the proxy by nothing but a variable, get what was recorded."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from support.clients import CLIENTS, NODE, PYTHON, Client, Results
from support.clients_table import README, with_table
from support.proxies import Proxy
from support.rounds import Finishing
from support.wire import ask
from wiretape.cassette.loader import load
from wiretape.core.model import Outcome

EITHER = [
    *(pytest.param(client, id=client.name) for client in PYTHON),
    *(pytest.param(client, id=client.name, marks=pytest.mark.node) for client in NODE),
]
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A client that asks anybody but the proxy fails the test."""
    asked: list[Any] = []
    look_up = socket.getaddrinfo

    def only_loopback(host: Any, *others: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in LOOPBACK:
            asked.append(name)
            raise socket.gaierror(socket.EAI_NONAME, f"no network in this test: {name}")
        return look_up(host, *others, **options)

    monkeypatch.setattr(socket, "getaddrinfo", only_loopback)
    yield
    assert not asked


def installed(client: Client) -> Client:
    if client.version() is None:
        pytest.skip(f"{client.package} ({client.language}) is not there: {client.how_to_install}")
    return client


async def replay(
    client: Client, scenario: str, proxy: Proxy, finishing: Finishing = Finishing.AS_CALLED
) -> tuple[dict[str, Any], dict[str, Any]]:
    async with proxy("replay", directory=client.cassettes, cassette=scenario) as replaying:
        played = await client.play(scenario, replaying.url, finishing)
        report = (await ask(replaying.url, "GET", "/_wiretape/sessions/default")).json()
    assert (report["misses"], report["unused"], report["stalls"]) == ([], [], [])
    return played, report


def recorded(client: Client, scenario: str) -> Any:
    return json.loads((client.cassettes / "results.json").read_text("utf-8"))[scenario]


@pytest.mark.parametrize("client", EITHER)
@pytest.mark.parametrize("scenario", ["stream", "cancelled"])
async def test_a_replayed_stream_is_what_the_engine_sent(
    client: Client, scenario: str, proxy: Proxy
):
    played, report = await replay(installed(client), scenario, proxy)
    assert played["got"] == recorded(client, scenario)
    assert report["divergences"] == []


@pytest.mark.parametrize("client", EITHER)
@pytest.mark.parametrize("finishing", Finishing)
async def test_a_tool_loop_replays_in_whichever_order_its_tools_finish(
    client: Client, finishing: Finishing, proxy: Proxy
):
    played, report = await replay(installed(client), "tools", proxy, finishing)
    assert played["got"] == recorded(client, "tools")
    assert played["finished"] == finishing.commands
    moved = finishing is Finishing.REVERSED and client.results is Results.AS_FINISHED
    assert [each["match"] for each in report["divergences"]] == ["tool-order"] * moved


@pytest.mark.parametrize("client", [pytest.param(each, id=each.name) for each in CLIENTS])
def test_every_cassette_shows_what_it_is_for(client: Client):
    tools = load(client.cassettes / "tools.yaml")
    assert [each.outcome for each in tools.interactions() if each.request.method == "POST"] == (
        [Outcome.COMPLETE] * 2
    )
    left = load(client.cassettes / "cancelled.yaml").interactions()
    assert [each.outcome for each in left] == [Outcome.CLIENT_DISCONNECTED]
    assert recorded(client, "tools")["calls"] == Finishing.AS_CALLED.commands
    assert len(recorded(client, "cancelled")) == 3


def test_the_readme_lists_what_is_replayed():
    readme = README.read_text("utf-8")
    assert readme == with_table(readme), "run: python tests/support/clients_table.py"


@pytest.mark.parametrize("client", EITHER)
async def test_a_miss_fails_at_once_and_says_why(client: Client, proxy: Proxy):
    other = "cancelled"
    async with proxy("replay", directory=client.cassettes, cassette=other) as replaying:
        with pytest.raises(Exception, match="no recorded request matches POST") as failure:
            await installed(client).play("stream", replaying.url, Finishing.AS_CALLED)
        report = (await ask(replaying.url, "GET", "/_wiretape/sessions/default")).json()
    assert len(report["misses"]) == 1
    assert "the capital of France" in str(failure.value)
