import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from unit.analysis.streams import (
    CHAT,
    JSON,
    call_delta,
    cassette,
    chat_chunk,
    dumped,
    entries,
    sse,
)
from wiretape.analysis.stats import Spread, percentile, stats
from wiretape.analysis.stats_text import stats_text
from wiretape.core.model import Outcome

ASKED = {"model": "m"}
TALK = sse(chat_chunk({"content": "a"}), chat_chunk({"content": "b"}, "stop"))


def calling(*raws: str):
    deltas = [call_delta(index, f"c{index}", "run", raw) for index, raw in enumerate(raws)]
    return sse(*map(chat_chunk, deltas), chat_chunk({}, "tool_calls"))


def counted(*groups: object):
    return stats([cassette(*groups)])


def one_row(*groups: object):
    (row,) = counted(*groups).rows
    return row


def test_rows_are_per_model_and_endpoint_over_all_cassettes():
    first = cassette(entries(TALK, asked=ASKED), entries(TALK, asked={"model": "k"}, number=2))
    second = cassette(
        entries(TALK, asked=ASKED, target=f"{CHAT}?x=1"),
        entries(TALK, asked=ASKED, target="/v1/completions", number=2),
        entries([b"{}"], JSON, target="/api/tags", method="GET", number=3),
    )
    counts = stats(iter([first, second]))
    assert counts.cassettes == 2
    assert [(row.model, row.endpoint, row.interactions) for row in counts.rows] == [
        (None, "/api/tags", 1),
        ("k", CHAT, 1),
        ("m", CHAT, 2),
        ("m", "/v1/completions", 1),
    ]


def test_the_model_of_the_answer_stands_in_where_none_was_asked_for():
    assert one_row(entries(TALK)).model == "m"


def test_outcomes_statuses_and_finish_reasons_are_counted():
    row = one_row(
        entries(TALK),
        entries(TALK, number=2),
        entries(TALK[:1], number=3, outcome=Outcome.CLIENT_DISCONNECTED),
        entries(TALK[:1], number=4, outcome=None),
    )
    assert row.outcomes == {"complete": 2, "client_disconnected": 1, "unfinished": 1}
    assert row.statuses == {"200": 4}
    assert row.finish_reasons == {"stop": 2, "none": 2}
    assert stats([cassette(entries([], status=None))]).rows[0].statuses == {"none": 1}


def test_calls_are_counted_by_answer_and_by_what_deserves_a_look():
    row = one_row(
        entries(TALK),
        entries(calling('{"c":"ls"}'), number=2),
        entries(calling('{"c":"ls"}', '{"c":"ls -l"}', '{"c":"ls"}', "{torn"), number=3),
    )
    assert (row.answers, row.calls, row.calls_per_answer) == (3, 5, {0: 1, 1: 1, 4: 1})
    assert (row.parallel, row.parallel_share) == (1, pytest.approx(1 / 3))
    assert row.mean_calls == pytest.approx(5 / 3)
    assert (row.refined, row.repeated, row.invalid) == (1, 1, 1)


def test_an_error_is_no_answer():
    row = one_row(entries([dumped({"error": "no"}).encode()], JSON, status=500))
    assert (row.answers, row.parallel_share, row.mean_calls) == (0, None, None)


def test_times_are_measured_from_the_request_and_gaps_within_a_response():
    usage = sse(
        {**chat_chunk(), "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
    )
    times = [20_000, 50_000, 60_000]
    row = one_row(
        entries([*TALK, *usage], times_us=times),
        entries([*TALK, *usage], times_us=times, number=2, began_us=5_000_000),
    )
    assert row.head_s == Spread(2, 0.01, 0.01, 0.01)
    assert row.first_token_s == Spread(2, 0.02, 0.02, 0.02)
    assert row.gap_s == Spread(4, 0.01, 0.03, 0.03)
    assert (row.tokens_in, row.tokens_out) == (14, 4)
    assert row.tokens_per_s.p50 == pytest.approx(1 / 0.03)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 50, None),
        ([3], 99, 3),
        ([1, 2], 50, 1),
        ([1, 2, 3], 50, 2),
        (list(range(1, 101)), 90, 90),
        (list(range(1, 101)), 99, 99),
        (list(range(1, 1001)), 99, 990),
    ],
)
def test_percentiles_are_by_nearest_rank(values, percent, expected):
    assert percentile(values, percent) == expected


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_are_measured_values_in_order(values):
    spread = Spread.of(values)
    assert {spread.p50, spread.p90, spread.p99} <= set(values)
    assert spread.p50 <= spread.p90 <= spread.p99


def test_json_and_csv_hold_every_figure():
    counts = counted(entries(calling("{}", "{}"), asked={"model": 'a,"b"\n'}))
    shown = json.loads(json.dumps(counts.to_json(), allow_nan=False))
    (row,) = shown["rows"]
    assert (row["model"], row["outcomes"], row["parallel_share"]) == ('a,"b"\n', {"complete": 1}, 1)
    assert row["calls_per_answer"] == {"2": 1}
    assert row["gap_s"] == {"count": 2, "p50": 0.01, "p90": 0.01, "p99": 0.01}
    out = io.StringIO()
    csv.writer(out).writerows(counts.csv_rows())
    (line,) = csv.DictReader(io.StringIO(out.getvalue(), newline=""))
    assert (line["model"], line["outcomes"], line["gap_s.p99"]) == ('a,"b"\n', "complete=1", "0.01")
    assert line["tokens_per_s.p50"] == ""


def test_nothing_gives_no_rows():
    assert stats([]).csv_rows() == []
    assert stats([]).to_json() == {"cassettes": 0, "rows": []}
    assert rendered(stats([])) == "0 interactions in 0 cassettes\n"


def rendered(counts, width=80):
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(stats_text(counts))
    return out.getvalue()


def test_the_tables_fit_and_show_the_figures():
    text = rendered(
        counted(
            entries(
                calling('{"c":"ls"}', '{"c":"ls -l"}'), asked={"model": "long-model-name:70b" * 2}
            ),
            entries([b"{}"], JSON, target="/api/tags", method="GET", number=2),
        )
    )
    assert "2 interactions in 1 cassette\n" in text
    assert "tool_calls 1" in text
    assert "1 (100%)" in text
    assert "2 (2.0)" in text
    assert "p99" in text
    assert all(cell_len(line) <= 80 for line in text.splitlines())


def test_a_hostile_name_does_not_reach_the_terminal():
    chunks = sse(chat_chunk({"content": "a"}, "[red]stop"))
    text = rendered(counted(entries(chunks, asked={"model": "\x1b[2J[bold]"}, target="/\x9b")))
    assert not set(text) & set("\x1b\x9b")
    assert "[red]stop" in text
    assert "[bold]" in text


def test_the_tables_tell_refusals_which_are_whole_as_outcomes_go():
    text = rendered(
        counted(entries([b"{}"], JSON, asked=ASKED, status=529), entries(TALK, number=2))
    )
    assert "529 1" in text
    assert "200 1" in text
