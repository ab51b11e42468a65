import json
from typing import Any

import pytest

from wiretape.core import matching
from wiretape.core.likeness import MOST_LIKELY
from wiretape.core.matching import (
    Level,
    Match,
    Matcher,
    Miss,
    Repeat,
    Rules,
    parse_pointer,
)
from wiretape.core.miss import RECORD_THE_REST
from wiretape.core.model import EMPTY_BODY, Body, Headers, Request

TARGET = "/v1/chat/completions"


def request(
    body: Any, number: int = 1, method: str = "POST", target: str = TARGET, headers: Headers = ()
) -> Request:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request(number, 0, method, target, headers, Body.of(content))


def matcher(*bodies: Any, level: Level = Level.TOOL_ORDER, **rules: Any) -> Matcher:
    """A matcher of these requests, or chat bodies, with the keys (0, 1), (0, 2) and so on."""
    requests = [body if isinstance(body, Request) else request(body) for body in bodies]
    recorded = [((0, number), each) for number, each in enumerate(requests, 1)]
    return Matcher(recorded, Rules(level, **rules))


def ask(index: Matcher, body: Any) -> Match | Miss:
    live = body if isinstance(body, Request) else request(body)
    asked = live.method, live.target, live.headers, live.body
    return index.find(*asked) or index.miss(*asked)


def answers(index: Matcher, *bodies: Any) -> list[int | str]:
    """The number of the recording that each request got, or why it got none."""
    found = [ask(index, body) for body in bodies]
    return [each.key[1] if isinstance(each, Match) else str(each.reason) for each in found]


def chat(*texts: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": t} for t in texts], **more}


def results(*named: str) -> dict[str, Any]:
    """A conversation with one result for each `ID=TEXT`."""
    body = chat("go")
    for each in named:
        name, text = each.split("=")
        body["messages"].append({"role": "tool", "tool_call_id": name, "content": text})
    return body


def test_equal_requests_are_answered_in_recorded_order_and_each_once():
    index = matcher(chat("a"), chat("b"), chat("a"), chat("a"))
    assert answers(index, *[chat("a")] * 4, chat("b")) == [1, 3, 4, "exhausted", 2]


def test_spelling_does_not_break_the_order_of_equal_requests():
    spaced = request(b'{ "model": "m", "messages": [{"content": "a", "role": "user"}] }')
    index = matcher(chat("a"), spaced, chat("a"))
    assert answers(index, spaced, spaced, spaced) == [1, 2, 3]


def test_the_level_of_a_match_is_the_tightest_at_which_the_two_agree():
    recorded = [results("a=A", "b=B")] * 3
    index = matcher(*recorded, level=Level.TOOL_OUTPUT)
    found = [
        ask(index, results("b=B", "a=A")),
        ask(index, results("b=C", "a=A")),
        ask(index, results("a=A", "b=B")),
    ]
    assert found == [
        Match((0, 1), Level.TOOL_ORDER, repeated=False),
        Match((0, 2), Level.TOOL_OUTPUT, repeated=False),
        Match((0, 3), Level.EXACT, repeated=False),
    ]


def test_a_tighter_match_is_preferred_to_an_earlier_recording():
    index = matcher(results("a=A", "b=B"), results("b=B", "a=A"))
    assert answers(index, results("b=B", "a=A"), results("b=B", "a=A")) == [2, 1]


def test_a_recording_that_one_level_used_is_used_at_all_of_them():
    index = matcher(results("a=A", "b=B"))
    live = results("b=B", "a=A")
    assert answers(index, live, results("a=A", "b=B"), live) == [1, "exhausted", "exhausted"]


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (Level.EXACT, ["no-match", "no-match"]),
        (Level.TOOL_ORDER, [1, "no-match"]),
        (Level.TOOL_OUTPUT, [1, 2]),
    ],
)
def test_a_level_allows_no_more_than_it_says(level: Level, expected: list[Any]):
    index = matcher(results("a=A", "b=B"), results("a=A", "b=B"), level=level)
    assert answers(index, results("b=B", "a=A"), results("b=B", "a=X")) == expected


@pytest.mark.parametrize(
    ("repeat", "expected"),
    [
        (Repeat.NONE, [1, 3, "exhausted", "exhausted", "exhausted", 2]),
        (Repeat.LAST, [1, 3, 3, 3, 3, 2]),
        (Repeat.LOOP, [1, 3, 1, 3, 1, 2]),
    ],
)
def test_what_follows_the_last_recording(repeat: Repeat, expected: list[Any]):
    index = matcher(chat("a"), chat("b"), chat("a"), repeat=repeat)
    assert answers(index, *[chat("a")] * 5, chat("b")) == expected


def test_a_repeated_answer_says_that_it_is_one():
    index = matcher(chat("a"), repeat=Repeat.LAST)
    assert [ask(index, chat("a")).repeated for _ in range(3)] == [False, True, True]


def test_unused_recordings_are_preferred_to_repeating():
    index = matcher(
        results("a=A", "b=B"), results("b=B", "a=A"), repeat=Repeat.LAST, level=Level.TOOL_OUTPUT
    )
    live = results("a=A", "b=B")
    assert answers(index, live, live, live) == [1, 2, 1]


@pytest.mark.parametrize(
    ("repeat", "expected"),
    [
        (Repeat.NONE, [1, 2, "exhausted"]),
        (Repeat.LAST, [1, 1, 2]),
        (Repeat.LOOP, [1, 1, 2]),
    ],
)
def test_an_answer_is_repeated_before_that_of_another_output_is_given(
    repeat: Repeat, expected: list[Any]
):
    index = matcher(results("a=A"), results("a=B"), repeat=repeat, level=Level.TOOL_OUTPUT)
    assert answers(index, results("a=A"), results("a=A"), results("a=B")) == expected


def test_where_results_came_in_another_order_only_the_answer_is_repeated_too():
    index = matcher(
        results("a=A", "b=B"), results("a=A", "b=X"), repeat=Repeat.LAST, level=Level.TOOL_OUTPUT
    )
    assert answers(index, *[results("b=B", "a=A")] * 2, results("b=X", "a=A")) == [1, 1, 2]


def test_outputs_that_were_never_recorded_take_the_recordings_in_turn():
    index = matcher(results("a=A"), results("a=B"), repeat=Repeat.LAST, level=Level.TOOL_OUTPUT)
    assert answers(index, *(results(f"a={number}") for number in range(4))) == [1, 2, 2, 2]


@pytest.mark.parametrize("repeat", Repeat)
def test_metadata_repeats_its_last_answer_whatever_the_rule(repeat: Repeat):
    models = Request(1, 0, "GET", "/v1/models", (), EMPTY_BODY)
    head = Request(1, 0, "HEAD", "/", (), EMPTY_BODY)
    show = request({"model": "m"}, target="/api/show")
    index = matcher(models, head, show, models, repeat=repeat)
    assert answers(index, models, models, models, models) == [1, 4, 4, 4]
    assert answers(index, show, show, head, head) == [3, 3, 2, 2]
    assert answers(index, request({"model": "other"}, target="/api/show")) == ["no-match"]


def test_unused_recordings_are_named_but_for_metadata():
    models = Request(1, 0, "GET", "/v1/models", (), EMPTY_BODY)
    index = matcher(chat("a"), models, chat("b"))
    ask(index, chat("a"))
    assert index.unused() == [(0, 3)]


@pytest.mark.parametrize("repeat", Repeat)
def test_rewinding_makes_every_recording_unused(repeat: Repeat):
    index = matcher(chat("a"), results("a=A", "b=B"), chat("a"), repeat=repeat)
    asked = [*[chat("a")] * 4, results("b=B", "a=A")]
    first = answers(index, *asked)
    index.rewind()
    assert index.unused() == [(0, 1), (0, 2), (0, 3)]
    assert answers(index, *asked) == first


def test_ignored_parts_may_differ():
    index = matcher(chat("a", user="x"), chat("a", user="y"), ignore=(parse_pointer("/user"),))
    assert answers(index, chat("a"), chat("a", user="z"), chat("b", user="x")) == [1, 2, "no-match"]


def test_a_recording_added_later_comes_after_the_others():
    index = matcher(chat("a"))
    index.add((0, 2), request(chat("a")))
    index.add((0, 3), request(results("a=A", "b=B")))
    assert answers(index, chat("a"), chat("a"), results("b=B", "a=A")) == [1, 2, 3]


def test_finding_explains_nothing():
    index = matcher(chat("a"))
    live = request(chat("a"))
    asked = (live.method, live.target, live.headers, live.body)
    assert index.find(*asked) == Match((0, 1), Level.EXACT, repeated=False)
    assert index.find(*asked) is None


def test_headers_do_not_count():
    index = matcher(request(chat("a"), headers=(("X-Trace", "1"),)))
    assert answers(index, request(chat("a"), headers=(("X-Trace", "2"),))) == [1]


def test_a_body_kept_on_one_side_only_is_compared_by_its_digest():
    whole = request(b"a long body")
    digest = Request(1, 0, "POST", TARGET, (), Body(None, 11, whole.body.digest()))
    other = Request(1, 0, "POST", TARGET, (), Body(None, 11, "ab" * 32))
    assert answers(matcher(digest), whole) == [1]
    assert answers(matcher(whole), digest) == [1]
    assert answers(matcher(whole), other) == ["no-match"]


def test_a_miss_says_so_where_only_digests_could_be_compared():
    kept, digest = Body.of(b"a" * 20), Body(None, 20, "ab" * 32)
    for recorded, live, max_body in [
        (digest, kept, "1M"),
        (kept, digest, "1M"),
        (digest, Body(None, 17 * 1024**2 + 1, "cd" * 32), "18M"),
        (kept, Body.of(b"b"), None),
    ]:
        index = Matcher([((0, 1), Request(1, 0, "POST", "/", (), recorded))], Rules())
        found = index.miss("POST", "/", (), live)
        assert found.max_body == max_body
        told = f"compared by its digest alone; replay with --max-body {max_body}, and record again"
        assert (told in found.text(str, "it")) is (max_body is not None)


def test_a_body_seen_before_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch):
    index = matcher(*[results("a=A", "b=B")] * 2, level=Level.TOOL_OUTPUT)

    def refuse(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr("wiretape.core.canonical.parse_json", refuse)
    assert answers(index, *[results("a=A", "b=B")] * 2) == [1, 2]


def test_the_loose_forms_are_made_only_where_the_exact_one_missed(monkeypatch: pytest.MonkeyPatch):
    index = matcher(results("a=A", "b=B"), results("a=A", "b=B"), level=Level.TOOL_OUTPUT)
    made = []
    original = matching.Reading.digest
    monkeypatch.setattr(
        matching.Reading, "digest", lambda self, level: made.append(level) or original(self, level)
    )
    respelled = json.dumps(results("a=A", "b=B"), indent=1).encode()
    ask(index, respelled)
    assert made == [Level.EXACT]
    ask(index, results("b=B", "a=A"))
    assert made == [Level.EXACT, Level.EXACT, Level.TOOL_ORDER]


def test_a_request_costs_the_same_however_many_equal_ones_came_before():
    index = matcher(*[chat("a")] * 2000)
    answers(index, *[chat("a")] * 1990)
    (queue,) = index._queues[Level.EXACT].values()  # noqa: SLF001  the work is what is tested

    class Counted(list[int]):
        looks = 0

        def __getitem__(self, index: Any) -> Any:
            Counted.looks += 1
            return super().__getitem__(index)

    queue.numbers = Counted(queue.numbers)
    assert answers(index, chat("a")) == [1991]
    assert Counted.looks <= 4


def test_an_explanation_reads_few_of_the_recordings_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
):
    index = matcher(*[chat("be kind", f"what is {number} squared?") for number in range(1000)])
    read = []
    original = matching.Reading.ignoring
    monkeypatch.setattr(
        "wiretape.core.explanation.Reading",
        lambda *args: read.append(args) or matching.Reading(*args),
    )
    monkeypatch.setattr(
        matching.Reading, "ignoring", lambda *args: read.append(args) or original(*args)
    )
    found = ask(index, chat("be kind", "what is 777 cubed?"))
    assert isinstance(found, Miss)
    assert found.closest == (0, 778)
    assert len(read) <= MOST_LIKELY + 12


def test_what_a_loose_level_overlooked_is_told():
    index = matcher(results("a=A", "b=B"), level=Level.TOOL_OUTPUT)

    def overlooked(body: Any) -> list[str]:
        live = request(body)
        found = index.differences((0, 1), live.method, live.target, live.headers, live.body)
        return [each.pointer for each in found]

    assert overlooked(results("a=A", "b=B")) == []
    assert overlooked(results("b=other", "a=A")) == ["/messages/1/content"]
    assert overlooked(results("b=B", "a=A"))[0] == "/messages/1/tool_call_id"
    assert overlooked(results("z=A", "b=B")) == ["/messages/1/tool_call_id"]


def test_a_miss_names_the_closest_recording_and_what_would_help():
    found = ask(matcher(chat("a", "b"), chat("x", "y")), chat("x", "y", seed=1))
    assert isinstance(found, Miss)
    assert (found.reason, found.closest, found.suggestion) == ("no-match", (0, 2), "--ignore /seed")
    assert [each.pointer for each in found.differences] == ["/seed"]
    assert (found.agreeing, found.items) == (2, 2)


ONE, TWO = (chat(f"be kind, it is {day}", "which day is it?") for day in ("Monday", "Tuesday"))


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ([ONE], "--ignore /messages/0/content"),
        ([ONE, TWO], None),
        # Equal ones answer in turn, with the flag or without; so do those of another spelling.
        ([ONE, ONE, dict(reversed(ONE.items()))], "--ignore /messages/0/content"),
        ([ONE, {**TWO, "seed": 1}], "--ignore /messages/0/content"),
        ([ONE, chat(*[each["content"] for each in TWO["messages"]], "and tomorrow?")],
         "--ignore /messages/0/content"),
    ],
)  # fmt: skip
def test_what_luck_would_answer_is_not_ignored(recorded: list[Any], expected: str | None):
    found = ask(matcher(*recorded), chat("be kind, it is Friday", "which day is it?"))
    assert isinstance(found, Miss)
    assert found.suggestion == expected


def test_a_flag_that_is_in_force_already_is_nobodys_luck():
    one, two = ({**ONE, "seed": seed} for seed in (1, 2))
    index = matcher(one, two, ignore=(parse_pointer("/seed"),))
    found = ask(index, {**TWO, "seed": 3})
    assert isinstance(found, Miss)
    assert found.suggestion == "--ignore /messages/0/content"


def test_at_a_looser_level_others_are_reckoned_with_by_what_it_compares():
    live = {**results("a=same old thing", "b=same old song"), "c": 1, "d": 1}
    recorded = {**results("a=same old one", "b=same old two"), "c": 2, "d": 2}
    found = ask(matcher(recorded, {**recorded, "e": 1}), live)
    assert isinstance(found, Miss)
    assert found.suggestion == "--match tool-output --ignore /c --ignore /d"
    # What the tools returned plays no part at that level, and what differs is to be ignored.
    rival = {**results("a=one thing", "b=another"), "c": 3, "d": 3}
    found = ask(matcher(recorded, rival), live)
    assert isinstance(found, Miss)
    assert found.closest == (0, 1)
    assert found.suggestion is None


def test_however_long_the_closest_is_what_would_help_is_suggested(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("wiretape.core.rivals.MAX_READ_BYTES", -1)
    for recorded in ([ONE], [ONE, ONE, ONE]):
        found = ask(matcher(*recorded), TWO)
        assert isinstance(found, Miss)
        assert found.suggestion == "--ignore /messages/0/content"


@pytest.mark.parametrize(
    ("recorded", "goes_on"),
    [
        (chat("a", "b"), True),
        (chat("a"), True),
        (chat("a", "b", seed=1), True),
        (chat("b", "c"), False),
        (chat("a", "x"), False),
        (chat("a", "b", "c", "d"), False),
        (chat("a", "b", "c", seed=1), False),
        (request(chat("a", "b"), target="/api/chat"), False),
    ],
)
def test_a_conversation_that_goes_on_past_its_recording_is_told(recorded: Any, *, goes_on: bool):
    index = matcher(recorded)
    ask(index, recorded)
    found = ask(index, chat("a", "b", "c"))
    assert isinstance(found, Miss)
    assert found.closest_used
    assert found.goes_on is goes_on
    assert (found.suggestion == RECORD_THE_REST) is goes_on


def test_results_in_another_order_are_no_other_conversation_that_goes_on():
    live = results("b=B", "a=A")
    live["messages"].append({"role": "user", "content": "and now?"})
    for level, goes_on in ((Level.EXACT, False), (Level.TOOL_ORDER, True)):
        found = ask(matcher(results("a=A", "b=B"), level=level), live)
        assert isinstance(found, Miss)
        assert found.goes_on is goes_on


@pytest.mark.parametrize(
    ("name", "content", "closest"),
    [
        ("b.wav", "0" * 999 + "?", 2),
        ("b.wav", "1" * 1000, 2),
        ("c.wav", "0" * 2000 + "?", 3),
        ("c.wav", "1" * 2000 + "?", 4),
    ],
)
def test_the_closest_upload_is_of_a_file_of_that_name_or_that_begins_like_it(
    name: str, content: str, closest: int
):
    def upload(mark: str, name: str, content: str) -> Request:
        part = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n{content}'
        body = f"--{mark}\r\n{part}\r\n--{mark}--\r\n".encode()
        return request(body, headers=(("Content-Type", f"multipart/form-data; boundary={mark}"),))

    recorded = [("a.wav", "0" * 1000), ("b.wav", "0" * 1000), ("c.wav", "0" * 2000)]
    recorded.append(("c.wav", "1" * 2000))
    index = matcher(*[upload(f"m{at}", *each) for at, each in enumerate(recorded)])
    found = ask(index, upload("live", name, content))
    assert isinstance(found, Miss)
    assert found.closest == (0, closest)


def test_messages_are_said_to_be_in_another_order_only_where_they_are():
    index = matcher(chat("a", "b", "c", "d", seed=1))

    def agreement(body: Any) -> str:
        found = ask(index, body)
        assert isinstance(found, Miss)
        return found.text(str).partition("closest: ")[2].splitlines()[0]

    swapped = chat("a", "b", "d", "c", seed=1)
    assert agreement(swapped) == "(0, 1) (the same messages, in another order)"
    assert agreement(chat("a", "b", "c", "d", seed=2)) == "(0, 1) (4 of 4 messages agree)"
    put = request(chat("a", "b", "c", "d", seed=1), method="PUT")
    assert agreement(put) == "(0, 1) (4 of 4 messages agree)"
    turned = chat("d", "c", "b", "a", seed=1)
    assert agreement(turned) == "(0, 1) (the same messages, in another order)"
    shorter = "messages agree; the recording has"
    assert agreement(chat("a", "b", "c", seed=1)) == f"(0, 1) (3 of 3 {shorter} 1 more)"
    assert agreement(chat("b", "c", "d", seed=1)) == f"(0, 1) (3 of 3 {shorter} 1 more)"
    assert agreement(chat("c", "a", seed=1)) == f"(0, 1) (2 of 2 {shorter} 2 more)"
    assert agreement(chat("a", "b", "a", "b", seed=1)) == "(0, 1) (2 of 4 messages agree)"
    assert agreement(chat("x", "a", "b", "c", "d", seed=1)) == "(0, 1) (4 of 5 messages agree)"


def test_a_miss_uses_nothing():
    index = matcher(chat("a"))
    assert answers(index, chat("a", seed=1), chat("a")) == ["no-match", 1]


def test_where_the_closest_is_used_the_suggestion_repeats_it():
    index = matcher(chat("list the files"))
    ask(index, chat("list the files"))
    found = ask(index, chat("list the files", seed=1))
    assert isinstance(found, Miss)
    assert found.closest_used
    assert found.suggestion == "--ignore /seed --repeat last"
    looping = matcher(chat("list the files"), repeat=Repeat.LOOP)
    ask(looping, chat("list the files"))
    again = ask(looping, chat("list the files", seed=1))
    assert isinstance(again, Miss)
    assert again.suggestion == "--ignore /seed"
    repeating = matcher(
        chat("list the files"), ignore=(parse_pointer("/seed"),), repeat=Repeat.LAST
    )
    assert answers(repeating, chat("list the files"), chat("list the files", seed=1)) == [1, 1]


def test_an_exhausted_request_says_how_often_it_was_recorded():
    index = matcher(chat("a"), chat("b"), chat("a"))
    answers(index, chat("a"), chat("a"))
    found = ask(index, chat("a"))
    assert isinstance(found, Miss)
    assert (found.reason, found.recordings, found.closest) == ("exhausted", 2, (0, 3))
    assert found.suggestion == "--repeat last"


def test_only_recordings_of_the_same_route_are_compared_with():
    index = matcher(
        request(chat("a"), target="/api/chat"), request(chat("a", seed=1)), request(chat("b"))
    )
    found = ask(index, chat("a"))
    assert isinstance(found, Miss)
    assert found.closest == (0, 2)


def test_a_route_that_lacks_a_prefix_is_compared_all_the_same():
    found = ask(matcher(chat("a")), request(chat("a"), target="/chat/completions"))
    assert isinstance(found, Miss)
    assert found.closest == (0, 1)
    assert found.suggestion == "a base URL that ends in /v1"


@pytest.mark.parametrize(
    ("recorded", "received", "would_agree"),
    [
        ("I am REDACTED.", "I am Ann.", True),
        ("REDACTED meets REDACTED", "Ann meets Bob", True),
        ("REDACTED", "Ann", True),
        ("I am REDACTED.", "I was Ann.", False),
        ("I am REDACTED.", "I am Ann!", False),
        ("REDACTED meets REDACTED", "Ann sees Bob", False),
        ("from REDACTED to REDACTED", "from to", False),
        ("I am Ann.", "I am Bob.", False),
    ],
)
def test_what_differs_for_want_of_redaction_alone_is_told(
    recorded: str, received: str, *, would_agree: bool
):
    found = ask(matcher(chat(recorded)), chat(received))
    assert isinstance(found, Miss)
    suggestion = "the --redact that it was redacted with"
    assert (found.suggestion == suggestion) is would_agree


def test_what_is_ignored_by_its_index_is_so_in_each_of_the_two():
    system = {"role": "system", "content": "be brief"}
    live = {"model": "m", "messages": [system, *chat("a")["messages"]]}
    found = ask(matcher(chat("a"), ignore=(parse_pointer("/messages/0"),)), live)
    assert isinstance(found, Miss)
    assert [each.pointer for each in found.differences] == ["/messages/1"]


def test_what_is_ignored_of_results_in_another_order_leaves_a_difference():
    recorded, live = (
        {"messages": results(*named)["messages"][1:]} for named in (("b=B", "a=A"), ("a=A", "b=B"))
    )
    index = matcher(recorded, ignore=(parse_pointer("/messages/0"),))
    found = ask(index, live)
    assert isinstance(found, Miss)
    pointers = [each.pointer for each in found.differences]
    assert pointers == ["/messages/1/tool_call_id", "/messages/1/content"]
    assert found.suggestion is None or "--redact" not in found.suggestion


def test_where_the_route_is_unknown_the_recorded_ones_are_named():
    index = matcher(
        request(chat("a"), target="/api/tags", method="GET"),
        chat("a"),
        chat("b"),
        level=Level.EXACT,
    )
    routes = (("POST /v1/chat/completions", 2), ("GET /api/tags", 1))
    found = ask(index, request({}, target="/v1/embeddings", method="PUT"))
    assert isinstance(found, Miss)
    assert found.closest is None
    assert found.routes == routes
    similar = ask(index, request(chat("b"), target="/v1/completion"))
    assert isinstance(similar, Miss)
    assert similar.routes == routes
    assert similar.closest == (0, 3)
    assert [each.pointer for each in similar.differences] == ["target"]
    assert similar.suggestion is None
    nothing = ask(matcher(), chat("a"))
    assert isinstance(nothing, Miss)
    assert nothing.routes == ()


def test_a_pipeline_of_two_parallel_rounds_matches_in_another_order_and_spelling():
    def pipeline(first: list[str], second: list[str], arguments: str) -> dict[str, Any]:
        def calls(*names: str) -> dict[str, Any]:
            function = {"name": "work", "arguments": arguments}
            return {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": name, "type": "function", "function": function} for name in names
                ],
            }

        def outputs(names: list[str]) -> list[dict[str, Any]]:
            return results(*(f"{name}={name * 3}" for name in names))["messages"][1:]

        body = chat("go")
        body["messages"] += [calls("a", "b"), *outputs(first), calls("c", "d"), *outputs(second)]
        return body

    index = matcher(pipeline(["a", "b"], ["c", "d"], '{"x": 0.0, "y": 1}'))
    live = pipeline(["b", "a"], ["d", "c"], '{"y":1,"x":0}')
    assert ask(index, live) == Match((0, 1), Level.TOOL_ORDER, repeated=False)
