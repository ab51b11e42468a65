"""Sessions: choosing a cassette, modes, rewinding and closing, what the control endpoints say."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml

from support.proxies import Proxy
from support.upstream import Gate, Seen, head, scripted_upstream
from support.wire import ask, connect
from wiretape.cassette.loader import load
from wiretape.core.addresses import Address
from wiretape.core.model import Cassette, Mode
from wiretape.core.routing import SessionName
from wiretape.errors import CassetteNotFoundError, CorruptCassetteError, UsageError
from wiretape.server.report import report_lines
from wiretape.server.serve import start
from wiretape.server.settings import Settings


def echo(seen: Seen) -> list[bytes]:
    body = seen.target.encode() + b" " + seen.body
    return [head("200 OK", f"Content-Length: {len(body)}") + body]


def requests(path: Path) -> list[str]:
    entries = yaml.safe_load(path.read_text())["entries"]
    return [entry["target"] for entry in entries if "request" in entry]


async def test_a_cassette_is_chosen_by_flag_base_url_or_header(proxy: Proxy, tmp_path: Path):
    async with (
        scripted_upstream(echo) as upstream,
        proxy("record", upstream=upstream.url, cassette="flag") as recording,
    ):
        assert (await ask(recording.url, "GET", "/a")).body == b"/a "
        assert (await ask(recording.url, "GET", "/@by/url/b")).body == b"/url/b "
        assert (await ask(recording.url, "GET", "/@deep%2Fer/c?q=1")).body == b"/c?q=1 "
        chosen = {"Wiretape-Cassette": "by-header"}
        assert (await ask(recording.url, "GET", "/d", headers=chosen)).body == b"/d "
    assert requests(tmp_path / "flag.yaml") == ["/a"]
    assert requests(tmp_path / "by.yaml") == ["/url/b"]
    assert requests(tmp_path / "deep" / "er.yaml") == ["/c?q=1"]
    assert requests(tmp_path / "by-header.yaml") == ["/d"]
    async with proxy("replay") as replaying:
        assert (await ask(replaying.url, "GET", "/@deep%2Fer/c?q=1")).body == b"/c?q=1 "
        assert (await ask(replaying.url, "GET", "/d")).body == b"/d "  # all, where none is named
        assert (await ask(replaying.url, "GET", "/c?q=1")).body == b"/c?q=1 "
        for session, used in (("deep%2Fer", ["deep/er"]), ("default", ["by-header", "deep/er"])):
            report = await ask(replaying.url, "GET", f"/_wiretape/sessions/{session}")
            assert [each["cassette"] for each in report.json()["used"]] == used
        missing = await ask(replaying.url, "GET", "/@nosuch/d")
    assert missing.status == 400
    assert "nosuch.yaml" in missing.json()["error"]["message"]


async def test_cassettes_of_one_name_are_all_replayed(proxy: Proxy, tmp_path: Path):
    paths = (tmp_path / "one" / "run.yaml", tmp_path / "two" / "run.yaml")
    for path in paths:
        async with (
            scripted_upstream(echo) as upstream,
            proxy(
                "record", upstream=upstream.url, directory=path.parent, cassette="run"
            ) as running,
        ):
            await ask(running.url, "POST", f"/in/{path.parent.name}", b"")
    async with proxy("replay", cassettes=paths) as replaying:
        assert (await ask(replaying.url, "POST", "/in/one")).body == b"/in/one "
        assert (await ask(replaying.url, "POST", "/in/two")).body == b"/in/two "


@pytest.mark.parametrize("name", ["..%2Fx", "%2Fetc%2Fpasswd", "a%00b", "a~", "a~b~c"])
async def test_names_that_leave_the_directory_are_400(name: str, proxy: Proxy, tmp_path: Path):
    async with (
        scripted_upstream(echo) as upstream,
        proxy("record", upstream=upstream.url) as recording,
    ):
        by_url = await ask(recording.url, "POST", f"/@{name}/api/chat", b"{}")
        by_header = await ask(recording.url, "GET", "/", headers={"Wiretape-Cassette": "../x"})
    assert (by_url.status, by_header.status) == (400, 400)
    assert set(by_url.json()) == {"error"}
    assert "cassette name" in by_url.json()["error"]
    assert upstream.seen == []
    assert list(tmp_path.iterdir()) == []


async def test_a_name_that_is_refused_fails_what_is_strict(proxy: Proxy):
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url, cassette="c") as tape:
            await ask(tape.url, "GET", "/1")
        for target, headers, failed in (
            ("/@..%2Fx/1", {}, True),
            ("/1", {"Wiretape-Cassette": "../x"}, True),
            ("/_wiretape/sessions/..%2Fx", {}, False),  # no client goes without an answer
            ("/1", {}, False),
        ):
            async with proxy("replay", cassette="c", strict=True) as tape:
                answer = await ask(tape.url, "GET", target, headers=headers)
                summary = await tape.stop()
            assert (answer.status == 200) is (target == "/1" and not headers)
            assert summary.failed is failed, target
            assert ["bad cassette name" in text for text in summary.refused] == [True] * failed


async def test_recording_without_a_name_makes_a_cassette_named_for_the_time(
    proxy: Proxy, tmp_path: Path
):
    async with scripted_upstream(echo) as upstream:
        for _ in range(3):
            async with proxy("record", upstream=upstream.url) as recording:
                await ask(recording.url, "GET", "/")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 3
    for name in names:
        assert name[10] == "T"
        assert "Z" in name


async def test_a_recording_replaces_the_old_cassette_only_when_it_closes(
    proxy: Proxy, tmp_path: Path
):
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url, cassette="x") as recording:
            await ask(recording.url, "GET", "/old")
        async with proxy("record", upstream=upstream.url, cassette="x") as recording:
            assert requests(tmp_path / "x.yaml") == ["/old"]
        assert requests(tmp_path / "x.yaml") == ["/old"]  # nothing was asked
        async with proxy("record", upstream=upstream.url, cassette="x") as recording:
            await ask(recording.url, "GET", "/new")
            assert requests(tmp_path / "x.yaml") == ["/old"]
        assert requests(tmp_path / "x.yaml") == ["/new"]


@pytest.mark.parametrize("content", ["foo: bar\n", "wiretape:\n  image: x\n", "notes, and more\n"])
async def test_what_is_no_cassette_is_not_replaced(content: str, proxy: Proxy, tmp_path: Path):
    path = tmp_path / "x.yaml"
    path.write_text(content)
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url, strict=True) as tape:
            answer = await ask(tape.url, "GET", "/@x/1")
            summary = await tape.stop()
        assert answer.status == 400
        assert "a recording does not take its place" in answer.json()["error"]["message"]
        assert summary.failed
        assert upstream.seen == []
    with pytest.raises(CorruptCassetteError, match=r"x\.yaml: line [12]: "):
        async with proxy("record", cassette="x"):
            pass
    assert path.read_text() == content
    assert list(tmp_path.iterdir()) == [path]


async def test_once_records_and_then_replays(proxy: Proxy, tmp_path: Path):
    async with scripted_upstream(echo) as upstream:
        async with proxy("once", upstream=upstream.url, cassette="o") as running:
            await ask(running.url, "GET", "/1")
        async with proxy("once", upstream=upstream.url, cassette="o") as running:
            assert (await ask(running.url, "GET", "/1")).body == b"/1 "
            assert (await ask(running.url, "GET", "/2")).status == 400
            unnamed = await ask(running.url, "GET", "/@other/2")
            assert unnamed.body == b"/2 "
    assert len(upstream.seen) == 2
    assert requests(tmp_path / "o.yaml") == ["/1"]


async def test_once_needs_to_know_which_cassette(proxy: Proxy):
    async with proxy("once") as running:
        answer = await ask(running.url, "GET", "/1")
    assert answer.status == 400
    assert "--cassette" in answer.json()["error"]["message"]


async def test_new_episodes_replays_what_matches_and_appends_the_rest(proxy: Proxy, tmp_path: Path):
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url, cassette="n") as running:
            await ask(running.url, "POST", "/1", b"{}")
        path = tmp_path / "n.yaml"
        path.write_text(path.read_text().replace("entries:", "# by hand\nentries:"))
        async with proxy("new_episodes", upstream=upstream.url, cassette="n") as running:
            await ask(running.url, "POST", "/1", b"{}")
            await ask(running.url, "POST", "/2", b"{}")
    assert [seen.target for seen in upstream.seen] == ["/1", "/2"]
    assert requests(path) == ["/1", "/2"]
    assert "# by hand" in path.read_text()
    cassette = load(path)
    assert [each.number for each in cassette.interactions()] == [1, 2]
    times = [entry.at_us for entry in cassette.entries]
    assert times == sorted(times)
    async with proxy("replay", cassette="n") as running:
        assert (await ask(running.url, "POST", "/2", b"{}")).body == b"/2 {}"


async def test_passthrough_writes_nothing(proxy: Proxy, tmp_path: Path):
    async with (
        scripted_upstream(echo) as upstream,
        proxy("passthrough", upstream=upstream.url) as running,
    ):
        assert (await ask(running.url, "GET", "/@x/1")).body == b"/1 "
    assert list(tmp_path.iterdir()) == []


async def test_labels_open_independent_sessions(proxy: Proxy):
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url, cassette="l") as running:
            await ask(running.url, "POST", "/1", b"{}")
        async with proxy("replay") as running:
            for label in ("", "~w1", "~w2"):
                assert (await ask(running.url, "POST", f"/@l{label}/1", b"{}")).status == 200
            assert (await ask(running.url, "POST", "/@l~w1/1", b"{}")).status == 400
            reports = (await ask(running.url, "GET", "/_wiretape/sessions")).json()["sessions"]
    assert [report["session"] for report in reports] == ["l", "l~w1", "l~w2"]
    assert [len(report["misses"]) for report in reports] == [0, 1, 0]


async def test_a_second_recording_of_one_name_is_refused(proxy: Proxy, tmp_path: Path):
    async with (
        scripted_upstream(echo) as upstream,
        proxy("record", upstream=upstream.url) as one,
        proxy("record", upstream=upstream.url) as two,
    ):
        assert (await ask(one.url, "GET", "/@x/1")).status == 200
        for url in (f"{two.url}/@x/2", f"{one.url}/@x~label/2"):
            base, _, target = url.partition("/@")
            answer = await ask(base, "GET", "/@" + target)
            assert answer.status == 400
            assert "being recorded" in answer.json()["error"]["message"]
    assert requests(tmp_path / "x.yaml") == ["/1"]


async def test_rewind_and_close(proxy: Proxy, tmp_path: Path):
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url) as running:
            await ask(running.url, "POST", "/@r/1", b"{}")
            closed = await ask(running.url, "POST", "/_wiretape/sessions/r/close")
            assert closed.json()["written"] == str(tmp_path / "r.yaml")
            assert requests(tmp_path / "r.yaml") == ["/1"]
        async with proxy("replay") as running:
            for _ in range(3):
                assert (await ask(running.url, "POST", "/@r/1", b"{}")).status == 200
                assert (await ask(running.url, "POST", "/@r/1", b"{}")).status == 400
                rewound = await ask(running.url, "POST", "/_wiretape/sessions/r/rewind")
                assert (rewound.status, rewound.json()["used"]) == (200, [])


@pytest.mark.parametrize("cassette", [None, "c"])
async def test_a_rewind_opens_what_nobody_has_asked_yet(proxy: Proxy, cassette: str | None):
    rewind = "/_wiretape/sessions/{}/rewind"
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url) as tape:
            assert (await ask(tape.url, "POST", rewind.format("c"))).status == 404
            await ask(tape.url, "GET", "/@c/1")
        for mode in ("replay", "once", "new_episodes"):
            async with proxy(mode, upstream=upstream.url, cassette=cassette) as tape:
                for name in ("c", "c~worker", *(["default"] if cassette else [])):
                    report = await ask(tape.url, "POST", rewind.format(name))
                    assert (report.status, report.json()["mode"]) == (
                        200,
                        mode.replace("once", "replay"),
                    )
                    assert len(report.json()["unused"]) == 0
                if mode == "replay":
                    missing = await ask(tape.url, "POST", rewind.format("nosuch"))
                    assert missing.status == 404
                    assert not tape.app.refused


@pytest.mark.parametrize("mode", ["record", "once", "new_episodes"])
async def test_an_upstream_that_was_not_there_is_no_recording(
    mode: str, proxy: Proxy, tmp_path: Path
):
    nobody = "http://127.0.0.1:1"
    async with proxy(mode, upstream=nobody, cassette="c") as tape:
        assert (await ask(tape.url, "GET", "/0")).status == 502
        summary = await tape.stop()
    # What was not there before can only be meant, where it was asked for.
    assert summary.written == ((tmp_path / "c.yaml",) if mode == "record" else ())
    assert summary.reports[0]["recorded"] == len(summary.written)
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url, cassette="c") as tape:
            await ask(tape.url, "GET", "/1")
        before = (tmp_path / "c.yaml").read_text()
        async with proxy(mode, upstream=nobody, cassette="c") as tape:
            await ask(tape.url, "GET", "/2")
            summary = await tape.stop()
    assert (tmp_path / "c.yaml").read_text() == before
    assert [each.name for each in tmp_path.iterdir()] == ["c.yaml"]
    if mode != "once":  # which replays by now
        text = f"{tmp_path / 'c.yaml'}: it was left as it is, for no upstream answered any of 1"
        assert summary.errors[0].startswith(text)
        assert summary.reports[0]["recorded"] == 0


async def test_one_answer_makes_a_recording(proxy: Proxy, tmp_path: Path):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head("200 OK", "Connection: close", "Content-Length: 2") + b"ok")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with proxy("once", upstream=url, cassette="c") as tape:
        assert (await ask(tape.url, "GET", "/1")).status == 200
        server.close()
        assert (await ask(tape.url, "GET", "/2")).status == 502
    assert requests(tmp_path / "c.yaml") == ["/1", "/2"]


async def test_a_miss_names_the_upstream_that_was_recorded(proxy: Proxy):
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url, cassette="c") as tape:
            await ask(tape.url, "GET", "/1")
        command = "wiretape run --mode record --cassette c -- ./test"
        async with proxy("replay", cassette="c", record_command=command) as tape:
            missed = await ask(tape.url, "GET", "/2")
            named = await ask(tape.url, "GET", "/@c~a/2")
    text = missed.json()["error"]["message"]
    assert f"wiretape run --upstream {upstream.url} --mode record --cassette c -- ./test" in text
    assert (
        f"wiretape record --upstream {upstream.url} --cassette c"
        in named.json()["error"]["message"]
    )


async def test_recording_again_what_was_closed_is_said(
    proxy: Proxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with (
        scripted_upstream(echo) as upstream,
        proxy("record", upstream=upstream.url) as running,
    ):
        await ask(running.url, "GET", "/@r/1")
        await ask(running.url, "POST", "/_wiretape/sessions/r/close")
        assert "take the place" not in caplog.text
        await ask(running.url, "GET", "/@r/2")
        assert f"will take the place of {tmp_path / 'r.yaml'}" in caplog.text
        assert requests(tmp_path / "r.yaml") == ["/1"]
    assert requests(tmp_path / "r.yaml") == ["/2"]


async def test_what_was_missed_before_a_rewind_still_counts(proxy: Proxy):
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url, cassette="c") as tape:
            await ask(tape.url, "POST", "/1", b"{}")
        async with proxy("replay", cassette="c", strict=True) as tape:
            await ask(tape.url, "POST", "/1", b"{}")
            await ask(tape.url, "POST", "/other", b"{}")
            rewind = ("POST", "/_wiretape/sessions/c/rewind")
            report = (await ask(tape.url, *rewind)).json()
            assert (report["misses"], report["missed_before"]) == ([], 1)
            await ask(tape.url, "POST", "/1", b"{}")
            figures = (await ask(tape.url, "GET", "/_wiretape/metrics")).body.decode()
            assert "wiretape_replayed_total 2\n" in figures
            assert "wiretape_misses_total 1\n" in figures
            summary = await tape.stop()
    assert summary.failed


async def test_what_was_used_before_a_rewind_is_not_unused(proxy: Proxy):
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url, cassette="c") as tape:
            for target in ("/1", "/2"):
                await ask(tape.url, "POST", target, b"{}")
        for used, failed in (["/1", "/2"], False), (["/1"], True):
            async with proxy("replay", cassette="c", strict=True) as tape:
                for target in used:
                    await ask(tape.url, "POST", target, b"{}")
                    rewound = await ask(tape.url, "POST", "/_wiretape/sessions/c/rewind")
                    assert len(rewound.json()["unused"]) == 2
                summary = await tape.stop()
            assert summary.failed is failed
            (report,) = summary.reports
            assert [each["target"] for each in report["used_before"]] == used
            lines = report_lines(report)
            assert f"session c: {len(used)} used before it was rewound" in lines
            assert any("unused: #2" in line for line in lines) is failed


async def test_of_very_many_misses_the_first_are_kept_and_all_are_counted(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("wiretape.server.replayer._MISSES_KEPT", 2)
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url, cassette="c") as tape:
            await ask(tape.url, "POST", "/1", b"{}")
        async with proxy("replay", cassette="c") as tape:
            for number in range(5):
                await ask(tape.url, "POST", f"/other/{number}", b"{}")
            figures = (await ask(tape.url, "GET", "/_wiretape/metrics")).body.decode()
            assert "wiretape_misses_total 5\n" in figures
            (report,) = (await tape.stop()).reports
    assert (len(report["misses"]), report["misses_left_out"]) == (2, 3)
    assert "session c: 1 recorded, 0 used, 1 unused, 5 missed" in report_lines(report)


async def test_a_session_that_only_stands_by_fails_nothing(proxy: Proxy):
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url, cassette="c") as tape:
            await ask(tape.url, "POST", "/1", b"{}")
        async with proxy("replay", cassette="c", strict=True) as tape:
            assert (await ask(tape.url, "POST", "/@c~w1/1", b"{}")).status == 200
            summary = await tape.stop()
        assert not summary.failed
        assert [report["session"] for report in summary.reports] == ["c~w1"]
        async with proxy("replay", cassette="c", strict=True) as tape:
            summary = await tape.stop()
        assert summary.failed


async def test_new_episodes_replay_while_another_session_records(proxy: Proxy, tmp_path: Path):
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url, cassette="n") as tape:
            await ask(tape.url, "POST", "/1", b"{}")
        async with proxy("new_episodes", upstream=upstream.url) as tape:
            assert (await ask(tape.url, "POST", "/@n~a/2", b"{}")).body == b"/2 {}"
            assert (await ask(tape.url, "POST", "/@n~b/1", b"{}")).body == b"/1 {}"
            refused = await ask(tape.url, "POST", "/@n~b/3", b"{}")
            assert "being recorded by another session" in refused.json()["error"]["message"]
            await ask(tape.url, "POST", "/_wiretape/sessions/n~a/close")
            assert (await ask(tape.url, "POST", "/@n~b/3", b"{}")).body == b"/3 {}"
    assert requests(tmp_path / "n.yaml") == ["/1", "/2", "/3"]
    assert [seen.target for seen in upstream.seen] == ["/1", "/2", "/3"]


async def test_closing_again_tells_the_same_and_counts_nothing_twice(proxy: Proxy, tmp_path: Path):
    close = ("POST", "/_wiretape/sessions/c/close")
    async with scripted_upstream(echo) as upstream, proxy("record", upstream=upstream.url) as tape:
        await ask(tape.url, "GET", "/@c/1")
        closed = [(await ask(tape.url, *close)).json() for _ in range(2)]
        assert closed[0] == closed[1]
        assert (closed[0]["recorded"], closed[0]["written"]) == (1, str(tmp_path / "c.yaml"))
        sessions = (await ask(tape.url, "GET", "/_wiretape/sessions")).json()["sessions"]
        assert [each["recorded"] for each in sessions] == [1]
        metrics = (await ask(tape.url, "GET", "/_wiretape/metrics")).body.decode()
        assert "wiretape_sessions 1\n" in metrics
        assert "wiretape_recorded_total 1\n" in metrics


async def test_a_recording_that_could_not_be_finished_stays_told(proxy: Proxy, tmp_path: Path):
    close = ("POST", "/_wiretape/sessions/c/close")
    async with scripted_upstream(echo) as upstream, proxy("record", upstream=upstream.url) as tape:
        await ask(tape.url, "GET", "/@c/1")
        await ask(tape.url, "GET", "/@whole/1")
        (tmp_path / "c.yaml.part").unlink()
        refused = [await ask(tape.url, *close) for _ in range(2)]
        assert [each.status for each in refused] == [400, 400]
        assert refused[0].body == refused[1].body
        told = (await ask(tape.url, "GET", "/_wiretape/sessions/c")).json()
        assert "was removed while it ran" in told["error"]
        assert (await ask(tape.url, "POST", "/_wiretape/sessions/whole/close")).status == 200
        summary = await tape.stop()
    assert ["was removed while it ran" in error for error in summary.errors] == [True]
    assert summary.written == (tmp_path / "whole.yaml",)


@pytest.mark.parametrize("mode", ["record", "once", "replay", "new_episodes"])
async def test_a_name_too_long_for_a_path_is_400(mode: str, proxy: Proxy, tmp_path: Path):
    async with scripted_upstream(echo) as upstream, proxy(mode, upstream=upstream.url) as tape:
        name = "/".join(["a" * 80] * 60)
        refused = await ask(tape.url, "GET", "/", headers={"Wiretape-Cassette": name})
    assert refused.status == 400
    assert "name" in refused.json()["error"]["message"]
    assert list(tmp_path.iterdir()) == []


async def test_what_another_process_records_once_is_replayed_when_it_is_there(proxy: Proxy):
    async with (
        scripted_upstream(echo) as upstream,
        proxy("once", upstream=upstream.url) as late,
    ):
        async with proxy("once", upstream=upstream.url) as first:
            recorded = await ask(first.url, "GET", "/@c/1")
            refused = await ask(late.url, "GET", "/@c/1")
        replayed = await ask(late.url, "GET", "/@c/1")
    assert (refused.status, b"is being recorded" in refused.body) == (400, True)
    assert replayed.body == recorded.body
    assert replayed.header("Wiretape-Match") == "exact"
    assert len(upstream.seen) == 1


async def test_who_closes_a_closed_session_does_not_close_the_next(proxy: Proxy, tmp_path: Path):
    async with scripted_upstream(echo) as upstream, proxy("record", upstream=upstream.url) as tape:
        sessions = tape.app.sessions
        await ask(tape.url, "GET", "/@c/1")
        (first,) = sessions.all()
        assert await sessions.close(first) == tmp_path / "c.yaml"
        second = await sessions.get(first.name)
        assert await sessions.close(first) == tmp_path / "c.yaml"
        assert await sessions.get(first.name) is second is not first


@pytest.mark.parametrize("mode", ["record", "replay"])
async def test_a_session_that_is_closed_as_soon_as_it_opens_serves_nobody(mode: str, proxy: Proxy):
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url, cassette="c") as tape:
            await ask(tape.url, "GET", "/1")
        async with proxy(mode, upstream=upstream.url) as tape:
            sessions = tape.app.sessions
            opening = asyncio.create_task(sessions.get(SessionName("c")))
            while not sessions.all():  # noqa: ASYNC110  it is about this very moment
                await asyncio.sleep(0)
            (first,) = sessions.all()
            await sessions.close(first)
            second = await opening
            assert second is not first
            assert sessions.all() == [first, second]


async def test_a_cassette_that_was_changed_is_read_again(proxy: Proxy, tmp_path: Path):
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url, cassette="c") as tape:
            await ask(tape.url, "GET", "/1")
        async with proxy("replay") as tape:
            assert (await ask(tape.url, "GET", "/@c/1")).status == 200
            await ask(tape.url, "POST", "/_wiretape/sessions/c/close")
            path = tmp_path / "c.yaml"
            path.write_text(path.read_text().replace("/1", "/changed"))
            assert (await ask(tape.url, "GET", "/@c/changed")).status == 200


async def test_what_is_added_to_a_cassette_while_it_is_read_is_replayed_too(
    proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path, longer = tmp_path / "n.yaml", tmp_path / "longer.yaml"
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url) as tape:
            await ask(tape.url, "POST", "/@n/1", b"{}")
            for target in ("/1", "/2"):
                await ask(tape.url, "POST", f"/@longer{target}", b"{}")
        asked = len(upstream.seen)

        def load_while_another_adds(path: Path) -> Cassette:
            cassette = load(path)
            if longer.exists():
                longer.replace(path)
            return cassette

        monkeypatch.setattr("wiretape.server.sessions.load", load_while_another_adds)
        async with proxy("new_episodes", upstream=upstream.url) as tape:
            assert (await ask(tape.url, "POST", "/@n/2", b"{}")).body == b"/2 {}"
    assert len(upstream.seen) == asked
    assert requests(path) == ["/1", "/2"]


async def test_default_is_the_session_of_that_name_if_there_is_one(proxy: Proxy):
    async with (
        scripted_upstream(echo) as upstream,
        proxy("record", upstream=upstream.url, cassette="main") as tape,
    ):
        report = ("GET", "/_wiretape/sessions/default")
        await ask(tape.url, "GET", "/1")
        assert (await ask(tape.url, *report)).json()["session"] == "main"
        await ask(tape.url, "GET", "/@default/2")
        assert (await ask(tape.url, *report)).json()["session"] == "default"


async def test_requests_that_come_while_a_session_opens_are_of_one_session(proxy: Proxy):
    async with scripted_upstream(echo) as upstream:
        async with proxy("record", upstream=upstream.url, cassette="c") as tape:
            for number in range(20):
                await ask(tape.url, "POST", f"/{number}", b"{}")
        for mode in ("replay", "new_episodes"):
            async with proxy(mode, upstream=upstream.url) as tape:
                asked = (ask(tape.url, "POST", f"/@c/{number}", b"{}") for number in range(20))
                answers = await asyncio.gather(*asked)
                (session,) = tape.app.sessions.all()
            assert [each.body for each in answers] == [b"/%d {}" % n for n in range(20)]
            assert len(session.report()["used"]) == 20


async def test_a_session_that_cannot_be_opened_can_be_tried_again(proxy: Proxy, tmp_path: Path):
    async with scripted_upstream(echo) as upstream, proxy("replay") as tape:
        refused = await asyncio.gather(*(ask(tape.url, "GET", "/@c/1") for _ in range(3)))
        assert {each.status for each in refused} == {400}
        async with proxy("record", upstream=upstream.url, cassette="c") as recording:
            await ask(recording.url, "GET", "/1")
        assert (tmp_path / "c.yaml").exists()
        assert (await ask(tape.url, "GET", "/@c/1")).status == 200


async def test_control_endpoints_are_never_forwarded(proxy: Proxy, tmp_path: Path):
    async with (
        scripted_upstream(echo) as upstream,
        proxy("record", upstream=upstream.url, cassette="c") as running,
    ):
        health = await ask(running.url, "GET", "/_wiretape/health")
        metrics = await ask(running.url, "GET", "/_wiretape/metrics")
        unknown = await ask(running.url, "GET", "/_wiretape/nosuch")
        nobody = await ask(running.url, "GET", "/_wiretape/sessions/nobody")
        wrong = await ask(running.url, "GET", "/_wiretape/sessions/c/close")
        prefixed = await ask(running.url, "GET", "/@c/_wiretape/nosuch")
    assert health.json()["status"] == "ok"
    assert b"wiretape_in_flight 0" in metrics.body
    statuses = [each.status for each in (unknown, nobody, wrong, prefixed)]
    assert statuses == [404, 404, 405, 404]
    assert upstream.seen == []
    assert list(tmp_path.iterdir()) == []


async def test_stopping_finishes_what_is_in_flight(proxy: Proxy, tmp_path: Path):
    gate = Gate()
    reply = head("200 OK", "Content-Length: 4") + b"12"
    async with (
        scripted_upstream([reply, gate, b"34"]) as upstream,
        proxy("record", upstream=upstream.url, cassette="s", grace_s=60.0) as running,
    ):
        client = await connect(running.url)
        await client.send("GET", "/")
        await client.head()
        stopping = asyncio.create_task(running.stop())
        await asyncio.sleep(0)
        gate.set()
        assert (await client.rest()).ending == "complete"
        summary = await stopping
        client.close()
    assert summary.written == (tmp_path / "s.yaml",)
    assert load(tmp_path / "s.yaml").warnings == ()


async def test_a_stop_that_waits_in_vain_cuts_off_says_so_and_keeps_the_recording(
    proxy: Proxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with (
        scripted_upstream([head("200 OK", "Content-Length: 4") + b"12", Gate()]) as upstream,
        proxy("record", upstream=upstream.url, cassette="s", grace_s=0.0) as running,
    ):
        client = await connect(running.url)
        await client.send("GET", "/")
        await client.head()
        await running.stop()
        assert (await client.rest()).ending in {"closed", "reset"}
        client.close()
    (interaction,) = load(tmp_path / "s.yaml").interactions()
    assert interaction.body() == b"12"
    assert interaction.end is not None
    assert "cut off 1 request in flight: the grace of 0 s is over" in caplog.text


async def test_a_second_interrupt_that_cuts_off_is_told(
    proxy: Proxy, caplog: pytest.LogCaptureFixture
):
    hurry = asyncio.Event()
    hurry.set()
    async with (
        scripted_upstream([Gate()], [Gate()]) as upstream,
        proxy("passthrough", upstream=upstream.url, grace_s=60.0) as running,
    ):
        clients = [await connect(running.url) for _ in range(2)]
        for client in clients:
            await client.send("GET", "/")
        while len(running.app.in_flight) < 2:  # noqa: ASYNC110  until both are asked
            await asyncio.sleep(0)
        await running.stop(hurry=hurry)
        for client in clients:
            client.close()
    assert "cut off 2 requests in flight: interrupted" in caplog.text


async def test_what_cannot_start_says_why(tmp_path: Path):
    (tmp_path / "bad.yaml").write_text("wiretape: 1\nentries: [}\n")
    free = Address("127.0.0.1", 0)
    with pytest.raises(CassetteNotFoundError, match="wiretape record"):
        await start(Settings(Mode.REPLAY, tmp_path, "none", listen=free))
    with pytest.raises(CorruptCassetteError, match=r"bad\.yaml: line 2"):
        await start(Settings(Mode.REPLAY, tmp_path, "bad", listen=free))
    own = Settings(Mode.RECORD, tmp_path, upstream="http://localhost:9", listen=Address("::", 9))
    with pytest.raises(UsageError, match="this proxy itself"):
        await start(own)
    with pytest.raises(UsageError, match=r"cannot listen on 192\.0\.2\.1:80"):
        await start(Settings(Mode.PASSTHROUGH, tmp_path, listen=Address("192.0.2.1", 80)))
