"""Settings as text: which variable of the environment says one, what is yes, where a list is split.

Knows the spellings, for commands and tests alike; reads no environment, and nothing of what a
setting means.
"""

from __future__ import annotations

import re

from wiretape.errors import UsageError

_PREFIX = "WIRETAPE_"
_YES = frozenset({"1", "true", "t", "yes", "y", "on"})  # as click has them
_NO = frozenset({"0", "false", "f", "no", "n", "off", ""})
# Nothing but a line's end tells for certain where a value ends; no pointer begins with anything
# but a slash, though, and no header's name holds a space.
_BETWEEN = {"ignore": r"\s*\n\s*|\s+(?=/)", "secret-header": r"\s+"}
_LINES = r"\n+"


def variable(setting: str) -> str:
    """The variable that says a setting: `WIRETAPE_MAX_BODY` for `max-body`."""
    return f"{_PREFIX}{setting.upper().replace('-', '_')}"


def values_in(setting: str, text: str) -> list[str]:
    """The values of a repeatable setting in a variable; one may hold spaces."""
    between = _BETWEEN.get(setting, _LINES)
    return [value for value in re.split(between, text.strip()) if value.strip()]


def parse_flag(text: str) -> bool:
    """Whether a text says yes.

    Raises:
        UsageError: it says neither yes nor no.
    """
    word = text.strip().lower()
    if word not in _YES | _NO:
        raise UsageError(f"{text!r} is neither true nor false")
    return word in _YES
