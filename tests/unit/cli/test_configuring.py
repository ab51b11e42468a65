import json
from pathlib import Path
from typing import Any

import pytest

from wiretape.cli import EXIT_USAGE, main
from wiretape.pyproject import SETTINGS


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    said = capsys.readouterr()
    return int(exited.value.code or 0), said.out, said.err


def settings(capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, Any]:
    _, out, _ = run(capsys, "config", "--json", *flags)
    return {each["name"]: each for each in json.loads(out)["settings"]}


def test_a_flag_beats_the_environment_which_beats_pyproject_which_beats_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def speed(*flags: str) -> tuple[str, str]:
        found = settings(capsys, *flags)["speed"]
        return found["value"], found["source"]

    assert speed() == ("instant", "default")
    (folder / "pyproject.toml").write_text("[tool.wiretape]\nspeed = 2\n")
    assert speed() == ("2", "pyproject")
    monkeypatch.setenv("WIRETAPE_SPEED", "3")
    assert speed() == ("3", "environment")
    assert speed("--speed", "4") == ("4", "flag")


def test_lists_come_from_each_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (folder / "pyproject.toml").write_text('[tool.wiretape]\nignore = "/seed"\n')
    assert settings(capsys)["ignore"]["value"] == ["/seed"]
    monkeypatch.setenv("WIRETAPE_IGNORE", "/a /b")
    assert settings(capsys)["ignore"]["value"] == ["/a", "/b"]
    monkeypatch.setenv("WIRETAPE_IGNORE", "/my key\n/b\n")
    assert settings(capsys)["ignore"]["value"] == ["/my key", "/b"]
    monkeypatch.setenv("WIRETAPE_REDACT", "code \\d+\n(foo bar)\n")
    assert settings(capsys)["redact"]["value"] == ["code \\d+", "(foo bar)"]


def test_a_line_that_is_no_value_is_refused_and_spoils_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("WIRETAPE_IGNORE", "/seed\nmodel")
    with pytest.raises(SystemExit, match="2"):
        main(["config", "--json"])
    assert "not a JSON Pointer: 'model'" in capsys.readouterr().err


def test_the_upstream_in_force_is_shown_whoever_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("OLLAMA_HOST", "box")

    found = settings(capsys)["upstream"]

    assert (found["value"], found["from"]) == ("http://box:11434", "OLLAMA_HOST")


def test_an_address_that_names_the_proxy_itself_is_no_upstream(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("OLLAMA_HOST", "localhost:11435")

    found = settings(capsys)["upstream"]

    assert (found["value"], found["from"]) == ("http://127.0.0.1:11434", "default")


def test_people_see_a_line_for_each_setting_with_its_place(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / "pyproject.toml").write_text('[tool.wiretape]\ndir = "tapes"\n')

    _, out, _ = run(capsys, "config", "--strict")

    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in out.splitlines()}
    assert rows["dir"] == ["tapes", f"[tool.wiretape] in {folder / 'pyproject.toml'}"]
    assert rows["strict"] == ["yes", "--strict"]
    assert rows["cassette"] == ["-", "default"]


@pytest.mark.parametrize("line", ["config", "check . --log-format text", "stats"])
def test_a_misspelt_variable_is_pointed_out_once(
    line: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (folder / "cassettes").mkdir()
    monkeypatch.setenv("WIRETAPE_SPED", "3")
    monkeypatch.setenv("WIRETAPE_ENGINE_CACHE", "somebody else's")

    _, _, err = run(capsys, *line.split())

    said = [each for each in err.splitlines() if "warning" in each]
    assert said == ["wiretape: warning: WIRETAPE_SPED is no setting; did you mean WIRETAPE_SPEED?"]


def test_a_line_that_is_completed_is_not_disturbed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("WIRETAPE_SPED", "3")
    monkeypatch.setenv("_WIRETAPE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "wiretape replay --match tool-")
    monkeypatch.setenv("COMP_CWORD", "3")

    assert run(capsys)[2] == ""


def test_a_bad_value_is_refused_with_the_place_it_came_from(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (folder / "pyproject.toml").write_text('[tool.wiretape]\nmatch = "loose"\n')
    refused_by_file = run(capsys, "config")
    monkeypatch.setenv("WIRETAPE_MATCH", "looser")
    refused_by_variable = run(capsys, "config")

    for status, _, err in (refused_by_file, refused_by_variable):
        assert status == EXIT_USAGE
        assert err.count("\n") == 1
        assert "--match" in err
    assert f"set by [tool.wiretape] in {folder / 'pyproject.toml'}" in refused_by_file[2]
    assert "set by WIRETAPE_MATCH" in refused_by_variable[2]


def test_a_flag_is_all_that_a_table_can_say_yes_or_no_to(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    flags = {"keep-reading", "keep-secrets", "strict"}
    for name in SETTINGS:
        for value in ("true", "false"):
            (folder / "pyproject.toml").write_text(f"[tool.wiretape]\n{name} = {value}\n")
            status, _, err = run(capsys, "config")
            if name in flags:
                assert (status, err) == (0, "")
                continue
            refused = f"{name} in [tool.wiretape] takes a value, not true or false"
            told = f"wiretape: error: {folder / 'pyproject.toml'}: {refused}\n"
            assert (status, err) == (EXIT_USAGE, told)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_calls_wiretape_back(shell: str, capsys: pytest.CaptureFixture[str]):
    _, out, _ = run(capsys, "completion", shell)

    assert f"_WIRETAPE_COMPLETE={shell}_complete" in out


def test_options_are_completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("_WIRETAPE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "wiretape replay --match tool-")
    monkeypatch.setenv("COMP_CWORD", "3")

    _, out, _ = run(capsys)

    assert out.split() == ["plain,tool-order", "plain,tool-output"]
