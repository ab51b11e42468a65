from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.escapes import Unescaped, unescaped

PIECES = [
    *'a"/u0é\n\\',
    *("\\/", "\\\\/", "\\u002B", "\\u003d", "\\\\\\u0026", "\\u00e9", "\\n", '\\"'),
    *("\\u0", "\\u007", "\\u001", "\\ud83d", "\\uD83D\\udE00", "\\\\ud83d\\\\ude00", "\\udc00"),
    *("\\u4e2d", "\\" * 14, "\\" * 15),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=20).map(lambda pieces: "".join(pieces).encode())


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (rb"https:\/\/host\/path", b"https://host/path"),
        (rb"https:\\\/\\\/host", b"https://host"),
        (rb"a\u002Bb\u002bc\\u003Dd", b"a+b+c=d"),
        (rb"line\n \"quoted\" \u0009", rb"line\n \"quoted\" \u0009"),
        (rb"M\u00fcller, \\u5C71\\u7530", "Müller, 山田".encode()),
        (rb"\ud83d\ude00 \\uD83D\\uDE00", "😀 😀".encode()),
        (rb"half \ud83d, half \ude00", rb"half \ud83d, half \ude00"),
        (rb"cut off\u4e2", b"cut off"),
        (rb"cut off\ud83d", b"cut off"),
        (rb"cut off\\ud83d\\", b"cut off"),
        (rb"cut off\ud83d\ude0", b"cut off"),
        (rb"not cut off\ude0", rb"not cut off\ude0"),
        (rb"cut off\u00", b"cut off"),
        (rb"cut off\\u002", b"cut off"),
        (b"cut off\\", b"cut off"),
        (rb"not cut off\n", rb"not cut off\n"),
        (rb"not cut off\u001", rb"not cut off\u001"),
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
    index = place = 0
    for character in plain.text.decode():
        assert plain.outside(index) == place
        end = plain.outside(index + len(character.encode()))
        written = content[place:end].decode()
        if written == character:
            assert [plain.inside(each) for each in range(place, end)] == [
                *range(index, index + end - place)
            ]
        else:
            assert re.fullmatch(r"\\+/|(?:\\+u[0-9A-Fa-f]{4}){1,2}", written)
            once = re.sub(r"\\+", r"\\", written)
            assert json.loads(f'"{once}"') == character
            assert {plain.inside(each) for each in range(place, end)} == {index}
        index, place = index + len(character.encode()), end
    assert re.fullmatch(rb"(?:\\+(?:u[0-9a-fA-F]*)?){0,2}", content[place:])


@given(TEXTS)
def test_what_is_told_quickly_is_so(content: bytes):
    if unescaped(content) is None:
        assert Unescaped(content).text == content
