from collections.abc import Iterator, Sequence

import pytest

from wiretape.core.closest import Shape, closest


class Counted(Sequence[int]):
    """A list that counts how often an item of it is looked at."""

    def __init__(self, items: Sequence[int]) -> None:
        self.items = items
        self.looks = 0

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index):
        self.looks += 1
        return self.items[index]

    def __iter__(self) -> Iterator[int]:
        self.looks += len(self.items)
        return iter(self.items)


def shape(items: str, fields: str = "m") -> Shape:
    return Shape.of(list(items), list(fields))


@pytest.mark.parametrize(
    ("one", "other", "start", "end"),
    [
        ("abcd", "abcd", 4, 0),
        ("abcd", "abxd", 2, 1),
        ("abcd", "xbcd", 0, 3),
        ("abcd", "abcxd", 3, 1),
        ("aaa", "aa", 2, 0),
        ("aab", "ab", 1, 1),
        ("abc", "xyz", 0, 0),
        ("", "abc", 0, 0),
    ],
)
def test_what_two_conversations_share_at_both_ends(one: str, other: str, start: int, end: int):
    assert shape(one).shared(shape(other)) == (start, end)
    assert shape(other).shared(shape(one)) == (start, end)


@pytest.mark.parametrize(
    ("live", "recorded", "expected"),
    [
        ("abcX", ["abyz", "abcd", "qqqq"], [1]),
        ("Xbcd", ["abcy", "abcd"], [1]),
        ("abXcd", ["abcd", "ab", "cd"], [0]),
        ("aXbYc", ["zbz", "aqbrc"], [1]),
        ("XbcdY", ["abyyz", "abcdz"], [1]),
        ("ab", ["abcdef", "abc"], [1]),
        ("abc", ["xyz", "uvw"], [0, 1]),
    ],
)
def test_the_conversation_decides(live: str, recorded: list[str], expected: list[int]):
    numbered = list(enumerate(map(shape, recorded)))
    assert closest(shape(live), numbered) == expected


def test_of_equal_conversations_those_with_the_fewest_differing_fields_are_closest():
    recorded = [shape("ab", "xy"), shape("ab", "mt"), shape("ab", "mtu"), shape("ab", "mt")]
    assert closest(shape("ab", "mts"), list(enumerate(recorded))) == [1, 3]


def test_a_recording_is_ranked_in_a_few_looks_however_long_it_is():
    base = [str(number) for number in range(1000)]
    shapes = []
    for changed in range(200):
        items = [*base]
        items[changed * 5] = "changed"
        plain = Shape.of(items, ["m"])
        shapes.append(Shape(plain.prints, Counted(plain.forward), Counted(plain.backward), [1]))
    assert closest(Shape.of(base, []), list(enumerate(shapes)))
    looks = [shape.forward.looks + shape.backward.looks for shape in shapes]
    assert max(looks) <= 2 * (10 + 2)


def test_the_look_at_every_item_is_left_out_where_there_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("wiretape.core.closest.MAX_OVERLAPS", 5)
    prints = [Counted([1, 2, 3]), Counted([4, 5, 6])]
    recorded = [(n, Shape(print_, [n], [n], [])) for n, print_ in enumerate(prints)]
    assert closest(Shape([4, 5, 6], [7], [7], []), recorded) == [0, 1]
    assert [print_.looks for print_ in prints] == [0, 0]
