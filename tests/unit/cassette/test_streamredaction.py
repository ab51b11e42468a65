from __future__ import annotations

import json
import random
import re
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from support.planted import ENCODERS, PLANTED, grep
from wiretape.cassette import streamredaction
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.streamredaction import StreamRedactor
from wiretape.cassette.watched import Written
from wiretape.cassette.wholebody import none_in
from wiretape.cassette.writer import chunk_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Encoder = Callable[..., str]

SECRETS = Secrets()
STREAM = "text/event-stream"
TRIALS = 12


def event(text: str, number: int = 0, encode: Encoder = json.dumps) -> bytes:
    payload = {"id": f"c-{number}", "choices": [{"index": 0, "delta": {"content": text}}]}
    return b"data: " + encode(payload, separators=(",", ":")).encode() + b"\n\n"


def native(text: str, number: int = 0, encode: Encoder = json.dumps) -> bytes:
    payload = {
        "created_at": f"2026-11-22T10:31:02.{number * 7919}Z",
        "message": {"role": "assistant", "content": text},
        "done": False,
    }
    return encode(payload, separators=(",", ":")).encode() + b"\n"


def text_of(line: bytes) -> str:
    payload = json.loads(line.removeprefix(b"data: "))
    message = payload.get("message") or payload["choices"][0]["delta"]
    return str(message["content"])


def cut(content: str | bytes, dice: random.Random, longest: int) -> list:
    pieces = []
    while content:
        size = dice.randint(1, longest)
        pieces.append(content[:size])
        content = content[size:]
    return pieces


class Journal:
    """What is on the disk: as written, and at every moment, what was there."""

    def __init__(self, redactor: StreamRedactor) -> None:
        self.redactor = redactor
        self.chunks: list[bytes] = []
        self.places: dict[int, tuple[int, Written]] = {}

    def write(self, batch: list[bytes], *, last_is_part: bool = False) -> None:
        first = len(self.chunks)
        pieces = [(data, last_is_part and data is batch[-1]) for data in batch]
        safe = self.redactor.take(pieces)
        assert [part for _, part in safe.pieces] == [part for _, part in pieces]
        self.chunks += [data for data, _ in safe.pieces]
        self.places |= {id(each): (first + index, each) for index, each in safe.watched}
        for again in safe.again:
            place = self.places[id(again)][0]
            assert len(again.safe) == len(self.chunks[place])
            self.chunks[place] = again.safe


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("name", PLANTED)
def test_a_secret_spread_over_events_is_redacted_as_in_one_piece(name: str, encoder: str):
    text, secret = PLANTED[name]
    encode = ENCODERS[encoder]
    whole = f"Here it is: {text} and that was it, thanks a lot for asking."
    wanted = json.loads(SECRETS.redact(encode(whole).encode()))
    for seed in range(TRIALS):
        dice = random.Random(seed)
        spell = native if seed % 2 else event
        tokens = cut(whole, dice, 3 + seed)
        wire = [spell(token, index // 5, encode) for index, token in enumerate(tokens)]
        content_type = ("application/x-ndjson", "application/json-seq", STREAM, STREAM.title())[
            seed % 4
        ]
        journal = Journal(StreamRedactor(SECRETS, content_type))
        while wire:
            size = dice.randint(1, 4)
            journal.write(wire[:size])
            wire = wire[size:]
        assert "".join(map(text_of, journal.chunks)) == wanted
        assert not grep(secret, b"".join(map(str.encode, map(text_of, journal.chunks))))


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("content_type", [STREAM, "text/plain", "application/json"])
def test_a_secret_cut_anywhere_in_the_bytes_is_redacted_as_in_one_piece(
    name: str, content_type: str, encoder: str
):
    text, secret = PLANTED[name]
    hidden = event(f"It is: {text} indeed.", encode=ENCODERS[encoder])
    whole = event("Before.") + hidden + event("After.")
    wanted = SECRETS.redact(whole)
    assert wanted != whole
    for seed in range(TRIALS):
        dice = random.Random(seed)
        journal = Journal(StreamRedactor(SECRETS, content_type))
        wire = cut(whole, dice, 5 * (seed + 1))
        while wire:
            size = dice.randint(1, 3)
            journal.write(wire[:size], last_is_part=dice.random() < 0.5)
            wire = wire[size:]
        assert b"".join(journal.chunks) == wanted
        assert not grep(secret, b"".join(journal.chunks))


@pytest.mark.parametrize("name", PLANTED)
def test_at_no_moment_does_more_than_a_beginning_stand_in_the_journal(name: str):
    text, secret = PLANTED[name]
    journal = Journal(StreamRedactor(SECRETS, STREAM))
    for number, character in enumerate(f"See {text} there"):
        journal.write([event(character, number // 9)])
        written = "".join(map(text_of, journal.chunks))
        if "PRIVATE KEY" in secret:
            assert not grep(secret, written.encode())
        elif not name.startswith(("password", "aws")):  # which what follows them tells
            assert secret[: len(secret) * 2 // 3 + 2] not in written
    assert not grep(secret, written.encode())


def test_a_batch_may_begin_and_end_inside_a_chunk():
    key, secret = PLANTED["github"]
    plain = [event(f" word{number}") for number in range(50)]
    raw = event(f"x {key} y")
    journal = Journal(StreamRedactor(SECRETS, STREAM))
    journal.write([*plain, raw[:60]], last_is_part=True)
    journal.write([raw[60:], *plain])
    assert journal.chunks[:50] == plain
    assert journal.chunks[52:] == plain
    assert not grep(secret, b"".join(journal.chunks))
    assert b"".join(journal.chunks[50:52]) == SECRETS.redact(raw)


def test_what_holds_no_secret_is_given_back_as_it_came():
    words = [
        "It",
        "calls",
        "run_command",
        "with",
        '{"a":',
        '"b\\c"}',
        "&",
        "sk-",
        "eyJ",
        "https://x.y/z?q=1",
        "é",
    ]
    journal = Journal(StreamRedactor(SECRETS, STREAM))
    wire = [event(words[index % len(words)], index // 7) for index in range(400)]
    for start in range(0, 400, 7):
        journal.write(wire[start : start + 7])
    assert journal.chunks == wire


def test_texts_of_other_kinds_are_lanes_of_their_own():
    key, secret = PLANTED["slack"]
    journal = Journal(StreamRedactor(SECRETS, STREAM))
    for number, character in enumerate(key):
        payload = {"delta": {"content": "abc "[number % 4], "arguments": character}}
        journal.write([b"data: " + json.dumps(payload).encode() + b"\n\n"])
    written = [json.loads(each[6:])["delta"] for each in journal.chunks]
    assert not grep(secret, "".join(each["arguments"] for each in written).encode())
    assert "".join(each["content"] for each in written) == ("abc " * 30)[: len(key)]


@pytest.mark.parametrize("content_type", [STREAM, "", "text/plain", "application/octet-stream"])
@pytest.mark.parametrize(
    "layout",
    [
        'data: {"choices": [{"delta": {"audio": {"transcript": "%s"}}}]}\n\n',
        'data: {"delta": {"content": [{"type": "text", "text": {"value": "%s"}}]}}\n\n',
        'data: {"event": "message", "answer": "%s"}\n\n',
        'data: {"args": {"partialArgs": [{"jsonPath": "$.a", "stringValue": "%s"}]}}\n\n',
        'data: {"results": [{"generated_text": "%s"}]}\n\n',
        '{"message" : {"content" : "%s"}}\n',
        ',\n{"candidates": [{"content": {"parts": [{"text": "%s"}]}}]}',
    ],
)
def test_a_text_is_followed_whatever_its_member_and_its_body_are_called(
    layout: str, content_type: str
):
    key, secret = PLANTED["openai"]
    journal = Journal(StreamRedactor(SECRETS, content_type))
    for piece in cut(f"It is {key}.", random.Random(layout), 5):
        journal.write([(layout % piece).encode()])
    before, after = layout.split("%s")
    said = b"".join(journal.chunks).decode().replace(after + before, "")
    assert said.startswith(f"{before}It is ")
    assert not grep(secret, said.encode())


def test_the_members_of_one_document_are_no_pieces_of_one_text():
    body = b'{"results":[{"text":"token=abc"},{"text":"Paris"},{"text":"and London"}]}'
    for secrets in (SECRETS, Secrets([r'token=([^"\s]+)'])):
        journal = Journal(StreamRedactor(secrets, "application/json"))
        journal.write([body[:40]])
        journal.write([body[40:]])
        assert b"".join(journal.chunks) == secrets.redact(body)


def test_all_the_texts_of_a_chunk_are_looked_at_once(monkeypatch: pytest.MonkeyPatch):
    looks = 0
    find = Secrets.find

    def counting(secrets: Secrets, content: bytes, *, events: bool = False):
        nonlocal looks
        looks += 1
        return find(secrets, content, events=events)

    monkeypatch.setattr(Secrets, "find", counting)
    Journal(StreamRedactor(SECRETS, STREAM)).write([b'{"text":"sk-"},' * 2000])
    assert looks <= 3


def test_the_users_patterns_reach_over_chunks_too():
    redactor = StreamRedactor(Secrets([r"customer-\d{6}"]), STREAM)
    journal = Journal(redactor)
    for token in ("for cus", "tomer", "-12", "34", "56", ", yes"):
        journal.write([event(token)])
    assert "".join(map(text_of, journal.chunks)) == "for REDACTED-custom, yes"
    assert redactor.kinds == {"custom"}


def test_a_secret_as_long_as_a_private_key_gets_is_followed_and_no_longer():
    dashes = "-----"
    endless = f"{dashes}BEGIN PRIVATE KEY{dashes}\n" + "aB3d" * 20_000
    journal = Journal(StreamRedactor(SECRETS, "text/plain"))
    for piece in cut(endless.encode(), random.Random(1), 3000):
        journal.write([piece])
    written = b"".join(journal.chunks)
    assert b"aB3d" not in written[:8000]
    assert len(written) == len(endless)
    assert len(journal.redactor._lanes[b""].text) < 20_000  # noqa: SLF001  memory is bounded


class Careful(StreamRedactor):
    """Looks at each chunk by itself: what the quick ways are held against."""

    __slots__ = ()

    def take_alike(self, data: bytes) -> bool:
        del data
        return False

    def _take_some_alike(self, pieces: object) -> int:
        del pieces
        return 0

    def _take_plain(self, data: bytes) -> bool:
        del data
        return False

    def _enter_alike(self, key: bytes, between: bytes) -> None:
        """Never: there is no quick way to enter."""


def named(key: str, text: str, number: int = 0) -> bytes:
    payload = {"id": number, "delta": {key: text}}
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"


def in_both(key: str, text: str, number: int = 0) -> bytes:
    payload = {"delta": {key: text, "refusal": "x" if number % 3 else text[::-1]}}
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def escaped(key: str, text: str, number: int = 0) -> bytes:
    del key
    return event(text, number, ENCODERS["more than any"])


WORDS = (
    *("word ", "a", 'say "x" ', "a\\", "\\", 'q"', '"', "", "é", "line\n", "C:\\\\", " "),
    *("https://x.y/z?q=1", "sk-", "k-", "ey", "Bearer ", "Authorization: ", "&key=", "a" * 90),
)
STRAY = (b": ping\n\n", b"data: [DONE]\n\n", b'data: {"a":1}\n\n', b'{"authorization":"x"}\n\n')


def strange_stream(dice: random.Random) -> bytes:
    """Runs of events of a kind, with texts that break off in odd places, and some secrets."""
    stream = b""
    length = dice.choice([1000, 6000])
    while len(stream) < length:
        key = dice.choice(["content", "text", "arguments", "reasoning"][: dice.choice([1, 2, 4])])
        spell = dice.choice([named, in_both, escaped, lambda _, text, number: native(text, number)])
        for number in range(dice.randint(1, 14)):
            texts = [dice.choice(WORDS)]
            if dice.random() < 0.06:
                whole = dice.choice(["", "x ", '"']) + dice.choice(list(PLANTED.values()))[0]
                texts = cut(whole, dice, dice.choice([3, 40, 1000]))
            for text in texts:
                stream += spell(key, text, dice.choice([0, 0, number]))
            if dice.random() < 0.04:
                stream += dice.choice(STRAY)
    return stream


def cut_somehow(stream: bytes, dice: random.Random) -> list[bytes]:
    """Whole events; pieces of any length; or events of which some are cut."""
    events = re.findall(rb".*?\n+", stream, re.DOTALL)
    kind = dice.randrange(3)
    if kind == 0:
        return events
    if kind == 1:
        return cut(stream, dice, dice.choice([3, 8, 40, 200, 3000]))
    parts = [[each] if dice.random() < 0.7 else cut(each, dice, len(each)) for each in events]
    return [piece for part in parts for piece in part]


@pytest.mark.parametrize("seed", range(200))
def test_the_quick_ways_write_what_looking_at_each_chunk_writes(seed: int):
    dice = random.Random(seed)
    wire = cut_somehow(strange_stream(dice), dice)
    content_type = dice.choice([STREAM, STREAM, "application/x-ndjson", "text/plain"])
    quick = Journal(StreamRedactor(SECRETS, content_type))
    careful = Journal(Careful(SECRETS, content_type))
    sizes = dice.choice([[1], [1, 2, 7, 60], [3, 9]])
    while wire:
        size = dice.choice(sizes)
        quick.write(wire[:size])
        careful.write(wire[:size])
        assert quick.chunks == careful.chunks
        wire = wire[size:]
    assert quick.redactor.kinds == careful.redactor.kinds


def in_long_reads(events: list[bytes], dice: random.Random) -> list[list[bytes]]:
    """Events as long reads bring them, each of which may begin and end inside of one."""
    reads: list[list[bytes]] = []
    torn = b""
    while events:
        size = dice.randint(1, 30)
        read, events = [torn, *events[:size]] if torn else events[:size], events[size:]
        torn = b""
        if events and dice.random() < 0.7:
            place = dice.randrange(1, len(events[0]))
            read, torn, events = [*read, events[0][:place]], events[0][place:], events[1:]
        reads.append(read)
    return reads + [[torn]] * bool(torn)


@pytest.mark.parametrize("seed", range(60))
def test_long_reads_of_events_alike_are_written_as_each_by_itself(seed: int):
    dice = random.Random(seed)
    spell = dice.choice([named, escaped, lambda _, text: native(text)])
    events = [spell("text", dice.choice(["word ", "a ", "1.5 ", ", "])) for _ in range(90)]
    for _ in range(dice.randint(0, 3)):
        hidden = dice.choice([text for text, _ in PLANTED.values()])
        beside = dice.choice(["", '","arguments":"', "\\"])  # in which a text ends, or goes on
        odd = [
            spell("text", "@").replace(b"@", f"{beside}{piece}".encode())
            for piece in cut(json.dumps(hidden)[1:-1], dice, dice.choice([3, 40, 1000]))
        ]
        place = dice.randrange(len(events))
        events[place:place] = dice.choice([odd, odd, [dice.choice(STRAY)]])
    quick, careful = (Journal(kind(SECRETS, STREAM)) for kind in (StreamRedactor, Careful))
    whole = set(events)
    for read in in_long_reads(events, dice):
        torn = read[-1] not in whole
        quick.write(read, last_is_part=torn)
        careful.write(read, last_is_part=torn)
        assert quick.chunks == careful.chunks
    assert quick.redactor.kinds == careful.redactor.kinds


@pytest.mark.parametrize(
    "torn",
    [
        lambda each: [each[:-2], b"\n\n"],
        lambda each: [each[:-20], each[-20:]],
        lambda each: [each, b": ping\n\n"],
        lambda each: [each[index : index + 1] for index in range(len(each))],
    ],
    ids=["before its end", "in its text", "with comments", "in bytes"],
)
def test_a_long_read_is_gone_through_a_few_times_however_it_is_torn(
    torn: Callable[[bytes], list[bytes]], monkeypatch: pytest.MonkeyPatch
):
    gone_through = 0
    joined = streamredaction.joined  # which all ways begin with

    def counted(pieces: Sequence[tuple[bytes, bool]]) -> bytes:
        nonlocal gone_through
        gone_through += len(pieces)
        return joined(pieces)

    monkeypatch.setattr(streamredaction, "joined", counted)
    events = [event("word ") for _ in range(300)]
    pieces = [piece for each in events for piece in torn(each)]
    journal = Journal(StreamRedactor(SECRETS, STREAM))
    journal.write(events[:9])
    journal.write([b"data: ", *pieces])
    assert journal.chunks[10:] == pieces
    assert gone_through < 12 * len(pieces)


@pytest.mark.parametrize("seed", range(100))
def test_a_body_that_comes_whole_is_called_free_of_secrets_where_it_is(seed: int):
    dice = random.Random(seed)
    wire = cut_somehow(strange_stream(dice)[: dice.choice([60, 200, 900])], dice)
    careful = Journal(Careful(SECRETS, STREAM))
    careful.write(wire)
    if none_in(SECRETS, STREAM, [(piece, False) for piece in wire]):
        assert careful.chunks == wire


def test_a_secret_spread_over_the_events_of_a_body_that_comes_whole_is_seen():
    key, _ = PLANTED["openai"]
    words = [named("content", "Here it is, "), named("content", "all of it. ")]
    assert none_in(SECRETS, STREAM, [(word, False) for word in words])
    wire = [named("content", key[:6]), named("content", key[6:])]
    assert not none_in(SECRETS, STREAM, [(each, False) for each in wire])


def written(*batches: list[bytes]) -> bytes:
    """What is on the disk after these, as the quick ways and as the careful one have it."""
    quick, careful = Journal(StreamRedactor(SECRETS, STREAM)), Journal(Careful(SECRETS, STREAM))
    for batch in batches:
        quick.write(batch)
        careful.write(batch)
    assert quick.chunks == careful.chunks
    return b"".join(quick.chunks)


def test_a_text_of_another_kind_after_a_secret_is_looked_at():
    key, secret = PLANTED["openai"]
    call = named("arguments", f"run {key} now")
    middle = call.index(b"sk-") + 8
    github, _ = PLANTED["github"]
    batch = [named("content", f"a {github} x"), named("content", " there" * 20), call[:middle]]
    assert not grep(secret, written([named("content", "hi ")], batch, [call[middle:]]))


def test_a_secret_whole_in_one_event_needs_no_space_before_it():
    key, secret = PLANTED["huggingface"]
    before = [[named("content", "a")] for _ in range(5)]
    last = named("content", key)
    for middle in range(1, len(last)):
        assert not grep(secret, written(*before, [last[:middle]], [last[middle:]]))


def test_a_backslash_on_both_sides_of_a_cut_escapes_nothing_after_it():
    key, secret = PLANTED["openai"]
    path, quote = named("content", "C:\\"), named("content", '"' + key[:15])
    slash, opening = path.index(b"\\\\") + 1, quote.index(b'\\"')
    before = [[named("content", word)] for word in "abc"]
    after = [[path[:slash]], [path[slash:] + quote[:opening]], [quote[opening:]]]
    wire = written(*before, *after, [named("content", key[15:])])
    assert not grep(secret, "".join(re.findall('"content":"(.*?)"}', wire.decode())).encode())


@pytest.mark.parametrize("name", ["rsa key", "openssh key"])
def test_a_private_key_in_lines_leaves_the_lines_and_their_form(name: str):
    key, secret = PLANTED[name]
    lines = [b"data: " + line.encode() + b"\n\n" for line in key.split("\n")]
    journal = Journal(StreamRedactor(SECRETS, STREAM))
    for line in lines:
        journal.write([line])
    for line, safe in zip(lines, journal.chunks, strict=True):
        assert len(chunk_text(1, 0, safe)) == len(chunk_text(1, 0, line))
    assert not grep(secret, b"".join(journal.chunks))
    quotes = b"'" * 30 + b" " + key.encode()
    journal = Journal(StreamRedactor(SECRETS, "text/plain"))
    journal.write([quotes[:90]])
    journal.write([quotes[90:]])
    assert len(chunk_text(1, 0, journal.chunks[0])) <= len(chunk_text(1, 0, quotes[:90]))
    assert not grep(secret, b"".join(journal.chunks))


def test_short_events_leave_nothing_behind():
    redactor = StreamRedactor(SECRETS, STREAM)
    short = b'data: {"text":"a"}\n\n'
    tracemalloc.start()
    for _ in range(10_000):
        redactor.take([(short, False)])
        redactor.take_alike(short)
    own = tracemalloc.Filter(inclusive=True, filename_pattern="*/wiretape/cassette/*")
    kept = tracemalloc.take_snapshot().filter_traces([own])  # not what other threads allocate
    tracemalloc.stop()
    assert sum(each.size for each in kept.statistics("filename")) < 10_000


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_a_secret_whose_escapes_are_cut_is_redacted_as_in_one_piece(levels: int):
    key, secret = PLANTED["anthropic"]
    spelt = key[:-9] + "-" + key[-9:]
    escape = "\\" * (2**levels - 1) + "u002d"
    body = ("ask " + spelt.replace("-", escape) + " now").encode()
    whole = SECRETS.redact(body)
    assert not grep(secret[-9:], whole)
    for place in range(1, len(body)):
        journal = Journal(StreamRedactor(SECRETS, "application/json"))
        journal.write([body[:place]])
        journal.write([body[place:]])
        assert b"".join(journal.chunks) == whole
