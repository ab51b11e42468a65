import fcntl
import os
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.library import (
    cassette_path,
    expand_time,
    find_abandoned,
    find_cassettes,
    find_recordings,
    take_path,
    timestamp_name,
)
from wiretape.errors import UsageError

NOON = datetime(2026, 11, 22, 12, 0, 5, 999_999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a", "a.yaml"),
        ("a.yaml", "a.yaml"),
        ("a.b", "a.b.yaml"),
        ("agents/a b/ü", "agents/a b/ü.yaml"),
        ("Class.test[param-1]", "Class.test[param-1].yaml"),
        ("x" * 200, "x" * 200 + ".yaml"),
        ("a.yaml.yaml", "a.yaml.yaml"),
    ],
)
def test_a_name_is_a_file_in_the_directory(tmp_path, name, file):
    assert cassette_path(tmp_path, name) == tmp_path / file


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "may be empty"),
        (".yaml", "may be empty"),
        ("/etc/passwd", "must not be an absolute path"),
        ("..", "begin with a dot"),
        ("../a", "begin with a dot"),
        ("a/../../b", "begin with a dot"),
        ("a/./b", "begin with a dot"),
        ("a/.hidden", "begin with a dot"),
        ("a//b", "may be empty"),
        ("a/", "may be empty"),
        ("a/.yaml", "may be empty"),
        ("a\0b", "U+0000"),
        ("a\nb", "U+000A"),
        ("a\x7fb", "U+007F"),
        ("a\u2028b", "U+2028"),
        ("a\udcffb", "U+DCFF"),
        ("..\\a", "a backslash"),
        ("a~b", "separates a session's label"),
        ("x" * 201, "over 200 bytes long"),
        ("é" * 101, "over 200 bytes long"),
    ],
)
def test_a_name_that_no_cassette_can_have_is_refused(tmp_path, name, reason):
    with pytest.raises(UsageError) as caught:
        cassette_path(tmp_path, name)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).encode()


@given(st.text(st.sampled_from("a./\\~ é\0"), max_size=8))
def test_no_name_leads_out_of_the_directory(tmp_path_factory, name):
    directory = tmp_path_factory.getbasetemp()
    try:
        path = cassette_path(directory, name)
    except UsageError:
        return
    assert directory.resolve() in path.resolve().parents
    assert path.name.endswith(".yaml")


def test_symbolic_links_do_not_lead_out_of_the_directory(tmp_path):
    inside = tmp_path / "cassettes"
    inside.mkdir()
    (inside / "out").symlink_to(tmp_path)
    (inside / "file.yaml").symlink_to(tmp_path / "secret.yaml")
    (inside / "loop").symlink_to("loop")
    (inside / "home.yaml").symlink_to("a.yaml")
    for name in ("out/a", "file", "loop/a"):
        with pytest.raises(UsageError, match="leads"):
            cassette_path(inside, name)
    assert cassette_path(inside, "home") == inside / "home.yaml"
    (tmp_path / "link").symlink_to(inside)
    assert cassette_path(tmp_path / "link", "a") == tmp_path / "link" / "a.yaml"


def test_the_time_in_a_name_is_utc_to_the_second():
    assert timestamp_name(NOON) == "2026-11-22T120005Z"
    assert timestamp_name(NOON.astimezone(timezone(timedelta(hours=9)))) == "2026-11-22T120005Z"
    assert timestamp_name(NOON.replace(tzinfo=None)) == "2026-11-22T120005Z"
    assert expand_time("a-{time}/{time}", NOON) == "a-2026-11-22T120005Z/2026-11-22T120005Z"
    assert expand_time("plain", NOON) == "plain"


def test_cassettes_are_found_in_name_order_and_hidden_ones_are_not(tmp_path):
    names = ["b.yaml", "a/z.yaml", "a.yaml", "a-1.yaml", ".hidden.yaml", ".git/x.yaml", "c.yml"]
    for name in [*names, "d.yaml.part"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.yaml").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in find_cassettes(tmp_path)]
    assert found == ["a.yaml", "a-1.yaml", "a/z.yaml", "b.yaml"]
    assert find_cassettes(tmp_path / "missing") == []


def test_takes_are_no_recordings_where_their_cassette_is_there(tmp_path):
    recordings = ["a.yaml", "b.rerun-1.yaml", "c.d.yaml", "rerun-1.yaml", "z/a.rerun-1.yaml"]
    asked_again = take_path(tmp_path / "a.yaml", "temperature-0.7", 12)
    assert asked_again.name == "a.temperature-0.7.rerun-12.yaml"
    takes = ["a.rerun-1.yaml", asked_again.name, "c.d.rerun-3.yaml"]
    (tmp_path / "z").mkdir()
    for name in [*recordings, *takes]:
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_recordings(tmp_path)]
    assert sorted(found) == sorted(recordings)
    assert len(find_cassettes(tmp_path)) == len(recordings) + len(takes)


def test_parts_that_nobody_holds_are_abandoned(tmp_path):
    for name in ("b.yaml.part", "a/a.yaml.part", "held.yaml.part", "a.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    descriptor = os.open(tmp_path / "held.yaml.part", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        found = [tmp_path / "a/a.yaml.part", tmp_path / "b.yaml.part"]
        assert find_abandoned(tmp_path) == found
    finally:
        os.close(descriptor)
    assert len(find_abandoned(tmp_path)) == 3
