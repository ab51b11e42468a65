import json

import pytest

from wiretape.core import likeness
from wiretape.core.likeness import MOST_LIKELY, likeliest, words


def test_the_words_of_a_value_are_those_of_its_texts_the_most_telling_first():
    value = {"role": "user", "content": [{"text": "list the 17 files, the"}], "n": 3}
    assert words(value) == [b"17", b"files", b"list", b"user", b"the"]


def test_a_word_decides_among_thousands_of_equal_ones():
    bodies = [json.dumps({"prompt": f"what is {n} squared"}).encode() for n in range(3000)]
    found = likeliest(words("what is 77 cubed?"), 30, bodies)
    assert found[0] == 77
    assert len(found) == MOST_LIKELY


def test_the_search_favours_bodies_before_they_are_split(monkeypatch: pytest.MonkeyPatch):
    bodies = [f"what is {n} squared".encode() for n in range(3000)]
    monkeypatch.setattr(likeness, "MAX_SPLIT_BYTES", 30 * 100)
    assert likeliest(words("what is 2345 cubed?"), 18, bodies)[0] == 2345


def test_few_bodies_are_all_named_in_order():
    assert likeliest([b"b"], 1, [b"a", b"b"]) == [0, 1]


def test_where_words_say_nothing_the_nearest_length_comes_first():
    bodies = [b"x" * length for length in range(100)]
    assert likeliest([], 40, bodies)[:3] == [40, 39, 41]


def test_too_many_bytes_are_not_searched(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(likeness, "MAX_SEARCHED_BYTES", 100)
    monkeypatch.setattr(likeness, "MAX_SPLIT_BYTES", 10)
    bodies = [b"word " * (length + 3) for length in range(100)]
    assert likeliest([b"word"], 5 * 43, bodies)[0] == 40
