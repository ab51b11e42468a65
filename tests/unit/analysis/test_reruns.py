"""Takes compared: what counts as the same behaviour, how often it came up, how long it took."""

import io
import json

from rich.console import Console

from unit.analysis.streams import NDJSON, call_delta, cassette, chat_chunk, entries, ndjson, sse
from wiretape.analysis.reruns import reruns
from wiretape.analysis.reruns_text import reruns_text
from wiretape.core.model import Outcome

ASKED = {"model": "m", "messages": [{"role": "user", "content": "Run ls"}]}
OTHER = {"model": "m", "messages": [{"role": "user", "content": "And then?"}]}


def calling(*raws: str, finish="tool_calls"):
    deltas = [call_delta(index, f"c{index}", "run", raw) for index, raw in enumerate(raws)]
    return sse(*map(chat_chunk, deltas), chat_chunk({}, finish))


def saying(text: str):
    return sse(chat_chunk({"content": text}), chat_chunk({}, "stop"))


def of(*chunks: list[bytes], recorded: list[bytes]):
    takes = [cassette(entries(each, asked=ASKED)) for each in chunks]
    return reruns(cassette(entries(recorded, asked=ASKED)), iter(takes))


def only(compared):
    (question,) = compared.questions
    return question


def shown(compared) -> str:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    console.print(reruns_text(compared))
    return console.file.getvalue()


LS, LSL = '{"command":"ls"}', '{"command": "ls -l"}'


def test_behaviours_are_counted_and_the_recorded_one_is_told():
    compared = of(
        calling(LS), calling(LSL, LS), saying("no"), calling(LS, LSL), recorded=calling(LS, LSL)
    )
    question = only(compared)
    found = [(each.takes, each.recorded, each.value.calls) for each in question.behaviours]
    # In which order parallel calls stand makes no difference.
    assert found == [
        ((2, 4), True, ('run(command="ls -l")', 'run(command="ls")')),
        ((1,), False, ('run(command="ls")',)),
        ((3,), False, ()),
    ]
    assert question.noticed == {"parallel": 2, "refined": 1, "repeated": 0, "invalid": 0}
    assert question.behaviours[2].value.says


def test_other_words_are_the_same_behaviour_and_counted_as_texts():
    question = only(of(saying("Paris"), saying("Rome"), saying("Paris"), recorded=saying("Rome")))
    assert [each.takes for each in question.behaviours] == [(1, 2, 3)]
    assert [(each.value, each.takes, each.recorded) for each in question.texts] == [
        ("Paris", (1, 3), False),
        ("Rome", (2,), True),
    ]


def test_arguments_agree_as_json_not_as_text():
    takes = [calling('{"a":1.0,"b":"x"}'), calling('{"b":"x","a":1}'), calling('{"a":null}')]
    question = only(of(*takes, recorded=calling('{"a":null}')))
    values = {
        name: [(each.value, len(each.takes), each.recorded) for each in seen]
        for name, seen in question.arguments.items()
    }
    assert values == {
        "calls[0].run(a)": [(1.0, 2, False), (None, 1, True)],
        "calls[0].run(b)": [("x", 2, False)],
    }


def test_how_an_answer_ended_is_behaviour():
    cut = cassette(entries(saying("a")[:1], asked=ASKED, outcome=Outcome.UPSTREAM_CLOSED))
    failed = cassette(entries([b'{"error": {"message": "no"}}'], asked=ASKED, status=400))
    question = only(reruns(cassette(entries(saying("a"), asked=ASKED)), [cut, failed]))
    assert [each.value.ended for each in question.behaviours] == ["upstream_closed", "error 400"]
    assert not any(each.recorded for each in question.behaviours)


def test_times_spread_from_the_least_to_the_most():
    takes = [
        cassette(entries(saying("a"), asked=ASKED, times_us=[first, first + 5000]))
        for first in (20_000, 40_000, 90_000)
    ]
    recorded = cassette(entries(saying("a"), asked=ASKED, times_us=[30_000, 35_000]))
    measure = only(reruns(recorded, takes)).measures["first_token_s"]
    assert measure.to_json() == {"recorded": 0.03, "min": 0.02, "median": 0.04, "max": 0.09}


def test_each_question_is_compared_by_itself_in_whatever_order_takes_have_them():
    recorded = cassette(
        entries(saying("a"), asked=ASKED), entries(saying("b"), asked=OTHER, number=2)
    )
    take = cassette(entries(saying("b"), asked=OTHER), entries(saying("z"), asked=ASKED, number=2))
    compared = reruns(recorded, [take])
    assert [question.texts[0].value for question in compared.questions] == ["z", "b"]
    assert [question.texts[0].recorded for question in compared.questions] == [False, True]


def test_it_is_json_for_programs_and_tables_for_people():
    compared = of(calling(LS), calling('{"command"'), recorded=calling(LS, LSL))
    text = json.dumps(compared.to_json(), allow_nan=False)
    assert json.loads(text)["questions"][0]["behaviours"][0]["count"] == 1
    printed = shown(compared)
    assert "test · 2 takes" in printed
    assert "of 2: 1 with invalid arguments" in printed
    assert 'run(command="ls") → tool_calls' in printed
    assert "as recorded" not in printed


def test_what_takes_hold_reaches_no_terminal_raw():
    compared = of(saying("\x1b]0;x\x07"), recorded=saying("b"))
    assert "\x1b" not in shown(compared)


def test_no_takes_are_no_error():
    compared = reruns(cassette(entries(ndjson({"done": True}), NDJSON, target="/api/chat")), [])
    assert compared.takes == 0
    assert "0 takes" in shown(compared)
