"""A project whose tests run in a pytest of their own, inside a test of the plugin."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import wiretape.testing  # noqa: F401  else every inner run would import it, and aiohttp, again


def inner_project(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, *settings: str
) -> Path:
    """Make the project, in which nothing from outside is in force; return its folder.

    Args:
        pytester: pytest's own fixture.
        monkeypatch: the same.
        settings: further lines of its ini file.
    """
    for name in ("WIRETAPE_MODE", "WIRETAPE_UPSTREAM", "OLLAMA_HOST", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    # A file that is written anew within a second is not told from its predecessor otherwise.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    lines = (
        "[pytest]",
        "addopts = -p no:hypothesispytest -p no:randomly",
        "filterwarnings = error",
        "asyncio_default_fixture_loop_scope = function",
        *settings,
    )
    pytester.makeini("\n".join(lines))
    return pytester.path
