import re
from pathlib import Path
from typing import Any

import pytest

from wiretape.core.matching import Level, Repeat
from wiretape.core.model import Mode
from wiretape.core.tempo import Order, Speed
from wiretape.errors import UsageError
from wiretape.pyproject import read_config
from wiretape.testing.wishes import gather, of_commands


def mark(*positional: Any, **named: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return positional, named


def test_nothing_wished_is_a_replay_by_the_usual_rules():
    wishes = gather([mark()], [])

    assert (wishes.name, wishes.mode, wishes.pinned) == (None, Mode.REPLAY, False)
    assert (wishes.rules.level, wishes.rules.repeat) == (Level.TOOL_ORDER, Repeat.NONE)
    assert (wishes.speed, wishes.order) == (Speed(None), Order("recorded"))
    assert not wishes.allow_unused


def test_a_mark_can_say_everything():
    wishes = gather(
        [
            mark(
                "loops/first",
                mode="once",
                match="exact",
                ignore=["/seed", "/user"],
                repeat="loop",
                speed=4,
                order="shuffle:7",
                order_timeout=1,
                max_body="17M",
                upstream="http://box:1/",
                secret_headers=["X-Mine"],
                redact="hush-[0-9]+",
                keep_secrets=True,
                allow_unused=True,
            )
        ],
        [],
    )

    assert (wishes.name, wishes.mode, wishes.pinned) == ("loops/first", Mode.ONCE, True)
    assert wishes.rules.level is Level.EXACT
    assert [pointer.text for pointer in wishes.rules.ignore] == ["/seed", "/user"]
    assert wishes.rules.repeat is Repeat.LOOP
    assert (wishes.speed, wishes.order) == (Speed(4), Order("shuffle", 7))
    assert (wishes.order_timeout_s, wishes.upstream) == (1, "http://box:1")
    assert wishes.max_body_bytes == 17 * 1024**2
    assert wishes.secret_headers == frozenset({"x-mine"})
    assert wishes.redact == ("hush-[0-9]+",)
    assert wishes.keep_secrets
    assert wishes.allow_unused


def test_the_closest_mark_beats_the_others_wish_by_wish():
    wishes = gather([mark(match="exact"), mark("shared", match="tool-output", ignore="/seed")], [])

    assert wishes.name == "shared"
    assert wishes.rules.level is Level.EXACT
    assert [pointer.text for pointer in wishes.rules.ignore] == ["/seed"]


def test_marks_beat_flags_which_beat_the_rest():
    flags = {"mode": ("--wiretape-mode", "record"), "order": ("--wiretape-order", "free")}
    ini = {"mode": ("wiretape_mode in the ini file", "once"), "speed": ("ini", "original")}

    assert gather([mark(mode="passthrough")], [flags, ini]).mode is Mode.PASSTHROUGH
    wishes = gather([mark()], [flags, ini])
    assert (wishes.mode, wishes.pinned) == (Mode.RECORD, False)
    assert (wishes.order, wishes.speed) == (Order("free"), Speed(1))
    assert gather([], [ini]).mode is Mode.ONCE


def test_an_unseeded_shuffle_draws_a_seed_that_can_be_told():
    assert gather([mark(order="shuffle")], []).order.seed is not None


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (mark("a", "b"), "takes one name, not 2"),
        (mark("a", name="b"), "has two names"),
        (mark("../a"), "the wiretape mark: bad cassette name"),
        (mark(7), "name is text, not 7"),
        (mark(mach="exact"), "does not know 'mach': did you mean match?"),
        (mark(xyz=1), "does not know 'xyz': it takes name, mode"),
        (mark(mode="sing"), "the wiretape mark: 'sing' is none of record, replay"),
        (mark(match="loose"), "'loose' is none of exact"),
        (mark(ignore="seed"), "the wiretape mark: not a JSON Pointer"),
        (mark(ignore=[1]), "no list of texts"),
        (mark(speed="fast"), "speed"),
        (mark(order="odd"), "order"),
        (mark(ignore=5), "5 is no text and no list of texts"),
        (mark(order_timeout="x"), "'x' is no number of seconds"),
        (mark(order_timeout=-1), "'-1' is no number of seconds"),
        (mark(order_timeout=float("nan")), "'nan' is no number of seconds"),
        (mark(order_timeout=float("inf")), "'inf' is no number of seconds"),
        (mark(upstream="nonsense"), "is not a URL"),
        (mark(max_body="lots"), "the wiretape mark: 'lots' is no size"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(
    bad: tuple[tuple[Any, ...], dict[str, Any]], words: str
):
    with pytest.raises(UsageError, match=re.escape(words)):
        gather([bad], [])


def test_a_bad_wish_elsewhere_names_that_place():
    with pytest.raises(UsageError, match=r"^WIRETAPE_MODE: 'sing' is none of"):
        gather([], [{"mode": ("WIRETAPE_MODE", "sing")}])


TABLE = """
[tool.wiretape]
mode = "record"
dir = "tapes"
redact = "hush-[0-9]+"
secret-header = ["X-Mine", "X-Yours"]
keep-secrets = true
ignore = ["/user", "/seed"]
match = "exact"
order-timeout = 3
max-body = 5000
listen = ":1"
"""


def test_what_wiretapes_commands_are_told_holds_for_tests_too(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text(TABLE)
    wishes = gather([mark()], of_commands({}, read_config(tmp_path)))
    assert wishes.redact == ("hush-[0-9]+",)
    assert wishes.secret_headers == {"x-mine", "x-yours"}
    assert wishes.keep_secrets
    assert [pointer.text for pointer in wishes.rules.ignore] == ["/user", "/seed"]
    assert (wishes.rules.level, wishes.order_timeout_s) == (Level.EXACT, 3.0)
    assert wishes.max_body_bytes == 5000
    # A test is replayed, and its cassette has a place of its own, whatever commands do.
    assert (wishes.mode, wishes.name) == (Mode.REPLAY, None)


def test_the_environment_goes_before_the_table(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text(TABLE)
    environ = {
        "WIRETAPE_MODE": "once",
        "WIRETAPE_REDACT": "a b[0-9]\nc",
        "WIRETAPE_IGNORE": "/a b /c\n/d",
        "WIRETAPE_SECRET_HEADER": "X-A X-B",
        "WIRETAPE_KEEP_SECRETS": "0",
        "WIRETAPE_MATCH": "",
    }
    wishes = gather([mark()], of_commands(environ, read_config(tmp_path)))
    assert wishes.mode is Mode.ONCE
    assert wishes.redact == ("a b[0-9]", "c")
    assert [pointer.text for pointer in wishes.rules.ignore] == ["/a b", "/c", "/d"]
    assert wishes.secret_headers == {"x-a", "x-b"}
    assert not wishes.keep_secrets
    assert wishes.rules.level is Level.EXACT


def test_what_cannot_be_is_told_with_its_place(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text('[tool.wiretape]\nmatch = "loose"\n')
    with pytest.raises(UsageError, match=r"\[tool.wiretape\] in .*pyproject.toml: 'loose' is none"):
        gather([mark()], of_commands({}, read_config(tmp_path)))
    with pytest.raises(UsageError, match="WIRETAPE_MATCH: 'loose' is none"):
        gather([mark()], of_commands({"WIRETAPE_MATCH": "loose"}, read_config(tmp_path)))
