from typing import Any

from wiretape.server.report import report_lines


def named(number: int) -> dict[str, Any]:
    return {"cassette": "c", "interaction": number, "method": "POST", "target": "/v1"}


def report(**changes: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        "session": "s",
        "recorded": 0,
        "error": None,
        "order": "recorded",
        "interactions": 0,
        "used": [],
        "unused": [],
        "misses": [],
        "missed_before": 0,
        "misses_left_out": 0,
        "used_before": [],
        "stalls": [],
        "divergences": [],
        "divergences_left_out": 0,
    }
    return nothing | changes


def test_a_session_in_which_nothing_happened_is_not_mentioned():
    assert report_lines(report()) == []


def test_what_was_recorded_is_counted_and_what_went_wrong_said():
    assert report_lines(report(recorded=3, error="disk full")) == [
        "session s: recorded 3 interactions",
        "session s: recording stopped: disk full",
    ]
    assert report_lines(report(recorded=1)) == ["session s: recorded 1 interaction"]


def test_everything_that_deserves_a_look_is_listed():
    lines = report_lines(
        report(
            interactions=3,
            used=[named(1)],
            unused=[{**named(2), "asks": 'user "two"'}],
            misses=[{"text": "no match\n  /a: differs"}],
            stalls=[
                {"waiting": named(1), "missing": named(2), "waited_s": 2.0, "paused": False},
                {"waiting": named(1), "missing": named(3), "waited_s": 2.0, "paused": True},
            ],
            divergences=[
                {**named(1), "match": "tool-order", "differences": []},
                {
                    **named(3),
                    "match": "tool-output",
                    "differences": [{"pointer": "/x", "recorded": "1", "received": "2"}],
                },
            ],
            divergences_left_out=4,
        )
    )
    assert lines == [
        "session s: 3 recorded, 1 used, 1 unused, 1 missed",
        "  missed: no match",
        "      /a: differs",
        '  unused: #2 POST /v1 in c: user "two"',
        "  stalled: #1 POST /v1 in c waited 2.0 s for #2 POST /v1 in c, not there",
        "  stalled: #1 POST /v1 in c waited 2.0 s for #3 POST /v1 in c, whose client did not read",
        "  matched by tool-output only: #3 POST /v1 in c",
        "    /x: recorded 1, received 2",
        "  4 more matched, but not to the letter",
    ]


def test_long_lists_are_cut():
    missed = report(misses=[{"text": f"no match {n}"} for n in range(50)], misses_left_out=7)
    lines = report_lines(missed)
    assert len(lines) == 12
    assert lines[-1] == "  and 47 more"


def test_of_what_was_not_used_a_few_are_named_and_all_where_that_is_a_failure():
    unused = report(interactions=50, unused=[named(n) for n in range(50)])
    assert report_lines(unused) == [
        "session s: 50 recorded, 0 used, 50 unused, 0 missed",
        "  unused: #0 POST /v1 in c",
        "  unused: #1 POST /v1 in c",
        "  unused: #2 POST /v1 in c",
        "  and 47 more",
    ]
    assert len(report_lines(unused, strict=True)) == 51


def test_a_shuffle_can_be_had_again():
    lines = report_lines(report(interactions=1, used=[named(1)], order="shuffle:7"))
    assert lines[1] == "  to have this order again: --order shuffle:7"
