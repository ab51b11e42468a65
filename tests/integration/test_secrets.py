"""Planted secrets: not one of them is found in anything that was written, on either side."""

from __future__ import annotations

import base64
import gzip
import json
import random
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from support.command import serving, wiretape
from support.logprobs import DIALECTS, lists, spelt, stream_of, whole_answer
from support.planted import PLANTED, grep
from support.upstream import LAST, SSE_HEAD, Seen, Step, chunk, head, scripted_upstream
from support.wire import ask
from wiretape.cassette.library import SUFFIX
from wiretape.cassette.loader import load

CHAT = "/v1/chat/completions"


def sse(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


def tokens(text: str) -> list[str]:
    return [text[start : start + 3] for start in range(0, len(text), 3)]


def echo(seen: Seen) -> list[Step]:
    """Says again what it was told: in tokens, in one event, in cut bytes, in a whole answer."""
    asked = json.loads(seen.body)
    text = asked["secret"]
    if asked["how"] == "whole":
        body = json.dumps({"text": text}).encode()
        field = f"X-Echo: {text.splitlines()[0]}"
        return [
            head("200 OK", "Content-Type: application/json", field, f"Content-Length: {len(body)}"),
            body,
        ]
    if asked["how"] == "tokens":
        return [SSE_HEAD, *(chunk(sse(token)) for token in tokens(f"Well: {text} there.")), LAST]
    wire = sse(f"Well: {text} there.")
    return [SSE_HEAD, *(chunk(wire[at : at + 7]) for at in range(0, len(wire), 7)), LAST]


def asking(secret: str, how: str) -> bytes:
    return json.dumps({"model": "m", "how": how, "secret": secret}).encode()


def everything_written(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def targets() -> dict[str, str]:
    return {name: f"{CHAT}?note={quote(text)}" for name, (text, _) in PLANTED.items()}


async def test_no_planted_secret_is_written_anywhere_and_replay_still_matches(
    tmp_path: Path, targets: dict[str, str]
):
    said = ""
    async with (
        scripted_upstream(echo) as upstream,
        serving(
            "record", "--upstream", upstream.url.replace("//", "//Tr0ub4dor@"),
            "--dir", tmp_path, "--cassette", "c", "--log-level", "debug",
        ) as tape,
    ):  # fmt: skip
        for name, (text, secret) in PLANTED.items():
            headers = {"X-Note": text.replace("\n", " "), "Authorization": f"Bearer {secret[:20]}"}
            for how in ("whole", "tokens", "cut"):
                answer = await ask(tape.url, "POST", targets[name], asking(text, how), headers)
                assert answer.ending == "complete", name
                got = answer.body.decode()
                if how == "tokens":
                    events = got.removeprefix("data: ").split("\n\ndata: ")
                    got = "".join(json.loads(e)["choices"][0]["delta"]["content"] for e in events)
                    assert text in got, "the client's bytes are as they came"
                else:
                    assert json.dumps(text)[1:-1] in got, "the client's bytes are as they came"
            # The upstream got it all as well; a bad request is told of in the log.
            assert (
                text.encode() in upstream.seen[-1].body
                or json.dumps(text)[1:-1].encode() in upstream.seen[-1].body
            )
            refused = await ask(tape.url, "GET", f"/@../x?key={quote(text)}")
            assert refused.status == 400
            lost = await ask(tape.url, "GET", f"/_wiretape/none?key={quote(text)}")
            assert lost.status == 404
            for each in (refused, lost):
                assert not grep(secret, each.body), name
            during = everything_written(tmp_path)
            assert not grep(secret, during), f"{name} stood in the journal"
        assert await tape.stop() == 0
        said = tape.said
    written = everything_written(tmp_path) + said.encode()
    for name, (_, secret) in PLANTED.items():
        assert not grep(secret, written), name
    assert b"Tr0ub4dor" not in written
    assert len(load(tmp_path / "c.yaml").interactions()) == 3 * len(PLANTED)
    assert wiretape("check", tmp_path / "c.yaml").returncode == 0
    verified = wiretape("verify", tmp_path / "c.yaml", "--json")
    assert json.loads(verified.stdout)["differences"] == []

    async with serving("replay", tmp_path / "c.yaml", "--strict") as tape:
        for name, (text, secret) in PLANTED.items():
            for how in ("whole", "tokens", "cut"):
                answer = await ask(tape.url, "POST", targets[name], asking(text, how))
                assert answer.status == 200, answer.body
                assert not grep(secret, answer.body)
                again = await ask(tape.url, "POST", targets[name], asking(text, how))
                assert again.status == 400
                assert not grep(secret, again.body), "an error text tells no secret"
        assert await tape.stop() == 3
        for name, (_, secret) in PLANTED.items():
            assert not grep(secret, tape.said.encode()), name


def tokens_told(seen: Seen) -> list[Step]:
    """An answer with log probabilities: streamed by the event, cut anywhere, or whole."""
    asked = json.loads(seen.body)
    dice = random.Random(asked["secret"])
    said = [" So", ":", " ", *tokens(asked["secret"]), " there"]
    if asked["how"] == "whole":
        body = json.dumps(whole_answer(said, asked["dialect"], dice)).encode()
        return [
            head("200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}"),
            body,
        ]
    wire = stream_of(said, asked["dialect"], dice)
    if asked["how"] == "cut":
        body = b"".join(wire)
        wire = [body[at : at + 97] for at in range(0, len(body), 97)]
    kind = "application/x-ndjson" if asked["dialect"] == "ollama" else "text/event-stream"
    begin = head("200 OK", f"Content-Type: {kind}", "Transfer-Encoding: chunked")
    return [begin, *(chunk(each) for each in wire), LAST]


def said_in(cassette: Path) -> list[tuple[str, bytes]]:
    """What the tokens of each answer in a cassette say, and their bytes and alternatives."""
    said = []
    for interaction in load(cassette).interactions():
        body = interaction.body().decode()
        lines = body.replace("data: ", "").split("\n") if "\n" in body else [body]
        payloads = [json.loads(line) for line in lines if line]
        said += list(spelt(payloads).items())
        said += [("a list", each.encode()) for each in lists(payloads)]
    return said


async def test_no_run_of_tokens_with_probabilities_spells_a_secret(tmp_path: Path):
    text, secret = PLANTED["openai project"]
    kept, cassette = tmp_path / "kept.yaml", tmp_path / "c.yaml"
    asked = [(dialect, how) for dialect in DIALECTS for how in ("events", "cut", "whole")]
    async with scripted_upstream(tokens_told) as upstream:
        for path, how in ((cassette, ()), (kept, ("--keep-secrets",))):
            common = ("--dir", tmp_path, "--cassette", path.stem, *how)
            async with serving("record", "--upstream", upstream.url, *common) as tape:
                for dialect, way in asked:
                    question = {"secret": text, "dialect": dialect, "how": way}
                    answer = await ask(tape.url, "POST", CHAT, json.dumps(question).encode())
                    assert answer.ending == "complete"
                assert await tape.stop() == 0

    assert len(load(cassette).interactions()) == len(asked)
    assert {what for what, said in said_in(kept) if grep(secret, said)} >= {"tokens", "bytes"}
    assert wiretape("check", kept).returncode == 1
    assert wiretape("redact", kept).returncode == 0
    for path in (cassette, kept):
        assert not [what for what, said in said_in(path) if grep(secret, said)], path
        assert not grep(secret, path.read_bytes())
        assert wiretape("check", path).returncode == 0
    for one, other in zip(load(cassette).interactions(), load(kept).interactions(), strict=True):
        assert one.body() == other.body()
        assert [len(each.data) for each in one.chunks] == [len(each.data) for each in other.chunks]


def test_check_and_redact_see_secrets_in_tokens_alone(tmp_path: Path):
    """In a request, in a whole answer, and inside a coding."""
    dice = random.Random(8)
    path = tmp_path / "c.yaml"
    told = json.dumps(whole_answer(["gh", "p", "_", "a1" * 18], "chat", dice))
    told = told.replace("ghp_", "none")
    coded = base64.b64encode(gzip.compress(told.encode())).decode()
    path.write_text(
        "wiretape: 1\nrecorded: 2026-11-22T10:31:02Z\nupstream: http://h\nentries:\n"
        f"- {{request: 1, at: 0, method: POST, target: /, json: {told}}}\n"
        "- {response: 1, at: 0.01, status: 200, headers: {Content-Type: application/json}}\n"
        f"- {{chunk: 1, at: 1, text: '{told}'}}\n- {{end: 1, at: 2, outcome: complete}}\n"
        "- {request: 2, at: 3, method: GET, target: /}\n"
        "- {response: 2, at: 3, status: 200, headers: {Content-Encoding: gzip}}\n"
        f"- {{chunk: 2, at: 3, base64: {coded}}}\n- {{end: 2, at: 4, outcome: complete}}\n",
    )

    def places() -> list[tuple[int, str, list[str]]]:
        problems = json.loads(wiretape("check", path, "--json").stdout)["cassettes"][0]["problems"]
        return [(each["interaction"], each["place"], each["secrets"]) for each in problems]

    coded_one = (2, "compressed response body", ["github"])
    assert places() == [
        (1, "request body", ["github"]),
        (1, "response body", ["github"]),
        coded_one,
    ]
    wiretape("redact", path)
    assert places() == [coded_one]


async def test_another_key_of_the_same_kind_matches_as_well(tmp_path: Path):
    async with scripted_upstream([head("200 OK", "Content-Length: 2"), b"ok"]) as upstream:
        common = ("--dir", tmp_path, "--cassette", "c", "--redact", r"customer-\d+")
        async with serving("record", "--upstream", upstream.url, *common) as tape:
            text = f"customer-12345 {PLANTED['openai'][0]}"
            assert (await ask(tape.url, "POST", CHAT, asking(text, "-"))).body == b"ok"
            assert await tape.stop() == 0
    assert b"customer-1" not in everything_written(tmp_path)
    async with serving("replay", *common) as tape:
        text = "customer-67890 sk-another" + "0a1b" * 20
        answer = await ask(tape.url, "POST", CHAT, asking(text, "-"))
        assert (answer.status, answer.body) == (200, b"ok")


async def test_secrets_can_be_kept(tmp_path: Path):
    async with scripted_upstream([head("200 OK", "Content-Length: 2"), b"ok"]) as upstream:
        common = ("--dir", tmp_path, "--cassette", "c", "--keep-secrets")
        async with serving("record", "--upstream", upstream.url, *common) as tape:
            await ask(tape.url, "POST", CHAT, asking(PLANTED["github"][0], "-"))
            assert await tape.stop() == 0
    assert PLANTED["github"][0].encode() in everything_written(tmp_path)


def leaky(directory: Path, *, spread: bool = False) -> Path:
    """A cassette from before there was redaction, with a comment and a hand's layout."""
    key = PLANTED["slack"][0]
    events = [key[:9], key[9:]] if spread else [f"use {key}"]
    chunks = "".join(
        f"- {{chunk: 1, at: 0.{index}2, sse: '{sse(text)[6:-2].decode()}'}}\n"
        for index, text in enumerate(events)
    )
    path = directory / ("spread.yaml" if spread else "leaky.yaml")
    path.write_text(
        "# recorded by hand\nwiretape: 1\nrecorded: 2026-11-22T10:31:02Z\nupstream: http://h\n"
        f"entries:\n- request: 1\n  at: 0\n  method: POST   # why not\n  target: /v1?token={key}\n"
        "- {response: 1, at: 0.01, status: 200, headers: {Content-Type: text/event-stream}}\n"
        f"{chunks}- {{end: 1, at: 2, outcome: complete}}\n",
    )
    return path


@pytest.mark.parametrize("spread", [False, True])
def test_check_finds_what_slipped_through_and_redact_takes_it_out(tmp_path: Path, *, spread: bool):
    path = leaky(tmp_path, spread=spread)
    before = path.read_text()
    secret = PLANTED["slack"][1]
    path.chmod(0o640)

    found = wiretape("check", path, "--json")
    assert found.returncode == 1
    problems = json.loads(found.stdout)["cassettes"][0]["problems"]
    assert [(each["kind"], each["place"]) for each in problems] == [
        ("secret", "target"),
        ("secret", "response body"),
    ]
    cleaned = wiretape("redact", path)
    assert cleaned.returncode == 0, cleaned.stderr
    assert wiretape("check", path).returncode == 0
    after = path.read_text()
    for text in (found.stdout, cleaned.stdout, after):
        assert secret not in text
    assert after.startswith("# recorded by hand\n")
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == [path.name], "nothing is left beside it"
    assert ("written anew, with only the comments above it" in cleaned.stdout) is spread
    assert ("# why not" in after) is not spread
    if not spread:
        assert len(after) == len(before)
        assert wiretape("redact", path).stdout == f"{path}: no secrets\n"
        assert path.read_text() == after


def test_a_secret_in_a_comment_is_found_and_taken_out_too(tmp_path: Path):
    path = leaky(tmp_path)
    wiretape("redact", path)
    key = PLANTED["github"][0]
    path.write_text(path.read_text().replace("recorded by hand", f"recorded with {key}"))
    found = wiretape("check", path)
    assert found.returncode == 1
    assert f"{path}: line 1: a secret (github)" in found.stdout
    assert wiretape("redact", path).returncode == 0
    assert key not in path.read_text()
    assert wiretape("check", path).returncode == 0


def test_a_secret_in_interleaved_answers_or_inside_a_coding_is_found_at_least(tmp_path: Path):
    key = PLANTED["github"][0]
    path = tmp_path / "c.yaml"
    payloads = [
        {"choices": [{"index": 0, "delta": {"content": key[at : at + 4]}}]}
        if turn
        else {"choices": [{"index": 1, "delta": {"content": "lorem "}}]}
        for at in range(0, len(key), 4)
        for turn in (0, 1)
    ]
    chunks = "".join(f"- {{chunk: 1, at: 1, sse: '{json.dumps(each)}'}}\n" for each in payloads)
    coded = base64.b64encode(gzip.compress(json.dumps({"text": key}).encode())).decode()
    path.write_text(
        "wiretape: 1\nrecorded: 2026-11-22T10:31:02Z\nupstream: http://h\nentries:\n"
        "- {request: 1, at: 0, method: POST, target: /v1/chat/completions}\n"
        "- {response: 1, at: 0.01, status: 200, headers: {Content-Type: text/event-stream}}\n"
        f"{chunks}- {{end: 1, at: 2, outcome: complete}}\n"
        "- {request: 2, at: 3, method: GET, target: /}\n"
        "- {response: 2, at: 3, status: 200, headers: {Content-Encoding: gzip}}\n"
        f"- {{chunk: 2, at: 3, base64: {coded}}}\n- {{end: 2, at: 4, outcome: complete}}\n",
    )
    found = wiretape("check", path, "--json")
    assert found.returncode == 1
    problems = json.loads(found.stdout)["cassettes"][0]["problems"]
    assert [(each["interaction"], each["place"]) for each in problems] == [
        (2, "compressed response body"),
        (1, "answer as it reads"),
    ]
    assert "recording it again" in problems[0]["text"]
    cleaned = wiretape("redact", path)
    assert cleaned.returncode == 1
    assert "stays" in cleaned.stdout


async def test_a_cassette_that_is_being_recorded_is_not_redacted(tmp_path: Path):
    leaky(tmp_path)
    async with (
        scripted_upstream([head("200 OK", "Content-Length: 2"), b"ok"]) as upstream,
        serving(
            "serve", "--mode", "new_episodes", "--upstream", upstream.url, "--dir", tmp_path,
            "--cassette", "leaky",
        ) as tape,
    ):  # fmt: skip
        await ask(tape.url, "GET", "/else")
        refused = wiretape("redact", tmp_path / f"leaky{SUFFIX}")
        assert refused.returncode == 2
        assert "being recorded" in refused.stderr
        assert await tape.stop() == 0


def test_the_pre_commit_hook_runs_what_there_is():
    hooks = (Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text()
    assert "entry: wiretape check\n" in hooks
    assert wiretape("check", "--help").returncode == 0


def test_the_committed_cassettes_hold_no_secret():
    root = Path(__file__).parents[2]
    tracked = subprocess.run(
        ["git", "ls-files", "cassettes/*.yaml"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    paths = [root / each for each in tracked] or sorted((root / "cassettes").rglob("*.yaml"))
    checked = wiretape("check", *paths)
    assert checked.returncode == 0, checked.stdout
