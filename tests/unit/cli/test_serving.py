"""What options come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from wiretape.cli.serving import settings_for
from wiretape.core.model import Mode
from wiretape.errors import UsageError


def test_ollama_host_is_nothing_to_a_replay(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OLLAMA_HOST", "no host")
    given = {"directory": Path("cassettes")}
    assert settings_for(Mode.REPLAY, given).mode is Mode.REPLAY
    with pytest.raises(UsageError, match="no host"):
        settings_for(Mode.RECORD, given)
