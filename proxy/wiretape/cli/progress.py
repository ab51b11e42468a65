"""A progress bar on standard error: only for people, and only where it takes long."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from wiretape.cli import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress

PATIENCE_S = 0.5


@contextlib.contextmanager
def tracked(
    what: str, total: int, *, done: int = 0, patience_s: float = PATIENCE_S
) -> Iterator[Callable[[], None]]:
    """Give a function to call after each of `total` steps.

    Args:
        what: is being done, in a word.
        total: how many steps there are.
        done: how many of them were done before.
        patience_s: the bar appears after so long; at once if 0.
    """
    began_s = time.monotonic()
    shown: Progress | None = None
    count = done

    def step() -> None:
        nonlocal shown, count
        count += 1
        if shown is None and time.monotonic() - began_s >= patience_s:
            shown = _bar(what, total)
        if shown is not None:
            shown.update(shown.task_ids[0], completed=count)

    if not patience_s:
        shown = _bar(what, total, done)
    try:
        yield step
    finally:
        if shown is not None:
            shown.stop()


def _bar(what: str, total: int, done: int = 0) -> Progress | None:
    from rich.console import Console  # noqa: PLC0415  not where nobody waits
    from rich.progress import (  # noqa: PLC0415  as above
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal or logs.speaks_json():
        return None
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    bar.add_task(what, total=total, completed=done)
    bar.start()
    return bar
