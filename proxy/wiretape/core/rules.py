"""How the user wants requests matched: `--match`, `--ignore`, `--repeat`.

Knows the settings alone; `core.matching` applies them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wiretape.core.conversation import Level

if TYPE_CHECKING:
    from wiretape.core.pointer import Pointer


class Repeat(enum.Enum):
    """What a request gets once all its recordings are used; also the words of the command line."""

    NONE = "none"
    LAST = "last"
    LOOP = "loop"


@dataclass(frozen=True, slots=True)
class Rules:
    """How requests are matched.

    Attributes:
        level: the loosest level that counts; tighter ones are tried first.
        ignore: parts of the body that are left out of the comparison.
        repeat: what follows the last recording. Metadata repeats its last answer always.
    """

    level: Level = Level.TOOL_ORDER
    ignore: tuple[Pointer, ...] = ()
    repeat: Repeat = Repeat.NONE
