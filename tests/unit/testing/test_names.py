import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.testing.names import LONGEST, differ_in_case_alone, safe_name

SAFE = set(string.ascii_letters + string.digits + "_.[]()+=,@ -")


@pytest.mark.parametrize(
    "name", ["test_loop", "TestAgent.test_calls[gpt-4o]", "test_x[a=1,b=2]", "test_x[list files]"]
)
def test_an_ordinary_name_is_itself(name: str):
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("test_x[a/b]", "test_x[a_b]-"),
        ("test_x[a:b]", "test_x[a_b]-"),
        ("test_x[naïve]", "test_x[na_ve]-"),
        ("test_x[\\n\x00]", "test_x[_n_]-"),
        ("..", "_.._-"),
        ("aux.test_x", "_aux.test_x-"),
        ("NUL", "_NUL-"),
        ("", "-"),
        ("test_x.", "test_x._-"),
    ],
)
def test_what_some_file_system_refuses_is_replaced_and_kept_apart_by_a_hash(text: str, start: str):
    name = safe_name(text)

    assert name.startswith(start)
    assert len(name) == len(start) + 8


def test_names_stay_the_same_from_version_to_version():
    # A cassette that was committed must be found again.
    assert safe_name("test_x[a/b]") == "test_x[a_b]-804c3669"
    assert safe_name("test_x[A]", ambiguous=True) == "test_x[A]-ebb68795"


@given(st.text())
def test_a_safe_name_is_a_name_on_every_file_system(text: str):
    name = safe_name(text)

    assert name
    assert set(name) <= SAFE
    assert len(name) <= LONGEST
    assert name[0] not in ". "
    assert name[-1] not in ". "
    assert name.split(".")[0].lower() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}


@given(st.text(), st.text())
def test_different_texts_have_different_names_whatever_the_case(one: str, other: str):
    if one != other:
        alike = safe_name(one).casefold() == safe_name(other).casefold()
        assert not alike or one.casefold() == other.casefold()
        unclear = one.casefold() == other.casefold()
        names = {safe_name(text, ambiguous=unclear).casefold() for text in (one, other)}
        assert len(names) == 2


def test_names_that_differ_in_case_alone_are_found():
    assert differ_in_case_alone("test_a", ["test_a", "test_A"])
    assert not differ_in_case_alone("test_a", ["test_a", "test_b"])
