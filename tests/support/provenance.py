"""Where a recorded cassette comes from, as a comment above it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path


def add_provenance(path: Path, *, command: str, **facts: str) -> None:
    """Put the facts (engine, model, …), today's date and the command above a cassette."""
    facts |= {"date": datetime.now(UTC).date().isoformat(), "command": command}
    comment = "".join(f"# {name}: {value}\n" for name, value in facts.items())
    path.write_text(comment + path.read_text("utf-8"), "utf-8")
