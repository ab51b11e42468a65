import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.core import rivals
from wiretape.core.canonical import Reading
from wiretape.core.conversation import Level
from wiretape.core.model import Body
from wiretape.core.model import Request as Recorded
from wiretape.core.pointer import parse_pointer
from wiretape.core.rivals import Rivals

PLACES = ("/messages/0/content", "/messages/1/content", "/seed")


def body(first: Any, second: Any, seed: Any) -> dict[str, Any]:
    return {"messages": [{"content": first}, {"content": second}], "seed": seed}


def request(payload: Any) -> Recorded:
    return Recorded(1, 0, "POST", "/", (), Body.of(json.dumps(payload).encode()))


def reading(payload: Any) -> Reading:
    return Reading("POST", "/", (), request(payload).body)


def rivals_of(live: Any, recorded: list[Any]) -> Rivals:
    shapes = [(request(each), reading(each).shape(Level.EXACT)) for each in recorded]
    return Rivals(reading(live).shape(Level.EXACT), lambda: shapes)


values = st.tuples(*[st.integers(0, 1)] * 3)


@given(values, values, st.lists(values, max_size=4), st.sets(st.sampled_from(PLACES), min_size=1))
def test_those_part_that_agree_only_where_the_pointers_are_ignored(
    live: Any, closest: Any, others: Any, ignored: Any
):
    left = [index for index, place in enumerate(PLACES) if place not in ignored]
    if any(live[index] != closest[index] for index in left):
        return  # nothing would suggest these pointers
    expected = any(
        other != closest and all(other[index] == live[index] for index in left) for other in others
    )
    recorded = [body(*each) for each in (closest, *others)]
    pointers = tuple(map(parse_pointer, sorted(ignored)))
    read = reading(body(*closest))
    digest = read.ignoring(pointers).digest(Level.EXACT)
    parted = rivals_of(body(*live), recorded).part_on(
        read, digest, Level.EXACT, (), pointers, in_force=True
    )
    assert parted is expected


def test_what_cannot_agree_is_not_read_and_of_the_rest_only_so_much(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(rivals, "MAX_READ_BYTES", 0)
    closest, live = {**body(1, 2, 3), "a": [1]}, {**body(1, 2, 3), "a": [2]}
    pointers = (parse_pointer("/a/0"),)
    near = {**body(1, 2, 3), "a": [3, 4]}
    far = [{**body(5, 6, 3), "a": [3, number]} for number in range(100)]
    read = reading(closest)
    given = read, read.ignoring(pointers).digest(Level.EXACT), Level.EXACT, (), pointers
    assert not rivals_of(live, [*far, closest, near]).part_on(*given, in_force=True)
    assert rivals_of(live, [near, {**near, "a": [5, 6]}]).part_on(*given, in_force=True)
    assert rivals_of(live, [*far, closest]).part_on(*given, in_force=False)
