"""Properties of matching over conversations of every dialect, against a plain linear scan."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wiretape.core.canonical import Reading
from wiretape.core.conversation import LEVELS, Level
from wiretape.core.matching import Match, Matcher, Repeat, Rules
from wiretape.core.model import Body, Request

fewer = settings(max_examples=60)

EXACT, ORDER, OUTPUT = LEVELS
DIALECTS = ("chat", "responses", "anthropic", "ollama")

texts = st.sampled_from(["a", "b", "é\n"])
arguments = st.dictionaries(st.sampled_from("xyz"), st.sampled_from([0, 1, "s", None]), max_size=3)


@st.composite
def conversations(draw: Any) -> dict[str, Any]:
    """A dialect, and turns: a text, or a round of calls, each with arguments and an output."""
    turns = st.lists(
        texts | st.lists(st.tuples(arguments, texts), min_size=1, max_size=3), max_size=3
    )
    return {"dialect": draw(st.sampled_from(DIALECTS)), "turns": [draw(texts), *draw(turns)]}


def spelled(value: Any, random: Any) -> str:
    """JSON of the value in some order of keys and some spelling."""
    if isinstance(value, dict):
        pairs = [f"{json.dumps(key)}:{spelled(inner, random)}" for key, inner in value.items()]
        random.shuffle(pairs)
        return "{" + random.choice([", ", ","]).join(pairs) + " }"
    if isinstance(value, list):
        return "[ " + ",".join(spelled(inner, random) for inner in value) + "]"
    if isinstance(value, int) and not isinstance(value, bool):
        return random.choice([str(value), f"{value}.0", f"{value}e0"])
    return json.dumps(value, ensure_ascii=random.choice([True, False]))


def body(conversation: dict[str, Any], random: Any = None) -> dict[str, Any]:
    """The request body; with `random`, results in some order and arguments in some spelling."""
    dialect = conversation["dialect"]
    field = "input" if dialect == "responses" else "messages"
    items: list[Any] = []
    for place, turn in enumerate(conversation["turns"]):
        if isinstance(turn, str):
            items.append({"role": "user", "content": turn})
            continue
        named = [(f"call_{place}_{n}", *call) for n, call in enumerate(turn)]
        came = list(named)
        if random:
            random.shuffle(came)
        items += {"chat": _chat, "responses": _responses, "anthropic": _anthropic,
                  "ollama": _ollama}[dialect](named, came, random)  # fmt: skip
    return {"model": "m", field: items}


def _written(value: Any, random: Any) -> str:
    return spelled(value, random) if random else json.dumps(value)


def _chat(named: list[Any], came: list[Any], random: Any) -> list[Any]:
    calls = [
        {"id": name, "function": {"name": "f", "arguments": _written(given_, random)}}
        for name, given_, _ in named
    ]
    results = [{"role": "tool", "tool_call_id": name, "content": out} for name, _, out in came]
    return [{"role": "assistant", "content": None, "tool_calls": calls}, *results]


def _responses(named: list[Any], came: list[Any], random: Any) -> list[Any]:
    return [
        *(
            {"type": "function_call", "call_id": name, "arguments": _written(given_, random)}
            for name, given_, _ in named
        ),
        *({"type": "function_call_output", "call_id": name, "output": o} for name, _, o in came),
    ]


def _anthropic(named: list[Any], came: list[Any], _: Any) -> list[Any]:
    calls = [{"type": "tool_use", "id": name, "input": given_} for name, given_, _ in named]
    results = [{"type": "tool_result", "tool_use_id": name, "content": o} for name, _, o in came]
    return [{"role": "assistant", "content": calls}, {"role": "user", "content": results}]


def _ollama(named: list[Any], came: list[Any], _: Any) -> list[Any]:
    calls = [{"function": {"name": "f", "arguments": given_}} for _, given_, _ in named]
    results = [{"role": "tool", "content": out} for *_, out in came]
    return [{"role": "assistant", "content": "", "tool_calls": calls}, *results]


def request(content: Any, method: str = "POST", target: str = "/v1/x") -> Request:
    text = content if isinstance(content, str) else json.dumps(content)
    return Request(1, 0, method, target, (), Body.of(text.encode()))


def agreement(one: Request, other: Request) -> Level | None:
    """The tightest level at which two requests agree."""
    read = [Reading(r.method, r.target, r.headers, r.body) for r in (one, other)]
    return next((level for level in LEVELS if read[0].digest(level) == read[1].digest(level)), None)


@fewer
@given(conversations(), st.randoms(use_true_random=False))
def test_spelling_alone_agrees_exactly(conversation: Any, random: Any):
    whole = body(conversation)
    assert agreement(request(spelled(whole, random)), request(whole)) is EXACT


@fewer
@given(conversations(), st.randoms(use_true_random=False))
def test_order_of_results_and_spelling_of_arguments_agree_at_tool_order(
    conversation: Any, random: Any
):
    whole = body(conversation)
    moved = body(conversation, random)
    found = agreement(request(spelled(moved, random)), request(whole))
    assert found is (EXACT if moved == whole else ORDER)


@fewer
@given(conversations(), st.randoms(use_true_random=False), st.data())
def test_other_outputs_agree_at_tool_output_alone(conversation: Any, random: Any, data: Any):
    rounds = [n for n, turn in enumerate(conversation["turns"]) if not isinstance(turn, str)]
    if not rounds:
        return
    other = copy.deepcopy(conversation)
    place = data.draw(st.sampled_from(rounds))
    given_, _ = other["turns"][place][0]
    other["turns"][place][0] = (given_, "something new")
    assert agreement(request(body(other, random)), request(body(conversation))) is OUTPUT


@fewer
@given(conversations(), st.randoms(use_true_random=False), st.data())
def test_any_other_change_agrees_at_no_level(conversation: Any, random: Any, data: Any):
    other = copy.deepcopy(conversation)
    turns = other["turns"]
    change = data.draw(st.sampled_from(["text", "more", "less", "argument", "call", "model"]))
    rounds = [n for n, turn in enumerate(turns) if not isinstance(turn, str)]
    if change == "text":
        turns[0] += "!"
    elif change == "more":
        turns.append("more")
    elif change == "less":
        turns.pop(0)
    elif rounds and change == "argument":
        given_, output = turns[rounds[0]][0]
        turns[rounds[0]][0] = ({**given_, "new": 1}, output)
    elif rounds and change == "call":
        turns[rounds[0]].append(({}, "a"))
    changed = body(other, random)
    if change == "model" or (not rounds and change in {"argument", "call"}):
        changed["model"] = "other"
    assert agreement(request(changed), request(body(conversation))) is None


class Scan:
    """The rules of matching, spelled out as a scan of everything for every request."""

    def __init__(self, recorded: list[Request], rules: Rules) -> None:
        self.recorded = recorded
        self.levels = LEVELS[: LEVELS.index(rules.level) + 1]
        self.repeat = rules.repeat
        self.used: set[int] = set()
        self.turns: dict[tuple[Level, tuple[int, ...]], int] = {}

    def match(self, live: Request) -> tuple[int, Level, bool] | str:
        groups = {
            level: tuple(
                number
                for number, each in enumerate(self.recorded)
                if (found := agreement(live, each)) and LEVELS.index(found) <= LEVELS.index(level)
            )
            for level in self.levels
        }
        repeat = Repeat.LAST if live.method == "GET" else self.repeat
        for level, numbers in groups.items():
            if level is OUTPUT and groups[ORDER] and repeat is not Repeat.NONE:
                break
            for number in numbers:
                if number not in self.used:
                    self.used.add(number)
                    return number, level, False
        for level, numbers in groups.items():
            if numbers and repeat is Repeat.LAST:
                return numbers[-1], level, True
            if numbers and repeat is Repeat.LOOP:
                turn = self.turns.get((level, numbers), 0)
                self.turns[level, numbers] = turn + 1
                return numbers[turn % len(numbers)], level, True
        return "exhausted" if any(groups.values()) else "no-match"


@st.composite
def libraries(draw: Any) -> tuple[list[Request], list[Request]]:
    """Recorded and live requests, many of them alike."""
    pool = draw(st.lists(conversations(), min_size=1, max_size=3))
    random = draw(st.randoms(use_true_random=False))

    def some() -> Request:
        if draw(st.integers(0, 9)) == 0:
            return request("", "GET", draw(st.sampled_from(["/a?x&y", "/a?y&x", "/b"])))
        conversation = copy.deepcopy(draw(st.sampled_from(pool)))
        rounds = [turn for turn in conversation["turns"] if not isinstance(turn, str)]
        if rounds and draw(st.booleans()):
            rounds[0][0] = (rounds[0][0][0], draw(texts))
        return request(spelled(body(conversation, draw(st.sampled_from([None, random]))), random))

    sizes = st.integers(0, 6)
    return [some() for _ in range(draw(sizes))], [some() for _ in range(draw(sizes) + 2)]


@pytest.mark.parametrize("repeat", Repeat)
@pytest.mark.parametrize("level", Level)
@settings(max_examples=25)
@given(library=libraries())
def test_the_index_gives_what_a_scan_would(level: Level, repeat: Repeat, library: Any):
    recorded, live = library
    rules = Rules(level, repeat=repeat)
    index = Matcher([((0, number), each) for number, each in enumerate(recorded)], rules)
    for _ in range(2):
        scan = Scan(recorded, rules)
        for each in live:
            asked = each.method, each.target, each.headers, each.body
            found = index.find(*asked) or index.miss(*asked)
            expected = scan.match(each)
            if isinstance(found, Match):
                assert (found.key[1], found.level, found.repeated) == expected
            else:
                assert found.reason == expected
                assert all(line.isprintable() for line in found.text(str).split("\n"))
                json.dumps(found.to_json(str))
        index.rewind()
