from pathlib import Path

import click
import pytest

from wiretape.cli import group
from wiretape.cli.options import Setting
from wiretape.errors import UsageError
from wiretape.pyproject import SETTINGS, read_config


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "down")
    return tmp_path


def test_the_known_settings_are_those_of_the_commands():
    context = click.Context(group)
    commands = [group.get_command(context, name) for name in group.list_commands(context)]
    params = [param for command in commands if command for param in command.params]

    assert {param.key for param in params if isinstance(param, Setting)} == SETTINGS


def test_the_nearest_file_is_read_with_either_spelling_and_numbers_as_text(folder: Path):
    text = '[tool.wiretape]\nmax_body = 5\nallow-host = ["a", "b"]\nstrict = true\n'
    (folder / "pyproject.toml").write_text(text)

    config = read_config()

    assert config.path == folder / "pyproject.toml"
    assert config.values == {"max-body": "5", "allow-host": ["a", "b"], "strict": True}


def test_no_file_sets_nothing(folder: Path):
    del folder

    assert read_config().values == {}


def test_paths_are_meant_from_the_files_own_folder(folder: Path):
    (folder / "pyproject.toml").write_text("")

    assert read_config().resolved("tapes") == "../../tapes"
    assert read_config().resolved("/srv/tapes") == "/srv/tapes"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[tool.wiretape]\nsped = 4\n", r"no setting 'sped'; did you mean speed\?"),
        ("[tool.wiretape]\nqqqq = 4\n", "no setting 'qqqq'; see: wiretape config"),
        ("[tool.wiretape]\nspeed = {a = 1}\n", "speed .* must be text, a number"),
        ("[tool.wiretape]\nignore = [1]\n", "ignore .* must be text, a number"),
        ('[tool.wiretape]\ndir = "a\\u0000b"\n', "dir .* holds a NUL"),
        ('[tool.wiretape]\nallow-host = ["a", "\\u0000"]\n', "allow-host .* holds a NUL"),
        ("[tool]\nwiretape = 3\n", "tool.wiretape is no table"),
        ("= 3\n", "Invalid statement"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_the_file_named(
    folder: Path, text: str, complaint: str
):
    (folder / "pyproject.toml").write_text(text)

    with pytest.raises(UsageError, match=rf"pyproject\.toml: .*{complaint}"):
        read_config()


def test_a_file_that_is_no_utf8_is_refused(folder: Path):
    (folder / "pyproject.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(UsageError, match="utf-8"):
        read_config()
