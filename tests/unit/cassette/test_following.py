"""A recording followed while it grows is the recording read whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette import following, loader
from wiretape.cassette.continuation import indented
from wiretape.cassette.following import Following
from wiretape.cassette.loader import load
from wiretape.cassette.torn import Mended
from wiretape.cassette.writer import entry_text, header_text
from wiretape.core.model import Body, Chunk, End, Outcome, Request, Response
from wiretape.errors import CassetteNotFoundError

NOON = datetime(2026, 11, 22, 12, 0, 5, 123_456, tzinfo=UTC)
JSON = (("Content-Type", "application/json"), ("Content-Length", "9"))
ENTRIES = (
    Request(1, 0, "POST", "/v1/chat/completions", JSON, Body.of(b'{"a": 1}\n')),
    Request(2, 5, "GET", "/api/tags", (), Body.of(b"")),
    Response(1, 10, 200, (("Content-Type", "text/event-stream"),)),
    Chunk(1, 11, b"data: {}\n\n"),
    Response(2, 12, 404, ()),
    Chunk(1, 13, b'data: {"it\'s": "\xc3\xa9"}\n\ndata: [DONE]\n\n'),
    Chunk(2, 14, b"\xff\xfe", part=True),
    End(1, 15, Outcome.COMPLETE),
    Request(3, 16, "POST", "/api/chat", (), Body.of(b"")),
    Chunk(2, 17, b"text\n"),
    End(2, 18, Outcome.UPSTREAM_RESET),
)
TEXT = (header_text(NOON, "http://127.0.0.1:11434") + "".join(map(entry_text, ENTRIES))).encode()
HEAD = TEXT.index(b"- request")


@given(st.sets(st.integers(HEAD, len(TEXT)), max_size=12))
def test_looks_at_any_moment_add_up_to_the_whole(tmp_path_factory, cuts):
    path = tmp_path_factory.mktemp("following") / "a.yaml.part"
    path.write_bytes(TEXT[:HEAD])
    following = Following(path)
    seen = following.entries()
    for cut in sorted(cuts):
        path.write_bytes(TEXT[:cut])
        seen += following.entries()
        whole = load(path).entries
        assert tuple(seen) == whole
        assert following.stands()
    path.write_bytes(TEXT)
    seen += following.entries()
    assert tuple(seen) == ENTRIES
    assert following.cassette.name == "a"
    assert following.cassette.recorded == NOON
    assert following.entries() == []


def test_only_what_is_new_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.yaml.part"
    path.write_bytes(TEXT)
    follower = Following(path)
    follower.entries()
    parsed: list[bytes] = []

    def read_torn(content: bytes, path: Path) -> Mended:
        parsed.append(content)
        return loader.read_torn(content, path)

    monkeypatch.setattr(following, "read_torn", read_torn)
    with path.open("ab") as file:
        file.write(entry_text(End(3, 19, Outcome.COMPLETE)).encode())
    assert follower.entries() == [End(3, 19, Outcome.COMPLETE)]
    (only,) = parsed
    assert b"chunk" not in only


@pytest.mark.parametrize("indent", ["", "  "])
def test_an_entry_that_is_written_again_where_it_stands_is_noticed(tmp_path: Path, indent: str):
    path = tmp_path / "a.yaml.part"
    entries = "".join(map(entry_text, ENTRIES[:7]))
    content = TEXT[:HEAD] + indented(entries, indent).encode()
    path.write_bytes(content)
    follower = Following(path)
    follower.entries()
    assert follower.stands()
    path.write_bytes(content.replace(b"it''s", b"XX''s"))
    assert not follower.stands()
    again = Following(path)
    assert again.entries()[5] == Chunk(1, 13, b'data: {"XX\'s": "\xc3\xa9"}\n\ndata: [DONE]\n\n')
    assert again.stands()
    path.write_bytes(content[:-1])
    assert not again.stands()


def test_entries_behind_an_indent_are_followed_too(tmp_path: Path):
    path = tmp_path / "a.yaml.part"
    path.write_text(
        f"wiretape: 1\nrecorded: {NOON:%Y-%m-%dT%H:%M:%SZ}\nupstream: http://x\nentries:\n"
        "  - {request: 1, at: 0.000001, method: GET, target: /, headers: {}}\n"
    )
    following = Following(path)
    assert [entry.interaction for entry in following.entries()] == [1]
    with path.open("a") as file:
        file.write("  - {response: 1, at: 0.000002, status: 204, headers: {}}\n  - {end: 1")
    assert following.entries() == [Response(1, 2, 204, ())]
    assert following.entries() == []


def test_a_recording_that_has_ended_is_no_longer_there(tmp_path: Path):
    path = tmp_path / "a.yaml.part"
    path.write_bytes(TEXT)
    following = Following(path)
    path.rename(tmp_path / "a.yaml")
    with pytest.raises(CassetteNotFoundError):
        following.entries()
