"""`wiretape run` as its users type it, around commands of every kind."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.command import wiretape
from support.upstream import head, scripted_upstream
from support.wire import PATIENCE_S

CASSETTES = Path(__file__).parents[2] / "cassettes"
OK = head("200 OK", "Content-Type: application/json", "Content-Length: 4") + b"true"

# Asks what the cassette in the notes was asked, and swallows what goes wrong.
ASK = """
import json, os, sys, urllib.error, urllib.request
model = "qwen2.5-coder:7b-instruct-q8_0"
messages = [{"role": "user", "content": sys.argv[1]}]
body = json.dumps({"model": model, "messages": messages, "stream": True}).encode()
url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
try:
    print(urllib.request.urlopen(request).read())
except urllib.error.HTTPError as error:
    print(error.status)
"""
NAME = "What is your name?"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cassettes").mkdir()
    shutil.copy(CASSETTES / "notes" / "plain-answer.yaml", tmp_path / "cassettes" / "name.yaml")
    (tmp_path / "ask.py").write_text(ASK)
    return tmp_path


def run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return wiretape("run", *arguments, cwd=folder, **environ)


async def test_what_was_recorded_replays_when_the_upstream_is_gone(folder: Path):
    command = ("--", sys.executable, "ask.py", "Hello?")
    async with scripted_upstream([OK]) as upstream:
        options = ("--mode", "record", "--cassette", "hello")
        recorded = await asyncio.to_thread(
            run, folder, *options, *command, OLLAMA_HOST=upstream.url
        )
    replayed = run(folder, "--mode", "replay", "--cassette", "hello", "--strict", *command)

    assert recorded.stdout == replayed.stdout == "b'true'\n"
    assert (recorded.returncode, replayed.returncode) == (0, 0)
    assert "wrote cassettes/hello.yaml" in recorded.stderr
    assert "1 used, 0 unused, 0 missed" in replayed.stderr


def test_a_miss_that_the_command_swallowed_exits_3_and_is_explained(folder: Path):
    options = ("--mode", "replay", "--cassette", "name", "--strict")

    done = run(folder, *options, "--", sys.executable, "ask.py", "What is your game?")

    assert done.returncode == 3
    assert done.stdout == "400\n"
    assert 'recorded "What is your name?", received "What is your game?"' in done.stderr
    assert "record again: wiretape run --mode record --cassette name --strict --" in done.stderr


def test_an_unused_recording_exits_3_whatever_the_command_does(folder: Path):
    options = ("--mode", "replay", "--cassette", "name", "--strict", "--")

    assert run(folder, *options, "true").returncode == 3
    failed = run(folder, *options, "sh", "-c", "exit 7")
    assert failed.returncode == 3
    assert "the command's own status was 7" in failed.stderr
    interrupted = run(folder, *options, "sh", "-c", "kill -INT $PPID; sleep 2")
    assert interrupted.returncode == 130


@pytest.mark.parametrize(
    ("last", "status", "why"),
    [("kill -INT $PPID; sleep 2", 130, "interrupted"), ("exit 7", 7, "the command failed")],
)
async def test_a_first_run_of_once_that_fails_says_that_it_is_replayed_from_now_on(
    last: str, status: int, why: str, folder: Path
):
    script = f"{sys.executable} ask.py Hello?; {last}"
    async with scripted_upstream([OK]) as upstream:
        options = ("--mode", "once", "--cassette", "new", "--upstream", upstream.url)
        done = await asyncio.to_thread(run, folder, *options, "--", "sh", "-c", script)
    assert done.returncode == status
    assert f"{why}: cassettes/new.yaml has what was asked until then" in done.stderr
    assert "record it whole with: wiretape run --mode record --cassette new" in done.stderr
    again = run(folder, *options, "--", "sh", "-c", script)
    assert why not in again.stderr


def test_a_strict_replay_that_nobody_asked_anything_fails(folder: Path):
    for options in (
        ("--mode", "replay"),
        ("--mode", "replay", "--cassette", "name"),
        ("--mode", "once", "--cassette", "name"),
        ("--mode", "new_episodes", "--cassette", "name"),
    ):
        done = run(folder, *options, "--strict", "--", "true")
        assert done.returncode == 3, options
        assert "1 unused" in done.stderr
    assert (
        run(folder, "--mode", "once", "--cassette", "new", "--strict", "--", "true").returncode == 0
    )
    (folder / "cassettes" / "name.yaml").write_text("wiretape: 1\nentries: [}\n")
    done = run(folder, "--mode", "replay", "--strict", "--", "true")
    assert done.returncode == 3
    assert "name.yaml: line 2" in done.stderr


@pytest.mark.parametrize("mode", ["once", "new_episodes"])
def test_a_strict_run_whose_requests_were_all_refused_exits_3(mode: str, folder: Path):
    options = ("--mode", mode, "--strict", "--upstream", "http://127.0.0.1:1")

    done = run(folder, *options, "--", sys.executable, "ask.py", NAME)

    assert (done.returncode, done.stdout) == (3, "400\n")
    assert f"refused: mode {mode} needs to know which cassette" in done.stderr


async def test_what_is_new_and_what_was_replayed_each_have_a_line_of_wiretapes_own(folder: Path):
    ask = f"{sys.executable} ask.py '{NAME}'; {sys.executable} ask.py Else?"
    options = ("--mode", "new_episodes", "--cassette", "name", "--", "sh", "-c", ask)
    async with scripted_upstream([OK]) as upstream:
        done = await asyncio.to_thread(run, folder, *options, OLLAMA_HOST=upstream.url)

    assert done.stderr.splitlines()[:2] == [
        "wiretape: session name: recorded 1 interaction",
        "wiretape: session name: 1 recorded, 1 used, 0 unused, 0 missed",
    ]


def test_several_processes_share_the_proxy(folder: Path):
    script = f"for i in 1 2 3 4; do {sys.executable} ask.py '{NAME}' & done; wait"
    options = ("--mode", "replay", "--cassette", "name", "--repeat", "loop", "--")

    done = run(folder, *options, "sh", "-c", script)

    assert len(done.stdout.splitlines()) == 4
    assert set(map(len, done.stdout.splitlines())) != {3}
    assert "0 missed" in done.stderr


def test_input_output_and_open_files_are_the_commands_own(folder: Path):
    read, write = os.pipe()
    os.set_inheritable(write, True)  # noqa: FBT003  the name says what is true
    script = f"cat; echo oops >&2; echo more >/dev/fd/{write}"
    options = ["--mode", "replay", "--cassette", "name", "--log-level", "warning"]
    done = subprocess.run(
        [sys.executable, "-m", "wiretape.cli", "run", *options, "--", "sh", "-c", script],
        input=b"\0in\xff",
        capture_output=True,
        cwd=folder,
        close_fds=False,
        check=True,
    )
    os.close(write)

    assert (done.stdout, done.stderr) == (b"\0in\xff", b"oops\n")
    assert os.read(read, 100) == b"more\n"
    os.close(read)


def test_every_word_of_wiretapes_own_is_json_if_asked_for(folder: Path):
    options = ("--mode", "replay", "--cassette", "name", "--log-format", "json", "--strict")

    done = run(folder, *options, "--", sys.executable, "ask.py", "Else?")

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["level"] for line in lines] == ["warning", "error"]
    assert len(lines[1]["report"]["misses"]) == 1


def test_where_clients_were_led_before_is_pointed_out_when_it_is_no_upstream(folder: Path):
    done = run(folder, "--mode", "record", "--", "true", OPENAI_BASE_URL="http://gpu:8000/v1")
    fine = run(
        folder,
        *("--mode", "record", "--upstream", "http://gpu:8000", "--", "true"),
        OPENAI_BASE_URL="http://gpu:8000/v1",
    )

    assert "OPENAI_BASE_URL is http://gpu:8000/v1, but requests go to" in done.stderr
    assert fine.stderr == "wiretape: nothing was recorded, replayed or passed on\n"


def test_shuffle_repeats_the_command_and_names_the_seeds_that_failed(folder: Path):
    # Fails every second time.
    script = "test -e once && rm once && exit 4; touch once"
    options = ("--mode", "replay", "--cassette", "name", "--order", "shuffle:7", "--shuffle", "3")

    done = run(folder, *options, "--", "sh", "-c", script)

    assert done.returncode == 4
    assert "1 of 3 seeds failed: 8" in done.stderr
    again = "wiretape run --mode replay --cassette name --order shuffle:8 -- sh -c"
    assert f"seed 8 failed with status 4; run it again with: {again}" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--mode", "replay", "--cassette", "name"), "Missing argument '-- COMMAND...'"),
        (("--", "true"), "Missing option '--mode'"),
        (("--mode", "sing", "--", "true"), "'sing' is not one of 'record'"),
        (("--mode", "replay", "--cassette", "name", "--", "nowhere"), "cannot start 'nowhere': no"),
        (("--mode", "replay", "--cassette", "name", "--", "./ask.py"), "permission denied"),
        (("--mode", "replay", "--cassette", "new", "--", "true"), "version 2"),
        (("--mode", "once", "--cassette", "x", "--shuffle", "2", "--", "true"), "--mode replay"),
        (
            ("--mode", "replay", "--order", "free", "--shuffle", "2", "--", "true"),
            "leave --order free out",
        ),
        (
            ("--mode", "replay", "--cassette", "no", "--", "true"),
            "record it with: wiretape run --mode record --cassette no -- true",
        ),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_2(
    folder: Path, arguments: tuple[str, ...], words: str
):
    (folder / "cassettes" / "new.yaml").write_text("wiretape: 2\n")

    done = run(folder, *arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("wiretape: error: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


# Leaves the terminal's foreground, and tells how often it was interrupted when it is asked.
COUNTER = """
import os, signal
os.setpgid(0, 0)
interrupts = []
def asked(number, frame):
    print("count", len(interrupts), flush=True)
    raise SystemExit(5)
signal.signal(signal.SIGINT, lambda number, frame: interrupts.append(number))
signal.signal(signal.SIGUSR1, asked)
print("listening", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def read_until(descriptor: int, words: bytes) -> None:
    said = b""
    while words not in said:
        ready, _, _ = select.select([descriptor], [], [], PATIENCE_S)
        assert ready, f"{words!r} is not in {said!r}"
        said += os.read(descriptor, 1000)


def test_ctrl_c_is_left_to_the_terminal_which_sends_it_to_its_foreground_itself(
    folder: Path, terminal: tuple[int, int]
):
    ours, theirs = terminal
    command = [sys.executable, "-m", "wiretape.cli", "run", "--mode", "replay"]
    command += ["--cassette", "name", "--", sys.executable, "-c", COUNTER]
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  no threads run
    )
    try:
        read_until(ours, b"listening")
        os.write(ours, b"\x03")
        read_until(ours, b"^C")  # echoed once the signal is sent
        process.send_signal(signal.SIGUSR1)
        read_until(ours, b"count 0")
        assert process.wait(20) == 5
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("command", ["replay", "run"])
async def test_signals_that_keep_coming_do_not_take_the_status_with_them(
    command: str, folder: Path
):
    """As GNU timeout sends each twice."""
    options = {
        "replay": ("replay", "--cassette", "name", "--strict", "--listen", "127.0.0.1:0"),
        "run": (
            *("run", "--mode", "replay", "--cassette", "name", "--"),
            *("sh", "-c", "trap 'exit 7' TERM; echo on; while :; do sleep 0.01; done"),
        ),
    }[command]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wiretape.cli", *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE_S):
        assert await process.stdout.readline()
        ending = asyncio.create_task(process.wait())
        while not ending.done():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)  # asyncio's own would take its status away
            await asyncio.sleep(0.0005)
    said = (await process.stderr.read()).decode()
    assert await ending == {"replay": 3, "run": 7}[command]
    assert "0 used, 1 unused" in said or "nothing was recorded" in said
