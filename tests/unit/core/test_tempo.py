"""Spellings of speed and order."""

from __future__ import annotations

import math

import pytest

from wiretape.core.tempo import Order, Speed
from wiretape.errors import UsageError


@pytest.mark.parametrize(
    ("text", "factor"),
    [("instant", None), ("original", 1.0), ("4", 4.0), ("0.5", 0.5), ("1e3", 1000.0), ("1", 1.0)],
)
def test_speed_reads_its_spellings(text, factor):
    assert Speed.parse(text).factor == factor


@pytest.mark.parametrize("text", ["instant", "original", "4", "0.5"])
def test_speed_prints_what_it_reads(text):
    assert str(Speed.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "fast", "Instant", "0", "-1", "inf", "-inf", "nan", "1e999", "5e-324", "4x", "instant:2"],
)
def test_a_speed_that_cannot_be_is_refused_in_one_line(text):
    with pytest.raises(UsageError) as caught:
        Speed.parse(text)
    assert str(caught.value) == (
        f"bad speed {text!r}: use instant, original or a factor such as 4 (four times as fast)"
    )


@pytest.mark.parametrize("factor", [0.0, -1.0, math.inf, math.nan])
def test_a_factor_is_checked_however_it_is_given(factor):
    with pytest.raises(UsageError, match="bad speed"):
        Speed(factor)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("recorded", Order("recorded")),
        ("free", Order("free")),
        ("shuffle:7", Order("shuffle", 7)),
        ("shuffle:0", Order("shuffle", 0)),
        ("shuffle", Order("shuffle", 42)),
    ],
)
def test_order_reads_its_spellings(text, order):
    assert Order.parse(text, drawn_seed=42) == order


def test_an_order_names_its_seed():
    assert str(Order.parse("shuffle", drawn_seed=42)) == "shuffle:42"
    assert [str(Order.parse(text)) for text in ("recorded", "free")] == ["recorded", "free"]


@pytest.mark.parametrize("text", ["", "Recorded", "random", "recorded:1", "free:", "shuffled:1"])
def test_an_unknown_order_is_refused_in_one_line(text):
    with pytest.raises(UsageError) as caught:
        Order.parse(text)
    assert str(caught.value) == (
        f"unknown order {text!r}: use recorded, free, shuffle or shuffle:SEED"
    )


@pytest.mark.parametrize("seed", ["", "x", "-1", "1.5", " 1", "1_0", "\u0663", "9" * 5000])
def test_a_bad_seed_is_refused_in_one_line(seed):
    with pytest.raises(UsageError) as caught:
        Order.parse(f"shuffle:{seed}")
    assert str(caught.value).startswith(f"bad seed in 'shuffle:{seed[:20]}")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("kind", "seed"), [("shuffle", None), ("recorded", 1), ("free", 1)])
def test_only_a_shuffle_has_a_seed(kind, seed):
    with pytest.raises(ValueError, match="seed"):
        Order(kind, seed)
