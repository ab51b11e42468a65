"""A setting says the same to the commands and to tests, wherever it stands and however spelt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from wiretape.cli.configuring import config
from wiretape.errors import UsageError
from wiretape.pyproject import SETTINGS, read_config
from wiretape.testing.wishes import Wishes, gather, of_commands
from wiretape.variables import misspelt, parse_flag, values_in, variable

REFUSED = "refused"
SEVERAL = ("", " ", "/a", "/a /b", "/a b\n/c\n\n  /d ", "X-One  x-two\n", "(", "hush-[0-9]+\nb c")
FLAGS = ("0", "1", "false", "False", "true", "TRUE", "no", "yes", "off", "on", "f", "t", "n", "y")
SPELLINGS = {
    "mode": ("", " ", "once", "ONCE", " once", "sing"),
    "match": ("", " ", "exact", "Exact", "exact ", "tool-output", "loose"),
    "ignore": SEVERAL,
    "repeat": ("", "loop", " loop", "for ever"),
    "speed": ("", " ", "instant", " instant", "original", "4", " 4 ", "1e3", "0", "nan", "fast"),
    "order": ("", "free", " free", "recorded", "shuffle:7", "shuffle:-7", "shuffle:", "odd"),
    "order-timeout": ("", " ", "0", " 2 ", "0.5", "1e3", "-1", "inf", "soon"),
    "upstream": ("", " ", "http://box:1/v1/", " http://box ", "box:1", "box", "ftp://box"),
    "secret-header": SEVERAL,
    "redact": SEVERAL,
    "keep-secrets": ("", " ", *FLAGS, " true ", "maybe", "2"),
}
VALUES = ("true", "false", "0", "1", "2", "0.5", "-1", "[]", '["/a b", "/c"]', '["x"]', "[1]", "{}")


def of_command() -> dict[str, Any] | str:
    try:
        found = config.make_context("config", []).params
    except (click.ClickException, UsageError):
        return REFUSED
    return {
        "match": found["match"],
        "ignore": list(found["ignore"]),
        "repeat": found["repeat"],
        "speed": found["speed"],
        "order": found["order"],
        "order-timeout": found["order_timeout"],
        "upstream": found["upstream"],
        "secret-header": {name.lower() for name in found["secret_header"]},
        "redact": list(found["redact"]),
        "keep-secrets": found["keep_secrets"],
        "mode": found["mode_name"] or "replay",
    }


def of_test(environ: dict[str, str]) -> dict[str, Any] | str:
    try:
        wishes: Wishes = gather([], of_commands(environ, read_config()))
    except UsageError:
        return REFUSED
    return {
        "match": wishes.rules.level.value,
        "ignore": list(wishes.rules.ignore),
        "repeat": wishes.rules.repeat.value,
        "speed": wishes.speed,
        "order": wishes.order,
        "order-timeout": wishes.order_timeout_s,
        "upstream": wishes.upstream,
        "secret-header": set(wishes.secret_headers),
        "redact": list(wishes.redact),
        "keep-secrets": wishes.keep_secrets,
        "mode": wishes.mode.value,
    }


@pytest.mark.parametrize("setting", SPELLINGS)
def test_a_variable_says_the_same_to_commands_and_to_tests(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.wiretape]\nkeep-secrets = true\n")
    for text in SPELLINGS[setting]:
        monkeypatch.setenv(variable(setting), text)
        assert of_test({variable(setting): text}) == of_command(), text


# Tests have modes of their own: the table's is none of them.
@pytest.mark.parametrize("setting", [each for each in SPELLINGS if each != "mode"])
def test_a_table_says_the_same_to_commands_and_to_tests(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    texts = [f'"{text}"' for text in SPELLINGS[setting] if "\n" not in text]
    for value in (*texts, *VALUES):
        (tmp_path / "pyproject.toml").write_text(f"[tool.wiretape]\n{setting} = {value}\n")
        assert of_test({}) == of_command(), value


@pytest.mark.parametrize("text", ["maybe", "2", "-1", "None", "1.0", "tru"])
def test_what_is_neither_yes_nor_no_is_refused(text: str):
    with pytest.raises(UsageError, match=f"'{text}' is neither true nor false"):
        parse_flag(text)


def test_values_of_one_variable():
    assert values_in("ignore", "/my key\n/b /c") == ["/my key", "/b", "/c"]
    assert values_in("secret-header", " X-A\tX-B\n") == ["X-A", "X-B"]
    assert values_in("redact", "code \\d+\n\n(foo bar)\n") == ["code \\d+", "(foo bar)"]
    assert values_in("allow-host", "a.test\nb.test") == ["a.test", "b.test"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("KEEP_SECRET", "KEEP_SECRETS"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("MOED", "MODE"),
        ("TOKENS", "TOKEN"),
        ("UPSTREAM_URL", "UPSTREAM"),
    ],
)
def test_a_variable_that_nearly_says_a_setting_is_told_with_it(name: str, meant: str):
    told = f"WIRETAPE_{name} is no setting; did you mean WIRETAPE_{meant}?"
    assert list(misspelt([f"WIRETAPE_{name}", "HOME", f"WIRETAPE_{meant}"])) == [told]


def test_variables_of_others_are_left_alone():
    ours = "PORT USER ENGINE_CACHE BENCH_CACHE COMPLETE VERSION"  # compose file and tests
    pods = "SERVICE_HOST SERVICE_PORT PORT_11435_TCP PORT_11435_TCP_ADDR PORT_11435_TCP_PROTO"
    names = [f"WIRETAPE_{name}" for name in f"{ours} {pods}".split()]
    assert list(misspelt([*names, "_WIRETAPE_COMPLETE", "SPED", *map(variable, SETTINGS)])) == []
