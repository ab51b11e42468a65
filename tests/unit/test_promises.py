"""The README's table of promises: each names a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_promise_names_a_test_that_is_there():
    text = (ROOT / "README.md").read_text()
    table = text.partition("\n## What we promise, and the test that holds it\n")[2].partition(
        "\n## "
    )[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 5
    for row in rows:
        named = re.findall(r"\]\((tests/[^)]+)\)", row)
        assert named, row
        for name in named:
            content = (ROOT / name).read_text()
            assert "def test_" in content or "def main" in content, name
