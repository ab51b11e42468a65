import pytest

from wiretape.core.sizes import parse_size, room_for
from wiretape.errors import UsageError

MIB = 1024**2


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("500000", 500_000), ("64K", 65_536), (" 16m ", 16 * MIB), ("1GiB", 1024 * MIB)],
)
def test_a_size_has_a_unit_or_none(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1", "1.5M", "16X", "9" * 5000])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UsageError, match="is no size"):
        parse_size(text)


@pytest.mark.parametrize("length", [1, 5, MIB - 1, MIB, MIB + 1, 500_000_000])
def test_there_is_room_for_a_length_and_not_much_more(length):
    assert length <= parse_size(room_for(length)) < length + MIB
