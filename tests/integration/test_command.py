"""The command as its users type it: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest

from support.command import serving, wiretape
from support.planted import PLANTED
from support.upstream import head, scripted_upstream
from support.wire import ask, ask_json
from wiretape import __version__
from wiretape.cassette.loader import load
from wiretape.cassette.partfile import open_locked

CASSETTES = Path(__file__).parents[2] / "cassettes"
OK = head("200 OK", "Content-Length: 2") + b"ok"


async def test_record_then_replay(tmp_path: Path):
    async with (
        scripted_upstream([OK]) as upstream,
        serving("record", "--cassette", "a/b", OLLAMA_HOST=upstream.url, cwd=tmp_path) as t,
    ):
        assert t.line.startswith("wiretape: record on http://127.0.0.1:")
        assert (await ask_json(t.url, "/api/chat", {"a": 1})).body == b"ok"
        assert await t.stop(signal.SIGINT) == 0
        assert "wrote cassettes/a/b.yaml" in t.said
    async with serving("replay", "--strict", cwd=tmp_path) as t:
        assert t.line.startswith("wiretape: replay on http://127.0.0.1:")
        assert (await ask_json(t.url, "/api/chat", {"a": 1})).body == b"ok"
        assert await t.stop() == 0
        assert "1 used, 0 unused, 0 missed" in t.said


@pytest.mark.parametrize("configured", ["environment", "pyproject"])
async def test_an_argument_goes_before_a_cassette_that_is_configured(
    tmp_path: Path, configured: str
):
    environment = {}
    if configured == "environment":
        environment["WIRETAPE_CASSETTE"] = "nosuch"
    else:
        (tmp_path / "pyproject.toml").write_text('[tool.wiretape]\ncassette = "nosuch"\n')
    cassette = CASSETTES / "notes" / "plain-answer.yaml"
    async with serving("replay", cassette, "--strict", cwd=tmp_path, **environment) as t:
        assert await t.stop() == 3
    assert "session plain-answer: " in t.said
    refused = wiretape("replay", "--listen", "127.0.0.1:0", cwd=tmp_path, **environment)
    assert "nosuch.yaml: no such cassette" in refused.stderr


async def test_a_replay_says_which_command_records_the_rest(tmp_path: Path):
    cassette = CASSETTES / "notes" / "plain-answer.yaml"
    body = json.loads(load(cassette).interactions()[0].request.body.content or b"")
    body["messages"].append({"role": "user", "content": "and now?"})
    async with serving("replay", cassette, cwd=tmp_path) as t:
        answer = await ask_json(t.url, "/v1/chat/completions", body)
    command = f"--cassette plain-answer --dir {shlex.quote(str(cassette.parent))}"
    message = answer.json()["error"]["message"]
    assert message.endswith(
        f"to have the rest recorded: wiretape serve --mode new_episodes {command};"
        f" or record again: wiretape record {command}"
    )


async def test_what_helps_where_a_body_was_too_long_to_be_kept_does(tmp_path: Path):
    spelled = [json.dumps({"input": "x" * 2_000_000, "n": 1}, indent=indent) for indent in (0, 1)]
    tape = ("--cassette", "big", "--max-body", "1M")
    common = ("POST", "/v1/responses")
    async with scripted_upstream([head("200 OK", "Content-Length: 2") + b"ok"]) as upstream:
        async with serving("record", *tape, "--upstream", upstream.url, cwd=tmp_path) as t:
            await ask(t.url, *common, spelled[0].encode())
            await t.stop()
        async with serving("replay", *tape, cwd=tmp_path) as t:
            missed = await ask(t.url, *common, spelled[1].encode())
        text = missed.json()["error"]["message"].splitlines()[-1]
        found = re.search(r"; replay with (.*), and record again: wiretape (.*)", text)
        assert found
        async with serving(*shlex.split(found[2]), cwd=tmp_path) as t:
            await ask(t.url, *common, spelled[0].encode())
            await t.stop()
    async with serving("replay", *tape, *shlex.split(found[1]), cwd=tmp_path) as t:
        assert (await ask(t.url, *common, spelled[1].encode())).body == b"ok"


async def test_strict_replay_exits_3_after_a_miss_or_with_an_unused_recording(tmp_path: Path):
    cassette = CASSETTES / "notes" / "plain-answer.yaml"
    async with serving("replay", cassette, "--strict", cwd=tmp_path) as t:
        await ask(t.url, "GET", "/nosuch")
        assert await t.stop() == 3
    assert "1 unused, 1 missed" in t.said
    assert "GET /nosuch" in t.said
    async with serving("replay", cassette, cwd=tmp_path) as t:
        assert await t.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("record", "--nosuch"), "No such option"),
        (("nosuch",), "No such command 'nosuch' (see: wiretape --help)"),
        (("recrod",), "No such command 'recrod'. Did you mean 'record'?"),
        (("check",), "cassettes: no such cassette"),
        (("record", "--upstream", "nonsense"), "is not a URL"),
        (("record", "--upstream", "ftp://x"), "is not a URL"),
        (("record", "--listen", "nonsense"), "bad listen address"),
        (("record", "--cassette", "../x"), "cassette name"),
        (("record", "--cassette", "/x"), "cassette name"),
        (("record", "--max-body", "lots"), "is no size"),
        (("record", "--max-body", "9" * 5000), "is no size"),
        (("record", "--listen", "9" * 5000), "bad listen address"),
        (("record", "--upstream", "http://münchen..example"), "is not a URL"),
        (("record", "--grace", "inf"), "no number of seconds"),
        (("replay", "--order-timeout", "nan"), "no number of seconds"),
        (("replay", "--order-timeout", "-1"), "no number of seconds"),
        (("show", "x" * 300), "File name too long"),
        (("record", "--dir", "/proc/nosuch"), "cassette directory"),
        (("replay", "--speed", "fast"), "speed"),
        (("replay", "--speed", "-1"), "speed"),
        (("replay", "--order", "odd"), "order"),
        (("replay", "--match", "odd"), "'odd' is not one of"),
        (("replay", "--ignore", "no-slash"), "not a JSON Pointer"),
        (("replay", "nosuch.yaml"), "nosuch.yaml: no such cassette"),
        (("replay", "--cassette", "nosuch"), "nosuch.yaml: no such cassette"),
        (("serve",), "--mode"),
        (("serve", "--mode", "once", "x.yaml"), "--cassette NAME"),
        (("record", "--allow-host", "*.dev"), "bad host"),
        (("record", "--tls-key", "own.key"), "--tls-key own.key"),
        (("serve", "--mode", "odd"), "'odd' is not one of"),
        (("show", "nosuch"), "no such cassette"),
        (("show", "x\u202e.yaml"), r"x\u202e.yaml: no such cassette"),
        (("show", "bad.yaml"), "bad.yaml: line 2"),
        (("verify", "bad.yaml"), "bad.yaml: line 2"),
        (("replay", "new.yaml"), "version 2"),
        (("recover", "nosuch"), "no such"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_2(
    arguments: tuple[str, ...], words: str, tmp_path: Path
):
    (tmp_path / "bad.yaml").write_text("wiretape: 1\nentries: [}\n")
    (tmp_path / "new.yaml").write_text("wiretape: 2\n")
    result = wiretape(*arguments, cwd=tmp_path)
    assert result.returncode == 2, result
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("wiretape: error: ")
    assert words in line


async def test_a_directory_to_replay_that_is_not_there_is_said_at_the_start(tmp_path: Path):
    async with serving("replay", "--dir", "tapes", cwd=tmp_path) as t:
        shutil.copytree(CASSETTES / "notes", tmp_path / "tapes")
        missed = await ask(t.url, "GET", "/nosuch")
        assert "no recorded request matches" in missed.json()["error"]["message"]
        assert await t.stop() == 0
    assert t.said.startswith("wiretape: warning: the cassette directory tapes is not there: ")
    async with serving("replay", "--dir", "tapes", cwd=tmp_path) as t:
        assert await t.stop() == 0
    assert "is not there" not in t.said


@pytest.mark.skipif(sys.platform != "linux", reason="a process is asked for its limits")
async def test_a_serving_command_may_open_as_many_files_as_it_is_allowed(tmp_path: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        async with serving("record", cwd=tmp_path) as t:
            raised, _ = resource.prlimit(t.process.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert raised > 200


def test_an_address_in_use_is_said(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = wiretape("record", "--listen", address, cwd=tmp_path)
    assert result.returncode == 2
    assert f"cannot listen on {address}: address already in use" in result.stderr
    assert "--listen" in result.stderr


def test_a_name_that_no_host_can_have_is_said(tmp_path: Path):
    result = wiretape("record", "--listen", "ü..x:1", cwd=tmp_path)
    assert result.returncode == 2
    warning, error = result.stderr.splitlines()
    assert warning.startswith("wiretape: warning: ")
    assert error.startswith("wiretape: error: cannot listen on ü..x:1: ")


def test_settings_come_from_flags_then_environment_then_pyproject(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text('[tool.wiretape]\nspeed = "from-file"\n')
    cassette = str(CASSETTES / "notes" / "plain-answer.yaml")
    by_file = wiretape("verify", cassette, cwd=tmp_path)
    by_environment = wiretape("verify", cassette, cwd=tmp_path, WIRETAPE_SPEED="from-env")
    by_flag = wiretape(
        "verify", cassette, "--speed", "instant", cwd=tmp_path, WIRETAPE_SPEED="from-env"
    )
    assert "from-file" in by_file.stderr
    assert "from-env" in by_environment.stderr
    assert by_flag.returncode == 0


def test_show_prints_what_the_readme_says_that_it_does():
    root = Path(__file__).parents[2]
    readme = (root / "README.md").read_text()
    command, _, said = readme.partition("$ wiretape ")[2].partition("```")[0].partition("\n")
    assert wiretape(*command.split(), cwd=root).stdout == said


def test_show_tells_what_was_said_and_called(tmp_path: Path):
    notes = CASSETTES / "notes"
    shown = wiretape("show", notes / "parallel-tool-calls.yaml", cwd=tmp_path)
    assert shown.returncode == 0
    for part in (
        'run_command(command="ls")',
        'run_command(command="ls -l")',
        "refines",
        "parallel",
    ):
        assert part in shown.stdout, part
    raw = wiretape("show", notes / "parallel-tool-calls.yaml", "--raw", cwd=tmp_path)
    assert "call_wteop8bt" in raw.stdout
    data = json.loads(wiretape("show", notes / "parallel-tool-calls.yaml", "--json").stdout)
    (interaction,) = data["interactions"]
    calls = [call["arguments"] for call in interaction["response"]["tool_calls"]]
    assert calls == [{"command": "ls"}, {"command": "ls -l"}]


def test_a_cassette_is_found_by_its_name_whatever_else_is_called_so(tmp_path: Path):
    recorded = (CASSETTES / "notes" / "single-tool-call.yaml").read_text()
    for name in ("agent", "script", "gpt-4.1", "suite/test_it"):
        path = tmp_path / "cassettes" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(recorded)
    (tmp_path / "agent").mkdir()
    (tmp_path / "script").write_text("#!/bin/sh\n")
    for name in ("agent", "script", "gpt-4.1"):
        for command in ("show", "stats", "check"):
            result = wiretape(command, name, cwd=tmp_path)
            assert (result.returncode, result.stderr) == (0, ""), (command, name)
        assert wiretape("show", f"{name}.yaml", cwd=tmp_path).returncode == 0, name
    result = wiretape("show", "agnet.yaml", cwd=tmp_path)
    assert result.stderr == "wiretape: error: agnet.yaml: no such cassette; did you mean agent?\n"
    for missing, meant in (("test_it", "suite/test_it"), ("agnet", "agent")):
        result = wiretape("show", missing, cwd=tmp_path)
        told = f"cassettes/{missing}.yaml: no such cassette; did you mean {meant}?"
        assert (result.returncode, result.stderr) == (2, f"wiretape: error: {told}\n")


def test_a_warning_of_show_names_the_file(tmp_path: Path):
    whole = (CASSETTES / "notes" / "single-tool-call.yaml").read_text()
    (tmp_path / "torn.yaml.part").write_text(whole[: whole.index("- {end:")])
    said = wiretape("show", "torn.yaml.part", cwd=tmp_path).stderr
    assert said == "wiretape: warning: torn.yaml.part: interaction 1 has no end\n"


def test_check_finds_what_is_wrong(tmp_path: Path):
    whole = (CASSETTES / "notes" / "single-tool-call.yaml").read_text()
    (tmp_path / "whole.yaml").write_text(whole)
    (tmp_path / "torn.yaml").write_text(whole[:-20])
    (tmp_path / "endless.yaml").write_text(whole[: whole.index("- {end:")])
    assert wiretape("check", "whole.yaml", cwd=tmp_path).returncode == 0
    assert wiretape("check", ".", cwd=tmp_path).stdout.count("yaml: ") == 3
    assert wiretape("check", "--dir", ".", cwd=tmp_path).stdout.count("yaml: ") == 3
    result = wiretape("check", "whole.yaml", "torn.yaml", "endless.yaml", cwd=tmp_path)
    assert result.returncode == 1
    assert "whole.yaml: ok, 1 interaction, 2 chunks\n" in result.stdout
    result = wiretape("check", "nosuch.yaml", "endless.yaml", "none", cwd=tmp_path)
    assert result.returncode == 2
    assert "endless.yaml: interaction 1 has no end" in result.stdout
    missing = "nosuch.yaml: no such cassette; cassettes/none.yaml: no such cassette"
    assert result.stderr == f"wiretape: error: {missing}\n"
    result = wiretape("check", "nosuch.yaml", "whole.yaml", "--json", cwd=tmp_path)
    report = json.loads(result.stdout)
    assert (result.returncode, report["ok"], len(report["cassettes"])) == (2, False, 1)
    assert report["missing"] == [{"path": "nosuch.yaml", "text": "no such cassette"}]
    (tmp_path / "backwards.yaml").write_text(
        whole[: whole.index("- {end:")] + "- {end: 1, at: 0, outcome: complete}\n"
    )
    names = ("torn.yaml", "endless.yaml", "backwards.yaml")
    report = json.loads(wiretape("check", *names, "--json", cwd=tmp_path).stdout)
    assert report["missing"] == []
    problems = [each["problems"] for each in report["cassettes"]]
    assert [(each["kind"], each.get("interaction")) for (each,) in problems] == [
        ("format", None),
        ("torn", 1),
        ("format", None),
    ]
    assert "has no end: its recording was cut off" in problems[1][0]["text"]
    assert "`at` goes back" in problems[2][0]["text"]
    assert report["ok"] is False


def test_check_finds_what_a_crash_left_but_not_what_is_being_recorded(tmp_path: Path):
    whole = (CASSETTES / "notes" / "single-tool-call.yaml").read_text()
    left = tmp_path / "left.yaml.part"
    torn = whole[: whole.index("- {end:")] + "- {en"
    left.write_text(torn.replace("this directory", PLANTED["openai"][0]))
    held = open_locked(tmp_path / "held.yaml.part", create=True)
    try:
        done = wiretape("check", ".", "--json", cwd=tmp_path)
    finally:
        os.close(held)
    assert (done.returncode, done.stderr) == (1, "")
    (found,) = json.loads(done.stdout)["cassettes"]
    assert found["path"] == "left.yaml.part"
    assert found["problems"][0]["text"].endswith("with: wiretape recover left.yaml.part")
    assert {each["kind"] for each in found["problems"]} >= {"torn", "secret"}
    (tmp_path / "held.yaml.part").unlink()
    left.write_text("garbage: [")
    (found,) = json.loads(wiretape("check", tmp_path, "--json").stdout)["cassettes"]
    assert [each["kind"] for each in found["problems"]] == ["format"], "recover leaves it"


def test_verify_says_so_when_nothing_differs_and_when_something_does(tmp_path: Path):
    cassette = CASSETTES / "llamacpp" / "chat-tools.yaml"
    result = wiretape("verify", cassette, "--json", cwd=tmp_path)
    assert result.returncode == 0
    report = json.loads(result.stdout)
    assert (report["same"], report["interactions"]) == (True, 2)


def test_the_demo_needs_no_network(tmp_path: Path):
    result = wiretape("demo", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("are the same") == 2
    assert 'run_command(command="ls")' in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_list_of_commands_fits_a_terminal_and_rerun_says_whom_it_asks():
    commands = wiretape("--help", COLUMNS="80").stdout
    assert "..." not in commands.partition("Commands:")[2]
    assert max(map(len, commands.splitlines())) <= 80
    assert len(commands.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()) == 17
    rerun = " ".join(wiretape("rerun", "--help").stdout.split())
    assert "Whom to ask. [default: the upstream that the cassette names]" in rerun
    assert "OLLAMA_HOST" not in rerun


def test_version_and_help():
    assert wiretape("--version").stdout == f"wiretape {__version__}\n"
    for command in ("", "record", "replay", "serve", "show", "check", "verify", "recover", "demo"):
        result = wiretape(*filter(None, (command, "--help")))
        assert result.returncode == 0
        assert result.stdout.startswith("Usage: wiretape")
