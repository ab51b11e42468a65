"""JSON that is made a piece at a time is the JSON that `json.dumps` makes at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.viewer import encoding
from wiretape.viewer.encoding import encoded

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text()
ROWS = st.lists(st.lists(SCALARS, max_size=3) | SCALARS, max_size=9)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS | ROWS,
    lambda inner: st.dictionaries(st.text(), inner) | st.lists(st.dictionaries(st.text(), inner)),
)


@given(VALUES, st.integers(1, 4))
def test_pieces_add_up_to_the_whole(value: Any, at_once: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "_AT_ONCE", at_once)
        assert encoded(value) == json.dumps(
            value, ensure_ascii=False, separators=(",", ":")
        ).encode("utf-8", "backslashreplace")


def test_bytes_stand_for_what_was_made_before():
    lanes = [encoded({"number": 1}), encoded({"number": 2})]
    assert json.loads(encoded({"lanes": lanes, "name": "a"})) == {
        "lanes": [{"number": 1}, {"number": 2}],
        "name": "a",
    }


def test_no_number_that_json_does_not_have_is_made():
    with pytest.raises(ValueError, match="not JSON compliant"):
        encoded({"a": [float("nan")]})
