"""The scheduler as a playbook: a script of events, and what has to be delivered after each.

A recording is written as its entries in order: `A` is A's request, `A1` `A2` its steps; entry
number n happened at n times 10 ms, or at the time after an `@`, in ms. A lower-case letter is
metadata.

A script has one line per event: `MS EVENT: DELIVERED`, where the event is `A comes`, `A comes
again` (then known as `A'`), `A pauses`, `A resumes`, `A leaves`, or `wake`. At `wake` the schedule
must have asked for exactly that time; after any event `due` is called at its time. Several plays'
steps stand in order of delivery; `A1-3` is one batch of three. After the last line there must be
nothing left to wait for.
"""

from __future__ import annotations

import re

import pytest

from wiretape.core.schedule import Batch, Order, Schedule, Speed, Stall, Track

NS_PER_MS = 1_000_000
TIMEOUT_MS = 2000


def recording(text: str) -> list[Track]:
    """Tracks keyed by their letters, from entries in order."""
    entries: dict[str, list[tuple[int, int]]] = {}
    for position, word in enumerate(text.split()):
        name, _, at_ms = word.partition("@")
        at_us = int(at_ms or 10 * position) * 1000
        entries.setdefault(name[0], []).append((position, at_us))
    return [
        Track(
            key=key,
            request_position=own[0][0],
            request_at_us=own[0][1],
            positions=tuple(position for position, _ in own[1:]),
            ats_us=tuple(at_us for _, at_us in own[1:]),
            end_position=own[-1][0],
            ordered=key.isupper(),
        )
        for key, own in entries.items()
    ]


class Playbook:
    """A schedule that is driven by lines of text."""

    def __init__(
        self,
        tracks: list[Track],
        order: str = "recorded",
        speed: str = "instant",
        tolerance_ms: int = 0,
    ):
        self.schedule = Schedule(
            tracks,
            Order.parse(order),
            Speed.parse(speed),
            TIMEOUT_MS * NS_PER_MS,
            tolerance_ms * NS_PER_MS,
        )
        self.names: dict[int, str] = {}
        self.plays: dict[str, int] = {}

    def event(self, now_ns: int, event: str) -> None:
        name, _, verb = event.partition(" ")
        match verb:
            case "comes" | "comes again":
                play = self.schedule.arrive(name, now_ns, again=verb == "comes again")
                name += "'" * (verb == "comes again")
                self.names[play] = name
                self.plays[name] = play
            case "pauses":
                self.schedule.pause(self.plays[name])
            case "resumes":
                self.schedule.resume(self.plays[name], now_ns)
            case "leaves":
                self.schedule.leave(self.plays[name], now_ns)
            case _:
                assert event == "wake", event
                assert self.schedule.next_wake_ns() == now_ns

    def due(self, now_ns: int) -> str:
        return " ".join(self.render(batch) for batch in self.schedule.due(now_ns))

    def render(self, batch: Batch) -> str:
        first = f"{self.names[batch.play]}{batch.first_step + 1}"
        return first if batch.count == 1 else f"{first}-{batch.first_step + batch.count}"

    def run(self, script: str) -> None:
        for line in script.strip().splitlines():
            matched = re.fullmatch(r"\s*(\d+) ([^:]+):\s*(.*?)\s*", line)
            assert matched, line
            now_ns = int(matched[1]) * NS_PER_MS
            self.event(now_ns, matched[2])
            assert self.due(now_ns) == matched[3], line

    def stalls(self) -> list[str]:
        """`A waited 2000 for B at 4`, or `for paused B`."""
        return [
            f"{stall.waiting} waited {stall.waited_ns // NS_PER_MS} for"
            f"{' paused' * stall.paused} {stall.missing} at {stall.position}"
            for stall in self.schedule.stalls()
        ]


def check(entries: str, options: str, script: str, stalls: list[str]) -> None:
    order, speed = options.split()
    playbook = Playbook(recording(entries), order, speed)
    playbook.run(script)
    assert playbook.stalls() == stalls
    assert playbook.schedule.next_wake_ns() is None


INTERLEAVED = "A B A1 B1 A2 B2"
CHAIN = "A A1 B B1 A2 C B2 C1 B3 C2"
WITHIN = "A A1 B B1 B2 C C1 C2 A2"

RECORDED_ORDER = {
    "a second request half a second late is waited for, and no longer": (
        INTERLEAVED,
        """
        0 A comes: A1
        500 B comes: B1 A2 B2
        """,
    ),
    "requests in the other order change nothing": (
        INTERLEAVED,
        """
        0 B comes:
        500 A comes: A1 B1 A2 B2
        """,
    ),
    "steps that nobody stands between go together": (
        "A B A1 A2 A3 B1 B2 A4",
        """
        0 A comes: A1-3
        5 B comes: B1-2 A4
        """,
    ),
    "an answer that overlapped none is one batch": (
        "A " + " ".join(f"A{step}" for step in range(1, 201)) + " B B1",
        """
        0 A comes: A1-200
        """,
    ),
    "a request position delays nothing": (
        "A A1 B A2 B1",
        """
        0 A comes: A1-2
        """,
    ),
    "those that did not overlap never wait, the first left out": (
        "A A1 A2 B B1 B2 C C1 C2",
        """
        0 C comes: C1-2
        1 B comes: B1-2
        """,
    ),
    "those that did not overlap never wait, the middle left out": (
        "A A1 A2 B B1 B2 C C1 C2",
        """
        0 A comes: A1-2
        1 C comes: C1-2
        """,
    ),
    "ends of a chain never wait for each other: the first left out": (
        CHAIN,
        """
        0 C comes:
        0 B comes:
        2000 wake: B1-2 C1 B3 C2
        """,
        ["B waited 2000 for A at 3"],
    ),
    "ends of a chain never wait for each other: only the last": (
        CHAIN,
        """
        0 C comes:
        2000 wake: C1-2
        """,
        ["C waited 2000 for B at 7"],
    ),
    "ends of a chain never wait for each other: the middle left out": (
        CHAIN,
        """
        0 A comes: A1
        0 C comes:
        1 A leaves:
        2000 wake: C1-2
        """,
        ["C waited 2000 for B at 7"],
    ),
    "ends of a chain: the last left out holds only its neighbour": (
        CHAIN,
        """
        0 A comes: A1
        0 B comes: B1 A2 B2
        2000 wake: B3
        """,
        ["B waited 2000 for C at 8"],
    ),
    "two short ones within a long one wait for it, not for each other": (
        WITHIN,
        """
        0 C comes:
        1 A comes: A1 C1-2
        7 B comes: B1-2 A2
        """,
    ),
    "four identical ones, in order of arrival": (
        "A B C D D1 B1 A1 C1 C2 A2 B2 D2",
        """
        0 A comes:
        1 B comes:
        2 C comes:
        3 D comes: D1 B1 A1 C1-2 A2 B2 D2
        """,
    ),
    "four identical ones, one of them never": (
        "A B C D D1 B1 A1 C1 C2 A2 B2 D2",
        """
        0 A comes:
        1 B comes:
        2 C comes:
        2001 wake: B1 A1 C1-2 A2 B2
        """,
        ["B waited 2000 for D at 5"],
    ),
    "a request that never comes": (
        INTERLEAVED,
        """
        0 A comes: A1
        2000 wake: A2
        """,
        ["A waited 2000 for B at 4"],
    ),
    "several that never come are given up together": (
        "A B C D B1 C1 A1 D1 A2",
        """
        0 A comes:
        2000 wake: A1-2
        """,
        ["A waited 2000 for C at 6", "A waited 2000 for B at 6", "A waited 2000 for D at 6"],
    ),
    "one whose request was recorded later has its own time to come": (
        "A B A1 B1 A2 C C1 A3",
        """
        0 A comes: A1
        2000 wake: A2
        4000 wake: A3
        """,
        ["A waited 2000 for B at 4", "A waited 2000 for C at 7"],
    ),
    "one that was given up and comes late takes part again": (
        "A B A1 B1 A2 C C1 B2 A3 B3",
        """
        0 A comes: A1
        2000 wake: A2
        2500 B comes: B1
        3000 C comes: C1 B2 A3 B3
        """,
        ["A waited 2000 for B at 4"],
    ),
    "one that is still to come holds from when the late one is through": (
        "A B A1 B1 A2 C C1 B2 A3 B3",
        """
        0 A comes: A1
        2000 wake: A2
        2500 B comes: B1
        4500 wake: B2 A3 B3
        """,
        ["A waited 2000 for B at 4", "B waited 2000 for C at 7"],
    ),
    "one that came within its time is not given up": (
        INTERLEAVED,
        """
        0 A comes: A1
        1999 B comes: B1 A2 B2
        """,
    ),
    "a step between live ones is no stall, and time counts from when it is alone": (
        "A B C B1 C1 A1 B2 A2 C2",
        """
        0 A comes:
        1500 B comes: B1
        3500 wake: A1 B2 A2
        """,
        ["A waited 2000 for C at 5"],
    ),
    "a client that does not read holds others for so long": (
        INTERLEAVED,
        """
        0 B comes:
        5 B pauses:
        10 A comes: A1
        2010 wake: A2
        3000 B resumes: B1-2
        """,
        ["A waited 2000 for paused B at 4"],
    ),
    "a client that reads again in time": (
        INTERLEAVED,
        """
        0 B comes:
        5 B pauses:
        10 A comes: A1
        900 B resumes: B1 A2 B2
        """,
    ),
    "a client that reads a little and stops again is waited for anew": (
        "A B A1 A2 B1 A3 A4 B2 A5",
        """
        0 B comes:
        0 B pauses:
        1 A comes: A1-2
        2001 wake: A3-5
        """,
        ["A waited 2000 for paused B at 5"],
    ),
    "a play that pauses gets nothing, and is no longer waited for when it leaves": (
        INTERLEAVED,
        """
        0 A comes: A1
        0 A pauses:
        5 B comes: B1
        700 A leaves: B2
        """,
    ),
    "of two that hold a step, the one that is left holds it on from the same start": (
        "A B C B1 C1 A1 B2 C2",
        """
        0 A comes:
        500 C comes:
        500 C pauses:
        1000 C leaves:
        2500 wake: A1
        """,
        ["A waited 2000 for B at 5"],
    ),
    "one that is held back and leaves gets nothing more": (
        INTERLEAVED,
        """
        0 A comes: A1
        100 A leaves:
        300 B comes: B1-2
        """,
    ),
    "a client that reads on takes part again": (
        "A B C B1 A1 B2 A2 C1 B3 A3",
        """
        0 B comes: B1
        0 B pauses:
        0 A comes: A1
        2000 wake: A2
        2500 B resumes: B2
        2600 B pauses:
        3000 C comes: C1
        5000 wake: A3
        6000 B resumes: B3
        """,
        ["A waited 2000 for paused B at 6", "A waited 2000 for paused B at 9"],
    ),
    "one that waits for a live one and leaves gets nothing more": (
        "A B C C1 A1 B1 B2",
        """
        0 A comes:
        0 B comes:
        100 B leaves:
        300 C comes: C1 A1
        """,
    ),
    "one that has left is not thought of again": (
        "A B C C1 B1 A1 B2",
        """
        0 A comes:
        0 B comes:
        100 A leaves:
        200 B leaves:
        300 C comes: C1
        """,
    ),
    "who pauses while held is not waiting, and waits anew when it reads again": (
        INTERLEAVED,
        """
        0 A comes: A1
        1000 A pauses:
        1500 A resumes:
        3500 wake: A2
        """,
        ["A waited 2000 for B at 4"],
    ),
    "a pause while it waits for a live one": (
        "A B C C1 A1 B1 A2 B2",
        """
        0 A comes:
        0 B comes:
        0 B pauses:
        300 C comes: C1 A1
        2300 wake: A2
        2400 B resumes: B1-2
        """,
        ["A waited 2000 for paused B at 6"],
    ),
    "pausing twice, and what is over already": (
        "A A1 B B1",
        """
        0 A comes: A1
        1 A pauses:
        2 A pauses:
        3 A resumes:
        4 A resumes:
        5 A leaves:
        6 A leaves:
        7 B comes: B1
        """,
    ),
    "metadata never waits and is never waited for": (
        "A m A1 n m1 n1 A2",
        """
        0 A comes: A1-2
        1 n comes: n1
        """,
    ),
    "a repeated use takes no part": (
        INTERLEAVED,
        """
        0 A comes: A1
        1 A comes again: A'1-2
        2 B comes: B1 A2 B2
        3 B comes again: B'1-2
        """,
    ),
    "a second arrival is a repeated use, said or not": (
        INTERLEAVED,
        """
        0 B comes:
        1 B comes: B1-2
        2 B leaves:
        3 A comes: A1 B1 A2 B2
        """,
    ),
}


@pytest.mark.parametrize("name", RECORDED_ORDER)
def test_recorded_order_at_once(name):
    entries, script, *stalls = RECORDED_ORDER[name]
    check(entries, "recorded instant", script, stalls[0] if stalls else [])


PACE = {
    "a client that does not read while what is before its step comes late keeps its distances": (
        "recorded original",
        "A@0 B@0 B1@5 A1@10 A2@300",
        """
        1000 A comes:
        1000 A pauses:
        2000 B comes:
        2005 wake: B1
        2100 A resumes: A1
        2295 wake: A2
        """,
    ),
    "each wait as recorded, from the arrival on": (
        "recorded original",
        "A@0 A1@300 A2@310 A3@900",
        """
        1000 A comes:
        1300 wake: A1
        1310 wake: A2
        1900 wake: A3
        """,
    ),
    "a late call makes up for it": (
        "recorded original",
        "A@0 A1@300 A2@310 A3@900 A4@950",
        """
        1000 A comes:
        1850 A pauses:
        1860 A resumes: A1-2
        1905 A resumes: A3
        1950 wake: A4
        """,
    ),
    "four times as fast": (
        "recorded 4",
        "A@0 A1@300 A2@320 A3@900",
        """
        1000 A comes:
        1075 wake: A1
        1080 wake: A2
        1225 wake: A3
        """,
    ),
    "half as fast": (
        "recorded 0.5",
        "A@0 A1@300 A2@320",
        """
        1000 A comes:
        1600 wake: A1
        1640 wake: A2
        """,
    ),
    "after a wait for the order the gaps are as recorded": (
        "recorded original",
        "A@0 B@1 A1@100 B1@200 A2@300 A3@350 B2@400 A4@500",
        """
        0 A comes:
        100 wake: A1
        1001 B comes:
        1200 wake: B1 A2
        1250 wake: A3
        1400 wake: B2 A4
        """,
    ),
    "two in step need no wake more than their steps": (
        "recorded original",
        "A@0 B@1 A1@100 B1@200 A2@300 B2@400",
        """
        0 A comes:
        1 B comes:
        100 wake: A1
        200 wake: B1
        300 wake: A2
        400 wake: B2
        """,
    ),
    "one given up: from that time on as recorded": (
        "recorded original",
        "A@0 B@1 A1@100 B1@200 A2@300 A3@350",
        """
        0 A comes:
        100 wake: A1
        2300 wake: A2
        2350 wake: A3
        """,
        ["A waited 2000 for B at 4"],
    ),
    "one that merely keeps its recorded pace is no stall": (
        "recorded original",
        "A@0 B@1 A1@10 B1@9000 A2@9001",
        """
        0 A comes:
        10 wake: A1
        1001 B comes:
        10000 wake: B1 A2
        """,
    ),
    "one that is paused holds no one while it would not be due anyway": (
        "recorded original",
        "A@0 B@0 A1@10 B1@9000 A2@9001",
        """
        0 A comes:
        10 wake: A1
        1000 B comes:
        1000 B pauses:
        12000 wake: A2
        """,
        ["A waited 2999 for paused B at 4"],
    ),
    "one that was given up is ready, then waits for the late one": (
        "recorded original",
        "A@0 B@0 A1@10 B1@20 A2@500 B2@510 A3@5000",
        """
        0 A comes:
        10 wake: A1
        2500 wake: A2
        3000 B comes:
        3020 wake: B1
        3510 wake: B2
        7000 wake: A3
        """,
        ["A waited 2000 for B at 4"],
    ),
    "one that was given up before a first step and comes late": (
        "recorded original",
        "A@0 B@0 B1@100 A1@200 A2@5000",
        """
        0 A comes:
        2200 wake: A1
        6950 B comes:
        7050 wake: B1 A2
        """,
        ["A waited 2000 for B at 3"],
    ),
    "nobody is given up for one that does not read": (
        "recorded original",
        "A@0 M@0 M1@10 B@20 B1@30 A1@40",
        """
        0 A comes:
        50 B comes:
        50 A pauses:
        60 wake: B1
        5000 A resumes:
        7000 wake: A1
        """,
        ["A waited 2000 for M at 5"],
    ),
    "freed by one that leaves: from that time on as recorded": (
        "recorded original",
        "A@0 B@0 B1@500 A1@510 A2@520",
        """
        0 A comes:
        300 B comes:
        700 B leaves: A1
        710 wake: A2
        """,
    ),
    "a missing one is given up before a paused one that would not be due yet": (
        "recorded original",
        "A@0 B@0 C@0 C1@5 A1@10 B1@9000 A2@9001",
        """
        0 A comes:
        0 B comes:
        0 B pauses:
        2010 wake: A1
        11001 B resumes: B1 A2
        """,
        ["A waited 2000 for C at 4"],
    ),
    "a missing one and a paused one, each in its time": (
        "recorded original",
        "A@0 B@0 C@0 C1@5 B1@3000 A1@3000 A2@3000",
        """
        0 A comes:
        0 B comes:
        1 B pauses:
        5000 wake: A1-2
        """,
        ["A waited 2000 for paused B at 5", "A waited 2000 for C at 5"],
    ),
    "a paused one that the order makes due later holds others for longer": (
        "recorded original",
        "Y@0 X@1 Y1@1500 A@1510 X1@1511 A1@1512",
        """
        0 X comes:
        1000 A comes:
        1200 Y comes:
        1200 X pauses:
        2700 wake: Y1
        4700 wake: A1
        """,
        ["A waited 3500 for paused X at 5"],
    ),
    "a paused one that somebody leaves the way of late holds others for longer": (
        "recorded original",
        "L@0 P@1 L1@10 X@11 P1@12 X1@13",
        """
        0 P comes:
        0 X comes:
        5 L comes:
        5 P pauses:
        20 L leaves:
        2020 wake: X1
        """,
        ["X waited 2015 for paused P at 5"],
    ),
    "a late call keeps to the times: of two in the way, the one that is nearer goes first": (
        "recorded original",
        "A@0 V@1 A1@10 A2@30 B@31 B1@41 V1@42 V2@142",
        """
        0 V comes:
        100 A comes:
        109 B comes:
        200 A resumes: A1 B1 A2 V1
        230 wake: V2
        """,
    ),
    "a late call keeps to the times: one is given up between two steps": (
        "recorded original",
        "A@0 V@1 A1@10 A2@30 M@31 C@31 M1@32 C1@33 V1@34 V2@134",
        """
        0 V comes:
        0 C comes:
        1990 A comes:
        2100 A resumes: A1 C1 A2 V1
        2120 wake: V2
        """,
        ["C waited 2000 for M at 7"],
    ),
    "a late call keeps to the times: one is given up before a step": (
        "recorded original",
        "A@0 V@1 A1@10 M@11 C@11 M1@12 C1@13 V1@14 V2@114",
        """
        0 V comes:
        0 C comes:
        2000 A comes:
        2100 A resumes: C1 A1 V1
        2110 wake: V2
        """,
        ["C waited 2000 for M at 6"],
    ),
    "times that were edited to go back do not bring a step forward": (
        "recorded original",
        "A@0 A1@100 A2@50 A3@120",
        """
        0 A comes:
        100 wake: A1-2
        120 wake: A3
        """,
    ),
    "times that were edited to go back, after a wait for the order": (
        "recorded original",
        "A@0 B@0 A1@100 B1@101 A2@50 A3@120",
        """
        0 A comes:
        100 B comes: A1
        201 wake: B1 A2
        221 wake: A3
        """,
    ),
    "metadata and repeats at their own pace": (
        "recorded original",
        "A@0 m@10 A1@20 m1@50 A2@60",
        """
        0 m comes:
        10 A comes:
        15 m comes again:
        30 wake: A1
        40 wake: m1
        55 wake: m'1
        70 wake: A2
        """,
    ),
    "free: nobody waits for anybody": (
        "free original",
        "A@0 B@1 A1@100 B1@200 A2@300 B2@400",
        """
        0 A comes:
        100 wake: A1
        300 wake: A2
        500 B comes:
        699 wake: B1
        899 wake: B2
        """,
    ),
    "free and instant: all at once": (
        "free instant",
        INTERLEAVED,
        """
        0 B comes: B1-2
        9 A comes: A1-2
        """,
    ),
}


@pytest.mark.parametrize("name", PACE)
def test_pace(name):
    options, entries, script, *stalls = PACE[name]
    check(entries, options, script, stalls[0] if stalls else [])


ONE_CLOCK = {
    "late by a little: by the clock of the one before": (
        "A@0 B@100 A1@200 B1@300 A2@400",
        """
        1000 A comes:
        1107 B comes:
        1200 wake: A1
        1300 wake: B1
        1400 wake: A2
        """,
    ),
    "early by a little: the clock goes by it from now on": (
        "A@0 B@100 A1@200 B1@300 A2@400",
        """
        1007 A comes:
        1100 B comes:
        1200 wake: A1
        1300 wake: B1
        1400 wake: A2
        """,
    ),
    "early by a little, when steps have been due by now": (
        "A@0 B@100 A1@105 B1@110",
        """
        1009 A comes:
        1102 B comes:
        1107 wake: A1
        1112 wake: B1
        """,
    ),
    "late by more: from its own arrival on, and the next by its clock": (
        "A@0 B@100 C@110 A1@200 B1@300 C1@400",
        """
        1000 A comes:
        1111 B comes:
        1122 C comes:
        1200 wake: A1
        1311 wake: B1
        1411 wake: C1
        """,
    ),
    "late by more, then one between: nobody goes later for it": (
        "A@0 B@100 C@110 A1@200 B1@300 C1@400",
        """
        1000 A comes:
        1111 B comes:
        1115 C comes:
        1200 wake: A1
        1305 wake: B1
        1405 wake: C1
        """,
    ),
    "early by more: from its own arrival on, and nobody else": (
        "A@0 B@100 C@110 A1@200 B1@300 C1@400",
        """
        1000 A comes:
        1080 B comes:
        1110 C comes:
        1200 wake: A1
        1280 wake: B1
        1400 wake: C1
        """,
    ),
    "the lateness of several does not add up": (
        "A@0 B@10 C@20 A1@100 B1@101 C1@102 A2@200",
        """
        1000 A comes:
        1019 B comes:
        1028 C comes:
        1100 wake: A1
        1101 wake: B1
        1102 wake: C1
        1200 wake: A2
        """,
    ),
    "after a wait for the order a stream has a time of its own": (
        "A@0 B@1 C@20 A1@50 B1@60 A2@70 C1@80 B2@90 A3@100",
        """
        1000 A comes:
        1021 B comes:
        1021 C comes:
        1050 wake: A1
        1080 wake: B1 A2
        1081 wake: C1
        1110 wake: B2 A3
        """,
    ),
    "those that did not overlap know of no common clock": (
        "A@0 A1@50 B@60 B1@90",
        """
        1000 A comes:
        1050 wake: A1
        1065 B comes:
        1095 wake: B1
        """,
    ),
}


@pytest.mark.parametrize("name", ONE_CLOCK)
def test_one_clock_for_those_that_overlapped(name):
    entries, script = ONE_CLOCK[name]
    playbook = Playbook(recording(entries), speed="original", tolerance_ms=10)
    playbook.run(script)
    assert not playbook.stalls()
    assert playbook.schedule.next_wake_ns() is None


def test_one_that_the_order_held_back_keeps_its_distances_when_the_clock_moves():
    tracks = recording("A@0 B@100 A1@200 B1@300 C@355 B2@400 C1@500")
    playbook = Playbook(tracks, speed="original", tolerance_ms=10)
    playbook.run("1000 A comes:\n1105 B comes:\n1106 A pauses:")
    playbook.event(1350 * NS_PER_MS, "A leaves")
    playbook.run("1350 C comes: B1\n1450 wake: B2\n1495 wake: C1")


def test_times_count_from_when_a_request_came_not_from_when_it_was_read():
    playbook = Playbook(recording("A@0 A1@50"), speed="original")
    playbook.schedule.arrive("A", 30 * NS_PER_MS, came_ns=10 * NS_PER_MS)
    assert playbook.schedule.next_wake_ns() == 60 * NS_PER_MS


@pytest.mark.parametrize("speed", ["instant", "original"])
def test_a_caller_may_take_a_few_steps_at_a_time(speed):
    playbook = Playbook(recording("A B A1 A2 A3 B1 B2 A4 C C1 C2 C3"), speed=speed)
    for name in "ABC":
        playbook.event(0, f"{name} comes")
    now_ns = 500 * NS_PER_MS
    taken = []
    while (wake_ns := playbook.schedule.next_wake_ns()) is not None:
        assert wake_ns <= now_ns
        batches = playbook.schedule.due(now_ns, most_steps=2)
        assert 1 <= sum(batch.count for batch in batches) <= 2
        for batch in batches:
            taken += [playbook.names[batch.play]] * batch.count
    assert "".join(taken).replace("C", "") == "AAABBA"
    assert taken.count("C") == 3


def test_a_play_that_pauses_between_two_calls_gets_no_more():
    playbook = Playbook(recording("A A1 A2 A3 A4"))
    playbook.event(0, "A comes")
    assert playbook.schedule.due(0, most_steps=3) == [Batch(0, 0, 3)]
    playbook.event(0, "A pauses")
    assert playbook.schedule.next_wake_ns() is None
    assert playbook.schedule.due(5) == []
    playbook.event(7, "A resumes")
    assert playbook.schedule.due(7) == [Batch(0, 3, 1)]


def test_a_track_without_steps_is_over_at_once():
    schedule = Schedule(recording("A B B1"), Order("recorded"), Speed(None), 0)
    play = schedule.arrive("A", 0)
    assert (schedule.due(0), schedule.next_wake_ns()) == ([], None)
    schedule.leave(play, 1)


def test_an_unknown_track_is_an_error():
    with pytest.raises(KeyError):
        Schedule([], Order("recorded"), Speed(None), 0).arrive("A", 0)


def test_no_time_to_wait_means_no_wait():
    schedule = Schedule(recording(INTERLEAVED), Order("recorded"), Speed(None), 0)
    schedule.arrive("A", 0)
    assert schedule.due(0) == [Batch(0, 0, 1, ordered=True), Batch(0, 1, 1, ordered=True)]
    assert schedule.stalls() == (Stall("A", "B", 0, 4, paused=False),)
