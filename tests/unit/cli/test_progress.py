"""The progress bar: for people who wait, and for nobody else."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.progress import Progress

from wiretape.cli import progress


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[Progress]:
    made: list[Progress] = []
    real = Progress.start

    def started(self: Progress) -> None:
        made.append(self)
        real(self)

    monkeypatch.setattr(Progress, "start", started)
    return made


def test_no_bar_is_drawn_where_standard_error_is_no_terminal(bars, capsys):
    with progress.tracked("reading", 2, patience_s=0) as step:
        step()
    assert bars == []
    assert capsys.readouterr().err == ""


def test_a_bar_counts_the_steps_at_a_terminal(bars, monkeypatch):
    monkeypatch.setattr(Console, "is_terminal", True)
    with progress.tracked("asking", 3, done=1, patience_s=0) as step:
        step()
        (bar,) = bars
        assert bar.tasks[0].completed == 2
        assert bar.tasks[0].total == 3
    assert not bar.live.is_started


def test_what_is_done_at_once_has_no_bar(bars, monkeypatch):
    monkeypatch.setattr(Console, "is_terminal", True)
    with progress.tracked("reading", 1, patience_s=1000) as step:
        step()
    assert bars == []
