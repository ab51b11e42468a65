"""Who overlapped whom, and which other orders could have been recorded."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wiretape.core.interleave import clusters, recorded, shuffled
from wiretape.core.track import Track


def recording(text: str) -> list[Track]:
    """Tracks from entries in order: `A` is A's request, `A1` one of its steps; `a` is metadata."""
    positions: dict[str, list[int]] = {}
    for position, word in enumerate(text.split()):
        positions.setdefault(word[0], []).append(position)
    return [
        Track(key, own[0], own[0], own[1:], own[1:], own[-1], ordered=key.isupper())
        for key, own in positions.items()
    ]


def names(groups: list[list[Track]]) -> list[str]:
    return ["".join(str(track.key) for track in group) for group in groups]


@pytest.mark.parametrize(
    ("entries", "groups"),
    [
        ("", []),
        ("A A1 B B1 C C1", []),
        ("A B A1 B1", ["AB"]),
        ("A B B1 A1", ["AB"]),
        ("A A1 B A2 B1 C B2 C1", ["ABC"]),
        ("A B A1 B1 C C1 D E D1 E1", ["AB", "DE"]),
        ("A A1 B B1 C C1 A2", ["ABC"]),
        ("A b A1 b1", []),
        ("A b C A1 b1 C1", ["AC"]),
        ("A B A1 A2", []),
    ],
)
def test_groups_are_those_that_overlap_directly_or_by_way_of_others(entries, groups):
    assert names(clusters(recording(entries))) == groups


def test_tracks_may_come_in_any_order():
    tracks = recording("A B A1 B1 C C1 D E D1 E1")
    assert names(clusters(reversed(tracks))) == ["AB", "DE"]


def test_the_recorded_order_is_the_positions():
    group = recording("A B A1 B1 A2")
    assert [placement.places for placement in recorded(group)] == [[2, 4], [3]]


def order_of(group: list[Track], seed: int) -> str:
    """The shuffled steps, as text."""
    placements = shuffled(group, seed)
    steps = {
        place: f"{track.key}{step}"
        for track, placement in zip(group, placements, strict=True)
        for step, place in enumerate(placement.places, 1)
    }
    assert sorted(steps) == list(range(len(steps)))
    return " ".join(steps[place] for place in sorted(steps))


def could_have_been_recorded(group: list[Track], order: str) -> bool:
    place = {step: index for index, step in enumerate(order.split())}
    for track in group:
        own = [place[f"{track.key}{step}"] for step in range(1, len(track.positions) + 1)]
        if own != sorted(own):
            return False
        for other in group:
            for step, position in enumerate(other.positions, 1):
                if position < track.request_position and place[f"{other.key}{step}"] > own[0]:
                    return False
    return True


def test_every_order_that_could_have_been_recorded_comes_up_and_no_other():
    group = recording("A B A1 B1 C A2 B2 C1")
    steps = ["A1", "A2", "B1", "B2", "C1"]
    possible = {
        order
        for order in (" ".join(words) for words in permutations(steps))
        if could_have_been_recorded(group, order)
    }
    drawn = Counter(order_of(group, seed) for seed in range(1000))
    assert set(drawn) == possible
    assert len(possible) == 16
    # Well mixed: the rarest is drawn no less than a quarter as often as all would be by turns.
    assert min(drawn.values()) >= 1000 / len(possible) / 4


def test_a_request_is_never_answered_before_what_led_to_it():
    group = recording("A B A1 B1 A2 C B2 C1 C2 B3")
    for seed in range(200):
        assert could_have_been_recorded(group, order_of(group, seed))


def test_a_seed_means_the_same_order_in_every_version():
    group = recording("A B C A1 B1 C1 A2 B2 C2 A3 B3 C3")
    assert [order_of(group, seed) for seed in (0, 1, 2**70)] == [
        "B1 B2 B3 A1 C1 A2 C2 A3 C3",
        "C1 B1 B2 B3 C2 A1 C3 A2 A3",
        "B1 B2 A1 B3 C1 C2 C3 A2 A3",
    ]


def test_a_seed_means_the_same_order_whatever_was_recorded_beside_it():
    alone = recording("A B A1 B1 A2 B2 A3 B3")
    first, second = clusters(
        [*recording("C D C1 D1 C2 D2"), *(moved(track, 100) for track in alone)]
    )
    assert names([first, second]) == ["CD", "AB"]
    for seed in range(20):
        assert order_of(second, seed) == order_of(alone, seed)


def moved(track: Track, by: int) -> Track:
    """The track of a cassette that is not the first of its library."""
    return replace(
        track,
        request_position=track.request_position + by,
        positions=[position + by for position in track.positions],
        end_position=track.end_position + by,
    )


@settings(max_examples=200)
@given(st.lists(st.integers(0, 5), max_size=40), st.integers(0, 2**64))
def test_any_recording_is_shuffled_into_one_that_could_have_been(moves, seed):
    words = [f"{'ABCDEF'[move]}" for move in moves]
    tracks = recording(" ".join(words))
    for group in clusters(tracks):
        order = order_of(group, seed)
        assert could_have_been_recorded(group, order)
        assert order == order_of(group, seed)


@given(st.lists(st.integers(0, 9), max_size=60))
def test_groups_keep_apart_what_did_not_overlap(moves):
    tracks = [
        track for track in recording(" ".join("ABCDEFGHIJ"[m] for m in moves)) if track.positions
    ]
    groups = clusters(tracks)
    of = {track.key: index for index, group in enumerate(groups) for track in group}
    for one, other in combinations(tracks, 2):
        if one.request_position < other.end_position and other.request_position < one.end_position:
            assert of[one.key] == of[other.key]
    for group in groups:
        assert len(group) > 1
        reach = group[0].end_position
        for track in group[1:]:
            assert track.request_position < reach
            reach = max(reach, track.end_position)
