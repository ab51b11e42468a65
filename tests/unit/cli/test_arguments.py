"""What arguments name, and what names nothing."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from wiretape.cli import EXIT_USAGE, main

CASSETTES = Path(__file__).parents[3] / "cassettes"
KEY = "sk-proj-" + "Ab3" * 16


@pytest.fixture
def leaky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "below" / "leaky.yaml"
    path.parent.mkdir()
    whole = (CASSETTES / "notes" / "plain-answer.yaml").read_text()
    path.write_text(f"# {KEY}\n{whole}")
    (tmp_path / "torn.yaml.part").write_text(whole)
    return path


@pytest.mark.parametrize(
    "line",
    [
        *("redact ''", "redact below ''", "check ''", "check '' --json", "stats ''", "show ''"),
        *("export '' --format har", "recover ''", "diff below/leaky.yaml ''", "view ''"),
        *("verify ''", "rerun ''", "replay ''", "recover --dir ''", "check --dir ''"),
    ],
)
def test_an_empty_argument_is_not_the_current_directory(
    line: str, leaky: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    with pytest.raises(SystemExit) as exited:
        main(shlex.split(line))
    said = capsys.readouterr()
    assert exited.value.code == EXIT_USAGE
    assert said.out == ""
    assert said.err.startswith("wiretape: error: ")
    assert "empty" in said.err
    assert said.err.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before
    assert leaky in before


def test_what_cannot_be_redacted_keeps_no_other_from_it(
    leaky: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (leaky.parent / "a.yaml").write_text("no cassette: [\n")
    (leaky.parent / "loop.yaml").symlink_to("loop.yaml")
    with pytest.raises(SystemExit) as exited:
        main(["redact", "nosuch", "below"])
    said = capsys.readouterr()
    assert exited.value.code == EXIT_USAGE
    assert KEY not in leaky.read_text()
    assert "below/leaky.yaml: text of the file: " in said.out
    nosuch, broken, loop = said.err.splitlines()
    assert nosuch == "wiretape: error: cassettes/nosuch.yaml: no such cassette"
    assert broken.startswith(f"wiretape: error: {tmp_path}/below/a.yaml: line 2: ")
    assert "loop.yaml: cannot be read: " in loop
