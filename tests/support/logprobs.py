"""Answers with log probabilities in every dialect, and what their tokens say.

Each token is told with its bytes and alternatives, itself among them.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Spell = Callable[[str, random.Random], dict[str, Any]]

OTHERS = (" the", "}]", '"', "\\", "]", "{", "x", "é", "}],", "ab")


def entry(token: str, dice: random.Random, **first: object) -> dict[str, Any]:
    """A token as OpenAI's chat has it, itself among its alternatives."""
    others = [token, *dice.sample(OTHERS, dice.choice([0, 2, 4]))]
    dice.shuffle(others)
    told = [one(each, dice, **first) for each in others] if dice.random() < 0.8 else []
    return {**one(token, dice, **first), "top_logprobs": told}


def one(token: str, dice: random.Random, **first: object) -> dict[str, Any]:
    number = round(-dice.random() * 9, dice.choice([1, 8]))
    return {**first, "token": token, "logprob": number, "bytes": list(token.encode())}


def chat(token: str, dice: random.Random) -> dict[str, Any]:
    probabilities = {"content": [entry(token, dice)], "refusal": None}
    return {"choices": [{"delta": {"content": token}, "logprobs": probabilities}]}


def refusal(token: str, dice: random.Random) -> dict[str, Any]:
    probabilities = {"content": None, "refusal": [entry(token, dice)]}
    return {"choices": [{"delta": {"refusal": token}, "logprobs": probabilities}]}


def responses(token: str, dice: random.Random) -> dict[str, Any]:
    kind = "response.output_text.delta"
    return {"type": kind, "delta": token, "logprobs": [entry(token, dice)]}


def ollama(token: str, dice: random.Random) -> dict[str, Any]:
    return {"message": {"content": token}, "done": False, "logprobs": [entry(token, dice)]}


def llama(token: str, dice: random.Random) -> dict[str, Any]:
    probabilities = {"content": [entry(token, dice, id=sum(token.encode()))]}
    return {"choices": [{"delta": {"content": token}, "logprobs": probabilities}]}


def sorted_by_name(token: str, dice: random.Random) -> dict[str, Any]:
    return json.loads(json.dumps(chat(token, dice), sort_keys=True))


def completions(token: str, dice: random.Random) -> dict[str, Any]:
    others = dict.fromkeys([token, *dice.sample(OTHERS, 2)], -0.25)
    told = {"text_offset": [3], "token_logprobs": [-0.1], "tokens": [token]}
    return {"choices": [{"text": token, "logprobs": {**told, "top_logprobs": [others]}}]}


DIALECTS: dict[str, Spell] = {
    each.__name__: each
    for each in (chat, refusal, responses, ollama, llama, sorted_by_name, completions)
}


def whole_answer(tokens: list[str], dialect: str, dice: random.Random) -> dict[str, Any]:
    text = "".join(tokens)
    if dialect == "completions":
        told = {
            "tokens": tokens,
            "top_logprobs": [{token: -0.1, dice.choice(OTHERS): -2} for token in tokens],
        }
        return {"choices": [{"text": text, "logprobs": told}]}
    if dialect == "ollama":
        return {"message": {"content": text}, "logprobs": [entry(each, dice) for each in tokens]}
    first = {"id": 7} if dialect == "llama" else {}
    told = {"content": [entry(each, dice, **first) for each in tokens], "refusal": None}
    answer = {"choices": [{"message": {"content": text}, "logprobs": told}], "usage": {"tokens": 3}}
    return json.loads(json.dumps(answer, sort_keys=dialect == "sorted_by_name"))


def encoded(payload: dict[str, Any], dice: random.Random) -> bytes:
    separators = dice.choice([(",", ":"), (", ", ": ")])
    return json.dumps(payload, separators=separators, ensure_ascii=False).encode()


def stream_of(tokens: list[str], dialect: str, dice: random.Random) -> list[bytes]:
    lines = [encoded(DIALECTS[dialect](token, dice), dice) for token in tokens]
    if dialect == "ollama":
        return [line + b"\n" for line in lines]
    return [b"data: " + line + b"\n\n" for line in lines]


def members(value: object) -> list[tuple[str, Any]]:
    if isinstance(value, list):
        return [member for each in value for member in members(each)]
    if not isinstance(value, dict):
        return []
    return [*value.items(), *(member for each in value.values() for member in members(each))]


def spelt(payloads: list[Any]) -> dict[str, bytes]:
    """What the tokens, their bytes and the alternatives say, each from the first to the last."""
    said = {"tokens": "", "bytes": b"", "alternatives": ""}
    for name, value in members(without_alternatives(payloads)):
        if name == "token":
            said["tokens"] += value
        elif name == "tokens" and isinstance(value, list):
            said["tokens"] += "".join(value)
        elif name == "bytes":
            said["bytes"] += bytes(value)
    for name, value in members(payloads):
        if name == "top_logprobs":
            said["alternatives"] += "".join(each.get("token", "".join(each)) for each in value[:1])
    return {what: each if isinstance(each, bytes) else each.encode() for what, each in said.items()}


def text_and_tokens(payloads: list[Any]) -> tuple[str, str]:
    text = tokens = ""
    for payload in payloads:
        for name, value in members({**payload, "choices": payload.get("choices")}):
            if name in {"content", "text", "refusal", "delta"} and isinstance(value, str):
                text += value
    for name, value in members(without_alternatives(payloads)):
        if name == "token" or (name == "tokens" and isinstance(value, list)):
            tokens += "".join(value)
    return text, tokens


def without_alternatives(value: Any) -> Any:
    if isinstance(value, list):
        return [without_alternatives(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {name: each for name, each in value.items() if name != "top_logprobs"}
    return {name: without_alternatives(each) for name, each in kept.items()}


def lists(value: object) -> list[str]:
    """What each list of tokens says, but those of alternatives."""
    if isinstance(value, list):
        said = [said for each in value for said in lists(each)]
        if value and isinstance(value[0], dict) and "token" in value[0]:
            said.append("".join(each["token"] for each in value))
        return said
    if not isinstance(value, dict):
        return []
    return [said for name, each in value.items() if name != "top_logprobs" for said in lists(each)]


def told_again(tokens: list[str], dice: random.Random) -> list[dict[str, Any]]:
    """A stream of Responses, which tells at its end what it has told."""

    def told() -> dict[str, Any]:
        return {"text": "".join(tokens), "logprobs": [entry(token, dice) for token in tokens]}

    return [
        *(responses(token, dice) for token in tokens),
        {"type": "response.output_text.done", **told()},
        {"type": "response.completed", "response": {"output": [{"content": [told()]}]}},
    ]
