"""Bytes that look like answers with log probabilities, but are laid out, cut or made otherwise."""

from __future__ import annotations

import json
import random
import tracemalloc

import pytest

from support.logprobs import DIALECTS, spelt, whole_answer
from support.planted import PLANTED, grep
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.streamredaction import StreamRedactor
from wiretape.cassette.tokens import redact_tokens
from wiretape.cassette.wholebody import none_in

from .test_streamredaction import STREAM, Journal, cut

SECRETS = Secrets()
JSON = "application/json"
KEY, SECRET = PLANTED["github"]


@pytest.mark.parametrize(
    ("before", "piece"),
    [
        (b"", b'"tokens":['),
        (b'{"token":"x","top_logprobs":[', b'"a",'),
        (b'{"token":"sk-","top_logprobs":[', b'{"a":1,"top_logprobs":['),
        (b"", b'{"tokens":["a","bytes":[1,'),
    ],
)
def test_long_hostile_bytes_take_no_long_time(before: bytes, piece: bytes):
    # Quadratic would not end within a test's patience.
    body = before + piece * (400_000 // len(piece))
    assert none_in(SECRETS, JSON, [(body, False)]) == (b"sk-" not in before)
    assert redact_tokens(SECRETS, body) == body


@pytest.mark.parametrize("piece", [b'"a",', b"115,"])
def test_alternatives_that_never_end_take_no_long_time(piece: bytes):
    redactor = StreamRedactor(SECRETS, STREAM)
    redactor.take([(b'"token":"sk-","top_logprobs":[', False)])
    for _ in range(30_000):
        assert redactor.take([(piece, False)]).pieces == [(piece, False)]


def test_a_long_secret_in_a_large_body_takes_no_long_time():
    # To copy the body for each piece of the secret would take minutes.
    tokens = cut(PLANTED["rsa key"][0] * 4, random.Random(1), 2)
    told = [
        {"token": each, "top_logprobs": [{"token": each, "bytes": [1, 2]}] * 9} for each in tokens
    ]
    body = json.dumps({"told": told, "rest": "x" * 6_000_000}).encode()
    safe = redact_tokens(SECRETS, body)
    assert len(safe) == len(body)
    assert not grep(
        PLANTED["rsa key"][1], "".join(each["token"] for each in json.loads(safe)["told"]).encode()
    )


@pytest.mark.parametrize(
    ("begun", "chunks", "numbers", "most_bytes"),
    [
        (b'{"bytes":[', 2000, 20, 100_000),  # its token never comes
        (b'{"token":"sk-","bytes":[', 4000, 200, 3_000_000),  # a secret may begin with it
    ],
)
def test_a_list_of_bytes_that_does_not_end_is_not_remembered_for_ever(
    begun: bytes, chunks: int, numbers: int, most_bytes: int
):
    redactor = StreamRedactor(SECRETS, JSON)
    redactor.take([(begun, False)])
    tracemalloc.start()
    for _ in range(chunks):
        redactor.take([(b"12,34,56,78," * numbers, False)])
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept_bytes < most_bytes


@pytest.mark.parametrize(
    "beside",
    [
        '"bytes":[1.5,-2,true,null]',
        '"bytes":[[103,104],[112]]',
        '"bytes":["a",1,{"b":2},3]',
        '"bytes":[ ]',
        '"top_logprobs":[["a",3,"b"],[-0.5,17,"c"],[[1],[2]]]',
        '"top_logprobs":[null,{"a":1e-05,"b":[1,[2,3],4]}]',
        '"id":120,"token_id":0',
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_stands_beside_a_secret_stays_json(beside: str, *, first: bool):
    members = [beside, f'"token":"{KEY}"']
    body = "{" + ",".join(members if first else members[::-1]) + "}"
    safe = redact_tokens(SECRETS, body.encode())
    assert len(safe) == len(body)
    assert SECRET not in json.loads(safe)["token"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_blanks_may_stand_before_colons(dialect: str):
    dice = random.Random(3)
    answer = whole_answer(cut(f"So {KEY} it is", dice, 6), dialect, dice)
    body = json.dumps(answer, indent=2, separators=(",", " : ")).encode()
    assert not none_in(SECRETS, JSON, [(body, False)])
    safe = redact_tokens(SECRETS, SECRETS.redact(body))
    assert not any(grep(SECRET, each) for each in spelt([json.loads(safe)]).values())
    for place in range(1, len(body), 97):
        journal = Journal(StreamRedactor(SECRETS, JSON))
        journal.write([body[:place]])
        journal.write([body[place:]])
        assert b"".join(journal.chunks) == safe


def test_the_candidates_that_gemini_chose_spell_no_secret():
    tokens = cut(f"So {KEY} it is", random.Random(2), 6)
    chosen = [{"token": each, "tokenId": 7, "logProbability": -0.5} for each in tokens]
    body = json.dumps({"logprobsResult": {"chosenCandidates": chosen}}, indent=2).encode()
    safe = json.loads(redact_tokens(SECRETS, body))["logprobsResult"]["chosenCandidates"]
    assert not grep(SECRET, "".join(each["token"] for each in safe).encode())
    assert [len(each["token"]) for each in safe] == [len(each) for each in tokens]


def test_an_answer_that_breaks_off_is_told_as_far_as_it_came():
    dice = random.Random(3)
    for dialect in DIALECTS:
        plain = json.dumps(whole_answer(cut("It is so", dice, 3), dialect, dice)).encode()
        for place in range(0, len(plain), 7):
            assert redact_tokens(SECRETS, plain[:place]) == plain[:place]
    key = json.dumps(list(KEY.encode())).encode()
    begun = b'{"bytes":%b,"token":"gh' % key
    assert not none_in(SECRETS, JSON, [(begun, False)]), "its bytes stand before a token cut off"
    assert redact_tokens(SECRETS, begun) == begun
    assert key not in redact_tokens(SECRETS, begun + KEY[2:].encode())
