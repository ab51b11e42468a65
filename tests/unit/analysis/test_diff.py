import io
import json

import pytest
from rich.cells import cell_len
from rich.console import Console

from unit.analysis.streams import (
    JSON,
    NDJSON,
    call_delta,
    cassette,
    chat_chunk,
    dumped,
    entries,
    ndjson,
    sse,
)
from wiretape.analysis.diff import diff
from wiretape.analysis.diff_text import LONGEST, around, diff_text
from wiretape.core.model import Outcome

USER = {"role": "user", "content": "Run ls"}
ASKED = {"model": "m", "messages": [USER]}


def calling(*raws: str, ids="c", finish="tool_calls", **more: object):
    deltas = [call_delta(index, f"{ids}{index}", "run", raw) for index, raw in enumerate(raws)]
    return sse(*map(chat_chunk, deltas), chat_chunk({}, finish, **more))


def talking(text, **more: object):
    return sse(chat_chunk({"content": text}), chat_chunk({}, "stop", **more))


LS, LS_L = '{"c":"ls"}', '{"c":"ls -l"}'


def compared(before, after, **given: object):
    one = cassette(entries(before, asked=ASKED), name="a")
    two = cassette(entries(after, **{"asked": ASKED, **given}), name="b")
    return diff(one, two)


def changes(*args: object, **given: object):
    (pair,) = compared(*args, **given).pairs
    assert pair.changed == bool(pair.changes)
    return {change.what: (change.before, change.after) for change in pair.changes}


def wobbles(*args: object, **given: object):
    (pair,) = compared(*args, **given).pairs
    assert not pair.changed
    return {change.what: (change.before, change.after) for change in pair.wobbles}


def test_the_same_recording_has_not_changed():
    assert wobbles(calling(LS), calling(LS)) == {}


def test_ids_times_chunks_and_the_spelling_of_arguments_only_wobble():
    spread = calling(LS[:5], ids="x")
    rest = sse(chat_chunk(call_delta(0, arguments=' "ls"}')), chat_chunk({}, "tool_calls"))
    found = wobbles(calling(LS), [spread[0], *rest], began_us=9, times_us=[30_000, 50_000, 60_000])
    assert found == {
        "calls[0].id": ("c0", "x0"),
        "calls[0].arguments_raw": ('{"c":"ls"}', '{"c": "ls"}'),
        "first_token_s": (0.02, 0.03),
        "duration_s": (0.031, 0.061),
        "chunks": (2, 3),
    }


def test_parallel_calls_in_another_order_only_wobble():
    found = wobbles(calling(LS, LS_L), calling(LS_L, LS))
    assert found == {
        "order of calls": (['run(c="ls")', 'run(c="ls -l")'], ['run(c="ls -l")', 'run(c="ls")'])
    }


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (talking("a"), talking("b"), {"content": ("a", "b")}),
        (calling(LS), calling(LS_L), {"calls[0].arguments": ({"c": "ls"}, {"c": "ls -l"})}),
        (calling(LS), calling(LS, LS_L), {"calls[1]": (None, 'run(c="ls -l")')}),
        (
            calling('{"n":1}'),
            calling('{"n":true}'),
            {"calls[0].arguments": ({"n": 1}, {"n": True})},
        ),
        (calling('{"n":1}'), calling('{"n":1.0}'), {}),
        (
            calling("{torn"),
            calling(LS),
            {"calls[0].arguments": ({"not JSON": "{torn"}, {"c": "ls"})},
        ),
        (talking("a"), talking("a")[:1], {"finish": ("stop", None)}),
        (
            talking("a", usage={"completion_tokens": 1}),
            talking("a", usage={"completion_tokens": 2}),
            {"usage.output": (1, 2)},
        ),
        (talking("a", usage={"completion_tokens": 1}), talking("a"), {}),
        (
            sse(chat_chunk({"reasoning": "a"}, "stop")),
            sse(chat_chunk({"refusal": "b"}, "stop")),
            {"reasoning": ("a", None), "refusal": (None, "b")},
        ),
        (
            talking("a"),
            [*talking("a"), *sse({"error": {"message": "boom"}})],
            {"errors": ([], ["boom"])},
        ),
        (
            talking("a"),
            [*talking("a"), *sse(chat_chunk({"content": "b"}, index=1))],
            {"choices": (1, 2)},
        ),
    ],
)
def test_what_was_said_called_and_how_it_ended_is_behaviour(before, after, found):
    assert changes(before, after) == found


def test_another_ending_or_status_is_behaviour():
    cut = changes(talking("a"), talking("a"), outcome=Outcome.UPSTREAM_RESET)
    assert cut == {"outcome": ("complete", "upstream_reset")}
    assert changes(talking("a"), talking("a"), status=201) == {"status": (200, 201)}


def test_the_same_answer_in_another_dialect_has_not_changed():
    message = {
        "content": "",
        "tool_calls": [{"function": {"name": "run", "arguments": {"c": "ls"}}}],
    }
    line = {"model": "m", "message": message, "done": True, "done_reason": "stop"}
    found = wobbles(calling(LS), ndjson(line), headers=NDJSON, target="/api/chat")
    assert found["finish_reason"] == ("tool_calls", "stop")


def test_another_question_is_named_and_is_no_change_of_behaviour():
    other = {"model": "k", "temperature": 0.7, "messages": [{**USER, "content": "Run pwd"}, USER]}
    (pair,) = compared(talking("a"), talking("a"), asked=other).pairs
    assert not pair.changed
    assert {change.what: (change.before, change.after) for change in pair.asked} == {
        "messages[0]": (USER, {**USER, "content": "Run pwd"}),
        "messages[1]": (None, USER),
        "model": ("m", "k"),
        "temperature": (None, 0.7),
    }


@pytest.mark.parametrize(
    "asked", [{"input": "Hi"}, {"prompt": {"id": "p"}}], ids=["input", "stored prompt"]
)
def test_other_instructions_are_named_once(asked):
    one, two = (
        cassette(entries(talking("a"), target="/v1/responses", asked={"instructions": x, **asked}))
        for x in "ST"
    )
    (pair,) = diff(one, two).pairs
    change = ("messages[0]", *({"role": "system", "content": x} for x in "ST"))
    assert [(each.what, each.before, each.after) for each in pair.asked] == [change]


def turns(answers, ids, *, name, began_us=0, swap=False):
    """Two rounds of two conversations; each turn sends back all before it."""
    groups = []
    for which, start in enumerate(("first", "second")):
        messages = [{"role": "user", "content": start}]
        for turn, answer in enumerate(answers):
            place = (which ^ swap) + 2 * turn
            groups.append(
                entries(
                    talking(f"{start} {answer}"),
                    asked={"messages": messages},
                    number=place + 1,
                    began_us=began_us + place * 1_000_000,
                )
            )
            messages = [
                *messages,
                {"role": "assistant", "tool_calls": [{"id": f"{ids}{turn}"}], "content": answer},
                {"role": "tool", "tool_call_id": f"{ids}{turn}", "content": f"result {start}"},
            ]
    return cassette(*groups, name=name)


def numbers(found):
    return [(pair.a, pair.b) for pair in found.pairs]


def test_interactions_are_paired_by_their_place_in_the_conversation():
    one = turns(["x", "y"], "a", name="a")
    two = turns(["x", "y"], "b", name="b", swap=True)
    found = diff(one, two)
    assert numbers(found) == [(1, 2), (2, 1), (3, 4), (4, 3)]
    assert not found.changed


def test_a_turn_after_a_changed_one_is_still_the_same_place():
    found = diff(turns(["x", "y"], "a", name="a"), turns(["z", "y"], "b", name="b"))
    assert numbers(found) == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert [pair.changed for pair in found.pairs] == [True, True, False, False]


def test_what_only_one_has_stands_alone_and_is_a_change():
    found = diff(turns(["x", "y"], "a", name="a"), turns(["x"], "b", name="b"))
    assert numbers(found) == [(1, 1), (2, 2), (3, None), (4, None)]
    assert found.changed
    found = diff(turns(["x"], "a", name="a"), turns(["x", "y"], "b", name="b"))
    assert numbers(found) == [(1, 1), (2, 2), (None, 3), (None, 4)]
    assert found.changed


def test_the_same_question_asked_again_pairs_in_order():
    def thrice(*texts: str):
        return cassette(
            *(
                entries(talking(text), asked=ASKED, number=number, began_us=number * 100_000)
                for number, text in enumerate(texts, 1)
            )
        )

    found = diff(thrice("a", "b", "c"), thrice("a", "x", "c"))
    assert [pair.changed for pair in found.pairs] == [False, True, False]


def test_a_changed_prompt_still_pairs_by_its_turn():
    other = {"messages": [{"role": "user", "content": "Else"}]}
    assert numbers(compared(talking("a"), talking("b"), asked=other)) == [(1, 1)]


def test_other_traffic_is_compared_by_its_body():
    def other(body, path="/api/show"):
        return cassette(entries([dumped(body).encode()], JSON, target=path, asked={"model": "m"}))

    assert not diff(other({"a": 1, "b": 2}), other({"b": 2, "a": 1})).changed
    (pair,) = diff(other({"a": 1}), other({"a": 2})).pairs
    assert [change.what for change in pair.changes] == ["body"]
    assert numbers(diff(other({}), other({}, "/api/other"))) == [(None, 1), (1, None)]


def test_nothing_and_nothing_are_the_same():
    assert not diff(cassette(), cassette()).changed


def test_json_holds_the_verdict_and_every_difference():
    shown = compared(calling('{"n":1e999}'), calling(LS)).to_json()
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown
    (pair,) = shown["pairs"]
    assert (shown["a"], shown["b"], shown["changed"]) == ("a", "b", True)
    assert (pair["a"], pair["b"], pair["changed"]) == (1, 1, True)
    assert pair["changes"] == [{"what": "calls[0].arguments", "a": {"n": None}, "b": {"c": "ls"}}]


def rendered(found, width=80):
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(diff_text(found))
    return out.getvalue()


def test_people_see_what_changed_and_what_wobbled():
    text = rendered(
        compared(calling(LS), calling(LS, LS_L, ids="x"), asked={**ASKED, "model": "k"})
    )
    assert text == (
        "a → b · 1 of 1 interaction changed\n"
        "\n"
        "#1 POST /v1/chat/completions changed\n"
        "   asked: model             - m\n"
        "                            + k\n"
        "   calls[1]                 - (none)\n"
        '                            + run(c="ls -l")\n'
        "   wobbled    duration 31 ms → 41 ms, chunks 2 → 3\n"
    )


def test_people_see_that_nothing_changed_and_what_is_alone():
    assert "1 interaction, none changed" in rendered(compared(talking("a"), talking("a")))
    text = rendered(diff(turns(["x", "y"], "a", name="a"), turns(["x"], "b", name="b")))
    assert "only in A: #3 POST /v1/chat/completions\n" in text
    text = rendered(diff(turns(["x"], "a", name="a"), turns(["x", "y"], "b", name="b")))
    assert "only in B: #3" in text


def test_long_texts_are_cut_around_their_first_difference():
    before, after = around("x" * 900 + "A" + "y" * 900, "x" * 900 + "B" + "y" * 900)
    assert before.startswith("…" + "x" * 40 + "A")
    assert after.startswith("…" + "x" * 40 + "B")
    assert len(before) == len(after) == LONGEST + 2
    assert around("same", "same but more") == ("same", "same but more")


@pytest.mark.parametrize("width", [60, 80])
def test_a_hostile_cassette_cannot_reach_the_terminal(width):
    evil = "\x1b[2J\x9b\u202e[bold]" * 30
    found = compared(talking(evil), talking(f"{evil}x"), target=f"/{evil}")
    text = rendered(found, width)
    assert not set(text) & set("\x1b\x9b\u202e")
    assert all(cell_len(line) <= width for line in text.splitlines())
