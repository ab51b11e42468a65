from pathlib import Path
from typing import Any

import pytest

from wiretape.core.miss import RECORD_THE_REST
from wiretape.server.serve import Summary
from wiretape.testing.verdict import Verdict, as_mark, verdict

RECORD = "pytest --wiretape-mode=record tests/test_a.py"


def report(mode: str = "replay", **changes: Any) -> dict[str, Any]:
    return {
        "mode": mode,
        "cassette": "/here/cassettes/a.yaml",
        "in_flight": 0,
        "recorded": 0,
        "error": None,
        "used": [asked(1)],
        "unused": [],
        "misses": [],
        "missed_before": 0,
        "used_before": [],
        "stalls": [],
        **changes,
    }


def asked(number: int) -> dict[str, Any]:
    return {
        "cassette": "a",
        "interaction": number,
        "method": "POST",
        "target": "/v1/chat/completions",
    }


def judge(
    *reports: dict[str, Any],
    errors: tuple[str, ...] = (),
    refused: tuple[str, ...] = (),
    allow_unused: bool = False,
    allow_no_requests: bool = False,
) -> Verdict:
    return verdict(
        Summary(reports, (), errors, refused, failed=False),
        record_command=RECORD,
        allow_unused=allow_unused,
        allow_no_requests=allow_no_requests,
        seen_from=Path("/here"),
    )


def test_nothing_is_said_where_all_is_well():
    assert judge(report()).text == ""


def test_a_miss_is_told_once_with_how_often_it_came_and_what_would_help():
    miss = {"text": "no match\nrecord again"}

    said = judge(report(misses=[miss, miss]))

    assert said.text == (
        "wiretape: the test asked for what cassettes/a.yaml does not hold:\n"
        "  no match\n"
        "  record again\n"
        "  (2 times)"
    )


def test_what_a_cassette_holds_does_not_control_the_terminal():
    said = judge(report(misses=[{"text": "no match; recorded: GET /\x1b[31m\u202e"}]))

    assert said.text.endswith(r"recorded: GET /\x1b[31m\u202e")
    (missed,) = said.missed  # as the plugin puts it together
    assert missed.endswith(r"recorded: GET /\x1b[31m\u202e")


def test_a_miss_is_told_with_what_the_order_waited_for():
    stalls = [
        {"waiting": asked(1), "missing": asked(2), "waited_s": 2.0, "paused": paused}
        for paused in (False, True)
    ]

    said = judge(report(misses=[{"text": "no match"}], stalls=stalls))

    waited = "  #1 POST /v1/chat/completions waited 2.0 s for #2 POST /v1/chat/completions"
    assert said.text.splitlines()[2:] == [
        f"{waited}, not there",
        f"{waited}, whose client did not read",
    ]


def test_a_miss_stays_one_when_the_test_rewinds_after_it():
    said = judge(report(missed_before=2))

    assert said.unused == ()
    assert said.text == (
        "wiretape: the test asked for what cassettes/a.yaml does not hold:\n"
        "  2 missed before it was rewound"
    )


def test_unused_recordings_are_told_with_what_to_do_about_them():
    said = judge(report(unused=[asked(2)]))

    assert said.text == (
        "wiretape: the test did not ask for 1 recording in cassettes/a.yaml:\n"
        "  #2 POST /v1/chat/completions\n"
        "  if that is meant: allow_unused=True in the wiretape mark, or wiretape_allow_unused ="
        f" true in the ini file; else record again: {RECORD}"
    )


def test_unused_recordings_are_no_matter_where_that_is_allowed_or_new_ones_are_added():
    assert judge(report(unused=[asked(2)]), allow_unused=True).text == ""
    assert judge(report("new_episodes", unused=[asked(2)])).text == ""


def test_where_nothing_was_asked_that_is_told_instead_of_what_was_not_used():
    nothing = report(used=[], unused=[asked(2)])

    said = judge(nothing, allow_unused=True)

    assert said == judge(nothing) == judge(nothing, report(used=[]))
    assert said.unused == ()
    assert said.text.startswith("wiretape: no request reached the proxy: is the client made at")
    assert judge().unreached == said.unreached
    assert judge(nothing, allow_no_requests=True).text.startswith("wiretape: the test did not ask")


@pytest.mark.parametrize(
    "sign",
    [
        {"in_flight": 1},
        {"recorded": 1},
        {"error": "disk full"},
        {"misses": [{"text": "no match"}]},
        {"missed_before": 1},
        {"used_before": [asked(1)]},
    ],
)
def test_whatever_came_of_a_request_it_reached_the_proxy(sign: dict[str, Any]):
    assert judge(report(used=[], **sign), report(used=[])).unreached == ()


def test_many_are_cut_short():
    said = judge(report(unused=[asked(number) for number in range(13)]))

    assert "13 recordings" in said.text
    assert "#9 POST" in said.text
    assert "#10 POST" not in said.text
    assert "and 3 more" in said.text


def test_refused_cassettes_count_as_missed_and_lost_recordings_as_broken():
    said = judge(errors=("disk full",), refused=("b.yaml: no such cassette",))

    assert said.broken == ("wiretape: disk full",)
    assert said.missed == ("wiretape: b.yaml: no such cassette",)


@pytest.mark.parametrize(
    ("suggestion", "mark"),
    [
        ("--match tool-output --ignore /seed", "match=\"tool-output\", ignore=['/seed']"),
        ("--max-body 17M", 'max_body="17M"'),
        ("--ignore /a --ignore '/b c' --repeat last", "repeat=\"last\", ignore=['/a', '/b c']"),
    ],
)
def test_what_a_miss_suggests_becomes_a_mark(suggestion: str, mark: str):
    assert as_mark(suggestion) == f"@pytest.mark.wiretape({mark})"


@pytest.mark.parametrize("suggestion", ["a base URL that ends in /v1", "--match", "--speed 4"])
def test_what_the_mark_does_not_take_is_left_as_it_is(suggestion: str):
    assert as_mark(suggestion) == suggestion


def test_the_mode_that_records_the_rest_is_a_flag_of_pytest():
    assert as_mark(RECORD_THE_REST) == "--wiretape-mode=new_episodes"


def test_a_missing_redact_is_one_of_the_mark():
    said = as_mark("the --redact that it was redacted with")

    assert said == "the redact=[...] in the mark that it was redacted with"
