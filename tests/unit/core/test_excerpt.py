import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.core.excerpt import WIDTH, excerpts, near, shown
from wiretape.core.payload import ABSENT


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ABSENT, "(absent)"),
        (None, "null"),
        ("a\n\x1b[2J", r'"a\n\u001b[2J"'),
        ("café 😀", '"café 😀"'),
        ("\x9b\u202e\ud800", r'"\u009b\u202e\ud800"'),
        ({"a": [1, True]}, '{"a": [1, true]}'),
        (b"caf\xc3\xa9\xff", r'"café\\xff"'),
    ],
)
def test_a_value_is_shown_on_one_printable_line(value: object, text: str):
    assert shown(value) == text


@given(st.text())
def test_what_is_shown_is_always_printable_and_still_json(text: str):
    assert shown(text).isprintable()
    assert json.loads(shown(text)) == text


LONG = st.builds(
    lambda text, times: text * times, st.text(min_size=1, max_size=9), st.integers(0, 900)
)


@given(LONG, st.text(), st.text(), LONG)
def test_of_long_texts_what_is_near_the_difference_is_all_that_counts(
    start: str, one: str, other: str, end: str
):
    recorded, received = start + one + end, start + other + end
    assert near(recorded, received) == excerpts(shown(recorded), shown(received))
    content = tuple(text.encode("utf-8", "surrogatepass") for text in (recorded, received))
    assert near(*content) == excerpts(*map(shown, content))


def test_short_values_are_shown_whole():
    assert excerpts("abc", "x" * WIDTH) == ("abc", "x" * WIDTH)


def test_long_values_are_cut_around_the_first_difference():
    start, end = "a" * 500, "b" * 500
    recorded, received = excerpts(start + "21" + end, start + "22" + end)
    assert recorded == "…" + "a" * 23 + "21" + "b" * (WIDTH - 25) + "…"
    assert received == "…" + "a" * 23 + "22" + "b" * (WIDTH - 25) + "…"


def test_a_difference_near_an_end_is_cut_on_one_side():
    assert excerpts("1" + "a" * 99, "2" + "a" * 99)[0] == "1" + "a" * (WIDTH - 1) + "…"
    assert excerpts("a" * 99 + "1", "a" * 99)[1] == "…" + "a" * 24


@given(st.text(), st.text(), st.text(), st.text())
def test_excerpts_of_different_texts_differ(start: str, one: str, other: str, end: str):
    texts = (start * 30 + one + end * 30, start * 30 + other + end * 30)
    recorded, received = excerpts(*texts)
    assert (recorded == received) == (texts[0] == texts[1])
    assert max(len(recorded), len(received)) <= WIDTH + 2
