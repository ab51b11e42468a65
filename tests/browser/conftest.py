"""The page in a real Chromium: the system's own, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    api = pytest.importorskip(
        "playwright.async_api", reason="needs playwright: pip install 'wiretape[browser]'"
    )
    found = next(filter(None, map(shutil.which, COMMANDS)), None)
    if found is None:
        pytest.skip("needs a Chromium: apt-get install chromium")
    # Chromium's own sandbox does not start as root, as in a container.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with api.async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=found, args=arguments)
        yield launched
        await launched.close()


@pytest.fixture
async def page(browser: Any) -> AsyncIterator[Any]:
    """A page of 1,280 by 800 that fails the test if a script fails or the policy is broken."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    opened = await context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "console",
        lambda said: wrong.append(said.text) if said.type in {"error", "warning"} else None,
    )
    opened.wrong = wrong
    yield opened
    await context.close()
    # A test's proxy ends before its page does, which may ask it for news once more.
    assert not [text for text in wrong if "ERR_CONNECTION_REFUSED" not in text]
