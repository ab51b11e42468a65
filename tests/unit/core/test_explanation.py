import copy
import json
from typing import Any

import pytest

from wiretape.core.canonical import Reading
from wiretape.core.closest import Shape
from wiretape.core.conversation import Level
from wiretape.core.explanation import Candidate, Explanation, explain
from wiretape.core.model import Body, Request
from wiretape.core.pointer import parse_pointer
from wiretape.core.rivals import Rivals

TARGET = "/v1/chat/completions"
ALONE = Rivals(Shape.of((), ()), tuple)
"""Nothing else is recorded."""
CALLS = [
    {"id": name, "type": "function", "function": {"name": "ls", "arguments": "{}"}}
    for name in ("a", "b")
]
AGENT: dict[str, Any] = {
    "model": "m",
    "stream": True,
    "messages": [
        {"role": "system", "content": "You are kind. Today is Monday."},
        {"role": "user", "content": "list the files in src and in tests"},
        {"role": "assistant", "tool_calls": CALLS},
        {"role": "tool", "tool_call_id": "a", "content": "main.py"},
        {"role": "tool", "tool_call_id": "b", "content": "test_main.py"},
    ],
}


def changed(path: str, value: Any, body: Any = AGENT) -> Any:
    body = copy.deepcopy(body)
    *parents, last = path.strip("/").split("/")
    place = body
    for token in parents:
        place = place[int(token) if isinstance(place, list) else token]
    place[int(last) if isinstance(place, list) else last] = value
    return body


def request(body: Any, target: str = TARGET, number: int = 0) -> Request:
    return Request(number, 0, "POST", target, (), Body.of(json.dumps(body).encode()))


def explained(
    live: Any,
    *recorded: Any,
    level: Level = Level.TOOL_ORDER,
    ignore: tuple[str, ...] = (),
    target: str = TARGET,
    used: tuple[int, ...] = (),
) -> Explanation:
    bodies = recorded or (AGENT,)
    candidates = [Candidate(n, request(body), n in used) for n, body in enumerate(bodies)]
    asked = request(live, target)
    reading = Reading(asked.method, asked.target, asked.headers, asked.body)
    return explain(reading, candidates, level, tuple(map(parse_pointer, ignore)), ALONE)


def suggestion(live: Any, *recorded: Any, **options: Any) -> str | None:
    return explained(live, *recorded, **options).suggestion


def test_a_level_that_would_match_is_suggested():
    assert suggestion(changed("/messages/3/content", "other.py")) == "--match tool-output"
    swapped = changed("/messages/3", AGENT["messages"][4])
    swapped["messages"][4] = AGENT["messages"][3]
    assert suggestion(swapped, level=Level.EXACT) == "--match tool-order"


def test_the_tightest_level_that_would_match_is_suggested():
    respelled = changed("/messages/2/tool_calls/0/function/arguments", " {}")
    assert suggestion(respelled, level=Level.EXACT) == "--match tool-order"


def test_pointers_that_would_match_are_suggested():
    live = changed("/messages/0/content", "You are kind. Today is Friday.")
    assert suggestion(live) == "--ignore /messages/0/content"
    live = changed("/seed", 7, live)
    assert suggestion(live) == "--ignore /messages/0/content --ignore /seed"


def test_a_level_and_a_pointer_together_are_suggested():
    few = changed("/messages/0/content", "You are kind. Today is Friday.")
    few = changed("/messages/3/content", "other.py", few)
    assert suggestion(few) == "--ignore /messages/0/content --ignore /messages/3/content"
    for path, value in [("/messages/4/content", "x.py"), ("/seed", 1), ("/user", 2)]:
        few = changed(path, value, few)
    assert suggestion(few) == (
        "--match tool-output --ignore /messages/0/content --ignore /seed --ignore /user"
    )


def blocks(*parts: dict[str, Any]) -> dict[str, Any]:
    """A conversation whose assistant says the same in four messages, in blocks."""
    said = [
        {"type": "tool_use", "id": "t", "name": "n", "input": {"x": 1}, **part} for part in parts
    ]
    turns = [{"role": "assistant", "content": said}, {"role": "user", "content": "On."}]
    return {"model": "m", "messages": [{"role": "user", "content": "Go."}, *turns * 4]}


def test_what_is_null_or_absent_in_many_places_is_left_out_by_few_pointers():
    written, left_out = blocks({"caller": None}, {"toolset": None}), blocks({}, {})
    flags = "--ignore '/messages/*/content/*/caller' --ignore '/messages/*/content/*/toolset'"
    assert suggestion(left_out, written) == suggestion(written, left_out) == flags
    # What has another value in many places is not left out unseen.
    assert suggestion(blocks({"caller": 1}, {}), blocks({"caller": 2}, {})) is None
    many = {f"name{n}": None for n in range(4)}
    assert suggestion(blocks({}, {}), blocks(many, {})) is None


def test_what_is_ignored_already_is_kept_in_mind():
    live = changed("/messages/0/content", "You are kind. Today is Friday.")
    live = changed("/user", "me", live)
    assert suggestion(live, ignore=("/user",)) == "--ignore /messages/0/content"


def test_pointers_are_quoted_for_the_shell():
    recorded = {"metadata": {"it's $1": 1}}
    live = {"metadata": {"it's $1": 2}}
    assert suggestion(live, recorded) == "--ignore '/metadata/it'\"'\"'s $1'"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/stream", False),
        ("/messages", AGENT["messages"][:3]),
        ("/messages/1", {"role": "assistant", "content": "list the files"}),
    ],
)
def test_what_must_not_be_ignored_is_not_suggested(path: str, value: Any):
    assert suggestion(changed(path, value)) is None


def test_a_name_that_as_a_pointer_would_be_a_wildcard_is_not_suggested():
    assert suggestion({"*": 1, "a": 2}, {"*": 3, "a": 2}) is None


def test_many_pointers_are_no_suggestion():
    live = AGENT
    for name in ("a", "b", "c", "d"):
        live = changed(f"/{name}", 1, live)
    assert suggestion(live) is None


def test_another_conversation_is_recognised_and_not_ignored_away():
    recorded = {**AGENT, "messages": AGENT["messages"][:2]}
    found = explained(changed("/messages/1/content", "translate this poem", recorded), recorded)
    assert found.another_conversation
    assert found.suggestion is None
    assert found.differences[0].pointer == "/messages/1/content"


def test_in_another_conversation_what_was_said_comes_first():
    live = {
        "messages": [{"role": "user", "content": text} for text in ("translate this", "a poem")],
        "seed": 1,
    }
    recorded = {"messages": [{"role": "user", "content": text} for text in ("list all", "files")]}
    found = explained(live, recorded)
    pointers = [each.pointer for each in found.differences]
    assert pointers == ["/messages/0/content", "/seed", "/messages/1/content"]


def test_a_prompt_that_changed_a_little_is_the_same_conversation():
    found = explained(changed("/messages/1/content", "list the files in src and in docs"))
    assert not found.another_conversation
    assert found.suggestion == "--ignore /messages/1/content"


def test_a_conversation_that_went_on_differently_is_the_same_one_but_not_ignored_away():
    recorded = {"messages": [{"role": "user", "content": text} for text in ("hi", "a b", "c d")]}
    live = {"messages": [{"role": "user", "content": text} for text in ("hi", "x y", "v w")]}
    found = explained(live, recorded)
    assert not found.another_conversation
    assert found.suggestion is None


@pytest.mark.parametrize("field", ["prompt", "input"])
def test_a_single_text_is_judged_like_a_conversation(field: str):
    near = explained({field: "list all files now"}, {field: "list all files"})
    assert not near.another_conversation
    assert near.suggestion == f"--ignore /{field}"
    far = explained({field: "translate this"}, {field: "list all files"})
    assert far.another_conversation
    assert far.suggestion is None


@pytest.mark.parametrize(
    ("recorded", "live"),
    [
        ({"input": ["list all files"]}, {"input": ["translate this"]}),
        ({"input": ["list all files", "a"]}, {"input": ["list all files", "b"]}),
        ({"input": ["list all files"]}, {"input": ["list all files", "translate this"]}),
        ({"input": ["list all files", "a"]}, {"input": ["list all files"]}),
        ({"input": [[1, 2, 3]]}, {"input": [[1, 2, 4]]}),
        ({"input": [1, 2, 3]}, {"input": [1, 2, 4]}),
        ({"prompt": ["list all files"]}, {"prompt": ["translate this"]}),
        ({"prompt": ["list all files"]}, {}),
        ({"prompt": {"id": "p"}, "input": "list"}, {"prompt": {"id": "p"}, "input": "translate"}),
    ],
)
def test_texts_in_a_list_or_in_tokens_are_what_was_said(recorded: Any, live: Any):
    found = explained(live, recorded)
    assert found.another_conversation
    assert found.suggestion is None


def test_of_texts_in_a_list_one_that_changed_a_little_is_the_same():
    found = explained({"input": ["a", "list all files now"]}, {"input": ["a", "list all files"]})
    assert not found.another_conversation
    assert found.suggestion == "--ignore /input/1"


def test_what_geminis_clients_say_is_a_conversation():
    def contents(*texts: str) -> dict[str, Any]:
        return {"contents": [{"role": "user", "parts": [{"text": text}]} for text in texts]}

    far = explained(contents("translate this"), contents("list all files"))
    assert far.another_conversation
    assert far.suggestion is None
    longer = explained(contents("list all files", "and more"), contents("list all files"))
    assert longer.suggestion is None
    near = explained(contents("list all files now"), contents("list all files"))
    assert near.suggestion == "--ignore /contents/0/parts/0/text"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/chat/completions", "a base URL that ends in /v1"),
        ("/v1/v1/chat/completions", "a base URL without /v1"),
        ("/chat/completions?x=1", None),
        ("/v2/chat/completions", None),
    ],
)
def test_a_base_url_that_would_match_is_suggested(target: str, expected: str | None):
    assert suggestion(AGENT, target=target) == expected


def test_of_several_the_one_that_says_most_nearly_the_same_is_closest():
    texts = ["delete all mail", "list the files in src and in docs", "list things"]
    recorded = [changed("/messages/1/content", text) for text in texts]
    assert explained(AGENT, *recorded).closest.number == 1


def test_of_equally_close_ones_the_unused_come_first_and_then_the_earlier():
    recorded = [changed("/seed", seed) for seed in (1, 2, 3)]
    live = changed("/seed", 4)
    assert explained(live, *recorded).closest.number == 0
    assert explained(live, *recorded, used=(0,)).closest.number == 1
    assert explained(live, *recorded, used=(0, 1, 2)).closest.number == 0


def test_candidates_are_read_until_there_are_too_many_bytes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("wiretape.core.explanation.MAX_CANDIDATE_BYTES", 1)
    recorded = [changed("/messages/1/content", "delete all mail"), changed("/seed", 1)]
    assert explained(AGENT, *recorded).closest.number == 0


def test_bodies_of_other_kinds_can_be_explained_too():
    body = Body.of(b"\xff\x00")
    live = Reading("POST", "/upload", (), body)
    candidate = Candidate(0, Request(1, 0, "POST", "/upload", (), Body(None, 3, "ab" * 32)), False)  # noqa: FBT003  the field is named just so
    found = explain(live, [candidate], Level.TOOL_OUTPUT, (), ALONE)
    assert [each.pointer for each in found.differences] == ["body"]
    assert found.suggestion is None
