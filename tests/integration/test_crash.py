"""kill -9 at a random moment: every chunk that a client had can be replayed afterwards."""

from __future__ import annotations

import asyncio
import json
import random
import shlex
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.command import serving, wiretape
from support.upstream import SSE_HEAD, Gate, Seen, Step, chunk, scripted_upstream
from support.wire import Connection, connect
from wiretape.cassette.loader import load

STREAMS = 10
CHUNKS = 400


def numbered_stream(seen: Seen) -> list[Step]:
    """A long stream, in bursts that do not end where chunks do; it stays open at its end."""
    stream = json.loads(seen.body)["stream_number"]
    wire = b"".join(
        chunk(b'data: {"stream":%d,"n":%d,"pad":"%b"}\n\n' % (stream, n, b"x" * (n % 300)))
        for n in range(CHUNKS)
    )
    cuts = range(0, len(wire), 777)
    return [SSE_HEAD, *(wire[cut : cut + 777] for cut in cuts), Gate()]


async def read_until_lost(client: Connection, one_more: Callable[[], None]) -> list[bytes]:
    await client.head()
    while await client.chunk() is not None:
        one_more()
    client.close()
    # What came of a chunk that was cut off is in the last item; it was seen all the same.
    return client.answer.chunks


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_that_a_client_saw_is_lost(seed: int, tmp_path: Path):
    dice = random.Random(seed)
    async with (
        scripted_upstream(numbered_stream) as upstream,
        serving("record", "--upstream", upstream.url, "--dir", tmp_path, "--cassette", "c") as tape,
    ):
        clients = [await connect(tape.url) for _ in range(STREAMS)]
        for number, client in enumerate(clients):
            body = json.dumps({"stream_number": number}).encode()
            await client.send("POST", "/v1/chat/completions", body)
        wanted = dice.randrange(1, STREAMS * CHUNKS // 2)
        countdown = iter(range(wanted - 1, -1, -1))

        def kill_in_time() -> None:
            if next(countdown, None) == 0:
                tape.process.send_signal(signal.SIGKILL)

        seen = await asyncio.gather(*(read_until_lost(each, kill_in_time) for each in clients))
    assert not (tmp_path / "c.yaml").exists()
    assert (tmp_path / "c.yaml.part").exists()

    # Those whose answer began are there; others may not even have been read when the end came.
    begun = sum(client.answer.status == 200 for client in clients)
    named = wiretape("check", tmp_path / "c.yaml.part", "--json")
    assert begun <= json.loads(named.stdout)["cassettes"][0]["interactions"] <= STREAMS
    recovered = wiretape("recover", tmp_path)
    assert recovered.returncode == 0, recovered.stderr
    (path,) = tmp_path.glob("c.*.yaml")
    assert str(path) in recovered.stdout
    recorded = {
        json.loads(each.request.body.content or b"")["stream_number"]: each.body()
        for each in load(path).interactions()
    }
    for number, chunks in enumerate(seen):
        assert recorded.get(number, b"").startswith(b"".join(chunks)), number
    assert sum(len(chunks) for chunks in seen) >= wanted

    # And it can be replayed: to its last chunk, where the connection is closed.
    verified = wiretape("verify", path, "--json")
    assert json.loads(verified.stdout)["differences"] == []


async def test_an_abandoned_recording_is_named_at_the_next_start(tmp_path: Path):
    directory = tmp_path / "my tapes"
    directory.mkdir()
    (directory / "old.yaml").write_text("wiretape: 1 # precious\n")
    async with (
        scripted_upstream([SSE_HEAD, chunk(b"data: 1\n\n"), Gate()]) as upstream,
        serving("record", "--upstream", upstream.url, "--dir", directory, "--cassette", "old") as t,
    ):
        client = await connect(t.url)
        await client.send("GET", "/")
        await client.head()
        await client.chunk()
        t.process.kill()
        await client.rest()
        client.close()
    assert (directory / "old.yaml").read_text() == "wiretape: 1 # precious\n"
    part = directory / "old.yaml.part"
    async with serving("serve", "--mode", "passthrough", "--dir", directory) as passing:
        assert await passing.stop() == 0
        assert f"{part} was left" in passing.said
        assert f"wiretape recover {shlex.quote(str(directory))}" in passing.said
    assert part.exists()
