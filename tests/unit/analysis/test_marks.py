import pytest

from unit.analysis.streams import CHAT, JSON, call_delta, chat_chunk, dumped, interaction, sse
from wiretape.analysis.answer import ToolCall
from wiretape.analysis.events import parse_json
from wiretape.analysis.marks import MarkKind, marks_of, refines, repeats
from wiretape.analysis.transcript import transcript
from wiretape.core.model import Outcome


def call(raw, name="run", index=0):
    return ToolCall(index, None, name, parse_json(raw, strict=True), raw, (0,), 0, 0)


def found(chunks, **given: object):
    return marks_of(transcript(interaction(chunks, **given)))


def kinds(chunks, **given: object):
    return [mark.kind for mark in found(chunks, **given)]


def calling(*raws: object, finish="tool_calls"):
    deltas = [call_delta(index, f"c{index}", "run", raw) for index, raw in enumerate(raws)]
    return sse(*map(chat_chunk, deltas), chat_chunk({}, finish), "[DONE]")


TALK = sse(chat_chunk({"content": "a"}), chat_chunk({"content": "b"}), chat_chunk({}, "stop"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"command":"ls"}', '{"command":"ls -l"}'),
        ('{"command":"ls"}', '{"command":"ls -la"}'),
        ('{"command":"ls -l"}', '{"command":"ls -la"}'),
        ('{"command":"ls "}', '{"command":"ls -l"}'),
        ('{"path":"/tmp"}', '{"path":"/tmp/x"}'),
        ('{"path":"a"}', '{"path":"a","deep":true}'),
        ('{"path":"a","cmd":"ls"}', '{"path":"a","cmd":"ls; pwd","n":1}'),
        ('"ls"', '"ls -l"'),
    ],
)
def test_a_call_that_asks_for_more_refines(before, after):
    assert refines(call(before), call(after))
    assert not refines(call(after), call(before))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"command":"ls"}', '{"command":"ls"}'),
        ('{"command":"ls"}', '{"command":"ls "}'),
        ('{"command":"ls"}', '{"command":"lsof"}'),
        ('{"command":"ls"}', '{"command":"pwd"}'),
        ('{"command":""}', '{"command":"ls"}'),
        ('{"command":"ls","n":1}', '{"command":"ls -l","n":2}'),
        ('{"n":1}', '{"n":10}'),
        ("{}", '{"n":10}'),
        ('{"command":"ls"}', '{"cmd":"ls -l"}'),
        ('{"command":"ls', '{"command":"ls -l"}'),
    ],
)
def test_any_other_call_does_not(before, after):
    assert not refines(call(before), call(after))


def test_only_the_same_function_refines_or_repeats():
    assert not refines(call('{"a":"ls"}', "f"), call('{"a":"ls -l"}', "g"))
    assert not repeats(call("{}", "f"), call("{}", "g"))


def test_a_call_repeats_whatever_its_key_order_and_spacing():
    assert repeats(call('{"a":1,"b":2}'), call('{"b": 2, "a": 1}'))
    assert not repeats(call('{"a":1}'), call('{"a":2}'))
    assert repeats(call("{torn"), call("{torn"))
    assert not repeats(call("{torn"), call("{also"))


def test_the_stream_of_the_notes_is_parallel_and_refined():
    parallel, refined = found(calling('{"command":"ls"}', '{"command":"ls -l"}'))
    assert (parallel.kind, parallel.calls, parallel.chunks) == (
        MarkKind.PARALLEL_CALLS,
        (0, 1),
        (0, 1),
    )
    assert (refined.kind, refined.calls) == (MarkKind.REFINED_CALL, (0, 1))
    assert refined.text == 'call 2 run(command="ls -l") refines call 1 run(command="ls")'


def test_a_call_is_held_against_the_nearest_it_refines_or_repeats():
    raws = ['{"c":"ls"}', '{"c":"ls -l"}', '{"c":"ls -l /"}', '{"c":"ls"}']
    about = [(mark.kind, mark.calls) for mark in found(calling(*raws))[1:]]
    assert about == [
        (MarkKind.REFINED_CALL, (0, 1)),
        (MarkKind.REFINED_CALL, (1, 2)),
        (MarkKind.REPEATED_CALL, (0, 3)),
    ]


@pytest.mark.parametrize(("raw", "words"), [('{"a":', "are not valid JSON"), ("", "are empty")])
def test_arguments_that_are_not_json_are_marked(raw, words):
    (mark,) = found(calling(raw))
    assert (mark.kind, mark.calls) == (MarkKind.INVALID_ARGUMENTS, (0,))
    assert words in mark.text


def test_an_ordinary_answer_has_no_marks():
    assert found(TALK) == ()
    assert found(calling("{}")) == ()


def test_an_answer_that_just_stops_is_marked():
    assert kinds(TALK[:2]) == [MarkKind.NO_FINISH]
    assert kinds([]) == [MarkKind.NO_FINISH]


def test_a_stop_of_only_some_choices_is_marked():
    chunks = sse(chat_chunk({"content": "a"}, "stop"), chat_chunk({"content": "b"}, index=1))
    assert kinds(chunks) == [MarkKind.NO_FINISH]


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome.CLIENT_DISCONNECTED, MarkKind.CANCELLED),
        (Outcome.UPSTREAM_CLOSED, MarkKind.CUT_OFF),
        (Outcome.UPSTREAM_RESET, MarkKind.CUT_OFF),
        (Outcome.UPSTREAM_TIMEOUT, MarkKind.CUT_OFF),
        (None, MarkKind.CUT_OFF),
    ],
)
def test_a_stream_that_was_not_allowed_to_end_is_marked_with_the_place(outcome, kind):
    (mark,) = found(TALK[:1], outcome=outcome)
    assert (mark.kind, mark.chunks) == (kind, (0,))
    assert f"(chunk 1, byte {len(TALK[0])})" in mark.text


def test_no_answer_at_all_is_cut_off():
    assert kinds([], status=None, outcome=Outcome.UPSTREAM_UNREACHABLE) == [MarkKind.CUT_OFF]


def test_an_error_is_marked_and_no_missing_finish_beside_it():
    assert kinds([dumped({"error": "no"}).encode()], headers=JSON, status=500) == [MarkKind.ERROR]


def test_a_garbled_event_is_marked():
    (mark,) = found([TALK[0], b"data: {#\n\n", TALK[2]])
    assert (mark.kind, mark.chunks) == (MarkKind.BROKEN, (1,))


MS = 1000


@pytest.mark.parametrize(
    ("times_ms", "stalls"),
    [
        ([10, 20, 30, 40, 50], []),
        ([10, 20, 30, 1020, 1030], []),
        ([10, 20, 30, 1040, 1050], [(2, 3)]),
        ([10, 5000], [(0, 1)]),
        ([10, 2010, 4010, 6010], []),
        ([*range(10, 200, 10), 2000], [(18, 19)]),
        ([0, *range(500, 10_000, 500), 14_000], []),
        ([0, *range(500, 10_000, 500), 14_500], []),
        ([0, *range(500, 10_000, 500), 14_501], [(19, 20)]),
    ],
)
def test_a_stall_is_over_a_second_and_over_ten_usual_gaps(times_ms, stalls):
    chunks = [TALK[0]] * len(times_ms)
    times = [time * MS for time in times_ms]
    about = [
        mark.chunks
        for mark in found(chunks, times_us=times, outcome=None)
        if mark.kind is MarkKind.STALL
    ]
    assert about == stalls


def test_events_in_several_chunks_are_counted():
    (mark,) = found([TALK[0][:9], TALK[0][9:] + TALK[2][:9], TALK[2][9:]])
    assert (mark.kind, mark.text) == (MarkKind.SPLIT_EVENTS, "2 events came in several chunks")


def test_a_request_that_is_no_conversation_needs_no_finish():
    assert kinds([b"{}"], headers=JSON, target="/v1/models", method="GET") == []
    assert kinds([b"x"], headers=(), target="/other") == []
    assert MarkKind.NO_FINISH in kinds([b"data: 1\n\n"], target=CHAT)


def test_thousands_of_calls_are_compared_in_reasonable_time():
    raws = [dumped({"c": f"x{number}"}) for number in range(2000)]
    assert kinds(calling(*raws)) == [MarkKind.PARALLEL_CALLS]
