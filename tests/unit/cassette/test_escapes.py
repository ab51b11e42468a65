from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.escapes import Unescaped, unescaped

PIECES = [
    *'a"/u0é\n\\',
    *("\\/", "\\\\/", "\\u002B", "\\u003d", "\\\\\\u0026", "\\u00e9", "\\n", '\\"'),
    *("\\u0", "\\u007", "\\" * 14, "\\" * 15),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=20).map(lambda pieces: "".join(pieces).encode())


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (rb"https:\/\/host\/path", b"https://host/path"),
        (rb"https:\\\/\\\/host", b"https://host"),
        (rb"a\u002Bb\u002bc\\u003Dd", b"a+b+c=d"),
        (rb"line\n \"quoted\" \u00e9 \u2028 \u0009", rb"line\n \"quoted\" \u00e9 \u2028 \u0009"),
        (rb"cut off\u00", b"cut off"),
        (rb"cut off\\u002", b"cut off"),
        (b"cut off\\", b"cut off"),
        (rb"not cut off\n", rb"not cut off\n"),
        (rb"not cut off\u008", rb"not cut off\u008"),
        (b"", b""),
        (b"\\" * 20 + b"/", b"\\" * 5 + b"/"),
        (b"\\" * 20 + b"u002F", b"\\" * 5 + b"/"),
    ],
)
def test_what_a_text_says(content: bytes, text: bytes):
    assert Unescaped(content).text == text


@given(TEXTS)
def test_each_character_is_found_where_it_stands(content: bytes):
    plain = Unescaped(content)
    places = [plain.outside(index) for index in range(len(plain.text) + 1)]
    assert places[0] == 0
    for index, character in enumerate(plain.text):
        written = content[places[index] : places[index + 1]]
        if written != bytes([character]):
            assert re.fullmatch(rb"\\+(?:/|u00[0-9A-Fa-f]{2})", written)
        for position in range(places[index], places[index + 1]):
            assert plain.inside(position) == index
    assert re.fullmatch(rb"(?:\\+(?:u[0-9]*)?)?", content[places[-1] :])


@given(TEXTS)
def test_what_is_told_quickly_is_so(content: bytes):
    if unescaped(content) is None:
        assert Unescaped(content).text == content
