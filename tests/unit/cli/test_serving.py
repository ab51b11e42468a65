"""What options come to."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from wiretape.cli.configuring import config
from wiretape.cli.serving import record, replay, settings_for
from wiretape.cli.viewing import view
from wiretape.core.model import Mode
from wiretape.errors import UsageError


def test_ollama_host_is_nothing_to_a_replay(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OLLAMA_HOST", "no host")
    given = {"directory": Path("cassettes")}
    assert settings_for(Mode.REPLAY, given).mode is Mode.REPLAY
    with pytest.raises(UsageError, match="no host"):
        settings_for(Mode.RECORD, given)


@pytest.mark.parametrize("command", [record, replay, view, config])
def test_a_token_that_is_given_is_not_empty(command: click.Command):
    with pytest.raises(click.BadParameter, match="an empty token keeps nobody out"):
        command.make_context("it", ["--token", ""])


def test_an_empty_variable_is_no_token(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WIRETAPE_TOKEN", "")
    assert config.make_context("config", []).params["token"] is None
    monkeypatch.setenv("WIRETAPE_TOKEN", "007")
    assert config.make_context("config", []).params["token"] == "007"  # noqa: S105  no secret
