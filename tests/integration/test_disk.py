"""Disks that fail: full, read-only, taken away; names that are taken; clocks that jump."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.command import serving, wiretape
from support.proxies import Proxy
from support.upstream import LAST, SSE_HEAD, Gate, chunk, head, scripted_upstream
from support.wire import PATIENCE_S, ask, connect
from wiretape.cassette.loader import load
from wiretape.server import recorder as recorder_module
from wiretape.server import sessions as sessions_module

OK = [head("200 OK", "Content-Length: 2"), b"ok"]
OLD = (
    "wiretape: 1\nrecorded: 2026-11-22T10:31:02.000000Z\nupstream: http://h\nentries:\n"
    "- {request: 1, at: 0, method: GET, target: /old}\n"
    "- {end: 1, at: 5, outcome: upstream_closed}\n"
)


def mounted(path: Path, options: str) -> bool:
    path.mkdir(exist_ok=True)
    if os.geteuid() != 0:
        return False
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "small"
    if not mounted(path, "size=256k"):
        pytest.skip("cannot mount a tmpfs here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=False)


def fill(path: Path) -> None:
    with contextlib.suppress(OSError), (path / "ballast").open("wb", buffering=0) as ballast:
        while ballast.write(bytes(4096)):
            pass


async def test_a_full_disk_ends_the_recording_once_and_traffic_goes_on(small_disk: Path):
    (small_disk / "c.yaml").write_text(OLD)
    event = chunk(b"data: " + b"x" * 5000 + b"\n\n")
    async with (
        scripted_upstream([SSE_HEAD, *[event] * 40, LAST]) as upstream,
        serving("record", "--upstream", upstream.url, "--dir", small_disk, "--cassette", "c") as t,
    ):
        answers = await asyncio.gather(*(ask(t.url, "GET", f"/{n}") for n in range(4)))
        assert all(each.ending == "complete" and len(each.chunks) == 40 for each in answers)
        session = (await ask(t.url, "GET", "/_wiretape/sessions/c")).json()
        assert "No space left on device" in session["error"]
        assert (await ask(t.url, "GET", "/after")).ending == "complete"
        assert await t.stop() == 1
        assert t.said.count("recording stopped, traffic goes on unrecorded") == 1
        assert f"`wiretape recover {small_disk / 'c.yaml.part'}`" in t.said
    assert (small_disk / "c.yaml").read_text() == OLD
    recovered = wiretape("recover", small_disk)
    assert recovered.returncode == 0, recovered.stderr
    (path,) = small_disk.glob("c.2*.yaml")
    kept = [each.body() for each in load(path).interactions()]
    assert len(b"".join(kept)) > 100_000
    assert all(answers[0].body.startswith(each) for each in kept)
    assert wiretape("check", path).returncode == 1, "it says that the recording was cut off"


async def test_with_on_disk_error_stop_nothing_passes_unrecorded(small_disk: Path):
    event = chunk(b"data: " + b"x" * 5000 + b"\n\n")
    async with (
        scripted_upstream([SSE_HEAD, *[event] * 100, LAST]) as upstream,
        serving(
            "record", "--upstream", upstream.url, "--dir", small_disk, "--cassette", "c",
            "--on-disk-error", "stop",
        ) as t,
    ):  # fmt: skip
        answers = await asyncio.gather(*(ask(t.url, "GET", f"/{n}") for n in range(3)))
        # Who had no head yet is told why.
        cut = {n: each.body for n, each in enumerate(answers) if each.status != 400}
        assert {answers[number].ending for number in cut} == {"closed"}
        asked = len(upstream.seen)
        refused = await ask(t.url, "GET", "/after")
        assert refused.status == 400
        assert "No space left on device" in refused.json()["error"]["message"]
        assert len(upstream.seen) == asked
        assert (await ask(t.url, "GET", "/_wiretape/health")).status == 200
        assert await t.stop() == 1
        assert t.said.count("recording stopped, and so does traffic") == 1
    wiretape("recover", small_disk)
    (path,) = small_disk.glob("c.*.yaml")
    kept = {each.request.target: each.body() for each in load(path).interactions()}
    for number, body in cut.items():
        assert kept[f"/{number}"].startswith(body)


async def test_with_on_disk_error_stop_the_first_to_meet_it_is_told_why(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    write = os.write

    def full(descriptor: int, content: bytes) -> int:
        if b"- response" in bytes(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, content)

    for script in ([SSE_HEAD, LAST], [SSE_HEAD, chunk(b"data: 1\n\n"), LAST]):
        async with (
            scripted_upstream(script) as upstream,
            proxy("record", upstream=upstream.url, stops_on_disk_error=True) as tape,
        ):
            with monkeypatch.context() as patched:
                patched.setattr("wiretape.cassette.journal.os.write", full)
                refused = await ask(tape.url, "GET", "/@c/1")
            assert refused.status == 400
            assert "No space left on device" in refused.json()["error"]["message"]


@pytest.mark.parametrize("options", [[], ["--keep-reading"]], ids=["cancelled", "read on"])
async def test_an_upstream_is_let_go_when_a_client_leaves_as_the_disk_is_full(
    small_disk: Path, options: list[str]
):
    event, more = chunk(b"data: 1\n\n"), Gate()
    async with (
        scripted_upstream([SSE_HEAD, event, more, event, Gate()]) as upstream,
        serving(
            "record", "--upstream", upstream.url, "--dir", small_disk, "--cassette", "c",
            "--on-disk-error", "stop", *options,
        ) as t,
    ):  # fmt: skip
        client = await connect(t.url)
        await client.send("GET", "/")
        await client.reader.readuntil(b"data: 1")
        fill(small_disk)
        with (small_disk / "c.yaml.part").open("ab", buffering=0) as journal:
            journal.truncate(-(-journal.tell() // 4096) * 4096)  # no room in its last page either
        client.writer.close()
        if options:
            more.set()
        async with asyncio.timeout(PATIENCE_S):
            await upstream.client_left.wait()
        assert await t.stop() == 1


async def test_a_full_disk_before_the_first_entry_is_said_too(small_disk: Path):
    fill(small_disk)
    async with (
        scripted_upstream(OK) as upstream,
        serving("record", "--upstream", upstream.url, "--dir", small_disk, "--cassette", "c") as t,
    ):
        assert (await ask(t.url, "GET", "/")).body == b"ok"
        assert await t.stop() == 1
        assert "No space left on device" in t.said
    assert [each.name for each in small_disk.iterdir()] == ["ballast"]


def test_a_read_only_directory_is_said_at_the_start(tmp_path: Path):
    path = tmp_path / "frozen"
    if not mounted(path, "ro"):
        pytest.skip("cannot mount a tmpfs here")
    try:
        for mode in ("record", "once", "new_episodes"):
            refused = wiretape("serve", "--mode", mode, "--cassette", "c", "--dir", path)
            assert refused.returncode == 2
            assert refused.stderr.count("\n") == 1
            assert str(path) in refused.stderr
    finally:
        subprocess.run(["umount", "-l", str(path)], check=False)


@pytest.mark.parametrize("again", [True, False], ids=["asked again", "closed"])
async def test_a_directory_removed_meanwhile_loses_nothing(tmp_path: Path, *, again: bool):
    directory = tmp_path / "d"
    gate = Gate()
    async with (
        scripted_upstream(
            [SSE_HEAD, chunk(b"data: 1\n\n"), gate, chunk(b"data: 2\n\n"), LAST]
        ) as up,
        serving("record", "--upstream", up.url, "--dir", directory, "--cassette", "c") as tape,
    ):
        client = await connect(tape.url)
        await client.send("GET", "/")
        await client.head()
        await client.chunk()
        shutil.rmtree(directory)
        gate.set()
        assert (await client.rest()).ending == "complete"
        client.close()
        if again:
            assert (await ask(tape.url, "GET", "/again")).ending == "complete"
        assert await tape.stop() == 1
        assert "was removed while it ran" in tape.said
        assert "saved again" in tape.said
    assert wiretape("recover", directory).returncode == 0
    (path,) = directory.glob("*.yaml")
    assert load(path).interactions()[0].body() == b"data: 1\n\ndata: 2\n\n"


async def test_the_second_proxy_on_a_name_is_refused_clearly(tmp_path: Path):
    async with scripted_upstream(OK) as upstream:
        common = ("record", "--upstream", upstream.url, "--dir", tmp_path, "--cassette", "c")
        async with serving(*common) as first, serving(*common) as second:
            assert (await ask(first.url, "GET", "/1")).body == b"ok"
            refused = await ask(second.url, "GET", "/2")
            assert refused.status == 400
            assert "being recorded by another session" in refused.json()["error"]["message"]
            other = await ask(second.url, "GET", "/@other/3")
            assert other.body == b"ok", "under another name it records"
            assert await first.stop() == 0
            assert (await ask(second.url, "GET", "/4")).body == b"ok", "the name is free again"
            assert await second.stop() == 0
    targets = [each.request.target for each in load(tmp_path / "c.yaml").interactions()]
    assert targets == ["/4"]
    assert [each.target for each in upstream.seen] == ["/1", "/3", "/4"]


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(days=400), timedelta(hours=-1)])
async def test_a_clock_that_jumps_turns_no_time_round(
    jump: timedelta, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    wall = datetime(2026, 11, 22, 12, tzinfo=UTC)
    for module in (recorder_module, sessions_module):
        monkeypatch.setattr(module, "utc_now", lambda: wall)
    for mode in ("record", "new_episodes"):
        async with (
            scripted_upstream(OK) as upstream,
            proxy(mode, upstream=upstream.url, cassette="c") as tape,
        ):
            async with asyncio.timeout(PATIENCE_S):
                assert (await ask(tape.url, "GET", f"/{mode}/1")).body == b"ok"
                wall += jump
                assert (await ask(tape.url, "GET", f"/{mode}/2")).body == b"ok"
    cassette = load(tmp_path / "c.yaml")
    assert cassette.recorded == datetime(2026, 11, 22, 12, tzinfo=UTC)
    ats = [entry.at_us for entry in cassette.entries]
    assert ats == sorted(ats)
    assert len(cassette.interactions()) == 4
    assert wiretape("check", tmp_path / "c.yaml").returncode == 0


async def test_proxies_that_begin_in_the_same_second_take_names_of_their_own(
    proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    wall = datetime(2026, 11, 22, 12, tzinfo=UTC)
    for module in (recorder_module, sessions_module):
        monkeypatch.setattr(module, "utc_now", lambda: wall)
    async with (
        scripted_upstream(OK) as upstream,
        proxy("record", upstream=upstream.url) as one,
        proxy("record", upstream=upstream.url) as other,
    ):
        for tape in (one, other):
            assert (await ask(tape.url, "GET", "/")).body == b"ok"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["2026-11-22T120000Z-2.yaml", "2026-11-22T120000Z.yaml"]
