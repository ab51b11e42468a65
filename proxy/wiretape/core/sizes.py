"""Numbers of bytes as people write them."""

from __future__ import annotations

import re

from wiretape.errors import UsageError

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def parse_size(text: str) -> int:
    """A number of bytes, with K, M or G behind it if need be.

    Raises:
        UsageError: it is none.
    """
    number = text.strip().lower().removesuffix("b").removesuffix("i")
    unit = number[-1:] if number[-1:].isalpha() else ""
    digits = number.removesuffix(unit)
    if not re.fullmatch(r"[0-9]{1,15}", digits) or unit not in _UNITS:
        raise UsageError(f"{text!r} is no size: write 500000, 64K, 16M or 1G")
    return int(digits) * _UNITS[unit]


def room_for(length: int) -> str:
    """The smallest size in whole MiB that holds so many bytes, as `parse_size` reads it."""
    return f"{-(-length // _UNITS['m'])}M"
