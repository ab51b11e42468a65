"""`wiretape stats`, `diff` and `view` as commands: what they print and how they end."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from support.command import serving, wiretape
from support.wire import ask

CASSETTES = Path(__file__).parents[2] / "cassettes"
NOTES = CASSETTES / "notes"


def test_stats_count_over_directories_and_files(tmp_path: Path):
    done = wiretape("stats", NOTES, CASSETTES / "llamacpp" / "chat-text.yaml", "--json")
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout)
    assert counted["cassettes"] == 4
    (qwen,) = [row for row in counted["rows"] if row["model"].startswith("qwen")]
    assert (qwen["interactions"], qwen["calls"], qwen["parallel"], qwen["refined"]) == (3, 3, 1, 1)
    assert done.stderr == ""
    shutil.copytree(NOTES, tmp_path / "cassettes")
    rows = list(csv.DictReader(io.StringIO(wiretape("stats", "--csv", cwd=tmp_path).stdout)))
    assert [(row["interactions"], row["outcomes"]) for row in rows] == [("3", "complete=3")]
    piped = wiretape("stats", cwd=tmp_path).stdout
    assert "3 interactions in 3 cassettes" in piped
    assert [line for line in piped.splitlines() if line != line.rstrip()] == []
    one = wiretape("stats", NOTES / "plain-answer.yaml").stdout
    assert one.startswith("1 interaction in 1 cassette\n")


def test_diff_says_what_changed_and_exits_by_it():
    same = wiretape("diff", "ollama-0.24.0/chat-tools", "llamacpp/chat-tools", "--dir", CASSETTES)
    assert same.returncode == 0
    assert "none changed" in same.stdout
    other = wiretape("diff", NOTES / "plain-answer.yaml", NOTES / "single-tool-call.yaml", "--json")
    assert other.returncode == 1
    compared = json.loads(other.stdout)
    assert compared["changed"]
    assert "calls[0]" in {change["what"] for change in compared["pairs"][0]["changes"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("stats", "nosuch"), "no such cassette"),
        (("stats", "--dir", "nowhere"), "nowhere: no such cassette; record one with"),
        (("stats", "no where/"), "no where: no such cassette"),
        (("recover", "nowhere"), "nowhere: no such directory or file"),
        (("stats", NOTES, "--json", "--csv"), "--json and --csv exclude each other"),
        (("diff", "one"), "Missing argument 'B'"),
        (("view", "nosuch"), "no such cassette"),
        (("view", "--dir", "nowhere"), "no such cassette"),
        (("view", "--listen", "nonsense"), "bad listen address"),
    ],
)
def test_bad_use_is_one_clear_line_and_status_2(arguments: tuple[str | Path, ...], said: str):
    done = wiretape(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["stats", "check", "redact"])
def test_an_empty_directory_is_told_with_what_records_there(command: str, tmp_path: Path):
    (tmp_path / "my tapes").mkdir()
    done = wiretape(command, "my tapes", cwd=tmp_path)
    help_text = "record one with: wiretape record --dir 'my tapes'"
    assert done.stderr == f"wiretape: error: my tapes: holds no cassette; {help_text}\n"
    assert done.returncode == 2


async def test_view_asks_for_its_token():
    async with serving("view", NOTES, WIRETAPE_TOKEN="open sesame") as viewing:  # noqa: S106  no secret
        assert (await ask(viewing.url, "GET", "/_wiretape/cassettes")).status == 401
        prefix = "/~open%20sesame"
        assert (await ask(viewing.url, "GET", f"{prefix}/_wiretape/cassettes")).status == 200
        moved = await ask(viewing.url, "GET", f"{prefix}/_wiretape")
        assert moved.header("Location") == "_wiretape/"
        moved = await ask(viewing.url, "GET", prefix)
        assert moved.header("Location") == "~open%20sesame/_wiretape/"
        await viewing.stop()
    assert f"the page is {viewing.url}/~TOKEN/_wiretape/" in viewing.said
    assert "sesame" not in viewing.said


async def test_view_serves_the_page_and_says_where():
    files = (NOTES / "plain-answer.yaml", NOTES / "single-tool-call.yaml")
    async with serving("view", *files, "--dir", CASSETTES) as viewing:
        assert viewing.line.startswith("wiretape: view on http://127.0.0.1:")
        page = await ask(viewing.url, "GET", "/_wiretape/")
        assert page.status == 200
        assert b"<title>wiretape</title>" in page.body
        listed = (await ask(viewing.url, "GET", "/_wiretape/cassettes")).json()
        names = [each["name"] for each in listed["cassettes"]]
        assert names == ["notes/plain-answer", "notes/single-tool-call"]
        for target in ("/_wiretape", "/", "/?x=1"):
            moved = await ask(viewing.url, "GET", target)
            assert (moved.status, moved.header("Location")) == (307, "_wiretape/")
        assert (await ask(viewing.url, "GET", "/v1/models")).status == 400
        assert await viewing.stop() == 0
    both = "?a=notes%2Fplain-answer&b=notes%2Fsingle-tool-call"
    assert f"the page is {viewing.url}/_wiretape/{both}" in viewing.said
