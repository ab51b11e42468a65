"""What the viewer answers: the page's files, the list, cassettes, chunks, and their guards."""

from __future__ import annotations

import gc
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import wiretape
from wiretape.analysis.answer import Transcript
from wiretape.cassette.journal import Journal
from wiretape.cassette.writer import cassette_text, entry_text
from wiretape.core.model import Body, Cassette, Chunk, End, Entry, Outcome, Request, Response
from wiretape.viewer.live import LiveSession
from wiretape.viewer.pages import CONTENT_SECURITY_POLICY, GUARDS, Page, file_name, file_page
from wiretape.viewer.routes import Viewer
from wiretape.viewer.shelf import Shelf

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 22, 12, 0, 7, 500_000, tzinfo=UTC)
ASKED = b'{"model": "m", "stream": true, "messages": [{"role": "user", "content": "Hi"}]}'
JSON_HEAD = (("Content-Type", "application/json"), ("Content-Length", str(len(ASKED))))
SSE_HEAD = (("Content-Type", "text/event-stream"),)
TARGET = "/v1/chat/completions"
PAGE = Path(wiretape.__file__).parent / "viewer" / "page"


def delta(text: str) -> bytes:
    event = {"choices": [{"index": 0, "delta": {"content": text}}]}
    return b"data: " + json.dumps(event).encode() + b"\n\n"


ENTRIES: tuple[Entry, ...] = (
    Request(1, 0, "POST", TARGET, JSON_HEAD, Body.of(ASKED)),
    Response(1, 100, 200, SSE_HEAD),
    Chunk(1, 200, delta("Hel")),
    Chunk(1, 300, delta("lo")),
    Chunk(1, 400, b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'),
    End(1, 500, Outcome.COMPLETE),
)


def put(directory: Path, name: str, entries: tuple[Entry, ...] = ENTRIES) -> Path:
    path = directory / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(cassette_text(Cassette(name, NOON, "http://127.0.0.1:11434", entries)))
    return path


@pytest.fixture
def viewer(tmp_path: Path) -> Viewer:
    return Viewer(Shelf(tmp_path), lambda: LATER)


def get(viewer: Viewer, target: str, *sessions: LiveSession) -> Page:
    name = file_name(target)
    page = viewer.answer(target, sessions) if name is None else file_page(name)
    assert page is not None
    return page


def read(viewer: Viewer, target: str, *sessions: LiveSession) -> Any:
    page = get(viewer, target, *sessions)
    assert page.status == 200, page.body
    return json.loads(page.body)


def test_the_page_and_all_it_names_are_there(viewer: Viewer):
    index = get(viewer, "")
    assert index.content_type.startswith("text/html")
    named = re.findall(r'(?:href|src)="(page/[^"]+)"', index.body.decode())
    assert {"page/app.js", "page/style.css", "page/icon.svg"} <= set(named)
    scripts = {each.name for each in PAGE.glob("*.js")}
    imported = {
        name
        for script in PAGE.glob("*.js")
        for name in re.findall(r'from "\./([^"]+)"', script.read_text("utf-8"))
    }
    assert imported | {"app.js"} == scripts
    for each in [*named, *(f"page/{name}" for name in scripts)]:
        assert get(viewer, each).status == 200


def test_every_answer_has_the_guards_and_lets_no_other_site_in(viewer: Viewer, tmp_path: Path):
    put(tmp_path, "a")
    targets = ["", "page/app.js", "cassettes", "cassettes/a", "cassettes/no", "cassettes/a?since=1"]
    targets += ["cassettes/a/interactions/1", "cassettes/a/interactions/1/chunks/0"]
    for target in targets:
        headers = get(viewer, target).headers
        assert set(GUARDS) <= set(headers), target
        assert not any(name.lower().startswith("access-control") for name, _ in headers)
    assert "script-src 'self'" in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_the_page_has_no_way_to_make_markup_of_text():
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|\son[a-z]+="
    for each in PAGE.glob("*.js"):
        assert not re.search(ways, each.read_text("utf-8")), each.name
    assert not re.search(rf"{ways}|style=|<script>", (PAGE / "index.html").read_text("utf-8"))


def test_a_file_that_the_browser_has_is_not_sent_again():
    page = file_page("app.js")
    assert page is not None
    again = file_page("app.js", dict(page.headers)["ETag"])
    assert again is not None
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("target", ["health", "nosuch", "pages.py", "cassettes/a/b"])
def test_what_is_not_the_viewers_is_left_alone(viewer: Viewer, target: str):
    assert file_name(target) is None
    assert viewer.answer(target, ()) is None


@pytest.mark.parametrize("path", ["page/../pages.py", "page/nosuch.js", "page/__init__.py"])
def test_a_file_that_is_not_the_pages_is_not_given(path: str):
    name = file_name(path)
    assert name is not None
    assert file_page(name) is None


def test_the_list_has_cassettes_recordings_and_sessions(viewer: Viewer, tmp_path: Path):
    put(tmp_path, "folder/b")
    put(tmp_path, "a")
    (tmp_path / "dead.yaml.part").write_text("wiretape: 1\n")
    journal = Journal.create(tmp_path / "live.yaml", NOON, "http://x")
    path = tmp_path / "live.yaml"
    session = LiveSession(
        "live", "record", path, 1, recorded=2, replayed=0, misses=0, interactions=0
    )
    listed = read(viewer, "cassettes", session)
    assert [(each["name"], each["state"]) for each in listed["cassettes"]] == [
        ("a", "recorded"),
        ("dead.yaml.part", "abandoned"),
        ("folder/b", "recorded"),
        ("live.yaml.part", "recording"),
    ]
    assert listed["sessions"][0]["cassette"] == "live.yaml.part"
    journal.close()


def test_a_cassette_has_lanes_with_chunks_and_spans(viewer: Viewer, tmp_path: Path):
    put(tmp_path, "folder/b")
    shown = read(viewer, "cassettes/folder%2Fb")
    assert shown["recorded"] == "2026-11-22T12:00:00.000000Z"
    assert (shown["state"], shown["now"], shown["whole"]) == ("recorded", None, True)
    (lane,) = shown["lanes"]
    assert lane["at"] == {"request": 0, "head": 100, "end": 500, "last": 500}
    assert lane["chunks"]["at"] == [200, 300, 400]
    assert lane["chunks"]["sizes"] == [len(entry.data) for entry in ENTRIES[2:5]]  # type: ignore[union-attr]
    parts = shown["parts"]
    kinds = [
        [parts[bit] for bit in range(len(parts)) if each >> bit & 1]
        for each in lane["chunks"]["kinds"]
    ]
    assert kinds == [["content"], ["content"], ["finish"]]
    spans = [(chunk, parts[part], text) for chunk, part, text, *_ in lane["spans"]]
    assert spans == [(0, "content", "Hel"), (1, "content", "lo"), (2, "finish", "stop")]
    assert lane["asked"] == [{"who": "user", "text": "Hi"}]
    assert lane["choices"][0]["finish"] == "stop"


def test_a_large_cassette_is_never_encoded_all_at_once(
    viewer: Viewer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    chunks = (Chunk(1, 200 + number, delta(f"word {number} ")) for number in range(5000))
    put(tmp_path, "a", (*ENTRIES[:2], *chunks, ENTRIES[-1]))
    sizes: list[int] = []
    dumps = json.dumps

    def measured(*values: Any, **options: Any) -> str:
        text = dumps(*values, **options)
        sizes.append(len(text))
        return text

    monkeypatch.setattr(json, "dumps", measured)
    body = get(viewer, "cassettes/a").body
    assert len(json.loads(body)["lanes"][0]["spans"]) == 5000
    assert max(sizes) < len(body) / 4


def test_what_a_lane_was_made_of_is_not_kept(viewer: Viewer, tmp_path: Path):
    put(tmp_path, "a")
    page = get(viewer, "cassettes/a")
    gc.collect()
    kept = [each for each in gc.get_objects() if type(each) is Transcript]
    assert not [each for each in kept if each.events or each.spans]
    again = get(viewer, "cassettes/a")
    assert again.body == page.body


@pytest.mark.parametrize("number", ["9", "9" * 5000, "-1", ""])
def test_a_version_that_was_never_given_out_is_as_good_as_none(
    viewer: Viewer, tmp_path: Path, number: str
):
    put(tmp_path, "a")
    mark, _, _ = read(viewer, "cassettes/a")["version"].partition(".")
    shown = read(viewer, f"cassettes/a?since={mark}.{number}")
    assert (shown["whole"], len(shown["lanes"])) == (True, 1)


def test_calls_are_laid_out_with_their_numbers_untouched(viewer: Viewer, tmp_path: Path):
    arguments = '{"n": 12345678901234567890, "text": "x", "far": 1e999}'
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": arguments}}
    event = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
    chunk = Chunk(1, 200, b"data: " + json.dumps(event).encode() + b"\n\n")
    put(tmp_path, "a", (*ENTRIES[:2], chunk, ENTRIES[-1]))
    (lane,) = read(viewer, "cassettes/a")["lanes"]
    (shown,) = lane["choices"][0]["calls"]
    assert shown["arguments"][:2] == [["n", "12345678901234567890", "json"], ["text", "x", "text"]]
    assert (shown["chunks"], shown["name"]) == ([0], "f")


def test_a_recording_is_given_in_what_has_changed(viewer: Viewer, tmp_path: Path):
    journal = Journal.create(tmp_path / "live.yaml", NOON, "http://x")
    second = Request(2, 50, "POST", TARGET, JSON_HEAD, Body.of(ASKED))
    for entry in (*ENTRIES[:3], second):
        journal.write(entry_text(entry))
    whole = read(viewer, "cassettes/live.yaml.part")
    assert (whole["state"], whole["now"], whole["whole"]) == ("recording", 7_500_000, True)
    assert [lane["number"] for lane in whole["lanes"]] == [1, 2]
    nothing = read(viewer, f"cassettes/live.yaml.part?since={whole['version']}")
    assert (nothing["lanes"], nothing["version"]) == ([], whole["version"])
    journal.write(entry_text(ENTRIES[3]))
    more = read(viewer, f"cassettes/live.yaml.part?since={whole['version']}")
    assert [(lane["number"], lane["chunks"]["at"]) for lane in more["lanes"]] == [(1, [200, 300])]
    assert not more["whole"]
    assert read(viewer, "cassettes/live.yaml.part?since=other.9")["whole"]
    journal.close()
    ended = read(viewer, f"cassettes/live.yaml.part?since={more['version']}")
    assert (ended["name"], ended["state"], ended["whole"]) == ("live", "recorded", True)


def test_what_a_recording_has_written_again_is_no_longer_shown(viewer: Viewer, tmp_path: Path):
    journal = Journal.create(tmp_path / "live.yaml", NOON, "http://x")
    for entry in ENTRIES[:2]:
        journal.write(entry_text(entry))
    position, said = journal.bytes_written, entry_text(ENTRIES[2])
    journal.write(said)
    before = read(viewer, "cassettes/live.yaml.part")
    assert before["lanes"][0]["spans"][0][2] == "Hel"
    journal.rewrite(position, said, said.replace("Hel", "RED"))
    after = read(viewer, f"cassettes/live.yaml.part?since={before['version']}")
    assert after["whole"]
    assert after["lanes"][0]["spans"][0][2] == "RED"
    assert b"RED" in get(viewer, "cassettes/live.yaml.part/interactions/1/chunks/0").body
    same = read(viewer, f"cassettes/live.yaml.part?since={after['version']}")
    assert (same["whole"], same["lanes"], same["version"]) == (False, [], after["version"])
    journal.close()


def test_a_cassette_that_was_written_anew_is_read_anew(viewer: Viewer, tmp_path: Path):
    path = put(tmp_path, "a")
    before = read(viewer, "cassettes/a")
    put(tmp_path, "a", (*ENTRIES, Request(2, 600, "GET", "/api/tags", (), Body.of(b""))))
    os.utime(path, (1, 1))
    after = read(viewer, f"cassettes/a?since={before['version']}")
    assert after["whole"]
    assert len(after["lanes"]) == 2


def test_two_cassettes_are_compared(viewer: Viewer, tmp_path: Path):
    put(tmp_path, "a")
    put(tmp_path, "b", (*ENTRIES[:3], *ENTRIES[4:]))
    compared = read(viewer, "diff?a=a&b=b")
    (only,) = compared["pairs"]
    assert only["changes"] == [{"what": "content", "a": "Hello", "b": "Hel"}]
    assert not read(viewer, "diff?a=a&b=a")["changed"]
    journal = Journal.create(tmp_path / "live.yaml", NOON, "http://x")
    for entry in ENTRIES:
        journal.write(entry_text(entry))
    assert not read(viewer, "diff?a=a&b=live.yaml.part")["changed"]
    journal.close()
    assert get(viewer, "diff?a=a").status == 404


def test_a_chunks_bytes_are_given_as_they_are(viewer: Viewer, tmp_path: Path):
    hostile = b"<script>alert(1)</script>\xff\x00"
    put(tmp_path, "a", (*ENTRIES[:2], Chunk(1, 200, hostile), ENTRIES[-1]))
    page = get(viewer, "cassettes/a/interactions/1/chunks/0")
    assert (page.body, page.content_type) == (hostile, "application/octet-stream")
    assert ("Content-Disposition", "attachment") in page.headers
    chunk = "cassettes/a/interactions/1/chunks/0"
    assert get(viewer, f"{chunk}?limit=3").body == b"<sc"
    assert get(viewer, f"{chunk}?limit={'9' * 5000}").body == hostile
    details = read(viewer, "cassettes/a/interactions/1")
    assert details["request"]["body"] == ASKED.decode()
    assert details["response"] == {"status": 200, "headers": [list(field) for field in SSE_HEAD]}


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"abcd", "abcd"),
        (b"abcde", "abcd… (1 more byte)"),
        ("abcé".encode(), "abc… (1 more byte)"),
        (b"\xff\x00cde", "\\xff\x00cd… (1 more byte)"),
        (b"\xff\x00", "\\xff\x00"),
    ],
)
def test_of_a_long_body_the_beginning_alone_is_made_a_text(
    viewer: Viewer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, shown: str
):
    monkeypatch.setattr("wiretape.viewer.routes._LONGEST_BODY_BYTES", 4)
    put(tmp_path, "a", (Request(1, 0, "POST", TARGET, (), Body.of(content)), *ENTRIES[1:]))
    assert read(viewer, "cassettes/a/interactions/1")["request"]["body"] == shown


@pytest.mark.parametrize(
    ("target", "status", "said"),
    [
        ("cassettes/nosuch", 404, "no such cassette"),
        ("cassettes/..%2F..%2Fetc%2Fpasswd", 404, "no such cassette"),
        ("cassettes/%00", 404, "no such cassette"),
        ("cassettes/%2Fetc%2Fpasswd", 404, "no such cassette"),
        ("cassettes/.hidden", 404, "no such cassette"),
        ("cassettes/a%2F..%2Fa", 404, "no such cassette"),
        ("cassettes/" + "x" * 3000, 404, "no such cassette"),
        ("cassettes/%ED%A0%80", 404, "no such cassette"),
        ("cassettes/a/interactions/9", 404, "no interaction 9"),
        ("cassettes/a/interactions/1/chunks/3", 404, "no chunk 3"),
        ("cassettes/bad", 422, "line 2: not valid YAML"),
        ("cassettes/outside", 404, "no such cassette"),
    ],
)
def test_what_cannot_be_shown_is_said(
    viewer: Viewer, tmp_path: Path, target: str, status: int, said: str
):
    put(tmp_path, "a")
    put(tmp_path, ".hidden")
    (tmp_path / "bad.yaml").write_text("nonsense: [\n")
    elsewhere = put(tmp_path.parent / f"{tmp_path.name}-elsewhere", "outside")
    (tmp_path / "outside.yaml").symlink_to(elsewhere)
    page = get(viewer, target)
    assert page.status == status
    assert said in json.loads(page.body)["error"]["message"]


def test_given_cassettes_are_shown_and_no_others(tmp_path: Path):
    put(tmp_path, "a")
    far = put(tmp_path / "far", "b")
    viewer = Viewer(Shelf(tmp_path / "nowhere", [far]), lambda: LATER)
    (only,) = read(viewer, "cassettes")["cassettes"]
    assert only["name"] == far.as_posix().removesuffix(".yaml")
    assert read(viewer, f"cassettes/{quote(only['name'], safe='')}")["lanes"]
    assert get(viewer, "cassettes/a").status == 404


def test_text_that_is_no_unicode_is_still_json(viewer: Viewer, tmp_path: Path):
    lone = rb'data: {"choices": [{"index": 0, "delta": {"content": "\ud83d"}}]}' + b"\n\n"
    put(tmp_path, "a", (*ENTRIES[:2], Chunk(1, 200, lone), ENTRIES[-1]))
    (lane,) = read(viewer, "cassettes/a")["lanes"]
    assert lane["spans"][0][2] == "\ud83d"
