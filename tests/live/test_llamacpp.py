"""Record a real engine anew through real SDKs, and replay it to them: same results."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.scenarios import SCENARIOS
from support.wire import ask
from wiretape.analysis.show_json import show_json
from wiretape.cassette.loader import load
from wiretape.core.addresses import Address
from wiretape.core.model import Mode
from wiretape.server.serve import running
from wiretape.server.settings import Settings
from wiretape.server.verify import verify

pytestmark = pytest.mark.live

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("WIRETAPE_ENGINE_CACHE") or Path.home() / ".cache" / "wiretape")
PYTHON = CACHE / "engine-venv" / "bin" / "python"
MODEL = CACHE / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
LOOPBACK = Address("127.0.0.1", 0)


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    """llama.cpp's own HTTP server on a free port."""
    if not (PYTHON.exists() and MODEL.exists()):
        pytest.skip("the engine is not installed: run tests/live/get_engines.sh llamacpp")
    command = [PYTHON, HERE / "llamacpp_server.py", "--model", MODEL]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith("ready "), "the engine did not start"
        yield ready.removeprefix("ready ").strip()
        process.stdin.close()


@pytest.mark.parametrize("name", SCENARIOS["llamacpp"])
async def test_what_was_recorded_replays_the_same(name: str, engine: str, tmp_path: Path):
    scenario = SCENARIOS["llamacpp"][name]
    path = tmp_path / f"{name}.yaml"
    recording = Settings(Mode.RECORD, tmp_path, name, upstream=engine, listen=LOOPBACK)
    async with running(recording) as proxy:
        live = await scenario(proxy.url)
    cassette = load(path)
    assert cassette.warnings == ()
    replaying = Settings(Mode.REPLAY, tmp_path, name, listen=LOOPBACK)
    async with running(replaying) as proxy:
        assert await scenario(proxy.url) == live
        report = (await ask(proxy.url, "GET", "/_wiretape/sessions/default")).json()
    assert (report["misses"], report["unused"]) == ([], [])
    verification = await verify(cassette, Settings(Mode.REPLAY, cassettes=(path,)))
    assert verification.differences == ()
    if name == "chat-tools":
        first = show_json(cassette)["interactions"][0]["response"]
        assert [call["index"] for call in first["tool_calls"]][:2] == [0, 1]
        assert first["finish_reason"] == "tool_calls"
    if name == "chat-cancelled":
        (interaction,) = cassette.interactions()
        assert interaction.outcome is not None
        assert interaction.outcome.value == "client_disconnected"
