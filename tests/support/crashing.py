"""kill -9 again and again, at random moments of recording, appending, closing and recovering.

After each kill: every chunk that a client had seen is in some cassette, and no cassette that was
there before is harmed.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from support.command import serving, start
from support.upstream import LAST, SSE_HEAD, ScriptedUpstream, Seen, Step, chunk
from support.wire import Connection, connect
from wiretape.cassette.loader import load
from wiretape.core.model import Cassette

PHASES = ("recording", "appending", "closing", "recovering")
STREAMS = 8
CHUNKS = 300
_SLICE = 777
OLD = (
    "# precious\nwiretape: 1\nrecorded: 2026-11-22T10:31:02.000000Z\nupstream: http://h\nentries:\n"
    "- request: 1\n  at: 0.000000\n  method: GET\n  target: /old\n"
    "- {end: 1, at: 5.000000, outcome: upstream_closed}\n"
)


@dataclass
class Figures:
    """What a number of kills came to. Chunks count as seen as soon as one byte of them was."""

    kills: Counter[str] = field(default_factory=Counter)
    streams: int = 0
    chunks_seen: int = 0
    chunks_lost: int = 0
    cassettes_harmed: int = 0
    complaints: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        return {
            "kills": dict(self.kills),
            "kills_in_all": sum(self.kills.values()),
            "streams": self.streams,
            "chunks_seen": self.chunks_seen,
            "chunks_lost": self.chunks_lost,
            "cassettes_harmed": self.cassettes_harmed,
            "complaints": self.complaints,
        }


def numbered_stream(seen: Seen) -> list[Step]:
    """A stream in bursts that end anywhere."""
    stream = json.loads(seen.body)["stream_number"]
    wire = b"".join(
        chunk(b'data: {"stream":%d,"n":%d,"pad":"%b"}\n\n' % (stream, n, b"x" * (n % 300)))
        for n in range(CHUNKS)
    )
    return [SSE_HEAD, *(wire[at : at + _SLICE] for at in range(0, len(wire), _SLICE)), LAST]


async def crash(
    phase: str, dice: random.Random, directory: Path, upstream: ScriptedUpstream, figures: Figures
) -> None:
    """One round: streams, a kill in the phase, and a look at what is left."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    old = directory / "c.yaml"
    old.write_text(OLD)
    mode = "new_episodes" if phase == "appending" else "record"
    seen = await _stream_until_killed(phase, mode, dice, directory, upstream)
    figures.kills[phase] += 1
    figures.streams += len(seen)
    figures.chunks_seen += sum(len(chunks) for chunks in seen.values())
    if phase == "recovering":
        await _kill_recover(dice, directory)
    recover = await start("recover", directory)
    said, complained = await recover.communicate()
    if recover.returncode != 0:
        figures.complaints.append(f"{phase}: recover: {(complained or said).decode()}")
    _look(phase, directory, seen, figures)


async def _stream_until_killed(
    phase: str, mode: str, dice: random.Random, directory: Path, upstream: ScriptedUpstream
) -> dict[int, list[bytes]]:
    common = ("--upstream", upstream.url, "--dir", directory, "--cassette", "c", "--grace", "0.05")
    async with serving("serve", "--mode", mode, *common) as tape:
        left = dice.randrange(1, STREAMS * CHUNKS)
        reached = asyncio.Event()

        def one_more() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                reached.set()
                # One that is told to stop closes its cassette some time after.
                closes = phase == "closing"
                tape.process.send_signal(signal.SIGTERM if closes else signal.SIGKILL)

        clients = [await connect(tape.url) for _ in range(STREAMS)]
        for number, client in enumerate(clients):
            body = json.dumps({"stream_number": number}).encode()
            await client.send("POST", "/v1/chat/completions", body)
        reading = asyncio.gather(*(_read_on(each, one_more) for each in clients))
        if phase == "closing":
            await asyncio.wait(
                {reading, asyncio.ensure_future(reached.wait())},
                return_when=asyncio.FIRST_COMPLETED,
            )
            reached.set()
            await asyncio.sleep(dice.random() / 4)
            if tape.process.returncode is None:
                tape.process.kill()
        chunks = await reading
        if tape.process.returncode is None:
            tape.process.kill()
        await tape.process.wait()
    return dict(enumerate(chunks))


async def _read_on(client: Connection, one_more: object) -> list[bytes]:
    assert callable(one_more)
    await client.head()
    while await client.chunk() is not None:
        one_more()
    client.close()
    return client.answer.chunks


async def _kill_recover(dice: random.Random, directory: Path) -> None:
    process = await start("recover", directory)
    await asyncio.sleep(dice.random() * 0.4)
    if process.returncode is None:
        process.kill()
    await process.communicate()


def _look(phase: str, directory: Path, seen: dict[int, list[bytes]], figures: Figures) -> None:
    cassettes = []
    for path in sorted(directory.glob("*.yaml")):
        try:
            cassettes.append(load(path))
        except Exception as error:  # noqa: BLE001  whatever it is, it is a finding
            figures.cassettes_harmed += 1
            figures.complaints.append(f"{phase}: {path.name}: {error}")
    figures.complaints += [f"{phase}: left behind: {part}" for part in directory.glob("*.part")]
    current = (directory / "c.yaml").read_text()
    replaced = phase in {"recording", "closing", "recovering"} and "stream_number" in current
    if not replaced and not current.startswith(OLD):
        figures.cassettes_harmed += 1
        figures.complaints.append(f"{phase}: the old cassette is not what it was")
    recorded = _bodies(cassettes)
    for number, chunks in seen.items():
        body = recorded.get(number, b"")
        lost = sum(len(chunks[index]) > 0 for index in range(len(chunks)))
        offset = 0
        for each in chunks:
            if body[offset : offset + len(each)] != each:
                break
            offset += len(each)
            lost -= 1
        if lost:
            figures.chunks_lost += lost
            figures.complaints.append(f"{phase}: stream {number}: {lost} chunks lost")


def _bodies(cassettes: list[Cassette]) -> dict[int, bytes]:
    """The longest recording of each stream."""
    bodies: dict[int, bytes] = {}
    for cassette in cassettes:
        for interaction in cassette.interactions():
            content = interaction.request.body.content or b""
            if b"stream_number" in content:
                number = json.loads(content)["stream_number"]
                bodies[number] = max(bodies.get(number, b""), interaction.body(), key=len)
    return bodies
