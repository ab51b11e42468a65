from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.core.canonical import Reading
from wiretape.core.conversation import Level
from wiretape.core.differences import differences
from wiretape.core.model import Body
from wiretape.core.multipart import MAX_PARTS, Multipart, boundary, head_and_content, split
from wiretape.core.payload import ABSENT


def form(mark: str, *parts: tuple[str, str]) -> bytes:
    """A form of these parts (a name, a content), delimited by `mark`."""
    sent = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{content}\r\n'
        for name, content in parts
    ]
    return ("".join(sent) + f"--{mark}--\r\n").encode()


def reading(body: bytes, mark: str | None) -> Reading:
    kind = "text/plain" if mark is None else f"multipart/form-data; boundary={mark}"
    return Reading("POST", "/v1/files", (("Content-Type", kind),), Body.of(body))


def agree(one: bytes, mark: str | None, other: bytes, other_mark: str | None) -> bool:
    digests = {reading(*each).digest(Level.EXACT) for each in ((one, mark), (other, other_mark))}
    return len(digests) == 1


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("multipart/form-data; boundary=abc", "abc"),
        ('Multipart/Mixed;BOUNDARY="a b"', "a b"),
        ('multipart/related; type="x; boundary=no"; boundary=yes', "yes"),
        (r'multipart/form-data; boundary="a\"b\\c"', 'a"b\\c'),
        ("multipart/form-data; boundary=a; charset=utf-8", "a"),
        ("multipart/form-data; boundary=--=_a/b:c?d", "--=_a/b:c?d"),
        ('multipart/form-data ; charset = "b" ; boundary\t= a ;', "a"),
        ("multipart/form-data; x-boundary=a", ""),
        ('multipart/form-data; boundary=""', ""),
        ("multipart/form-data", ""),
        ("application/json; boundary=a", ""),
    ],
)
def test_the_boundary_is_what_the_content_type_says(kind: str, expected: str):
    assert boundary((("Accept", "*/*"), ("content-type", kind))) == expected
    assert boundary(()) == ""


def test_a_body_is_split_at_its_delimiter_lines_alone():
    body = (
        b"before\r\n--b \t\r\n"
        b'content-disposition: form-data; filename="name=x"; name="a"\r\n\r\n'
        b"not --b, nor\r\n--bc\r\nnor --b\r\n--b\nX: y\n\nunnamed\n--b--  \r\nafter"
    )
    multipart = split(body, "b")
    assert multipart is not None
    assert list(multipart.parts) == ["preamble", 'part "a"', "part 2", "end"]
    assert multipart.parts["preamble"] == b"before\r\n"
    assert (
        head_and_content(multipart.parts['part "a"'])[1] == b"not --b, nor\r\n--bc\r\nnor --b\r\n"
    )
    assert head_and_content(multipart.parts["part 2"]) == (b"\nX: y\n\n", b"unnamed\n")
    assert multipart.parts["end"] == b"--  \r\nafter"


@pytest.mark.parametrize("body", [b"", b"a --b\r\n", b"--bc\r\n", b'{"a": "--b"}'])
def test_a_body_without_a_delimiter_line_has_no_parts(body: bytes):
    assert split(body, "b") is None
    assert agree(body, "b", body, None)


def test_names_that_come_again_or_cannot_be_printed_are_told_apart():
    multipart = split(form("b", ("a", "1"), ("a", "2"), ("\x7f", "3"), ("é", "4")), "b")
    assert multipart is not None
    names = ['part "a"', 'part "a" (2)', r"part '\x7f'", 'part "é"', "end"]
    assert list(multipart.parts) == names


def test_a_name_is_looked_for_so_far_and_no_further():
    for padding, name in ((1000, 'part "n"'), (5000, "part 1")):
        disposition = f'Content-Disposition: form-data; x="{"y" * padding}"; name="n"'
        multipart = split(f"--b\r\n{disposition}\r\n\r\n--b--".encode(), "b")
        assert multipart is not None
        assert next(iter(multipart.parts)) == name


def test_the_parts_of_a_body_are_bounded():
    multipart = split(b"--b\r\n" * (2 * MAX_PARTS), "b")
    assert multipart is not None
    assert len(multipart.parts) == MAX_PARTS


def test_the_boundary_is_no_part_of_what_is_compared():
    parts = ("model", "m"), ("file", "--x\r\ny")
    assert agree(form("1a", *parts), "1a", form("2b", *parts), '"2b"')
    assert not agree(form("1a", *parts), "1a", form("1a", *parts[::-1]), "1a")
    assert not agree(form("1a", *parts), "1a", form("2b", parts[0], ("file", "z")), "2b")
    assert not agree(form("1a", *parts), "1a", form("2b", *parts)[:-2], "2b")
    assert not agree(form("1a", *parts), "1a", form("1a", *parts), None)


def test_a_delimiter_and_what_looks_like_another_bodys_are_not_the_same():
    one, other = form("1a", ("x", "a\r\n--2b\r\nb")), form("2b", ("x", "a\r\n--2b\r\nb"))
    assert not agree(one, "1a", other, "2b")


def test_the_same_bytes_with_another_boundary_are_not_verbatim_the_same():
    body = form("1a", ("x", "y"))
    assert reading(body, "1a").verbatim() == reading(body, '"1a"').verbatim()
    assert reading(body, "1a").verbatim() != reading(body, "2b").verbatim()
    assert reading(body, "1a").verbatim() != reading(body, None).verbatim()


parts = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.text("-1a\r\n", max_size=12)), max_size=3
)


@given(parts, parts)
def test_there_is_a_difference_exactly_where_the_parts_differ(one: Any, other: Any):
    read = reading(form("1a2b", *one), "1a2b"), reading(form("3c", *other), "3c")
    equal = one == other
    assert (read[0].digest(Level.EXACT) == read[1].digest(Level.EXACT)) is equal
    assert (differences(*read, Level.EXACT) == []) is equal


@pytest.mark.parametrize(
    ("recorded", "received", "expected"),
    [
        (
            [("model", "m"), ("file", "a")],
            [("model", "m"), ("file", "b")],
            [('body: part "file"', b"a", b"b")],
        ),
        (
            [("file", "a")],
            [("file", "a"), ("n", "1")],
            [
                (
                    'body: part "n"',
                    ABSENT,
                    b'\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n',
                )
            ],
        ),
        (
            [("a", ""), ("b", "")],
            [("b", ""), ("a", "")],
            [("body", ['part "a"', 'part "b"', "end"], ['part "b"', 'part "a"', "end"])],
        ),
    ],
)
def test_what_differs_is_named_by_its_part(recorded: Any, received: Any, expected: Any):
    read = reading(form("1a", *recorded), "1a"), reading(form("2b", *received), "2b")
    found = differences(*read, Level.EXACT)
    assert [(each.pointer, each.recorded, each.received) for each in found] == expected
    assert all(each.text().isprintable() for each in found)


def test_a_part_with_other_header_fields_is_told_with_them():
    one, other = (
        form("b", ("f", "x")),
        form("b", ("f", "x")).replace(b"\r\n\r\n", b"\r\nA: b\r\n\r\n"),
    )
    (found,) = differences(reading(one, "b"), reading(other, "b"), Level.EXACT)
    assert found.pointer == 'body: part "f"'
    assert b"A: b" in found.received


def test_parts_and_what_has_none_differ_as_a_whole():
    read = reading(form("b", ("f", "x")), "b"), reading(b"plain", None)
    (found,) = differences(*read, Level.EXACT)
    assert (found.pointer, found.recorded) == ("body", ['part "f"', "end"])
    assert isinstance(read[0].payload, Multipart)
    assert found.to_json()["received"] == '"plain"'
