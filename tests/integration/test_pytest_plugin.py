"""The pytest plugin, as a project's tests use it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support.inner_pytest import inner_project

pytest_plugins = ["pytester"]

CASSETTES = Path(__file__).parents[2] / "cassettes"

# The code under test: an agent that asks, and one that swallows what goes wrong.
AGENT = """
import json, os, urllib.error, urllib.request

def ask(content, url=None):
    body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
    url = (url or os.environ["OPENAI_BASE_URL"]) + "/chat/completions"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as response:
            return json.load(response)["answer"]
    except urllib.error.HTTPError as error:
        with error:
            raise LookupError(json.load(error)["error"]["message"]) from None

def ask_quietly(content):
    try:
        return ask(content)
    except LookupError:
        return None
"""


class Engine(ThreadingHTTPServer):
    """Answers each question with itself and how many it has been asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Engine

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body["messages"][-1]["content"])
        answer = f"{self.server.asked[-1]} #{len(self.server.asked)}"
        content = json.dumps({"answer": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    thread = threading.Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield engine
    engine.shutdown()
    thread.join()
    engine.server_close()


@pytest.fixture(autouse=True)
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytester.makepyfile(agent=AGENT)
    return inner_project(pytester, monkeypatch, "asyncio_mode = auto")


def write(pytester: pytest.Pytester, text: str) -> None:
    lines = ["import os, pytest", "from agent import ask, ask_quietly"]
    pytester.makepyfile(test_it="\n".join(lines) + "\n" + text)


MARKED = "@pytest.mark.wiretape\ndef test_it():\n    "


def record(pytester: pytest.Pytester, engine: Engine, *flags: str) -> pytest.RunResult:
    upstream = f"--wiretape-upstream={engine.url}"
    result = pytester.runpytest("--wiretape-mode=once", upstream, *flags)
    result.assert_outcomes(passed=result.parseoutcomes()["passed"])
    return result


def recorded(project: Path) -> list[str]:
    files = (project / "cassettes").rglob("*")
    return sorted(str(path.relative_to(project / "cassettes")) for path in files if path.is_file())


def test_what_was_recorded_once_replays_offline_until_the_prompt_changes(
    pytester: pytest.Pytester, engine: Engine
):
    write(pytester, MARKED + "assert ask('Your name?') == 'Your name? #1'")

    record(pytester, engine)
    pytester.runpytest("--wiretape-mode=once").assert_outcomes(passed=1)
    pytester.runpytest().assert_outcomes(passed=1)
    write(pytester, MARKED + "ask('Your game?')")
    changed = pytester.runpytest()

    assert engine.asked == ["Your name?"]
    changed.assert_outcomes(failed=1)
    changed.stdout.fnmatch_lines(
        ['*/messages/0/content: recorded "Your name?", received "Your game?"*']
    )


def test_what_the_code_under_test_is_told_would_help_is_a_mark_and_no_flag_of_pytest(
    pytester: pytest.Pytester, engine: Engine
):
    write(pytester, MARKED + "ask('What is for lunch on the 9th of May?')")
    record(pytester, engine)

    write(pytester, MARKED + "ask('What is for lunch on the 8th of May?')")
    result = pytester.runpytest()

    result.assert_outcomes(failed=1)
    mark = "@pytest.mark.wiretape(ignore=['/messages/0/content'])"
    errors = [line for line in result.outlines if line.startswith("E ") and "match: " in line]
    assert errors
    assert all(f"to make it match: {mark}; or record again: pytest " in line for line in errors)
    assert "--ignore" not in result.stdout.str()


def test_a_missing_cassette_is_a_failure_that_names_the_command_to_paste(
    pytester: pytest.Pytester, engine: Engine
):
    test = """
@pytest.mark.wiretape
@pytest.mark.parametrize("x", ["a b"])
def test_it(x):
    ask(x)
"""
    write(pytester, test)

    missing = pytester.runpytest()

    missing.assert_outcomes(failed=1)
    line = next(line for line in missing.outlines if "record it with: " in line)
    command = shlex.split(line.partition("record it with: ")[2])
    assert command == ["pytest", "--wiretape-mode=once", "test_it.py::test_it[a b]"]
    record(pytester, engine, *command[1:])
    pytester.runpytest().assert_outcomes(passed=1)


def test_a_miss_that_the_code_swallowed_fails_the_test_at_its_end(
    pytester: pytest.Pytester, engine: Engine
):
    write(pytester, MARKED + "ask_quietly('Hello?')")
    record(pytester, engine)

    write(pytester, MARKED + "ask_quietly('Hullo?')")
    result = pytester.runpytest()

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_it*",
            "wiretape: the test asked for what cassettes/test_it/test_it.yaml does not hold:",
            '*/messages/0/content: recorded "Hello?", received "Hullo?"',
            "*record again: pytest --wiretape-mode=record test_it.py::test_it",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_missing_cassette_that_the_code_swallowed_fails_the_test_at_its_end(
    pytester: pytest.Pytester,
):
    write(pytester, MARKED + "ask_quietly('Hello?')")

    pytester.runpytest().assert_outcomes(passed=1, errors=1)


def test_an_unused_recording_fails_the_test_unless_that_is_allowed(
    pytester: pytest.Pytester, engine: Engine
):
    write(pytester, MARKED + "ask('one'), ask('two')")
    record(pytester, engine)

    write(pytester, MARKED + "ask('one')")
    result = pytester.runpytest()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*did not ask for 1 recording in cassettes/test_it/test_it.yaml:",
            '*#2 POST /v1/chat/completions: user "two"',
        ]
    )
    allowed = pytester.runpytest("-o", "wiretape_allow_unused=true")
    allowed.assert_outcomes(passed=1)
    write(pytester, "@pytest.mark.wiretape(allow_unused=True)\ndef test_it():\n    ask('one')")
    pytester.runpytest().assert_outcomes(passed=1)


def test_a_fixture_that_asks_for_several_tests_is_named_where_their_recordings_do_not_fit(
    pytester: pytest.Pytester, engine: Engine
):
    shared = '@pytest.fixture(scope="module")\ndef warm():\n    return ask("warm up")\n'
    tests = (f"@pytest.mark.wiretape\ndef test_{n}(warm):\n    ask('{n}')\n" for n in "ab")
    write(pytester, shared + "".join(tests))
    record(pytester, engine)
    pytester.runpytest().assert_outcomes(passed=2)
    told = (
        "*the fixture warm, of module scope, asks in whichever test needs it first*function scope"
    )

    alone = pytester.runpytest("-k", "test_b")
    alone.assert_outcomes(errors=1)
    alone.stdout.fnmatch_lines([told])

    # What that suggests makes it fit alone, and not with the others.
    record(pytester, engine, "--wiretape-mode=record", "-k", "test_b")
    together = pytester.runpytest()
    together.assert_outcomes(passed=2, errors=1)
    together.stdout.fnmatch_lines(["*did not ask for 1 recording*", told])


def test_what_a_named_cassette_does_not_hold_is_to_be_added_to_it(
    pytester: pytest.Pytester, engine: Engine
):
    mark = "@pytest.mark.wiretape('ours', allow_unused=True)\n"
    write(pytester, f"{mark}def test_a():\n    ask('a')\n{mark}def test_b():\n    ask('b')\n")
    record(pytester, engine, "-k", "test_a")

    missed = pytester.runpytest()
    missed.assert_outcomes(passed=1, failed=1)
    # To record again what test_b asks would take from it what test_a does.
    (command,) = {
        line.partition("record again: pytest ")[2]
        for line in missed.outlines
        if "record again: pytest" in line
    }
    pytester.runpytest(*shlex.split(command), f"--wiretape-upstream={engine.url}")
    pytester.runpytest().assert_outcomes(passed=2)


@pytest.mark.parametrize("mode", ["once", "record", "new_episodes"])
def test_a_test_that_is_interrupted_records_nothing(
    mode: str, pytester: pytest.Pytester, project: Path, engine: Engine
):
    write(pytester, MARKED + "ask('one')\n    raise KeyboardInterrupt")
    flags = (f"--wiretape-mode={mode}", f"--wiretape-upstream={engine.url}")

    # Half of it would be replayed as if it were all.
    pytester.runpytest_inprocess(*flags, no_reraise_ctrlc=True)
    assert recorded(project) == []

    write(pytester, MARKED + "ask('one')")
    record(pytester, engine)
    whole = (project / "cassettes" / "test_it" / "test_it.yaml").read_bytes()
    write(pytester, MARKED + "ask('two')\n    raise KeyboardInterrupt")
    pytester.runpytest_inprocess(*flags, no_reraise_ctrlc=True)
    assert recorded(project) == ["test_it/test_it.yaml"]
    assert (project / "cassettes" / "test_it" / "test_it.yaml").read_bytes() == whole


def test_a_test_that_fails_says_that_what_it_has_recorded_once_is_replayed_from_now_on(
    pytester: pytest.Pytester, engine: Engine
):
    write(pytester, MARKED + "assert ask('Your name?') == 'nothing like it'")
    upstream = f"--wiretape-upstream={engine.url}"

    first = pytester.runpytest("--wiretape-mode=once", upstream)
    again = pytester.runpytest("--wiretape-mode=once", upstream)
    anew = pytester.runpytest("--wiretape-mode=record", upstream)

    whole = "record it whole with: pytest --wiretape-mode=record test_it.py::test_it"
    told = f"wiretape: cassettes/test_it/test_it.yaml has what was asked *; {whole}"
    first.stdout.fnmatch_lines([told])
    for result in (again, anew):  # which replays, and which was asked for anew
        result.assert_outcomes(failed=1)
        result.stdout.no_fnmatch_line("*replayed from now on*")


def test_a_test_that_failed_by_itself_is_not_failed_once_more(
    pytester: pytest.Pytester, engine: Engine
):
    write(pytester, MARKED + "ask('one')")
    record(pytester, engine)

    write(
        pytester,
        """
@pytest.mark.wiretape
def test_it():
    ask_quietly("two")
    assert False, "of its own"
""",
    )
    result = pytester.runpytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*of its own*", "*- wiretape -*", "*the test asked for what *"])


def test_a_test_that_was_skipped_or_expected_to_fail_stays_so(
    pytester: pytest.Pytester, engine: Engine
):
    # Their marks are what is tested: the tests in this text are run by pytester.
    text = """
@pytest.mark.wiretape("shared")
def test_first():
    ask("one")

@pytest.mark.skip
@pytest.mark.wiretape("shared", mach="exact")
def test_skipped_before():
    ask("one")

@pytest.mark.wiretape("shared")
def test_skipped_within():
    pytest.skip()

@pytest.mark.xfail(strict=True)
@pytest.mark.wiretape("shared")
def test_expected():
    ask("two")
"""
    write(pytester, text)
    record(pytester, engine, "-k", "first")

    pytester.runpytest().assert_outcomes(passed=1, skipped=2, xfailed=1)


def test_the_environment_leads_clients_to_the_proxy_for_the_tests_duration(
    pytester: pytest.Pytester, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OLLAMA_HOST", engine.url)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    write(
        pytester,
        f"""
@pytest.mark.wiretape
def test_marked():
    url = os.environ["OLLAMA_HOST"]
    assert url.startswith("http://127.0.0.1:")
    assert url != {engine.url!r}
    assert os.environ["OPENAI_BASE_URL"] == os.environ["OPENAI_API_BASE"] == url + "/v1"
    assert os.environ["ANTHROPIC_BASE_URL"] == os.environ["OLLAMA_API_BASE"] == url
    assert os.environ["OPENAI_API_KEY"]
    ask("one")

def test_unmarked():
    assert os.environ["OLLAMA_HOST"] == {engine.url!r}
    assert "OPENAI_BASE_URL" not in os.environ
""",
    )
    before = dict(os.environ)

    pytester.runpytest("--wiretape-mode=once").assert_outcomes(passed=2)
    pytester.runpytest().assert_outcomes(passed=2)

    assert engine.asked == ["one"]
    after = {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}
    before.pop("PYTEST_CURRENT_TEST", None)
    assert after == before


def test_the_fixture_tells_where_clients_go_and_what_came_of_it(
    pytester: pytest.Pytester, engine: Engine
):
    write(
        pytester,
        """
@pytest.fixture
def early():
    return os.environ["OPENAI_BASE_URL"]  # before the fixture's turn

def test_it(early, wiretape):
    assert early == wiretape.openai_base_url == wiretape.url + "/v1"
    assert wiretape.ollama_host == wiretape.anthropic_base_url == wiretape.url
    assert wiretape.cassette.name == "test_it.yaml"
    assert wiretape.cassette.parent.name == "test_it"
    assert wiretape.report()["used"] == []
    ask("one")
    if wiretape.report()["mode"] == "replay":
        assert [each["interaction"] for each in wiretape.report()["used"]] == [1]
        ask_quietly("two")
        assert len(wiretape.report()["misses"]) == 1
    else:
        assert wiretape.report()["recorded"] == 1
""",
    )

    record(pytester, engine)

    pytester.runpytest().assert_outcomes(passed=1, errors=1)


def test_async_tests_are_served_too(pytester: pytest.Pytester, engine: Engine):
    write(
        pytester,
        """
import aiohttp

@pytest.mark.wiretape
async def test_it(wiretape):
    async with aiohttp.ClientSession() as session:
        body = {"messages": [{"content": "one"}]}
        async with session.post(wiretape.url + "/v1/chat/completions", json=body) as response:
            assert (await response.json(content_type=None))["answer"] == "one #1"
""",
    )

    record(pytester, engine)

    pytester.runpytest().assert_outcomes(passed=1)


def test_marks_on_classes_of_any_kind_serve_their_tests(
    pytester: pytest.Pytester, engine: Engine, project: Path
):
    write(
        pytester,
        """
import unittest

@pytest.mark.wiretape(match="exact")
class TestPlain:
    def test_it(self):
        ask("one")

    class TestInner:
        @pytest.mark.wiretape(ignore="/seed")
        def test_it(self):
            ask("two")

@pytest.mark.wiretape
class OldStyle(unittest.TestCase):
    def test_it(self):
        ask("three")

    @unittest.skip("later")
    def test_later(self):
        ask("four")
""",
    )

    pytester.runpytest("--wiretape-mode=once", f"--wiretape-upstream={engine.url}").assert_outcomes(
        passed=3, skipped=1
    )

    assert recorded(project) == [
        "test_it/OldStyle.test_it.yaml",
        "test_it/TestPlain.TestInner.test_it.yaml",
        "test_it/TestPlain.test_it.yaml",
    ]
    pytester.runpytest().assert_outcomes(passed=3, skipped=1)


def test_names_are_safe_and_the_same_whichever_tests_run(
    pytester: pytest.Pytester, engine: Engine, project: Path
):
    write(
        pytester,
        """
@pytest.mark.wiretape
@pytest.mark.parametrize("x", ["a", "A", "b", "c/d", "e" * 90])
def test_p(x):
    ask(x)

@pytest.mark.wiretape
def test_q():
    ask("q")

@pytest.mark.wiretape
def test_Q():
    ask("Q")

@pytest.mark.wiretape("by/name")
def test_named():
    ask("named")
""",
    )
    record(pytester, engine, "-k", "named")
    record(pytester, engine, "test_it.py::test_p[A]")
    assert [name.rpartition("-")[0] for name in recorded(project)] == ["", "test_it/test_p[A]"]

    record(pytester, engine)

    names = recorded(project)
    assert len({name.casefold() for name in names}) == 8
    assert max(map(len, names)) < 150
    starts = {name.rpartition("-")[0] for name in names} - {""}
    kept = {start for start in starts if "e" * 20 not in start}
    assert kept == {
        "test_it/test_Q",
        "test_it/test_q",
        *(f"test_it/test_p[{x}]" for x in ("A", "a", "c_d")),
    }
    assert "test_it/test_p[b].yaml" in names
    pytester.runpytest().assert_outcomes(passed=8)


def test_cassettes_are_where_the_ini_file_says(
    pytester: pytest.Pytester, engine: Engine, project: Path
):
    tests = pytester.mkdir("tests")
    pytester.syspathinsert()
    text = "import pytest, agent\n" + MARKED + "agent.ask('one')\n"
    (tests / "test_deep.py").write_text(text)

    for place in ("tapes", "./tapes", str(project / "far")):
        record(pytester, engine, "-p", "no:cacheprovider", "-o", f"wiretape_dir={place}")

    assert (project / "tests" / "tapes" / "test_deep" / "test_it.yaml").exists()
    assert (project / "tapes" / "tests" / "test_deep" / "test_it.yaml").exists()
    assert (project / "far" / "tests" / "test_deep" / "test_it.yaml").exists()


def test_a_mark_pins_what_flags_set_and_flags_beat_the_environment_and_the_ini_file(
    pytester: pytest.Pytester, engine: Engine, project: Path, monkeypatch: pytest.MonkeyPatch
):
    write(
        pytester,
        """
@pytest.mark.wiretape(mode="replay")
def test_pinned():
    ask_quietly("one")

@pytest.mark.wiretape
def test_free():
    ask("two")
""",
    )
    monkeypatch.setenv("WIRETAPE_MODE", "passthrough")
    monkeypatch.setenv("WIRETAPE_UPSTREAM", engine.url)

    passed_through = pytester.runpytest("-o", "wiretape_mode=once", "-k", "free")
    result = pytester.runpytest("--wiretape-mode=once")

    passed_through.assert_outcomes(passed=1, deselected=1)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*take mode='replay' from the wiretape mark first"])
    assert engine.asked == ["two", "two"]
    assert recorded(project) == ["test_it/test_free.yaml"]


def test_what_wiretapes_commands_are_to_redact_and_ignore_tests_redact_and_ignore_too(
    pytester: pytest.Pytester, engine: Engine, project: Path
):
    table = '[tool.wiretape]\nredact = ["ACME-[0-9]+"]\nignore = ["/messages/*/content"]\n'
    (project / "pyproject.toml").write_text(table)
    write(pytester, MARKED + "ask('my ACME-12345')")
    record(pytester, engine)
    assert "ACME-12345" not in (project / "cassettes" / "test_it" / "test_it.yaml").read_text()
    write(pytester, MARKED + "ask('something else')")
    pytester.runpytest().assert_outcomes(passed=1)
    below = project / "below"
    below.mkdir()
    (below / "pyproject.toml").write_text("[tool.wiretape]\nredcat = []\n")
    for name in ("agent.py", "test_it.py"):
        (project / name).rename(below / name)
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*has no setting 'redcat'; did you mean redact?"])


def test_an_ini_file_that_says_no_goes_before_a_table_that_says_yes(
    pytester: pytest.Pytester, engine: Engine, project: Path
):
    (project / "pyproject.toml").write_text("[tool.wiretape]\nkeep-secrets = true\n")
    key = "sk-proj-" + "Ab3" * 16
    write(pytester, MARKED + f"ask('{key}')")
    cassette = project / "cassettes" / "test_it" / "test_it.yaml"
    flags = ("--wiretape-mode=record", f"--wiretape-upstream={engine.url}")
    pytester.runpytest(*flags).assert_outcomes(passed=1)
    assert key in cassette.read_text()
    pytester.runpytest(*flags, "-o", "wiretape_keep_secrets=false").assert_outcomes(passed=1)
    assert key not in cassette.read_text()


def test_an_ini_file_that_says_neither_yes_nor_no_is_told_by_its_setting(
    pytester: pytest.Pytester,
):
    write(pytester, MARKED + "ask('Hi')")
    result = pytester.runpytest("-o", "wiretape_keep_secrets=maybe")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*wiretape_keep_secrets in the ini file: *'maybe'*"])


def test_a_test_does_not_record_over_what_another_one_has_just_recorded(
    pytester: pytest.Pytester, engine: Engine, project: Path
):
    write(
        pytester,
        """
@pytest.mark.wiretape("shared")
def test_one():
    ask("one")

@pytest.mark.wiretape("shared")
def test_two():
    ask("two")
""",
    )
    upstream = f"--wiretape-upstream={engine.url}"

    result = pytester.runpytest("--wiretape-mode=record", upstream)
    again = pytester.runpytest("--wiretape-mode=new_episodes", upstream)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["wiretape: *shared.yaml was recorded by test_it.py::test_one *"])
    again.assert_outcomes(passed=2)
    assert engine.asked == ["one", "two"]
    assert recorded(project) == ["shared.yaml"]


def test_new_episodes_adds_what_is_new_and_minds_nothing_unused(
    pytester: pytest.Pytester, engine: Engine
):
    write(pytester, MARKED + "ask('one')")
    record(pytester, engine)

    write(pytester, MARKED + "ask('two')")
    upstream = f"--wiretape-upstream={engine.url}"
    pytester.runpytest("--wiretape-mode=new_episodes", upstream).assert_outcomes(passed=1)

    write(pytester, MARKED + "ask('two'), ask('one')")
    pytester.runpytest().assert_outcomes(passed=1)
    assert engine.asked == ["one", "two"]


def test_an_engine_that_was_down_is_not_recorded_by_a_test_that_failed_of_it(
    pytester: pytest.Pytester, engine: Engine, project: Path
):
    write(pytester, MARKED + "ask('one')")
    down = "--wiretape-upstream=http://127.0.0.1:1"

    pytester.runpytest("--wiretape-mode=once", down).assert_outcomes(failed=1)
    assert recorded(project) == []
    record(pytester, engine)
    before = (project / "cassettes" / "test_it" / "test_it.yaml").read_bytes()
    pytester.runpytest("--wiretape-mode=record", down).assert_outcomes(failed=1)

    assert (project / "cassettes" / "test_it" / "test_it.yaml").read_bytes() == before
    write(pytester, MARKED + "assert ask_quietly('one') is None")
    pytester.runpytest("--wiretape-mode=record", down).assert_outcomes(passed=1)
    pytester.runpytest().assert_outcomes(passed=1)


def test_what_fails_for_another_reason_is_recorded(
    pytester: pytest.Pytester, engine: Engine, project: Path
):
    write(pytester, MARKED + "assert ask('one') == 'One?'")
    upstream = f"--wiretape-upstream={engine.url}"

    pytester.runpytest("--wiretape-mode=once", upstream).assert_outcomes(failed=1)

    assert recorded(project) == ["test_it/test_it.yaml"]


def test_the_address_stays_so_that_a_client_that_was_kept_still_works(
    pytester: pytest.Pytester, engine: Engine
):
    write(
        pytester,
        """
@pytest.fixture(scope="session")
def url():
    return os.environ["OPENAI_BASE_URL"]

@pytest.mark.wiretape
def test_one(url):
    ask("one", url)

@pytest.mark.wiretape(match="exact")
def test_two(url):
    ask("two", url)

def test_unmarked(url):
    with pytest.raises(LookupError, match="no test that is marked with wiretape is running"):
        ask("three", url)
""",
    )

    record(pytester, engine)

    pytester.runpytest().assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@pytest.mark.wiretape(mach='exact')", "does not know 'mach': did you mean match?"),
        ("@pytest.mark.wiretape(mode='sing')", "'sing' is none of record, replay*"),
        ("@pytest.mark.wiretape('new')", "*new.yaml: format version 2 is not supported*"),
    ],
)
def test_what_cannot_be_fails_the_test_with_one_clear_line(
    pytester: pytest.Pytester, project: Path, text: str, words: str
):
    (project / "cassettes").mkdir()
    (project / "cassettes" / "new.yaml").write_text("wiretape: 2\n")
    write(pytester, f"{text}\ndef test_it():\n    ask('one')")

    result = pytester.runpytest()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"wiretape: *{words}"])
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--wiretape-mode=sing"], "*--wiretape-mode: invalid choice: 'sing'*"),
        (["-o", "wiretape_mode=sing"], "*wiretape_mode: 'sing' is none of replay, once*"),
    ],
)
def test_a_mode_that_is_none_is_refused_before_any_test_runs(
    pytester: pytest.Pytester, flags: list[str], words: str
):
    write(pytester, "def test_it():\n    pass")

    result = pytester.runpytest(*flags)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([words])


def test_a_hand_written_cassette_serves_as_it_stands(pytester: pytest.Pytester, project: Path):
    (project / "cassettes").mkdir()
    shutil.copy(CASSETTES / "notes" / "plain-answer.yaml", project / "cassettes")
    write(
        pytester,
        """
import urllib.request

@pytest.mark.wiretape("plain-answer", ignore=["/model"])
def test_it():
    body = b'{"messages": [{"role": "user", "content": "What is your name?"}], "stream": true}'
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        assert b"My name is Ben Dover" in response.read()
""",
    )

    pytester.runpytest().assert_outcomes(passed=1)


def test_a_run_that_does_not_use_it_has_none_of_it(pytester: pytest.Pytester):
    write(
        pytester,
        """
import sys, threading

@pytest.mark.parametrize("x", ["a", "A"])
def test_it(x):
    ours = {name for name in sys.modules if name.startswith("wiretape.")}
    assert ours == {"wiretape.pytest_plugin"}
    assert "wiretape" not in {thread.name for thread in threading.enumerate()}
""",
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_marks_are_known_and_settings_are_in_the_help(pytester: pytest.Pytester):
    marks = pytester.runpytest("--markers", "--strict-markers")
    marks.stdout.fnmatch_lines(["@pytest.mark.wiretape(name=None, *, mode=None, *"])
    pytester.runpytest("--help").stdout.fnmatch_lines(["*--wiretape-mode=*", "*wiretape_dir (str*"])


def test_several_processes_record_what_one_does(
    pytester: pytest.Pytester, engine: Engine, project: Path
):
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    write(
        pytester,
        """
@pytest.mark.wiretape
@pytest.mark.parametrize("x", range(12))
def test_it(x):
    assert ask(f"question {x}").startswith(f"question {x} #")
    assert ask(f"more {x}").startswith(f"more {x} #")
""",
    )
    record(pytester, engine)
    alone = recorded(project)
    pytester.runpytest("-n", "3").assert_outcomes(passed=12)
    shutil.rmtree(project / "cassettes")

    record(pytester, engine, "-n", "3")

    assert recorded(project) == alone
    assert len(alone) == 12
    assert len(engine.asked) == 48
    pytester.runpytest("-n", "3").assert_outcomes(passed=12)
    pytester.runpytest().assert_outcomes(passed=12)
