"""When the requests of a cassette are asked again."""

from __future__ import annotations

from pathlib import Path

from wiretape.cassette.loader import loads
from wiretape.server.driver import _without_pauses

HEAD = "wiretape: 1\nrecorded: 2026-11-22T10:00:00Z\nupstream: http://127.0.0.1:11434\nentries:\n"


def interaction(number: int, asked_s: float, ended_s: float) -> str:
    return (
        f"- {{request: {number}, at: {asked_s}, method: GET, target: /}}\n"
        f"- {{response: {number}, at: {ended_s}, status: 204}}\n"
        f"- {{end: {number}, at: {ended_s}, outcome: complete}}\n"
    )


def test_of_a_pause_in_which_nothing_was_going_on_a_second_is_left():
    text = HEAD + interaction(1, 0.5, 9) + interaction(2, 9.5, 10) + interaction(3, 86_400, 86_401)
    due_us = _without_pauses(loads(text, Path("tape.yaml")).interactions())
    assert due_us == {1: 500_000, 2: 9_500_000, 3: 11_000_000}
