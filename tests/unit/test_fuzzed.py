"""Cassettes with something wrong in them: an error or a cassette, and never anything else."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from support.fuzzing import SEEDS, dumped, must_be_borne, mutated, wrong_types

ROOT = Path(__file__).parents[2] / "cassettes"
EXAMPLES = sorted(ROOT.rglob("*.yaml"))
SMALL = b"""\
wiretape: 1
recorded: 2026-11-22T10:31:02.000000Z
upstream: http://127.0.0.1:11434
entries:
- request: 1
  at: 0.000000
  method: POST
  target: /v1/chat/completions
  headers: {Content-Type: application/json, X: [a, b]}
  json:
    model: m
    stream: true
    messages:
    - {role: user, content: hi}
- {response: 1, at: 0.1, status: 200, headers: {Content-Type: text/event-stream}}
- {chunk: 1, at: 0.2, sse: '{"choices":[{"index":0,"delta":{"content":"sk-"}}]}', part: true}
- {chunk: 1, at: 0.2, sse: {event: e, data: '{"a":1}'}}
- {chunk: 1, at: 0.2, ndjson: ['{"a":1}', '{"b":2}']}
- {chunk: 1, at: 0.2, text: "a\\n"}
- {chunk: 1, at: 0.2, base64: /w==}
- {end: 1, at: 0.3, outcome: complete}
- {request: 2, at: 0.4, method: POST, target: /x, sha256: SHA, length: 9}
""".replace(b"SHA", b"ab" * 32)
VARIANTS = 150


def test_a_wrong_type_at_any_place_is_an_error_or_bears_it():
    document = yaml.safe_load(SMALL)
    assert must_be_borne(dumped(document)) is not None
    refused = taken = 0
    for what, changed in wrong_types(document):
        try:
            cassette = must_be_borne(dumped(changed))
        except Exception as error:
            error.add_note(what)
            raise
        refused += cassette is None
        taken += cassette is not None
    assert refused > taken > 0


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_mutated_example_is_an_error_or_bears_it(path: Path):
    content = path.read_bytes()[:60_000]
    content = content[: content.rindex(b"\n- ") + 1]
    dice = random.Random(path.stem)
    for _ in range(VARIANTS // 10):
        must_be_borne(mutated(content, dice))


def test_a_mutated_small_cassette_is_an_error_or_bears_it():
    dice = random.Random(1)
    for _ in range(VARIANTS * 4):
        must_be_borne(mutated(SMALL, dice))


@pytest.mark.parametrize("path", sorted(SEEDS.glob("*")), ids=lambda path: path.name)
def test_what_once_broke_something_does_so_no_more(path: Path):
    must_be_borne(path.read_bytes())
