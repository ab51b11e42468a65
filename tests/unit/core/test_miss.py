import json
from typing import Any

from wiretape.core.differences import Difference
from wiretape.core.miss import RECORD_THE_REST, Key, Miss, Reason


def named(key: Key) -> str:
    return f"chat.yaml #{key[1]}"


def miss(reason: Reason = Reason.NO_MATCH, **fields: Any) -> Miss:
    return Miss(reason, "POST", "/v1/chat/completions", **fields)


def test_the_closest_recording_what_differs_and_what_would_help():
    found = miss(
        closest=(0, 3),
        differences=(Difference("/messages/0/content", "today is Monday", "today is Friday"),),
        agreeing=4,
        items=5,
        suggestion="--ignore /messages/0/content",
    )
    assert found.text(named, "wiretape record --cassette chat") == (
        "no recorded request matches POST /v1/chat/completions;"
        " closest: chat.yaml #3 (4 of 5 messages agree)\n"
        '  /messages/0/content: recorded "today is Monday", received "today is Friday"\n'
        "to make it match: --ignore /messages/0/content;"
        " or record again: wiretape record --cassette chat"
    )


def test_what_would_help_is_spelt_as_its_reader_needs_it():
    found = miss(closest=(0, 3), suggestion="--ignore /seed")

    lines = found.text(named, spell=lambda flags: f"<{flags}>").splitlines()

    assert lines[-1] == "to make it match: <--ignore /seed>; or record again"
    assert found.to_json()["suggestion"] == "--ignore /seed"


def test_a_conversation_that_goes_on_says_so_in_a_line():
    found = miss(closest=(0, 3), goes_on=True, suggestion=RECORD_THE_REST)

    assert found.text(named, spell=lambda flags: f"<{flags}>").splitlines()[1:] == [
        "the conversation goes on past the recording",
        "to have the rest recorded: <--mode new_episodes>; or record again",
    ]
    unhelped = miss(closest=(0, 3), goes_on=True).text(named).splitlines()
    assert unhelped[1:] == [
        "the conversation goes on past the recording",
        "to have it answered, record again",
    ]


def test_where_a_body_was_not_kept_what_is_told_keeps_it():
    found = miss(closest=(0, 3), max_body="17M")
    lines = found.text(named, "wiretape record --cassette a", lambda flags: f"<{flags}>")
    assert lines.splitlines()[1] == (
        "a body over --max-body is compared by its digest alone; replay with <--max-body 17M>,"
        " and record again: wiretape record --max-body 17M --cassette a"
    )
    assert found.text(named).endswith("replay with --max-body 17M, and record again")


def test_only_the_first_few_differences_are_spelled_out():
    many = tuple(Difference(f"/f{number}", 1, 2) for number in range(12))
    lines = miss(closest=(0, 1), differences=many).text(named).splitlines()
    assert lines[5:] == [
        "  /f4: recorded 1, received 2",
        "  and 7 more: /f5, /f6, /f7, /f8, /f9, ...",
        "to have it answered, record again",
    ]
    six = miss(closest=(0, 1), differences=many[:6]).text(named)
    assert "  and 1 more: /f5\n" in six
    assert "more" not in miss(closest=(0, 1), differences=many[:5]).text(named)


def test_another_conversation_is_called_one_and_not_spelled_out():
    many = tuple(Difference(f"/messages/{number}", 1, 2) for number in range(12))
    lines = (
        miss(closest=(0, 1), differences=many, another_conversation=True, items=12)
        .text(named)
        .splitlines()
    )
    assert lines[0].endswith("closest: chat.yaml #1, but it is another conversation")
    assert lines[1] == "  /messages/0: recorded 1, received 2"
    assert lines[2].startswith("  and 11 more: /messages/1, /messages/2, ")


def test_another_text_is_no_conversation():
    text = miss(closest=(0, 1), another_conversation=True).text(named)
    assert "closest: chat.yaml #1, but with another text" in text


def test_a_used_recording_is_said_to_be_used():
    assert "chat.yaml #1, already used" in miss(closest=(0, 1), closest_used=True).text(named)


def test_where_nothing_is_comparable_the_text_says_what_is_recorded():
    routes = (("POST /api/chat", 12), ("GET /api/tags", 1))
    assert miss(routes=routes).text(named).splitlines()[0] == (
        "no recorded request matches POST /v1/chat/completions;"
        " recorded: POST /api/chat (12), GET /api/tags (1)"
    )
    text = miss(routes=routes, closest=(0, 1)).text(named)
    assert "GET /api/tags (1); closest: chat.yaml #1" in text.splitlines()[0]
    many = tuple((f"GET /{number}", 1) for number in range(6))
    assert "GET /4 (1), ..." in miss(routes=many).text(named)
    assert miss().text(named).splitlines()[0].endswith("; nothing is recorded")


def test_an_exhausted_request_says_how_often_it_was_recorded():
    once = miss(
        Reason.EXHAUSTED,
        closest=(0, 2),
        recordings=1,
        suggestion="--repeat last",
        closest_used=True,
    )
    assert once.text(named).splitlines() == [
        "POST /v1/chat/completions was recorded once (chat.yaml #2), and that has been used",
        "to make it match: --repeat last; or record again",
    ]
    thrice = miss(Reason.EXHAUSTED, closest=(0, 9), recordings=3)
    assert "was recorded 3 times (last: chat.yaml #9), all used" in thrice.text(named)


def test_the_reason_is_what_the_header_says():
    assert [f"{reason}" for reason in Reason] == ["no-match", "exhausted"]


def test_a_miss_as_json():
    found = miss(closest=(0, 3), differences=(Difference("/a", 1, 2),), suggestion="--ignore /a")
    assert json.loads(json.dumps(found.to_json(named))) == {
        "reason": "no-match",
        "method": "POST",
        "path": "/v1/chat/completions",
        "closest": "chat.yaml #3",
        "differences": [{"pointer": "/a", "recorded": 1, "received": 2}],
        "suggestion": "--ignore /a",
    }
    assert found.to_json()["closest"] == [0, 3]
    assert miss().to_json(named)["closest"] is None
