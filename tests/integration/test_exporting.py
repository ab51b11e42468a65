"""`wiretape export`: what other tools read of it, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from support.command import wiretape

ROOT = Path(__file__).parents[2]
CASSETTES = ROOT / "cassettes"
NOTES = CASSETTES / "notes"


def readme_query() -> str:
    """The SQL that stands below <!-- ci: duckdb --> in the README."""
    readme = (ROOT / "README.md").read_text("utf-8")
    found = re.search(r"<!-- ci: duckdb -->\n```sql\n(.*?)```", readme, re.DOTALL)
    assert found
    return found[1]


def test_json_lines_are_one_event_each(tmp_path: Path):
    done = wiretape("export", NOTES / "parallel-tool-calls.yaml", "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["at_s"] for row in rows] == [1.1004, 1.9871, 2.1442, 2.1442]
    file = tmp_path / "all.jsonl"
    assert wiretape("export", NOTES, "--format", "jsonl", "-o", file).returncode == 0
    names = {json.loads(line)["cassette"] for line in file.read_text("utf-8").splitlines()}
    assert {Path(name).name for name in names} == {
        "parallel-tool-calls",
        "plain-answer",
        "single-tool-call",
    }


def test_a_har_has_the_entries_of_all_cassettes(tmp_path: Path):
    file = tmp_path / "all.har"
    done = wiretape("export", CASSETTES, "--format", "har", "-o", file)
    assert done.returncode == 0, done.stderr
    log = json.loads(file.read_text("utf-8"))["log"]
    count = json.loads(wiretape("stats", CASSETTES, "--json").stdout)
    assert len(log["entries"]) == sum(row["interactions"] for row in count["rows"])
    began = [entry["startedDateTime"] for entry in log["entries"]]
    assert began == sorted(began)
    assert [each.name for each in tmp_path.iterdir()] == ["all.har"]


def test_parquet_is_what_duckdb_reads(tmp_path: Path):
    pytest.importorskip("pyarrow", reason="needs the extra: pip install 'wiretape[parquet]'")
    duckdb = pytest.importorskip("duckdb", reason="needs duckdb, which reads what was written")
    shutil.copytree(NOTES, tmp_path / "cassettes")
    done = wiretape("export", "cassettes", "--format", "parquet", "-o", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "wrote runs.chunks.parquet" in done.stderr
    query = readme_query().replace("'runs.", f"'{tmp_path}/runs.")
    ((model, answers, calls, parallel),) = duckdb.sql(query).fetchall()
    assert (model, answers, calls) == ("qwen2.5-coder:7b-instruct-q8_0", 3, 1.0)
    assert parallel == pytest.approx(1 / 3)
    chunks = duckdb.read_parquet(str(tmp_path / "runs.chunks.parquet"))
    ((count, size),) = chunks.aggregate("count(*), sum(size)").fetchall()
    assert count == 6
    assert size > 1000
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["cassettes", "runs.chunks.parquet", "runs.interactions.parquet"]


@pytest.mark.parametrize("way", ["itself", "a link", "a hard link", "another way"])
def test_what_it_exports_is_not_written_over(tmp_path: Path, way: str):
    shutil.copytree(NOTES, tmp_path / "v")
    cassette = tmp_path / "v" / "plain-answer.yaml"
    before = cassette.read_bytes()
    output = tmp_path / "v" / "out"
    if way == "a link":
        output.symlink_to(cassette)
    elif way == "a hard link":
        output.hardlink_to(cassette)
    else:
        output = cassette if way == "itself" else tmp_path / "v" / ".." / "v" / cassette.name
    for form in ("jsonl", "har"):
        done = wiretape("export", tmp_path / "v", "--format", form, "-o", output)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "is one of the cassettes to be exported" in done.stderr
        assert cassette.read_bytes() == output.read_bytes() == before
        assert output.is_symlink() is (way == "a link")


def test_a_link_is_followed_and_a_pipe_is_written_to(tmp_path: Path):
    cassette = NOTES / "plain-answer.yaml"
    wanted = wiretape("export", cassette, "--format", "jsonl").stdout
    target, link, pipe = (tmp_path / name for name in ("target", "link", "pipe"))
    target.write_text("old")
    link.symlink_to(target)
    assert wiretape("export", cassette, "--format", "jsonl", "-o", link).returncode == 0
    assert link.is_symlink()
    assert target.read_text() == wanted
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert wiretape("export", cassette, "--format", "jsonl", "-o", pipe).returncode == 0
    assert os.read(reading, len(wanted.encode()) + 1).decode() == wanted
    os.close(reading)
    assert pipe.is_fifo()
    done = wiretape("export", cassette, "--format", "jsonl", "-o", "")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("table", ["chunks", "interactions"])
def test_no_table_takes_the_place_of_what_it_exports(tmp_path: Path, table: str):
    pytest.importorskip("pyarrow", reason="needs the extra: pip install 'wiretape[parquet]'")
    cassette = tmp_path / f"x.{table}.parquet"
    shutil.copy(NOTES / "plain-answer.yaml", cassette)
    before = cassette.read_bytes()
    done = wiretape("export", cassette, "--format", "parquet", "-o", tmp_path / "x")
    assert done.returncode == 2
    assert f"{cassette} is one of the cassettes" in done.stderr
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [before]


def test_without_pyarrow_it_says_how_to_get_it(tmp_path: Path):
    (tmp_path / "pyarrow.py").write_text("raise ImportError\n")
    done = wiretape(
        "export", NOTES, "--format", "parquet", "-o", tmp_path / "x", PYTHONPATH=str(tmp_path)
    )
    assert done.returncode == 2
    assert "pip install 'wiretape[parquet]'" in done.stderr
    assert [each.name for each in tmp_path.iterdir() if "x" in each.name] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nosuch", "--format", "har"), "no such cassette"),
        ((NOTES, "--format", "xml"), "'xml' is not one of"),
        ((NOTES,), "Missing option '--format'"),
        ((NOTES, "--format", "parquet"), "give them a name with --output"),
        ((NOTES, "--format", "har", "-o", "/nonexistent/x.har"), "cannot write /nonexistent/x.har"),
    ],
)
def test_bad_use_is_one_clear_line_and_status_2(arguments: tuple[str | Path, ...], said: str):
    done = wiretape("export", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
