"""Secrets in the tokens of answers with log probabilities, in every dialect, however cut."""

from __future__ import annotations

import json
import random
import re
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from support.planted import PLANTED, grep
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.streamredaction import StreamRedactor, none_in

from .test_streamredaction import SECRETS, STREAM, Careful, Journal, cut

if TYPE_CHECKING:
    from collections.abc import Callable

    Spell = Callable[[str, random.Random], dict[str, Any]]

JSON = "application/json"
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


def written(batches: list[list[bytes]], content_type: str) -> bytes:
    """What the journal holds after these, as the quick ways and as the careful one have it."""
    quick = Journal(StreamRedactor(SECRETS, content_type))
    careful = Journal(Careful(SECRETS, content_type))
    for batch in batches:
        quick.write(batch)
        careful.write(batch)
        assert quick.chunks == careful.chunks
    return b"".join(quick.chunks)


def batches_of(wire: list[bytes], dice: random.Random) -> list[list[bytes]]:
    batches = []
    while wire:
        size = dice.choice([1, 1, 2, 5])
        batches.append(wire[:size])
        wire = wire[size:]
    return batches


def members(value: object) -> list[tuple[str, Any]]:
    if isinstance(value, list):
        return [member for each in value for member in members(each)]
    if not isinstance(value, dict):
        return []
    return [*value.items(), *(member for each in value.values() for member in members(each))]


def spelt(payloads: list[Any]) -> dict[str, bytes]:
    """What the tokens, their bytes and the alternatives say, each from the first to the last."""
    said = {"tokens": "", "bytes": b"", "alternatives": ""}
    for name, value in members(payloads):
        if name == "token":
            said["tokens"] += value
        elif name == "tokens" and isinstance(value, list):
            said["tokens"] += "".join(value)
        elif name == "bytes":
            said["bytes"] += bytes(value)
        elif name == "top_logprobs":
            said["alternatives"] += "".join(each.get("token", "".join(each)) for each in value[:1])
    return {what: each if isinstance(each, bytes) else each.encode() for what, each in said.items()}


def read(content: bytes) -> list[Any]:
    lines = content.replace(b"data: ", b"").decode().split("\n")
    return [json.loads(line) for line in lines if line]


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


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", PLANTED)
def test_no_token_nor_its_bytes_nor_alternatives_spell_a_secret(name: str, dialect: str):
    text, secret = PLANTED[name]
    for seed in range(4):
        dice = random.Random(f"{seed}{name}{dialect}")
        tokens = cut(f"Here it is: {text} and that was it.", dice, 2 + 3 * seed)
        wire = stream_of(tokens, dialect, dice)
        content_type = "application/x-ndjson" if dialect == "ollama" else STREAM
        safe = written(batches_of(wire, dice), content_type)
        assert len(safe) == len(b"".join(wire))
        payloads = read(safe)
        for said in spelt(payloads).values():
            assert not grep(secret, said)
        shown, told = text_and_tokens(payloads)
        assert shown == told, "the tokens read as the text does"
        assert secret not in shown
        for token, payload, before in zip(tokens, payloads, read(b"".join(wire)), strict=True):
            if token in told.split("Here")[0] or payload == before:
                continue
            assert token == "" or json.dumps(list(token.encode())) not in json.dumps(payload)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", PLANTED)
def test_a_stream_cut_anywhere_is_redacted_as_in_one_piece(name: str, dialect: str):
    text, secret = PLANTED[name]
    dice = random.Random(f"{name}{dialect}")
    content_type = "application/x-ndjson" if dialect == "ollama" else STREAM
    tokens = cut(f"So {text} it is.", dice, 9)
    whole = b"".join(stream_of(tokens, dialect, dice))
    wanted = written([[whole]], content_type)
    for said in spelt(read(wanted)).values():
        assert not grep(secret, said)
    for longest in (1, 7, 60, 300, 2000):
        batches = batches_of(cut(whole, dice, longest), dice)
        if longest == 1:
            batches = [[byte for batch in batches for byte in batch]]
        assert written(batches, content_type) == wanted


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", PLANTED)
def test_a_whole_answer_is_redacted_alike_however_it_is_cut(
    name: str, dialect: str, indent: int | None
):
    text, secret = PLANTED[name]
    dice = random.Random(f"{name}{dialect}")
    answer = whole_answer(cut(f"So {text} it is.", dice, 7), dialect, dice)
    body = json.dumps(answer, indent=indent).encode()
    assert not none_in(SECRETS, JSON, [(body, False)])
    wanted = written([[body]], JSON)
    assert len(wanted) == len(body)
    for said in spelt([json.loads(wanted)]).values():
        assert not grep(secret, said)
    shown, told = text_and_tokens([json.loads(wanted)])
    assert shown == told
    for longest in (20, 200, 3000):
        assert written(batches_of(cut(body, dice, longest), dice), JSON) == wanted


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_stands_beside_other_tokens_stays(dialect: str):
    dice = random.Random(1)
    key = PLANTED["github"][0]
    tokens = ["Say", " it", " now", ": ", "ghp", "_", key[4:9], key[9:], ".", " Well", " done"]
    wire = stream_of(tokens, dialect, dice)
    safe = Journal(StreamRedactor(SECRETS, STREAM))
    for event in wire:
        safe.write([event])
    assert safe.chunks[:6] == wire[:6]
    assert safe.chunks[8:] == wire[8:]
    assert all(a != b for a, b in zip(safe.chunks[6:8], wire[6:8], strict=True))


@pytest.mark.parametrize("seed", range(60))
def test_tokens_without_secrets_are_written_as_they_came(seed: int):
    dice = random.Random(seed)
    dialect = dice.choice(list(DIALECTS))
    tokens = [
        dice.choice([*OTHERS, "sk-", "eyJ", " word", "tokens", '{"token":"']) for _ in "x" * 40
    ]
    wire = stream_of(tokens, dialect, dice)
    if seed % 2:
        wire = cut(b"".join(wire), dice, dice.choice([9, 90, 900]))
    assert written(batches_of(wire, dice), STREAM) == b"".join(wire)


def test_tokens_that_are_not_those_of_the_text_are_looked_at_by_themselves():
    key, secret = PLANTED["groq"]
    wire = [
        json.dumps({"delta": "word ", "logprobs": [{"token": token}]}).encode()
        for token in cut(key, random.Random(1), 5)
    ]
    payloads = read(written([[b"data: " + line + b"\n\n"] for line in wire], STREAM))
    assert not grep(secret, spelt(payloads)["tokens"])
    assert all(payload["delta"] == "word " for payload in payloads)


def test_events_that_differ_in_their_text_alone_keep_no_token_from_being_looked_at():
    key, secret = PLANTED["groq"]
    same = [b'data: {"delta":"%b","token":" "}\n\n' % word for word in (b"a", b"b", b"c", b"d")]
    tokens = cut(key.encode(), random.Random(1), 5)
    wire = [b'data: {"delta":"x","token":"%b"}\n\n' % token for token in tokens]
    safe = written([[each] for each in same + wire], STREAM)
    assert not grep(secret, b"".join(re.findall(rb'"token":"(.*?)"', safe)))


def test_the_users_patterns_reach_over_tokens_too():
    journal = Journal(StreamRedactor(Secrets([r"customer-\d{6}"]), STREAM))
    for event in stream_of(
        ["for cus", "tomer", "-12", "34", "56", ", yes"], "chat", random.Random(3)
    ):
        journal.write([event])
    payloads = read(b"".join(journal.chunks))
    assert text_and_tokens(payloads)[1] == "for REDACTED-custom, yes"
    assert b"tomer" not in spelt(payloads)["bytes"]


def test_a_list_of_bytes_that_never_has_a_token_leaves_nothing_behind():
    redactor = StreamRedactor(SECRETS, JSON)
    redactor.take([(b'{"bytes":[', False)])
    tracemalloc.start()
    for _ in range(2000):
        redactor.take([(b"12,34,56,78," * 20, False)])
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept_bytes < 100_000
