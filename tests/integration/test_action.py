"""The GitHub Action's own shell steps, run as the runner runs them, around the real command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from support.upstream import head, scripted_upstream
from support.wire import PATIENCE_S, ask, ask_json
from wiretape.environment import client_environment

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
NOTES = ROOT / "cassettes" / "notes"
OK = head("200 OK", "Content-Length: 2") + b"ok"
_INPUT = re.compile(r"\$\{\{ inputs\.(\w+) \}\}")
_CONDITION = re.compile(r"inputs\.mode (==|!=) 'stop'")


@dataclass
class Job:
    """A job on a runner: what its steps share. `inputs` stand in every use of the action."""

    folder: Path
    inputs: dict[str, str]
    environment: dict[str, str]
    exported: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    printed: str = ""

    @property
    def running(self) -> Path:
        return self.folder / "temp" / "wiretape" / "running"

    async def uses(self, **given: str) -> int:
        """Use the action; the status is that of the first step that fails, else 0."""
        return await asyncio.to_thread(self._uses, given)

    def _uses(self, given: dict[str, str]) -> int:
        defaults = {name: spec["default"] for name, spec in ACTION["inputs"].items()}
        inputs = {**defaults, **self.inputs, **given}
        assert inputs.keys() == defaults.keys()
        self.printed = ""
        for step in ACTION["runs"]["steps"]:
            condition = _CONDITION.fullmatch(step["if"])
            assert condition
            if (inputs["mode"] == "stop") == (condition[1] == "=="):
                status = self._step(step, inputs)
                if status:
                    return status
        return 0

    def _step(self, step: dict[str, Any], inputs: dict[str, str]) -> int:
        files = {name: self.folder / name for name in ("ENV", "PATH", "OUTPUT")}
        for path in files.values():
            path.write_text("")
        script = self.folder / "step.sh"
        script.write_text(step["run"])
        given = {
            key: _INPUT.sub(lambda match: inputs[match[1]], value)
            for key, value in step.get("env", {}).items()
        }
        ended = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            env={
                **self.environment,
                **self.exported,
                **{f"GITHUB_{name}": str(path) for name, path in files.items()},
                "GITHUB_ACTION_PATH": str(ROOT),
                "RUNNER_TEMP": str(self.folder / "temp"),
                **given,
            },
            cwd=self.folder / "work",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S * 3,
            check=False,
        )
        self.printed += ended.stdout
        self.exported |= _assignments(files["ENV"])
        self.outputs |= _assignments(files["OUTPUT"])
        for folder in files["PATH"].read_text().split():
            self.environment["PATH"] = f"{folder}:{self.environment['PATH']}"
        return ended.returncode


def _assignments(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def executable(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    """A job that has wiretape on its PATH, and no settings of whoever runs the tests."""
    for name in ("temp", "work"):
        (tmp_path / name).mkdir()
    executable(tmp_path / "bin" / "wiretape", f'exec "{sys.executable}" -m wiretape.cli "$@"')
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    started = Job(tmp_path, {"version": "installed", "python": sys.executable}, environment)
    yield started
    with contextlib.suppress(OSError):
        os.kill(int((started.running / "pid").read_text()), signal.SIGKILL)


def recorded_request(cassette: Path) -> tuple[str, dict[str, Any]]:
    request = yaml.load(cassette.read_text(), yaml.CSafeLoader)["entries"][0]
    return request["target"], request["json"]


async def test_later_steps_talk_to_a_replay_until_it_is_stopped(job: Job):
    assert await job.uses(cassettes=str(NOTES), arguments="--strict --match exact") == 0
    url = job.outputs["url"]
    assert job.exported == client_environment(url, {})
    for name in ("plain-answer", "single-tool-call", "parallel-tool-calls"):
        target, body = recorded_request(NOTES / f"{name}.yaml")
        assert (await ask_json(url, target, body)).status == 200
    assert await job.uses(mode="stop") == 0
    assert "3 recorded, 3 used, 0 unused, 0 missed" in job.printed
    with pytest.raises(ConnectionRefusedError):
        await ask(url, "GET", "/")
    assert "3 used" in Path(job.outputs["log"]).read_text()


async def test_a_strict_replay_fails_the_stop_and_says_what_was_missed(job: Job):
    assert await job.uses(cassettes=str(NOTES), arguments="--strict") == 0
    assert (await ask(job.outputs["url"], "GET", "/nosuch")).status == 400
    assert await job.uses(mode="stop") == 3
    assert "1 missed" in job.printed
    assert "GET /nosuch" in job.printed
    assert "::error title=wiretape::It ended with status 3" in job.printed


async def test_a_recording_is_whole_when_it_was_stopped(job: Job):
    async with scripted_upstream([OK]) as upstream:
        used = await job.uses(mode="record", cassette="a b", upstream=upstream.url)
        assert used == 0
        assert (await ask(job.outputs["url"], "GET", "/v1/models")).body == b"ok"
        assert await job.uses(mode="stop") == 0
    cassette = job.folder / "work" / "cassettes" / "a b.yaml"
    assert yaml.safe_load(cassette.read_text())["upstream"] == upstream.url


async def test_keys_and_hosts_that_were_set_are_kept(job: Job):
    job.environment |= {"OPENAI_API_KEY": "k", "ANTHROPIC_AUTH_TOKEN": "t", "NO_PROXY": "corp.test"}
    assert await job.uses(cassettes=str(NOTES)) == 0
    assert job.exported == client_environment(job.outputs["url"], job.environment)
    assert "OPENAI_API_KEY" not in job.exported
    assert job.exported["no_proxy"] == "corp.test,127.0.0.1,localhost"


async def test_the_port_can_be_chosen(job: Job):
    async with scripted_upstream() as free:
        port = str(urlsplit(free.url).port)
    assert await job.uses(cassettes=str(NOTES), port=port) == 0
    assert job.outputs["url"] == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cassette": "nosuch"}, "nosuch.yaml: no such cassette"),
        ({"mode": "odd"}, "'odd' is not one of"),
        ({"arguments": "--nosuch"}, "No such option"),
        ({"mode": "record", "upstream": "nonsense"}, "is not a URL"),
    ],
)
async def test_what_cannot_start_fails_at_once_with_its_log(
    job: Job, given: dict[str, str], words: str
):
    assert await job.uses(**given) == 1
    assert words in job.printed
    assert job.exported == {}
    assert await job.uses(mode="stop") == 0
    assert "does not run" in job.printed


async def test_a_second_start_is_refused_and_leaves_the_first_alone(job: Job):
    assert await job.uses(cassettes=str(NOTES)) == 0
    assert await job.uses(cassettes=str(NOTES)) == 1
    assert "runs already" in job.printed
    assert (await ask(job.outputs["url"], "GET", "/_wiretape/health")).status == 200
    assert await job.uses(mode="stop") == 0
    assert await job.uses(cassettes=str(NOTES)) == 0


async def test_a_proxy_that_died_meanwhile_fails_the_stop(job: Job):
    assert await job.uses(cassettes=str(NOTES)) == 0
    os.kill(int((job.running / "pid").read_text()), signal.SIGKILL)
    assert await job.uses(mode="stop") == 128 + signal.SIGKILL


async def test_a_log_cannot_give_commands_to_the_runner(job: Job):
    assert await job.uses(cassettes=str(NOTES)) == 0
    await ask(job.outputs["url"], "GET", "/nosuch")
    assert await job.uses(mode="stop") == 0
    opening, *log, closing = job.printed.splitlines()
    assert log
    assert opening.removeprefix("::stop-commands::") == closing.strip(":")


async def test_what_an_input_holds_is_never_run(job: Job):
    hostile = '$(touch ../pwned) `touch ../pwned`; touch ../pwned; " touch ../pwned'
    names = ("cassette", "cassettes", "upstream", "arguments", "mode", "port")
    assert await job.uses(**dict.fromkeys(names, hostile)) == 1
    assert not (job.folder / "pwned").exists()


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("", str(ROOT)),
        ("0.1.0", "wiretape==0.1.0"),
        ("wiretape>=0.1,<1", "wiretape>=0.1,<1"),
        ("./its own", "./its own"),
    ],
)
async def test_what_is_installed_is_as_told_and_only_the_command_comes_onto_the_path(
    job: Job, version: str, wanted: str
):
    # Stands in for a Python of its own: a venv that it makes has itself in it, and a wiretape.
    executable(
        job.folder / "python",
        f"""case "$*" in
        "-m venv"*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"
                    cp "{job.folder}/bin/wiretape" "$3/bin/wiretape" ;;
        "-m pip"*) for wanted; do :; done; echo "$wanted" > "{job.folder}/installed" ;;
        *) exec "{sys.executable}" "$@" ;;
        esac""",
    )
    python = str(job.folder / "python")
    assert await job.uses(version=version, python=python, cassettes=str(NOTES)) == 0
    assert (job.folder / "installed").read_text() == f"{wanted}\n"
    first = Path(job.environment["PATH"].partition(":")[0])
    assert [path.name for path in first.iterdir()] == ["wiretape"]


async def test_an_old_python_is_said(job: Job):
    executable(job.folder / "old", "exit 1")
    assert await job.uses(python=str(job.folder / "old")) == 1
    assert "Python 3.11" in job.printed


def test_inputs_reach_the_shell_as_variables_and_all_are_used():
    used: set[str] = set()
    for step in ACTION["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
        used |= {match for value in step.get("env", {}).values() for match in _INPUT.findall(value)}
        used |= set(re.findall(r"inputs\.(\w+)", step["if"]))
    assert used == ACTION["inputs"].keys()
