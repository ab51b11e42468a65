"""Secrets in the tokens of answers with log probabilities, in every dialect, however cut."""

from __future__ import annotations

import json
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.logprobs import (
    DIALECTS,
    OTHERS,
    encoded,
    lists,
    spelt,
    stream_of,
    text_and_tokens,
    told_again,
    whole_answer,
)
from support.planted import PLANTED, grep
from wiretape.cassette.redaction import Redactor
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.streamredaction import StreamRedactor
from wiretape.cassette.wholebody import none_in
from wiretape.core.model import Body

from .test_streamredaction import SECRETS, STREAM, Careful, Journal, cut

JSON = "application/json"
NAMES = (
    "openai project", "aws", "basic", "jwt", "nvidia", "password in a URL", "api key in a query",
    "rsa key",
)  # fmt: skip
"""Secrets that begin, end and go on each in their own way; `test_secrets` has all shapes."""

SHORT = NAMES[:-1]  # in small pieces, a private key takes seconds
PAIRS = set(zip(SHORT, DIALECTS, strict=True))
"""Of each secret and each dialect one, to be cut into the smallest pieces, which takes longest."""

FRAGMENTS = (
    " word", "\n", '"', "\\", "]", "}]", "[{", "}\n", "\n\n", "é", "sk-", "eyJ", "://", "?key=",
    '{"token":"', '\\"tokens":[', "www.example.org", "1", "Bearer ",
)  # fmt: skip


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


def read(content: bytes) -> list:
    lines = content.replace(b"data: ", b"").decode().split("\n")
    return [json.loads(line) for line in lines if line]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", NAMES)
def test_no_token_nor_its_bytes_nor_alternatives_spell_a_secret(name: str, dialect: str):
    text, secret = PLANTED[name]
    smallest = name in SHORT or dialect == "chat"
    for seed in range(3) if smallest else (1, 2):
        dice = random.Random(f"{seed}{name}{dialect}")
        tokens = cut(f"Here it is: {text} and that was it.", dice, 2 + 4 * seed)
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
@pytest.mark.parametrize("name", SHORT)
def test_a_stream_cut_anywhere_is_redacted_as_in_one_piece(name: str, dialect: str):
    text, secret = PLANTED[name]
    dice = random.Random(f"{name}{dialect}")
    content_type = "application/x-ndjson" if dialect == "ollama" else STREAM
    tokens = cut(f"So {text} it is.", dice, 9)
    whole = b"".join(stream_of(tokens, dialect, dice))
    wanted = written([[whole]], content_type)
    for said in spelt(read(wanted)).values():
        assert not grep(secret, said)
    for longest in (1 if (name, dialect) in PAIRS else 20, 300, 2000):
        batches = batches_of(cut(whole, dice, longest), dice)
        if longest == 1:
            batches = [[byte for batch in batches for byte in batch]]
        assert written(batches, content_type) == wanted


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", SHORT)
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
    for longest in (20 if (name, dialect) in PAIRS else 70, 3000):
        assert written(batches_of(cut(body, dice, longest), dice), JSON) == wanted


@pytest.mark.parametrize("seed", range(40))
def test_each_list_of_tokens_is_looked_at_by_itself_too(seed: int):
    dice = random.Random(seed)
    text, secret = PLANTED[dice.choice(["openai", "github", "jwt", "nvidia", "stripe"])]
    tokens = cut(f"{text} is yours", dice, dice.choice([2, 5, 9]))
    if seed % 2:
        answer = whole_answer(tokens, "chat", dice)
        answer["choices"] *= 3
        body, content_type = json.dumps(answer, indent=dice.choice([None, 1])).encode(), JSON
    else:
        events = [b"data: " + encoded(each, dice) + b"\n\n" for each in told_again(tokens, dice)]
        body, content_type = b"".join(events), STREAM
    longest = dice.choice([40, 400, 4000, len(body)])
    safe = written(batches_of(cut(body, dice, longest), dice), content_type)
    assert len(safe) == len(body)
    said = lists([json.loads(safe)] if seed % 2 else read(safe))
    assert len(said) >= 3
    assert not any(grep(secret, each.encode()) for each in [*said, "".join(said)])
    assert said[-1] == SECRETS.redact(f"{text} is yours".encode()).decode()


def test_a_body_laid_out_in_lines_may_be_cut_where_an_event_might_end():
    dice = random.Random(4)
    key, secret = PLANTED["github"]
    tokens = ["It", " is", ": ", "gh", "p", *cut(key[3:], dice, 9)]
    body = json.dumps(whole_answer(tokens, "chat", dice), indent=1).encode()
    body = body.replace(b"},\n", b"}\n,").replace(b"ghp_", b"xxxx")  # in the tokens alone
    wanted = written([[body]], JSON)
    assert not grep(secret, lists(json.loads(wanted))[0].encode())
    for end in re.finditer(rb"\}\n", body):
        assert written([[body[: end.end()]], [body[end.end() :]]], JSON) == wanted


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_whole_body_with_a_secret_in_its_tokens_alone_is_told(dialect: str):
    dice = random.Random(7)
    body = json.dumps(whole_answer(["gh", "p", "_", "a1" * 18], dialect, dice)).encode()
    body = body.replace(b"ghp_", b"xxxx")
    assert SECRETS.find(body) == []
    assert not none_in(SECRETS, JSON, [(body, False)])
    plain = json.dumps(whole_answer(["gh", "p", "-", "a1" * 18], dialect, dice)).encode()
    assert none_in(SECRETS, JSON, [(plain, False)])


def test_a_body_is_redacted_alike_wherever_it_is_cut_in_two():
    dice = random.Random(5)
    key = PLANTED["groq"][0]
    for dialect in DIALECTS:
        answer = whole_answer(cut(f"A {key} z", dice, 20), dialect, dice)
        body = json.dumps(answer, separators=(",", ":")).encode()
        wanted = written([[body]], JSON)
        for place in range(1, len(body), 13):
            assert written([[body[:place]], [body[place:]]], JSON) == wanted


@given(st.integers(), st.lists(st.sampled_from(FRAGMENTS), max_size=9), st.sampled_from(SHORT))
def test_no_secret_is_left_and_nothing_else_is_changed(seed: int, around: list[str], name: str):
    dice = random.Random(seed)
    text, secret = PLANTED[name]
    dialect = dice.choice(list(DIALECTS))
    before, after = "".join(around[::2]), "".join(around[1::2])
    for said, leaks in ((f"{before} {text} {after}", True), (before + after, False)):
        tokens = cut(said, dice, dice.choice([3, 12]))
        if dice.random() < 0.5:
            wire, content_type = stream_of(tokens, dialect, dice), STREAM
        else:
            answer = whole_answer(tokens, dialect, dice)
            wire = [json.dumps(answer, indent=dice.choice([None, 2])).encode()]
            content_type = JSON
        body = b"".join(wire)
        if dice.random() < 0.7:
            wire = cut(body, dice, dice.choice([30, 300, 3000]))
        safe = written(batches_of(wire, dice), content_type)
        payloads = read(safe) if content_type == STREAM else [json.loads(safe)]
        assert len(safe) == len(body)
        if leaks:
            assert not any(grep(secret, each) for each in spelt(payloads).values())
        elif not SECRETS.find(said.encode()):
            assert safe == body


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_request_that_tells_an_answer_is_redacted_too(dialect: str):
    dice = random.Random(6)
    key, secret = PLANTED["github"]
    answer = whole_answer(cut(f"So {key} it is", dice, 6), dialect, dice)
    body = json.dumps({"tokens": 5, "before": answer}).encode()
    _, _, safe = Redactor().request("/", (("Content-Type", JSON),), Body.of(body))
    assert safe.content is not None
    assert len(safe.content) == len(body)
    assert not any(grep(secret, each) for each in spelt([json.loads(safe.content)]).values())
    plain = Body.of(json.dumps(whole_answer(["sk-", "no", "ne"], dialect, dice)).encode())
    assert Redactor().request("/", (), plain)[2] is plain
    assert Redactor(Secrets(builtin=False)).request("/", (), Body.of(body))[2].content is body


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
