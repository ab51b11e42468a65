"""Faults on both sides. Every test ends with the proxy still serving and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.clock import Clock
from support.command import serving
from support.proxies import Proxy
from support.upstream import (
    CLOSE,
    LAST,
    RESET,
    SSE_HEAD,
    Gate,
    Script,
    ScriptedUpstream,
    Seen,
    Step,
    chunk,
    head,
    scripted_upstream,
)
from support.wire import PATIENCE_S, Answer, ask, connect
from wiretape.cassette.loader import load
from wiretape.core.model import Outcome
from wiretape.server.serve import Running

OK = [head("200 OK", "Content-Length: 2"), b"ok"]

MIB = 1024 * 1024


def sockets() -> list[str]:
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(descriptor.readlink()))
    return found


async def settled(count: Callable[[], int], wanted: int) -> int:
    """The count, once it is down to what is wanted, or when patience is at its end."""
    for _ in range(int(PATIENCE_S * 50)):
        if count() <= wanted:
            break
        gc.collect()
        await asyncio.sleep(0.02)
    return count()


class Bench:
    """A recording proxy in front of a scripted upstream, with its tasks and files counted."""

    def __init__(self, tape: Running, upstream: ScriptedUpstream, cassette: Path) -> None:
        self.tape = tape
        self.upstream = upstream
        self.cassette = cassette

    def next(self, script: Script) -> None:
        """What the upstream does with requests from now on, but for the first and last ones."""
        well = {"/first", "/again", "/last"}
        self.upstream.scripts[:] = [lambda seen: OK if seen.target in well else script]

    async def outcome(self) -> Outcome | None:
        await self.tape.stop()
        return load(self.cassette).interactions()[1].outcome


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock.of_patience(monkeypatch)


@pytest.fixture
async def bench(
    proxy: Proxy, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Bench]:
    changes: dict[str, Any] = getattr(request, "param", {})
    async with (
        scripted_upstream(OK) as upstream,
        proxy("record", upstream=upstream.url, cassette="c", **changes) as tape,
    ):
        first = await ask(tape.url, "GET", "/first")
        assert first.body == b"ok"
        await settled(lambda: len(tape.app.in_flight), 0)
        files, tasks = len(sockets()), len(asyncio.all_tasks())
        yield Bench(tape, upstream, tmp_path / "c.yaml")
        with contextlib.suppress(ConnectionError):
            # It was stopped by `outcome`, where a test looked at it.
            last = await ask(tape.url, "GET", "/last")
            assert last.body == b"ok", "the proxy serves on"
            assert await settled(lambda: len(tape.app.in_flight), 0) == 0
        assert await settled(lambda: len(sockets()), files) <= files
        assert await settled(lambda: len(asyncio.all_tasks()), tasks) <= tasks


QUICK = pytest.mark.parametrize("bench", [{"upstream_timeout_s": 0.3}], indirect=True)


def stream(*steps: Step) -> list[Step]:
    return [SSE_HEAD, chunk(b"data: 1\n\n"), *steps]


def sized(length: int, *steps: Step) -> list[Step]:
    return [head("200 OK", f"Content-Length: {length}"), *steps, CLOSE]


CLOSED, RESET_ = Outcome.UPSTREAM_CLOSED, Outcome.UPSTREAM_RESET
ENDLESS_HEAD = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 60_000
RANDOM = bytes(range(256)) * 8 + b"\r\n\r\n"
UNASKED = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
BROKEN: dict[str, tuple[Script, int, str, Outcome]] = {
    # name: (what the upstream does, the status and ending that the client sees, the outcome)
    "closes before a head": ([CLOSE], 0, "closed", CLOSED),
    "resets before a head": ([RESET], 0, "reset", RESET_),
    "closes inside its head": ([b"HTTP/1.1 200 OK\r\nX: ", CLOSE], 0, "closed", CLOSED),
    "says nothing that is HTTP": ([b"SSH-2.0-OpenSSH_9.6\r\n\r\n", CLOSE], 0, "closed", CLOSED),
    "sends random bytes": ([RANDOM, CLOSE], 0, "closed", CLOSED),
    "sends a head without end": ([ENDLESS_HEAD, CLOSE], 0, "closed", CLOSED),
    "closes inside a stream": (stream(CLOSE), 200, "closed", CLOSED),
    "resets inside a stream": (stream(RESET), 200, "reset", RESET_),
    "closes inside a chunk": ([SSE_HEAD, b"ff\r\ndata", CLOSE], 200, "closed", CLOSED),
    "says a size that is none": (stream(b"zz\r\n", CLOSE), 200, "closed", CLOSED),
    "says a size too large": (stream(b"f" * 20 + b"\r\n", CLOSE), 200, "closed", CLOSED),
    "says a size too small": ([SSE_HEAD, b"1\r\nabcdef\r\n", CLOSE], 200, "closed", CLOSED),
    "says a size without end": (stream(b"0" * 40_000, CLOSE), 200, "closed", CLOSED),
    "sends less than it said": (sized(9, b"abc"), 200, "closed", CLOSED),
    "sends more than it said": (sized(2, b"okMORE"), 200, "complete", Outcome.COMPLETE),
    "sends another answer unasked": ([*OK, UNASKED, CLOSE], 200, "complete", Outcome.COMPLETE),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
async def test_an_upstream_that_breaks_down_breaks_one_answer(name: str, bench: Bench):
    script, status, ending, outcome = BROKEN[name]
    bench.next(script)
    answer = await ask(bench.tape.url, "POST", "/v1/chat/completions", b"{}")
    assert (answer.status, answer.ending) == (status, ending)
    assert b"evil" not in answer.body
    again = await ask(bench.tape.url, "GET", "/again")
    assert again.body == b"ok"
    assert await bench.outcome() is outcome


@QUICK
async def test_an_upstream_silent_before_its_head_is_given_up_with_504(bench: Bench):
    bench.next([Gate()])
    answer = await ask(bench.tape.url, "POST", "/v1/chat/completions", b"{}")
    assert (answer.status, answer.ending) == (504, "complete")
    assert "sent nothing for 0.3 s" in answer.json()["error"]["message"]
    async with asyncio.timeout(PATIENCE_S):
        await bench.upstream.client_left.wait()
    assert await bench.outcome() is Outcome.UPSTREAM_TIMEOUT


@QUICK
async def test_an_upstream_that_falls_silent_in_a_stream_is_cut_off(bench: Bench):
    bench.next(stream(Gate()))
    answer = await ask(bench.tape.url, "POST", "/v1/chat/completions", b"{}")
    assert (answer.status, answer.ending, answer.body) == (200, "closed", b"data: 1\n\n")
    async with asyncio.timeout(PATIENCE_S):
        await bench.upstream.client_left.wait()
    assert await bench.outcome() is Outcome.UPSTREAM_TIMEOUT


@QUICK
async def test_a_body_that_closing_would_make_whole_ends_in_a_reset(bench: Bench):
    bench.next([head("200 OK", "Connection: close"), b"half", Gate()])
    answer = await ask(bench.tape.url, "GET", "/large")
    assert (answer.status, answer.ending, answer.body) == (200, "reset", b"half")
    assert await bench.outcome() is Outcome.UPSTREAM_TIMEOUT


async def test_a_slow_client_gets_all_that_came_before_a_reset(bench: Bench):
    bench.next(stream(*[chunk(b"data: %b\n\n" % bytes(MIB))] * 3, CLOSE))
    client = await connect(bench.tape.url)
    client.writer.transport.pause_reading()
    client.writer.write(b"GET /large HTTP/1.0\r\n\r\n")
    await asyncio.sleep(1.5)
    client.writer.transport.resume_reading()
    await client.head()
    answer = await client.rest()
    assert answer.ending == "reset"
    assert len(answer.body) > 3 * MIB
    client.close()


@pytest.mark.parametrize("bench", [{"upstream_timeout_s": 20.0}], indirect=True)
async def test_an_upstream_that_is_slow_but_alive_is_never_cut(clock: Clock, bench: Bench):
    pauses = [Gate() for _ in range(10)]
    pieces = [(chunk(b"data: %d\n\n" % number), gate) for number, gate in enumerate(pauses)]
    bench.next([SSE_HEAD, *(step for piece in pieces for step in piece), LAST])
    client = await connect(bench.tape.url)
    await client.send("POST", "/v1/chat/completions", b"{}")
    await client.head()
    for gate in pauses:  # each pause is within the limit, all of them together are over it
        await client.chunk()
        clock.goes(19)
        gate.set()
    assert (await client.rest()).ending == "complete"
    assert len(client.answer.chunks) == len(pauses)
    client.close()


@QUICK
async def test_a_slow_client_is_not_taken_for_a_silent_upstream(bench: Bench):
    bench.next([head("200 OK", f"Content-Length: {8 * MIB}"), bytes(8 * MIB)])
    client = await connect(bench.tape.url)
    await client.send("GET", "/large")
    await client.head()
    await asyncio.sleep(0.9)
    assert len((await client.rest()).body) == 8 * MIB
    client.close()


POST = b"POST /a HTTP/1.1\r\nHost: localhost\r\n"
LEAVING: dict[str, bytes] = {
    "at once": b"",
    "inside its head": b"POST /a HTTP/1.1\r\nHost: local",
    "before its body": POST + b"Content-Length: 9\r\n\r\n",
    "inside its body": POST + b"Content-Length: 9\r\n\r\nabc",
    "inside a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n9\r\nab",
    "inside a large body": POST + b"Content-Length: 99999999\r\n\r\n" + bytes(MIB),
    "before its answer": b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("reset", [False, True], ids=["closing", "resetting"])
@pytest.mark.parametrize("name", LEAVING)
async def test_a_client_may_vanish_at_any_point(name: str, *, reset: bool, bench: Bench):
    bench.next(stream(Gate()))
    for _ in range(3):
        bench.upstream.asked.clear()
        client = await connect(bench.tape.url)
        client.writer.write(LEAVING[name])
        await client.writer.drain()
        if name == "before its answer":
            async with asyncio.timeout(PATIENCE_S):
                await bench.upstream.asked.wait()
        await asyncio.sleep(0)
        if reset:
            client.writer.transport.abort()
        client.close()


async def test_a_client_may_vanish_inside_a_stream_and_the_upstream_is_told(bench: Bench):
    bench.next(stream(Gate()))
    client = await connect(bench.tape.url)
    await client.send("POST", "/v1/chat/completions", b"{}")
    await client.head()
    await client.chunk()
    client.writer.transport.abort()
    async with asyncio.timeout(PATIENCE_S):
        await bench.upstream.client_left.wait()
    client.close()
    assert await bench.outcome() is Outcome.CLIENT_DISCONNECTED


@pytest.mark.parametrize("bench", [{"head_timeout_s": 0.4}], indirect=True)
async def test_connections_that_never_ask_are_closed_and_those_that_wait_for_answers_are_not(
    bench: Bench,
):
    gate = Gate()
    bench.next([gate, *OK])
    asking = asyncio.ensure_future(ask(bench.tape.url, "GET", "/patient"))
    bench.upstream.asked.clear()
    async with asyncio.timeout(PATIENCE_S):
        await bench.upstream.asked.wait()
    silent, dripping = await connect(bench.tape.url), await connect(bench.tape.url)
    dripping.writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n")

    async def drip() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                dripping.writer.write(b"X-Y: z\r\n")
                await dripping.writer.drain()
                await asyncio.sleep(0.05)

    drops = asyncio.ensure_future(drip())
    async with asyncio.timeout(PATIENCE_S):
        assert await silent.reader.read() == b""
        with contextlib.suppress(ConnectionError):
            assert await dripping.reader.read() == b""
    drops.cancel()
    silent.close()
    dripping.close()
    gate.set()
    assert (await asking).body == b"ok", "an answer may take as long as it likes"


@pytest.mark.parametrize("bench", [{"body_timeout_s": 0.3}], indirect=True)
async def test_a_body_that_does_not_go_on_is_not_waited_for(bench: Bench):
    client = await connect(bench.tape.url)
    client.writer.write(LEAVING["inside its body"])
    answer = await client.head()
    assert answer.status == 408
    async with asyncio.timeout(PATIENCE_S):
        await client.reader.read()
    client.close()


UPLOADING = {"upstream_timeout_s": 0.3, "max_body_bytes": 1}


@pytest.mark.parametrize("bench", [UPLOADING], indirect=True)
async def test_a_slow_upload_is_not_taken_for_a_silent_upstream(bench: Bench):
    client = await connect(bench.tape.url)
    await client.send("POST", "/a", b"abc", {"Content-Length": "6"})
    await asyncio.sleep(0.9)
    client.writer.write(b"def")
    assert (await client.head()).status == 200
    assert (await client.rest()).body == b"ok"
    client.close()


@pytest.mark.parametrize("bench", [UPLOADING], indirect=True)
async def test_an_upstream_that_is_silent_after_an_upload_is_given_up(bench: Bench):
    bench.next([Gate()])
    client = await connect(bench.tape.url)
    await client.send("POST", "/a", b"abcdef")
    assert (await client.head()).status == 504
    client.close()


async def test_an_event_of_100_mb_passes_in_pieces_in_bounded_memory(tmp_path: Path):
    def enormous(_: Seen) -> Iterator[Step]:
        yield SSE_HEAD
        yield b"%x\r\ndata: " % (100 * MIB + 8)
        for _ in range(100):
            yield b"x" * MIB
        yield b"\n\n\r\n" + LAST

    async with (
        scripted_upstream(enormous) as upstream,
        serving("record", "--upstream", upstream.url, "--dir", tmp_path, "--cassette", "c") as tape,
    ):
        before = resident_mib(tape.process.pid)
        client = await connect(tape.url)
        await client.send("GET", "/")
        async with asyncio.timeout(PATIENCE_S * 3):
            received = 0
            while data := await client.reader.read(MIB):
                received += len(data)
                if data.endswith(LAST):
                    break
        client.close()
        assert received > 100 * MIB
        assert peak_mib(tape.process.pid) - before < 32
        assert await tape.stop() == 0
    assert (tmp_path / "c.yaml").stat().st_size > 100 * MIB


async def test_200_clients_that_never_read_cost_less_than_64_mib(tmp_path: Path):
    sent = 0

    def endless(_: Seen) -> Iterator[Step]:
        nonlocal sent
        yield SSE_HEAD
        while True:
            sent += 1
            yield chunk(b"data: %b\n\n" % (b"x" * 8000))

    async with (
        scripted_upstream(endless) as upstream,
        serving("record", "--upstream", upstream.url, "--dir", tmp_path, "--cassette", "c") as tape,
    ):
        clients = []
        before = resident_mib(tape.process.pid)
        for _ in range(200):
            client = await connect(tape.url)
            await client.send("GET", "/")
            client.writer.transport.pause_reading()
            clients.append(client)
        still = 0
        while still < 10:  # until backpressure has reached the upstream of each
            was = sent
            await asyncio.sleep(0.1)
            still = still + 1 if sent == was else 0
        assert len(upstream.seen) == 200
        assert resident_mib(tape.process.pid) - before < 64
        health = await ask(tape.url, "GET", "/_wiretape/health")
        assert health.status == 200
        for client in clients:
            client.writer.transport.abort()
            client.close()
        stopping: Answer | int = await tape.stop()
        assert stopping == 0


def resident_mib(pid: int) -> float:
    return _status_mib(pid, "VmRSS")


def peak_mib(pid: int) -> float:
    return _status_mib(pid, "VmHWM")


def _status_mib(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise AssertionError(name)
