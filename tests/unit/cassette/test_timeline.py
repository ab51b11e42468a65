import pytest

from wiretape.cassette.timeline import Timeline
from wiretape.core.model import EMPTY_BODY, Chunk, End, Entry, Outcome, Request, Response


def asked(number: int = 1, at_us: int = 0) -> Request:
    return Request(number, at_us, "GET", "/", (), EMPTY_BODY)


def answered(number: int = 1, at_us: int = 0) -> Response:
    return Response(number, at_us, 200, ())


def chunk(number: int = 1, at_us: int = 0) -> Chunk:
    return Chunk(number, at_us, b"x")


def ended(number: int = 1, at_us: int = 0) -> End:
    return End(number, at_us, Outcome.COMPLETE)


def line_up(*entries: Entry) -> Timeline:
    timeline = Timeline()
    for line, entry in enumerate(entries, 5):
        timeline.add(entry, line)
    return timeline


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([answered()], "response 1 stands before its request"),
        ([chunk()], "chunk 1 stands before its request"),
        ([ended()], "end 1 stands before its request"),
        ([asked(), chunk()], "chunk 1 stands before its response"),
        ([asked(), asked()], "a second request 1"),
        ([asked(), answered(), answered()], "a second response 1"),
        ([asked(), ended(), ended()], "end 1 stands after its end"),
        ([asked(), answered(), ended(), chunk()], "chunk 1 stands after its end"),
        ([asked(), ended(), answered()], "response 1 stands after its end"),
        ([asked(1), answered(1), asked(2), chunk(2)], "chunk 2 stands before its response"),
    ],
)
def test_entries_out_of_order_are_refused(entries, reason):
    with pytest.raises(ValueError, match=reason):
        line_up(*entries)


def test_a_whole_life_has_no_warnings():
    timeline = line_up(asked(2), asked(1), answered(1), chunk(), chunk(), ended(1), ended(2))
    assert timeline.warnings() == []
    assert timeline.unfinished() == ()
    assert len(timeline.entries) == 7


def test_interactions_without_an_end_are_named():
    timeline = line_up(asked(3), asked(1), asked(2), ended(1))
    assert timeline.unfinished() == (3, 2)
    assert timeline.warnings() == ["interaction 3 has no end", "interaction 2 has no end"]


def test_time_that_goes_back_is_a_warning():
    once = line_up(asked(at_us=5), answered(at_us=4), ended(at_us=4))
    assert once.warnings() == ["line 6: `at` goes back"]
    thrice = line_up(asked(at_us=9), answered(at_us=4), chunk(at_us=3), ended(at_us=2))
    assert thrice.warnings() == ["line 6: `at` goes back (and 2 more times)"]
