"""The vendors' own SDKs get from a replay what they got from the engine that was recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.proxies import Proxy
from support.scenarios import SCENARIOS
from support.wire import ask
from wiretape.core.tempo import Order

CASSETTES = Path(__file__).parents[2] / "cassettes"
CASES = [(engine, name) for engine, scenarios in SCENARIOS.items() for name in scenarios]


@pytest.mark.parametrize(("engine", "name"), CASES)
async def test_a_replay_gives_real_clients_what_the_engine_gave(
    engine: str, name: str, proxy: Proxy
):
    results = json.loads((CASSETTES / engine / "results.json").read_text("utf-8"))
    async with proxy("replay", directory=CASSETTES / engine, cassette=name) as replaying:
        replayed = await SCENARIOS[engine][name](replaying.url)
        report = (await ask(replaying.url, "GET", "/_wiretape/sessions/default")).json()
    assert json.loads(json.dumps(replayed)) == results[name]
    assert (report["misses"], report["unused"], report["stalls"]) == ([], [], [])


@pytest.mark.parametrize("engine", SCENARIOS)
async def test_parallel_streams_of_a_real_client_are_the_same_in_any_order(
    engine: str, proxy: Proxy
):
    results = json.loads((CASSETTES / engine / "results.json").read_text("utf-8"))
    name = "chat-parallel-streams"
    for order in (Order("free"), Order("shuffle", 1), Order("shuffle", 2)):
        async with proxy(
            "replay", directory=CASSETTES / engine, cassette=name, order=order
        ) as replaying:
            assert await SCENARIOS[engine][name](replaying.url) == results[name]
