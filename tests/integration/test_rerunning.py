"""`wiretape rerun` against an upstream that answers otherwise each time."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.command import wiretape
from support.upstream import CLOSE, LAST, SSE_HEAD, Gate, Seen, chunk, head, scripted_upstream
from wiretape.cassette.loader import load
from wiretape.core.model import Mode
from wiretape.errors import UsageError
from wiretape.server import retaking
from wiretape.server.driver import Received
from wiretape.server.settings import Settings

CASSETTES = Path(__file__).parents[2] / "cassettes"


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    path = tmp_path / "note.yaml"
    path.write_bytes((CASSETTES / "notes" / "parallel-tool-calls.yaml").read_bytes())
    return path


def answer(*commands: str) -> list[bytes]:
    calls = [
        {
            "index": index,
            "id": f"c{index}",
            "function": {"name": "run_command", "arguments": json.dumps({"command": each})},
        }
        for index, each in enumerate(commands)
    ]
    events = [{"tool_calls": [call]} for call in calls]
    lines = [{"choices": [{"index": 0, "delta": each}]} for each in events]
    lines.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    return [SSE_HEAD, *(chunk(f"data: {json.dumps(each)}\n\n".encode()) for each in lines), LAST]


async def rerun(*arguments: str | Path, **environment: str) -> Any:
    return await asyncio.to_thread(wiretape, "rerun", *arguments, **environment)


async def test_takes_are_made_kept_and_compared(cassette: Path):
    scripts = [answer("ls", "ls -l"), answer("ls"), answer("ls", "ls -l")]
    async with scripted_upstream(*scripts) as upstream:
        options = ("-n", "3", "--upstream", upstream.url, "--set", "temperature=0.7")
        done = await rerun(cassette, *options, "--json", OPENAI_API_KEY="sk-mine")
        assert done.returncode == 0, done.stderr
        assert len(upstream.seen) == 3
        asked = json.loads(upstream.seen[0].body)
        assert asked["temperature"] == 0.7
        assert asked["messages"][0]["content"] == "List the files in this directory"
        again = await rerun(cassette, *options)
        assert len(upstream.seen) == 3
    compared = json.loads(done.stdout)
    (question,) = compared["questions"]
    counts = [(each["count"], each["recorded"]) for each in question["behaviours"]]
    assert counts == [(2, True), (1, False)]
    assert question["noticed"]["parallel"] == 2
    names = [f"note.temperature=0.7.rerun-{number}.yaml" for number in (1, 2, 3)]
    assert [Path(file).name for file in compared["files"]] == names
    assert sorted(each.name for each in cassette.parent.iterdir()) == sorted(["note.yaml", *names])
    assert load(cassette.parent / names[0]).upstream == upstream.url
    assert "2/3 ████████     run_command" in again.stdout
    assert "of 3: 2 with parallel calls" in again.stdout
    assert [line for line in again.stdout.splitlines() if line != line.rstrip()] == []


async def test_a_redacted_key_is_sent_from_the_environment_or_said_to_be_left_out(cassette: Path):
    text = cassette.read_text("utf-8")
    plain = "headers: {Content-Type: application/json}"
    assert plain in text
    redacted = "headers: {Content-Type: application/json, Authorization: REDACTED}"
    cassette.write_text(text.replace(plain, redacted), "utf-8")
    async with scripted_upstream(*[answer("ls")] * 3) as upstream:
        without = await rerun(cassette, "-n", "2", "--upstream", upstream.url)
        given = {"OPENAI_API_KEY": "sk-mine"}
        done = await rerun(cassette, "-n", "3", "--upstream", upstream.url, **given)
        again = await rerun(cassette, "-n", "3", "--upstream", upstream.url)
        sent = [seen.header("Authorization") for seen in upstream.seen]
    assert sent == [None, None, "Bearer sk-mine"]
    said = "wiretape: asking without the key that was redacted: none is set in OPENAI_API_KEY\n"
    assert (without.returncode, without.stderr) == (0, said)
    assert (done.returncode, done.stderr) == (0, "")
    assert (again.returncode, again.stderr) == (0, "")


async def test_what_a_page_of_another_site_asked_is_asked_again(cassette: Path):
    text = cassette.read_text("utf-8")
    plain = "headers: {Content-Type: application/json}"
    page = "Origin: https://app.example, Sec-Fetch-Site: cross-site}"
    assert plain in text
    cassette.write_text(text.replace(plain, f"{plain[:-1]}, {page}"), "utf-8")
    async with scripted_upstream(answer("ls")) as upstream:
        done = await rerun(cassette, "-n", "1", "--upstream", upstream.url)
        sent = [seen.header("Origin") for seen in upstream.seen]
    assert (done.returncode, done.stderr, sent) == (0, "", ["https://app.example"])


async def test_a_take_of_which_nothing_was_recorded_is_one_clear_line(
    cassette: Path, monkeypatch: pytest.MonkeyPatch
):
    refused = Received(1, 1, 0, pieces=[(b"not\nhere", False, 0)])

    async def drive(*_: object) -> list[Received]:
        return [refused]

    monkeypatch.setattr(retaking, "drive", drive)
    with pytest.raises(UsageError, match="nothing of take 1 was recorded: not here"):
        await retaking.retake(
            load(cassette),
            retaking.Takes(cassette),
            [1],
            Settings(Mode.RECORD),
            concurrency=1,
            done=lambda: None,
        )
    assert [each.name for each in cassette.parent.iterdir()] == ["note.yaml"]


async def test_it_goes_on_where_it_was_stopped(cassette: Path):
    gate = Gate()
    scripts = [answer("ls"), [SSE_HEAD, gate], answer("ls")]
    async with scripted_upstream(*scripts) as upstream:
        command = [sys.executable, "-m", "wiretape.cli", "rerun", str(cassette), "-n", "2"]
        process = await asyncio.create_subprocess_exec(
            *command, "--upstream", upstream.url, stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )
        async with asyncio.timeout(20):
            while len(upstream.seen) < 2:
                upstream.asked.clear()
                await upstream.asked.wait()
            process.send_signal(signal.SIGINT)
            _, said = await process.communicate()
        assert process.returncode == 130
        assert "1 of 2 takes are there; the same command goes on from here" in said.decode()
        assert "Traceback" not in said.decode()
        left = sorted(each.name for each in cassette.parent.iterdir())
        assert left == ["note.rerun-1.yaml", "note.yaml"]
        done = await rerun(cassette, "-n", "2", "--upstream", upstream.url)
        assert done.returncode == 0, done.stderr
        assert len(upstream.seen) == 3
        assert "note · 2 takes" in done.stdout.replace("parallel-tool-calls", "note")


async def test_several_takes_are_made_at_once(cassette: Path):
    gates = [Gate(), Gate()]
    rest = iter(gates)

    def script(_seen: Seen) -> list[bytes | Gate]:
        first, *more = answer("ls")
        return [first, next(rest), *more]

    async with scripted_upstream(script) as upstream:
        options = ("-n", "2", "--concurrency", "2", "--upstream", upstream.url)
        running = asyncio.create_task(rerun(cassette, *options))
        async with asyncio.timeout(20):
            while len(upstream.seen) < 2:
                upstream.asked.clear()
                await upstream.asked.wait()
        for gate in gates:
            gate.set()
        done = await running
    assert done.returncode == 0, done.stderr
    assert len(list(cassette.parent.glob("note.rerun-*.yaml"))) == 2


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("401 Unauthorized", "refused with status 401: bad key"),
        ("503 No", "refused with status 503"),
    ],
)
async def test_a_refusal_is_no_take(cassette: Path, status: str, said: str):
    async with scripted_upstream([head(status, "Content-Length: 7") + b"bad key"]) as upstream:
        done = await rerun(cassette, "--upstream", upstream.url)
    assert done.returncode == 2
    assert said in done.stderr
    assert [each.name for each in cassette.parent.iterdir()] == ["note.yaml"]


async def test_to_hang_up_before_an_answer_is_no_take(cassette: Path):
    async with scripted_upstream([CLOSE]) as upstream:
        done = await rerun(cassette, "--upstream", upstream.url)
    assert done.returncode == 2
    assert f"no answer from the upstream {upstream.url}: upstream_closed" in done.stderr
    assert [each.name for each in cassette.parent.iterdir()] == ["note.yaml"]


async def test_a_password_in_the_upstream_is_sent_and_never_said(cassette: Path):
    async with scripted_upstream(answer("ls")) as upstream, scripted_upstream() as other:
        secret = upstream.url.replace("//", "//me:hunter2hunter@")
        for _ in range(2):
            done = await rerun(cassette, "-n", "1", "--upstream", secret)
            assert done.returncode == 0, done.stderr
        assert len(upstream.seen) == 1
        sent = upstream.seen[0].header("Authorization") or ""
        assert base64.b64decode(sent.removeprefix("Basic ")) == b"me:hunter2hunter"
        elsewhere = other.url.replace("//", "//me:hunter3hunter@")
        mixed = await rerun(cassette, "-n", "2", "--upstream", elsewhere)
    assert (mixed.returncode, "is a take from" in mixed.stderr) == (2, True)
    assert "hunter" not in mixed.stdout + mixed.stderr
    assert "hunter" not in (cassette.parent / "note.rerun-1.yaml").read_text()


async def test_what_cannot_be_asked_is_one_clear_line(cassette: Path):
    gone = await rerun(cassette, "--upstream", "http://127.0.0.1:9")
    assert (gone.returncode, "no answer from the upstream" in gone.stderr) == (2, True)
    async with scripted_upstream(answer("ls")) as upstream, scripted_upstream() as other:
        assert (await rerun(cassette, "-n", "1", "--upstream", upstream.url)).returncode == 0
        mixed = await rerun(cassette, "-n", "2", "--upstream", other.url)
    assert mixed.returncode == 2
    assert f"is a take from {upstream.url}, not from {other.url}" in mixed.stderr
    assert len(mixed.stderr.splitlines()) == 1
