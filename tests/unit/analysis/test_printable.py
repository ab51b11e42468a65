import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.analysis.printable import cut, one_line, printable, raw_bytes, seconds


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m", r"\x9b31m"),
        ("a\x00b\x7f\x85", r"a\x00b\x7f\x85"),
        ("a\rb\r\nc\td\n", "a\\rb\nc\td\n"),
        ("\u202eevil\u2066\u200f", r"\u202eevil\u2066\u200f"),
        ("\ud800", r"\ud800"),
        ("é🙂\u200d漢", "é🙂\u200d漢"),
    ],
)
def test_what_acts_on_a_terminal_is_escaped(text, shown):
    assert printable(text) == shown


def test_one_line_stays_on_its_line():
    assert one_line("a\nb\tc\r\u2028") == r"a\nb\tc\r\u2028"


def test_bytes_that_are_no_text_are_named():
    assert raw_bytes(b"data: \xff\xe2\x82\xac\n\n") == r"data: \xff€\n\n"


@given(st.text())
def test_nothing_that_controls_is_left(text):
    for char in one_line(text):
        assert unicodedata.category(char) not in {"Cc", "Cs", "Zl", "Zp"}
    assert all(char in "\n\t" or unicodedata.category(char) != "Cc" for char in printable(text))
    printable(text).encode()


@given(st.binary())
def test_any_bytes_can_be_shown(data):
    raw_bytes(data).encode()


def test_a_cut_says_how_much_is_left_out():
    assert cut("abc", 3) == "abc"
    assert cut("abcde", 3) == "abc… (2 more characters)"


@pytest.mark.parametrize(
    ("duration_us", "text"),
    [(0, "0 ms"), (411_021, "411 ms"), (1_204_000, "1.20 s"), (75_200_000, "75 s")],
)
def test_durations_for_people(duration_us, text):
    assert seconds(duration_us) == text
