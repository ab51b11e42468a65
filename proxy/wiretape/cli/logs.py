"""What wiretape says on standard error while it works: as text for people, or as JSON lines.

Knows records and streams; nothing of what is said.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from wiretape.analysis.printable import printable

if TYPE_CHECKING:
    from wiretape.cassette.secrets import Secrets

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")

_log = logging.getLogger("wiretape")
_hidden: Secrets | None = None


class TextLines(logging.Formatter):
    """`wiretape: what happened`, with the level before it unless that is info."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record; further lines of its message stand as they are, controls escaped."""
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return printable(without_secrets(f"wiretape: {level}{super().format(record)}"))


class JsonLines(logging.Formatter):
    """One JSON object a line: `time` (UTC), `level`, `logger`, `message` and what came along."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        time = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        line |= getattr(record, "fields", {})
        # What a header or a path held may be no UTF-8; the escapes are ASCII in any case.
        return without_secrets(json.dumps(line, default=str))


def hide(secrets: Secrets) -> None:
    """From now on, keep these secrets out of what is said."""
    global _hidden  # noqa: PLW0603  as all of logging, for the process as a whole
    _hidden = secrets


def without_secrets(text: str) -> str:
    """A text in which secrets are replaced as they are in cassettes."""
    if _hidden is None:
        from wiretape.cassette.secrets import Secrets  # noqa: PLC0415  not for --version

        hide(Secrets())
    assert _hidden is not None  # noqa: S101  as just set
    return _hidden.redact_text(text)


def set_up(level: str, format_name: str) -> None:
    """Send what is logged to standard error; what was set up before is replaced."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if format_name == "json" else TextLines())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def say(text: str, *, level: Literal["info", "warning", "error"] = "info", **fields: Any) -> None:
    """Say something about the work as a whole.

    Args:
        text: for people.
        level: whether it is shown, with `--log-level`.
        fields: for programs: further members of the JSON object.
    """
    _log.log(logging.getLevelNamesMapping()[level.upper()], "%s", text, extra={"fields": fields})


def speaks_json() -> bool:
    """Whether JSON lines were asked for."""
    return any(isinstance(each.formatter, JsonLines) for each in logging.getLogger().handlers)
