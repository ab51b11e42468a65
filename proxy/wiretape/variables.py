"""Settings as text: which variable of the environment says one, what is yes, where a list ends.

Knows the spellings, for commands and tests alike; reads no environment, and nothing of what a
setting means.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from wiretape.errors import UsageError
from wiretape.pyproject import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


_KNOWN = frozenset(map(variable, SETTINGS))
_ALIKE = 0.75


def misspelt(names: Iterable[str]) -> Iterator[str]:
    """What to say of variables that nearly say a setting, a line each.

    Those that are like none are somebody else's: a compose file's, or what Kubernetes sets in
    all pods beside a service of our name.
    """
    # The prefix, which all have, would make any two alike.
    known = {name.removeprefix(_PREFIX): name for name in _KNOWN}
    for name in sorted(names):
        if name.startswith(_PREFIX) and name not in _KNOWN:
            for close in difflib.get_close_matches(name.removeprefix(_PREFIX), known, 1, _ALIKE):
                yield f"{name} is no setting; did you mean {known[close]}?"


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
