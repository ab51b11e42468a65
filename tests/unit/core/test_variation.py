"""Bodies with members set: which member, which value, and what cannot be set."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.core.variation import Assignment, label_of, varied
from wiretape.errors import UsageError

CHAT = "/v1/chat/completions"
DEEP = "[" * 100_000 + "]" * 100_000


def with_set(body: object, *assignments: str, path: str = CHAT) -> object:
    parsed = [Assignment.parse(each) for each in assignments]
    return json.loads(varied(json.dumps(body).encode(), path, parsed))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("temperature=0.7", {"model": "a", "temperature": 0.7}),
        ("model=qwen/x:7b", {"model": "qwen/x:7b"}),
        ("stream=false", {"model": "a", "stream": False}),
        ("stop=null", {"model": "a", "stop": None}),
        ('stop=["a","b"]', {"model": "a", "stop": ["a", "b"]}),
        ("note=a=b", {"model": "a", "note": "a=b"}),
        ("options.num_ctx=4", {"model": "a", "options": {"num_ctx": 4}}),
        ("model=", {}),
        ("nothing=", {"model": "a"}),
    ],
)
def test_a_member_is_set_to_json_or_text_or_taken_away(text: str, expected: object):
    assert with_set({"model": "a"}, text) == expected


def test_ollamas_own_endpoints_keep_sampling_in_options():
    body = {"options": {"seed": 1}}
    asked = with_set(body, "temperature=1", "model=m", "seed=2", path="/api/chat")
    assert asked == {"model": "m", "options": {"seed": 2, "temperature": 1}}
    assert with_set(body, "temperature=1")["temperature"] == 1  # type: ignore[index]


def test_what_nobody_sets_stays_to_the_byte():
    assert varied(b'{ "a":1e0 }', CHAT, []) == b'{ "a":1e0 }'


@pytest.mark.parametrize("text", ["temperature", "=1", "a..b=1", ".a=1"])
def test_what_is_no_assignment_is_refused(text: str):
    with pytest.raises(UsageError, match="write NAME=VALUE"):
        Assignment.parse(text)


@pytest.mark.parametrize(
    ("body", "text", "said"),
    [
        (b"[1]", "a=1", "no JSON object"),
        (b"\xff", "a=1", "no JSON object"),
        (b'{"a": 1}', "a.b=1", "'a' is no object"),
        (b'{"a": %s}' % DEEP.encode(), "b=1", "its body is nested too deeply"),
        (b"{}", f"b={DEEP}", "cannot set 'b': the value is nested too deeply"),
    ],
    ids=lambda given: str(given)[:40],
)
def test_what_cannot_be_set_is_refused(body: bytes, text: str, said: str):
    with pytest.raises(UsageError, match=said):
        varied(body, CHAT, [Assignment.parse(text)])


def test_a_label_tells_variations_apart():
    def label(*texts: str) -> str:
        return label_of([Assignment.parse(each) for each in texts])

    assert label() == ""
    assert label("temperature=0.7", "seed=1") == "temperature=0.7,seed=1"
    assert label("model=a/b:c").startswith("model=a_b_c-")
    assert label("model=a/b:c") != label("model=a_b:c")


@given(st.text(min_size=1), st.text())
def test_a_label_is_fit_for_any_file_name(name: str, value: str):
    try:
        assignment = Assignment.parse(f"{name}={value}")
    except UsageError:
        return
    label = label_of([assignment])
    assert len(label) < 100
    assert label.isascii()
    assert not set(label) & set("/\\~: \0")
