"""Hostile cassettes: one clear error each, quickly and in bounded memory; the proxy serves on."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.command import serving, wiretape
from support.hostile import END, HEAD, ODD, REFUSED, REQUEST, RESPONSE
from support.wire import PATIENCE_S, ask

LIMIT_BYTES = 1 << 30
GOOD = HEAD + REQUEST + RESPONSE + "- {chunk: 1, at: 0, text: ok}\n" + END


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))


# To start a process for each would take longer than all that they do.
EACH_IN_TURN = """
import sys
from wiretape import cli
for line in ("check", "show --json", "stats --json", "export --format har", "redact"):
    try:
        cli.main([*line.split(), sys.argv[1]])
    except SystemExit as end:
        print(f"status of {line}: {end.code or 0}", file=sys.stderr)
"""


def limited(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python with little memory and time."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 6,
        preexec_fn=_limited,
        check=False,
    )


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 33)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


FILES: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a directory": Path.mkdir,
    "a device": _device,
    "zeros": _sparse,
    "UTF-16": lambda path: path.write_bytes(GOOD.encode("utf-16")),
    "no UTF-8": lambda path: path.write_bytes(GOOD.encode().replace(b"GET", b"G\xffT")),
}


def made(directory: Path) -> dict[str, Path]:
    """All that is refused, as files."""
    paths = {}
    for number, (name, text) in enumerate(REFUSED.items()):
        paths[name] = directory / f"{number:02}.yaml"
        paths[name].write_bytes(text.encode("utf-8", "surrogatepass"))
    for number, (name, make) in enumerate(FILES.items(), len(paths)):
        paths[name] = directory / f"{number:02}.yaml"
        make(paths[name])
    return paths


def test_each_is_refused_in_one_line_within_little_memory(tmp_path: Path):
    paths = made(tmp_path)
    checked = limited("-m", "wiretape.cli", "check", "--json", *paths.values())
    assert checked.returncode == 1, checked.stderr
    assert checked.stderr == ""
    results = {each["path"]: each["problems"] for each in json.loads(checked.stdout)["cassettes"]}
    for name, path in paths.items():
        (problem,) = results[str(path)]
        assert problem["kind"] == "format", name
        assert "\n" not in problem["text"], name
        assert 10 < len(problem["text"]) < 300, name


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_but_a_cassette_can_be_looked_at(name: str, tmp_path: Path):
    path = tmp_path / "odd.yaml"
    path.write_text(ODD[name])
    done = limited("-c", EACH_IN_TURN, path)
    assert "Traceback" not in done.stderr
    statuses = [line for line in done.stderr.splitlines() if line.startswith("status of")]
    assert len(statuses) == 5, done.stderr[-500:]
    assert all(line.endswith((": 0", ": 1")) for line in statuses), done.stderr[-500:]


def test_a_whole_answer_that_never_began_keeps_nobody_waiting(tmp_path: Path):
    path = tmp_path / "odd.yaml"
    path.write_text(ODD["a whole answer that never began"])
    assert "Traceback" not in wiretape("verify", path).stderr


async def test_a_proxy_that_is_given_hostile_cassettes_refuses_them_and_serves_on(tmp_path: Path):
    paths = made(tmp_path)
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "out.yaml").symlink_to("/etc/passwd")
    _loop(tmp_path / "loop.yaml")
    async with serving("serve", "--mode", "once", "--dir", tmp_path, "--cassette", "good") as tape:
        for name in [*(path.stem for path in paths.values()), "out", "loop"]:
            refused = await ask(tape.url, "GET", f"/@{name}/")
            assert refused.status == 400, name
            text = refused.json()["error"]["message"]
            assert "\n" not in text
            assert "root:" not in text, "nothing of another file is told"
            assert len(text) < 400
            good = await ask(tape.url, "GET", "/")
            assert good.body == b"ok"
        assert (await ask(tape.url, "GET", "/_wiretape/sessions")).status == 200
        assert await tape.stop() == 0
        assert "Traceback" not in tape.said


async def test_a_link_that_leads_in_a_circle_is_named_and_no_fault_of_the_proxy(tmp_path: Path):
    (tmp_path / "good.yaml").write_text(GOOD)
    _loop(tmp_path / "loop.yaml")
    async with serving("replay", "--dir", tmp_path) as tape:
        refused = await ask(tape.url, "GET", "/")
        assert refused.status == 400
        assert "loop.yaml: cannot be read" in refused.json()["error"]["message"]
        assert (await ask(tape.url, "GET", "/_wiretape/cassettes/loop")).status == 404
        assert await tape.stop() == 0
        assert "Traceback" not in tape.said


async def test_a_link_out_of_the_directory_is_refused_unless_it_is_named(tmp_path: Path):
    outside, inside = tmp_path / "outside.yaml", tmp_path / "d"
    inside.mkdir()
    outside.write_text(GOOD)
    (inside / "good.yaml").write_text(GOOD)
    link = inside / "link.yaml"
    link.symlink_to(outside)
    (inside / "alias.yaml").symlink_to("good.yaml")
    async with serving("replay", "--dir", inside) as tape:
        refused = await ask(tape.url, "GET", "/")
        assert refused.status == 400
        said = refused.json()["error"]["message"]
        assert said.endswith(f"leads out of {inside}; if that is meant: wiretape replay {link}")
    async with serving("replay", link) as tape:
        assert (await ask(tape.url, "GET", "/")).body == b"ok"
    link.unlink()
    async with serving("replay", "--dir", inside) as tape:
        assert (await ask(tape.url, "GET", "/")).body == b"ok"
