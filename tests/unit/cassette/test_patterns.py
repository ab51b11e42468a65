"""The user's patterns: matched against text, wherever it is cut, and however JSON writes it."""

from __future__ import annotations

import json
import random

import pytest

from wiretape.cassette.secrets import Secrets, stand_in
from wiretape.cassette.streamredaction import StreamRedactor
from wiretape.cassette.writer import chunk_text

from .test_streamredaction import STREAM, Journal, cut

SECRETS = [
    ("山田太郎", "山田太郎"),
    ("Müller", "Müller"),
    (r"Kunde \w+", "Kunde Özil"),
    ("Stra.e", "Straße"),
    ("(?i)müller gmbh", "MÜLLER GMBH"),
    (r"\bid [^ ]{3}\b", "id äöü"),
    ("😀+", "😀😀"),
]


def size(chunk: bytes) -> int:
    return len(chunk_text(1, 0, chunk).encode())


@pytest.mark.parametrize(("pattern", "secret"), SECRETS)
def test_they_are_matched_against_characters(pattern: str, secret: str):
    before = "für "
    text = f"{before}{secret} + gut"
    hidden = stand_in("custom", len(secret.encode())).decode()
    assert Secrets([pattern]).redact_text(text) == text.replace(secret, hidden)
    for ensure_ascii in (True, False):
        body = json.dumps({"a": text, "b": json.dumps([text], ensure_ascii=ensure_ascii)})
        redacted = json.loads(Secrets([pattern]).redact(body.encode()))
        for said in (redacted["a"], json.loads(redacted["b"])[0]):
            assert said.startswith(f"{before}REDA")
            assert said.endswith(" + gut")
            assert not set(said) & set(secret) - set(f"{before} + gut" + hidden)


def test_a_group_may_lie_before_the_last_one():
    found = Secrets([r"(?<=(ä..)-)x|y-z(?=-(...))"]).find("äbc-x ü y-z-äbc".encode())
    assert [(each.start, each.end) for each in found] == [(0, 4)]


def test_bytes_that_are_no_text_are_passed_over():
    content = b"\xff\xfe M\xc3\xbcller \xff"
    assert Secrets(["Müller"]).redact(content) == b"\xff\xfe REDACTE \xff"


@pytest.mark.parametrize(("pattern", "secret"), SECRETS)
def test_they_are_redacted_wherever_a_body_is_cut(pattern: str, secret: str):
    text = f"für {secret} + gut"
    for content in (text, json.dumps({"a": text}), json.dumps({"a": text}, ensure_ascii=False)):
        body = content.encode()
        whole = Secrets([pattern]).redact(body)
        assert whole != body
        for place in range(1, len(body)):
            journal = Journal(StreamRedactor(Secrets([pattern]), "application/json"))
            journal.write([body[:place]])
            first = journal.chunks[0]
            journal.write([body[place:]])
            assert b"".join(journal.chunks) == whole
            assert size(journal.chunks[0]) <= size(first)


@pytest.mark.parametrize("ensure_ascii", [True, False])
@pytest.mark.parametrize(("pattern", "secret"), SECRETS)
def test_they_are_redacted_over_events(pattern: str, secret: str, *, ensure_ascii: bool):
    dice = random.Random(secret)
    for _ in range(20):
        journal = Journal(StreamRedactor(Secrets([pattern]), STREAM))
        for token in cut(f"für {secret} + gut", dice, 3):
            payload = {"choices": [{"delta": {"content": token}}]}
            line = json.dumps(payload, ensure_ascii=ensure_ascii)
            journal.write([f"data: {line}\n\n".encode()])
        events = [json.loads(each.removeprefix(b"data: ")) for each in journal.chunks]
        said = "".join(each["choices"][0]["delta"]["content"] for each in events)
        assert said.startswith("für REDA")
        assert said.endswith(" + gut")
        assert not set(said) & set(secret) - set("für  + gut" + "REDACTED-customx")


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("pattern", [r"(?s)<pin>.*?</pin>", r"<pin>[^<]*</pin>"])
def test_one_that_reaches_over_events_leaves_them_readable(pattern: str, *, named: bool):
    name = b"event: content_block_delta\n" if named else b""
    journal = Journal(StreamRedactor(Secrets([pattern]), STREAM))
    wire = []
    for token in ("my ", "<pin>", "4", "7", "11", "</pin>", " it is"):
        payload = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": token}}
        wire.append(name + b"data: " + json.dumps(payload).encode() + b"\n\n")
        journal.write(wire[-1:])
    texts = []
    for came, safe in zip(wire, journal.chunks, strict=True):
        assert size(safe) <= size(came)
        texts.append(json.loads(safe.removeprefix(name + b"data: "))["delta"]["text"])
    assert "".join(texts) == "my REDACTED-custom it is"


def test_one_reaches_over_the_lines_of_one_event():
    wire = b"data: begin\ndata: end\n\n"
    journal = Journal(StreamRedactor(Secrets([r"begin\s+data: end"]), STREAM))
    journal.write([wire])
    assert journal.chunks == [b"data: REDAC\ndata: tom\n\n"]


def test_what_looks_like_an_events_line_is_no_layout_in_a_text():
    body = b"credentials:\nid: hunter12345\nsecret: foo\nend\n"
    journal = Journal(StreamRedactor(Secrets([r"(?s)credentials:(.*?)end"]), "text/plain"))
    journal.write([body])
    assert b"hunter" not in journal.chunks[0]
