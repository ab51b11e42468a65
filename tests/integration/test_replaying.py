"""Replay over real sockets: which recording answers, in which order, and what a miss says."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from support.proxies import Proxy
from support.upstream import scripted_upstream
from support.wire import PATIENCE_S, Connection, ask, ask_json, connect
from wiretape.core.matching import Level, Repeat, Rules
from wiretape.core.pointer import parse_pointer
from wiretape.core.routing import DEFAULT_SESSION
from wiretape.core.tempo import Order, Speed
from wiretape.server import replayer
from wiretape.server.peer import ReceiveQueues
from wiretape.server.serve import Running

HEAD = "wiretape: 1\nrecorded: 2026-11-22T10:00:00Z\nupstream: http://127.0.0.1:11434\nentries:\n"


def request(number: int, at: float, body: object, target: str = "/v1/chat/completions") -> str:
    return (
        f"- {{request: {number}, at: {at}, method: POST, target: {target},"
        f" headers: {{}}, json: {json.dumps(body)}}}\n"
    )


def response(number: int, at: float) -> str:
    return (
        f"- {{response: {number}, at: {at}, status: 200,"
        " headers: {Content-Type: text/event-stream}}\n"
    )


def chunk(number: int, at: float, text: str) -> str:
    return f"- {{chunk: {number}, at: {at}, sse: {text}}}\n"


def end(number: int, at: float) -> str:
    return f"- {{end: {number}, at: {at}, outcome: complete}}\n"


def whole(number: int, at: float, body: object, text: str) -> str:
    return (
        request(number, at, body)
        + response(number, at + 0.1)
        + chunk(number, at + 0.2, text)
        + end(number, at + 0.3)
    )


def messages(*texts: str) -> dict:
    return {"model": "m", "messages": [{"role": "user", "content": text} for text in texts]}


A, B = messages("A"), messages("B")
INTERLEAVED = (
    request(1, 0, A)
    + request(2, 0.01, B)
    + response(1, 0.1)
    + response(2, 0.11)
    + chunk(1, 0.2, "A1")
    + chunk(2, 0.3, "B1")
    + chunk(1, 0.4, "A2")
    + chunk(2, 0.5, "B2")
    + end(1, 0.6)
    + end(2, 0.7)
)


def write(tmp_path: Path, text: str, name: str = "tape") -> Path:
    path = tmp_path / f"{name}.yaml"
    path.write_text(HEAD + text)
    return path


async def trace(running: Running) -> list[tuple[tuple[int, int], int]]:
    """Note every (cassette and interaction, step) of the default session as it goes out."""
    playing = (await running.app.sessions.get(DEFAULT_SESSION)).replayer
    assert playing is not None
    playing.trace = []
    return playing.trace


async def post(url: str, body: object, target: str = "/v1/chat/completions") -> Connection:
    client = await connect(url)
    raw = json.dumps(body).encode()
    await client.send("POST", target, raw, {"Content-Type": "application/json"})
    return client


async def finished(client: Connection) -> list[str]:
    await client.head()
    answer = await client.rest()
    client.close()
    assert answer.ending == "complete"
    return [data.decode().removeprefix("data: ").strip() for data in answer.chunks]


@pytest.mark.parametrize("late", ["A", "B"])
async def test_overlapping_streams_keep_their_recorded_order_whoever_comes_late(
    late: str, proxy: Proxy, tmp_path: Path
):
    write(tmp_path, INTERLEAVED)
    first, second = (B, A) if late == "A" else (A, B)
    async with proxy("replay", cassette="tape", order_timeout_s=PATIENCE_S) as replaying:
        sent = await trace(replaying)
        one = await post(replaying.url, first)
        async with asyncio.timeout(PATIENCE_S):
            if late == "B":  # A goes ahead as far as it may: its head, which B's follows
                await one.head()
        two = await post(replaying.url, second)
        if late == "B":
            texts = [[d.decode()[6:8] for d in (await one.rest()).chunks], await finished(two)]
            one.close()
        else:
            texts = await asyncio.gather(finished(one), finished(two))
        report = (await ask(replaying.url, "GET", "/_wiretape/sessions/default")).json()
    assert sorted(texts) == [["A1", "A2"], ["B1", "B2"]]
    assert [number for (_, number), _ in sent] == [1, 2, 1, 2, 1, 2, 1, 2]
    assert (report["stalls"], report["misses"], report["unused"]) == ([], [], [])


@pytest.mark.parametrize("blind", [False, True])
async def test_clients_read_overlapping_streams_in_the_recorded_order(
    blind: bool,  # noqa: FBT001  a parameter of the test's own
    proxy: Proxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    if blind:  # as for a client on another machine, of whose reading nothing is known
        monkeypatch.setattr(ReceiveQueues, "unread_bytes", lambda *_: None)
        monkeypatch.setattr(replayer, "_BLIND_WAIT_NS", 20_000_000)
    write(tmp_path, INTERLEAVED)
    seen: list[str] = []

    async def read(client: Connection) -> None:
        await client.head()
        while (data := await client.chunk()) is not None:
            seen.append(data.decode()[6:8])
        client.close()

    async with proxy("replay", cassette="tape", order_timeout_s=PATIENCE_S) as replaying:
        for _ in range(5):
            clients = [await post(replaying.url, body) for body in (B, A)]
            await asyncio.gather(*(read(client) for client in clients))
            await ask(replaying.url, "POST", "/_wiretape/sessions/tape/rewind")
    assert seen == ["A1", "B1", "A2", "B2"] * 5


@pytest.mark.skipif(sys.platform != "linux", reason="what clients have read is known there")
async def test_a_client_that_reads_later_is_waited_for_once(
    proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(replayer, "_READ_WAIT_NS", round(PATIENCE_S / 20 * 1e9))
    turns = "".join(chunk(1 + turn % 2, 0.2, f"{turn}") for turn in range(100))
    first = request(1, 0, A) + request(2, 0.01, B) + response(1, 0.1) + response(2, 0.11)
    write(tmp_path, first + turns + end(1, 0.6) + end(2, 0.7))
    async with proxy("replay", cassette="tape", order_timeout_s=PATIENCE_S * 5) as replaying:
        one = await post(replaying.url, A)
        two = await post(replaying.url, B)
        two.writer.transport.pause_reading()
        async with asyncio.timeout(PATIENCE_S):
            assert len(await finished(one)) == 50
            two.writer.transport.resume_reading()
            assert len(await finished(two)) == 50


async def test_a_request_that_never_comes_is_given_up_and_reported(proxy: Proxy, tmp_path: Path):
    write(tmp_path, INTERLEAVED)
    async with proxy("replay", cassette="tape", order_timeout_s=0.05) as replaying:
        assert await finished(await post(replaying.url, A)) == ["A1", "A2"]
        report = (await ask(replaying.url, "GET", "/_wiretape/sessions/default")).json()
    (stall,) = report["stalls"]
    assert (stall["waiting"]["interaction"], stall["missing"]["interaction"]) == (1, 2)
    assert stall["waited_s"] >= 0.05
    assert stall["paused"] is False
    assert [each["interaction"] for each in report["unused"]] == [2]


async def test_who_leaves_is_waited_for_no_more(proxy: Proxy, tmp_path: Path):
    # A waits for C, which nobody asks, and B waits for A, but never overlapped C.
    text = request(1, 0, A) + response(1, 0.1) + request(2, 0.2, messages("C"))
    text += response(2, 0.3) + end(2, 0.4) + request(3, 0.5, B) + response(3, 0.6)
    text += chunk(1, 0.7, "A1") + chunk(3, 0.8, "B1") + end(1, 0.9) + end(3, 1)
    write(tmp_path, text)
    async with proxy("replay", cassette="tape", order_timeout_s=PATIENCE_S * 5) as replaying:
        leaving, staying = await post(replaying.url, A), await post(replaying.url, B)
        for client in (leaving, staying):
            assert (await client.head()).status == 200
        leaving.close()
        assert [data.decode()[6:8] for data in (await staying.rest()).chunks] == ["B1"]
        assert staying.answer.ending == "complete"
        staying.close()


async def test_requests_that_did_not_overlap_never_wait(proxy: Proxy, tmp_path: Path):
    bodies = [messages(str(number)) for number in range(6)]
    write(tmp_path, "".join(whole(n + 1, n, body, f"t{n}") for n, body in enumerate(bodies)))
    async with proxy("replay", cassette="tape", order_timeout_s=PATIENCE_S * 5) as replaying:
        for number in (4, 1, 5):
            assert await finished(await post(replaying.url, bodies[number])) == [f"t{number}"]


async def test_equal_requests_in_flight_get_each_answer_once_in_order_of_arrival(
    proxy: Proxy, tmp_path: Path
):
    text = "".join(request(n, n / 100, A) for n in range(1, 5))
    text += "".join(response(n, 0.1 + n / 100) for n in range(1, 5))
    text += "".join(chunk(n, 0.2 + n / 100, f"t{n}") for n in range(1, 5))
    text += "".join(end(n, 0.3 + n / 100) for n in range(1, 5))
    write(tmp_path, text)
    async with proxy("replay", cassette="tape") as replaying:
        clients = [await post(replaying.url, A) for _ in range(4)]
        # All are in flight at once: none has read its answer.
        answers = await asyncio.gather(*(finished(client) for client in clients))
        exhausted = await ask_json(replaying.url, "/v1/chat/completions", A)
    assert sorted(answers) == [["t1"], ["t2"], ["t3"], ["t4"]]
    assert exhausted.status == 400
    assert exhausted.header("Wiretape-Miss") == "exhausted"
    assert "--repeat" in exhausted.json()["error"]["message"]


@pytest.mark.parametrize(
    ("repeat", "texts"),
    [(Repeat.LAST, ["t1", "t2", "t2", "t2"]), (Repeat.LOOP, ["t1", "t2", "t1", "t2"])],
)
async def test_repeat(repeat: Repeat, texts: list[str], proxy: Proxy, tmp_path: Path):
    write(tmp_path, whole(1, 0, A, "t1") + whole(2, 1, A, "t2"))
    async with proxy("replay", cassette="tape", rules=Rules(repeat=repeat)) as replaying:
        got = [(await finished(await post(replaying.url, A)))[0] for _ in texts]
    assert got == texts


@pytest.mark.parametrize("given", [True, False])
async def test_cassettes_are_used_in_name_order(*, given: bool, proxy: Proxy, tmp_path: Path):
    # Of the files' names the later one comes first: `-` stands before `.`.
    names = ("run-2", "run")
    paths = tuple(write(tmp_path, whole(1, 0, A, name), name) for name in names)
    async with proxy("replay", cassettes=paths if given else ()) as replaying:
        got = [(await finished(await post(replaying.url, A)))[0] for _ in paths]
    assert got == ["run", "run-2"]


async def test_metadata_repeats_its_last_answer_and_is_never_unused(proxy: Proxy, tmp_path: Path):
    models = (
        "- {request: 1, at: 0, method: GET, target: /v1/models, headers: {}}\n"
        "- {response: 1, at: 0.1, status: 200, headers: {Content-Length: 2}}\n"
        "- {chunk: 1, at: 0.1, text: '{}'}\n- {end: 1, at: 0.1, outcome: complete}\n"
    )
    write(tmp_path, models)
    async with proxy("replay", cassette="tape", strict=True) as replaying:
        summary_before = (await replaying.app.sessions.get(DEFAULT_SESSION)).failed()
        for _ in range(3):
            assert (await ask(replaying.url, "GET", "/v1/models")).body == b"{}"
    assert not summary_before


async def test_a_replayed_answer_names_its_recording_and_adds_nothing_else(
    proxy: Proxy, tmp_path: Path
):
    write(tmp_path, whole(7, 0, A, "t"))
    async with proxy("replay", cassette="tape") as replaying:
        exact = await ask_json(replaying.url, "/v1/chat/completions", A)
    assert exact.headers == [
        ("Content-Type", "text/event-stream"),
        ("Transfer-Encoding", "chunked"),
        ("Wiretape-Interaction", "7"),
        ("Wiretape-Match", "exact"),
    ]


async def test_what_was_recorded_of_another_replay_names_its_own_recording(
    proxy: Proxy, tmp_path: Path
):
    marks = (
        "{Content-Type: text/event-stream, Wiretape-Interaction: 99, wiretape-match: tool-order}"
    )
    text = whole(7, 0, A, "t")
    write(tmp_path, text.replace("{Content-Type: text/event-stream}", marks))
    async with proxy("replay", cassette="tape") as replaying:
        answer = await ask_json(replaying.url, "/v1/chat/completions", A)
    assert [field for field in answer.headers if field[0].lower().startswith("wiretape")] == [
        ("Wiretape-Interaction", "7"),
        ("Wiretape-Match", "exact"),
    ]


async def test_a_miss_explains_itself_in_the_callers_dialect(proxy: Proxy, tmp_path: Path):
    text = whole(1, 0, messages("the same", "recorded"), "t")
    text += request(2, 1, messages("x"), "/v1/messages") + response(2, 1.1) + end(2, 1.2)
    text += request(3, 2, messages("x"), "/api/chat") + response(3, 2.1) + end(3, 2.2)
    write(tmp_path, text)
    live = messages("the same", "received")
    async with proxy("replay", cassette="tape") as replaying:
        chat = await ask_json(replaying.url, "/v1/chat/completions", live)
        claude = await ask_json(replaying.url, "/v1/messages", live)
        ollama = await ask_json(replaying.url, "/api/chat", live)
        report = (await ask(replaying.url, "GET", "/_wiretape/sessions/default")).json()
    for answer in (chat, claude, ollama):
        assert answer.status == 400
        assert answer.header("x-should-retry") == "false"
        assert answer.header("Wiretape-Miss") == "no-match"
    message = chat.json()["error"]["message"]
    for part in ("#1", "/messages/1/content", "recorded", "received", "--ignore"):
        assert part in message, part
    assert claude.json()["type"] == "error"
    assert "closest" in claude.json()["error"]["message"]
    assert "closest" in ollama.json()["error"]
    assert len(report["misses"]) == 3
    assert report["misses"][0]["text"] == message


@pytest.mark.parametrize("cassettes", [1, 2])
async def test_the_rest_of_a_conversation_is_recorded_into_a_cassette_if_there_is_but_one(
    proxy: Proxy, tmp_path: Path, cassettes: int
):
    for number in range(cassettes):
        write(tmp_path, whole(1, 0, messages("hi"), "t"), f"tape{number}")
    async with proxy("replay", cassette=None) as replaying:
        answer = await ask_json(
            replaying.url, "/v1/chat/completions", messages("hi", "hello", "and now?")
        )
        report = (await ask(replaying.url, "GET", "/_wiretape/sessions/default")).json()
    lines = answer.json()["error"]["message"].splitlines()
    assert "the conversation goes on past the recording" in lines
    assert ("--mode new_episodes" in lines[-1]) is (cassettes == 1)
    assert report["misses"][0]["suggestion"] == ("--mode new_episodes" if cassettes == 1 else None)


async def test_tool_results_in_another_order_and_arguments_reserialised_match(
    proxy: Proxy, tmp_path: Path
):
    def conversation(arguments: str, results: list[tuple[str, str]]) -> dict:
        calls = [
            {"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": arguments}}
            for n in (1, 2)
        ]
        answers = [{"role": "tool", "tool_call_id": c, "content": text} for c, text in results]
        asked = [{"role": "user", "content": "go"}]
        return {"messages": [*asked, {"role": "assistant", "tool_calls": calls}, *answers]}

    recorded = conversation('{"a": 0.0, "b": 1}', [("c1", "one"), ("c2", "two")])
    reordered = conversation('{"b":1,"a":0}', [("c2", "two"), ("c1", "one")])
    other = conversation('{"b":1,"a":0}', [("c2", "changed"), ("c1", "one")])
    write(tmp_path, whole(1, 0, recorded, "t") + whole(2, 1, recorded, "u"))
    async with proxy("replay", cassette="tape", rules=Rules(Level.EXACT)) as replaying:
        exact = await ask_json(replaying.url, "/v1/chat/completions", reordered)
        assert exact.status == 400
        assert "--match tool-order" in exact.json()["error"]["message"]
    async with proxy("replay", cassette="tape") as replaying:
        loose = await ask_json(replaying.url, "/v1/chat/completions", reordered)
        assert (loose.status, loose.header("Wiretape-Match")) == (200, "tool-order")
        missed = await ask_json(replaying.url, "/v1/chat/completions", other)
        assert "--match tool-output" in missed.json()["error"]["message"]
    async with proxy("replay", cassette="tape", rules=Rules(Level.TOOL_OUTPUT)) as replaying:
        looser = await ask_json(replaying.url, "/v1/chat/completions", other)
        assert (looser.status, looser.header("Wiretape-Match")) == (200, "tool-output")
        report = (await ask(replaying.url, "GET", "/_wiretape/sessions/default")).json()
    (divergence,) = report["divergences"]
    assert "changed" in json.dumps(divergence["differences"])


async def test_ignored_parts_do_not_count(proxy: Proxy, tmp_path: Path):
    write(tmp_path, whole(1, 0, {**A, "seed": 1}, "t"))
    rules = Rules(ignore=(parse_pointer("/seed"),))
    async with proxy("replay", cassette="tape", rules=rules) as replaying:
        assert (
            await ask_json(replaying.url, "/v1/chat/completions", {**A, "seed": 2})
        ).status == 200


async def test_replay_touches_no_network(proxy: Proxy, tmp_path: Path):
    write(tmp_path, whole(1, 0, A, "t"))
    async with (
        scripted_upstream([b""]) as upstream,
        proxy("replay", cassette="tape", upstream=upstream.url) as replaying,
    ):
        await ask_json(replaying.url, "/v1/chat/completions", B)
    assert upstream.seen == []


async def test_original_speed_waits_as_recorded_and_instant_does_not(proxy: Proxy, tmp_path: Path):
    write(tmp_path, whole(1, 0, A, "t"))
    loop = asyncio.get_running_loop()
    async with proxy("replay", cassette="tape", speed=Speed(1.0)) as replaying:
        began = loop.time()
        await finished(await post(replaying.url, A))
        assert loop.time() - began >= 0.3  # it cannot have been faster, however fast the machine
    async with proxy("replay", cassette="tape", speed=Speed(1e-4)) as replaying:
        client = await post(replaying.url, A)
        client.close()  # it would have taken an hour


async def test_shuffled_order_is_the_same_for_the_same_seed(proxy: Proxy, tmp_path: Path):
    write(tmp_path, INTERLEAVED)
    seen: dict[int, list] = {}
    for seed in [*range(8), *range(8)]:
        async with proxy("replay", cassette="tape", order=Order("shuffle", seed)) as replaying:
            sent = await trace(replaying)
            one, two = await post(replaying.url, A), await post(replaying.url, B)
            await asyncio.gather(finished(one), finished(two))
            assert seen.setdefault(seed, sent) == sent
    assert len({tuple(order) for order in seen.values()}) > 1


async def test_a_slow_client_holds_back_its_own_stream_only(proxy: Proxy, tmp_path: Path):
    big = "x" * 4_000_000
    write(tmp_path, whole(1, 0, A, big) + whole(2, 1, B, "t"))
    async with proxy("replay", cassette="tape") as replaying:
        slow = await post(replaying.url, A)
        assert await finished(await post(replaying.url, B)) == ["t"]
        assert await finished(slow) == [big]


async def test_a_client_that_leaves_blocks_nobody(proxy: Proxy, tmp_path: Path):
    write(tmp_path, INTERLEAVED)
    async with proxy("replay", cassette="tape", order_timeout_s=PATIENCE_S * 5) as replaying:
        one = await post(replaying.url, A)
        await one.head()
        one.close()
        assert await finished(await post(replaying.url, B)) == ["B1", "B2"]


def answered(headers: str, chunks: str, outcome: str = "complete", status: int = 200) -> str:
    return (
        request(1, 0, A)
        + f"- {{response: 1, at: 0.1, status: {status}, headers: {headers}}}\n"
        + chunks
        + f"- {{end: 1, at: 0.3, outcome: {outcome}}}\n"
    )


def text(content: str, more: str = "") -> str:
    return f"- {{chunk: 1, at: 0.2, text: {content}{more}}}\n"


@pytest.mark.parametrize(
    ("entries", "body"),
    [
        pytest.param(answered("{Content-Length: 9}", text("short")), b"short", id="too short"),
        pytest.param(answered("{Content-Length: 2}", text("long")), b"long", id="too long"),
        pytest.param(answered("{}", text("cut", ", part: true")), b"cut", id="part of a chunk"),
        pytest.param(
            answered("{Content-Length: 9, Transfer-Encoding: chunked}", text("both")),
            b"both",
            id="two framings",
        ),
        pytest.param(answered("{}", text("none"), status=204), b"", id="no body allowed"),
        pytest.param(
            answered("{}", text("sorry"), "upstream_unreachable", 502), b"sorry", id="gateway"
        ),
    ],
)
async def test_a_whole_answer_written_by_hand_ends_whole_and_frees_its_connection(
    entries: str, body: bytes, proxy: Proxy, tmp_path: Path
):
    write(tmp_path, entries)
    async with proxy("replay", cassette="tape") as replaying:
        client = await post(replaying.url, A)
        async with asyncio.timeout(PATIENCE_S):
            await client.head()
            answer = await client.rest()
            assert (answer.body, answer.ending) == (body, "complete")
            await client.send("GET", "/_wiretape/health", b"", {})
            assert (await client.head()).status == 200
        client.close()


async def test_an_upstream_that_fell_silent_in_mid_stream_is_replayed_as_a_cut(
    proxy: Proxy, tmp_path: Path
):
    write(tmp_path, answered("{}", text("begun"), "upstream_timeout"))
    async with proxy("replay", cassette="tape") as replaying:
        client = await post(replaying.url, A)
        async with asyncio.timeout(PATIENCE_S):
            await client.head()
            answer = await client.rest()
        client.close()
    assert (answer.body, answer.ending) == (b"begun", "closed")


async def test_the_report_names_the_order_with_its_seed(proxy: Proxy, tmp_path: Path):
    write(tmp_path, INTERLEAVED)
    async with proxy("replay", cassette="tape", order=Order("shuffle", 7)) as replaying:
        report = (await ask(replaying.url, "GET", "/_wiretape/sessions/tape")).json()
    assert report["order"] == "shuffle:7"


async def test_sessions_that_answer_nothing_any_more_hold_no_descriptors(
    proxy: Proxy, tmp_path: Path
):
    text = whole(1, 0, messages("a"), "a") + whole(2, 1, messages("b"), "b")
    (tmp_path / "c.yaml").write_text(HEAD + text)
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("this system tells of descriptors otherwise")
    async with proxy("replay", speed=Speed(1000.0)) as replaying:
        for asked in ("a", "b"):  # a session's timer comes back when it is asked again
            before = len(list(descriptors.iterdir()))
            for label in range(20):
                target = f"/@c~{label}/v1/chat/completions"
                assert (await ask_json(replaying.url, target, messages(asked))).status == 200
            assert len(list(descriptors.iterdir())) < before + 10
