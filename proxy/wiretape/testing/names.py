"""Names for tests' cassettes that every file system takes and tells apart.

Knows names; nothing of pytest or of files. A name depends on nothing but the test's own, and on
whether another one differs from it in case alone, so that it is the same in every run.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 120
"""Bytes of a name. File systems take 255, some 143; `.yaml.part` and the folders need room."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_.\[\]()+=,@ -]")
_DIGITS = 8
# Windows takes these for devices, with any suffix and in any case.
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)


def safe_name(text: str, *, ambiguous: bool = False) -> str:
    """A file name, without suffix, that stands for a text.

    Where the text cannot be the name as it is, a hash of it at the end keeps it apart.

    Args:
        text: any.
        ambiguous: it differs from another one in case alone, which many file systems ignore.
    """
    name = _UNSAFE.sub("_", text)
    if name.startswith((".", " ")) or _DEVICE.match(name):
        name = f"_{name}"
    if name.endswith((".", " ")):
        name = f"{name}_"
    if name == text and len(name) <= LONGEST and name and not ambiguous:
        return name
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{name[: LONGEST - _DIGITS - 1]}-{digest}"


def differ_in_case_alone(name: str, others: Iterable[str]) -> bool:
    """Whether some other name is the same but for upper and lower case."""
    folded = name.casefold()
    return any(other != name and other.casefold() == folded for other in others)
