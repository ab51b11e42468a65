"""Tests that mean to use the proxy, and of which no request reaches it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.inner_pytest import inner_project

pytest_plugins = ["pytester"]

CASSETTES = Path(__file__).parents[2] / "cassettes"
MARKED = "import pytest\n@pytest.mark.wiretape\ndef test_it():\n    "
UNREACHED = "wiretape: no request reached the proxy: is the client made at import*"
WAY_OUT = (
    "*allow_no_requests=True in the wiretape mark*wiretape_allow_no_requests = true in the ini*"
)

# What a test runs that cannot import from it.
ASK = """
import os, urllib.request
body = b'{"messages": [{"role": "user", "content": "What is your name?"}], "stream": true}'
url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
headers = {"Content-Type": "application/json"}
urllib.request.urlopen(urllib.request.Request(url, body, headers)).close()
"""


@pytest.fixture(autouse=True)
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    return inner_project(pytester, monkeypatch)


def hold_a_cassette(project: Path) -> None:
    (project / "cassettes" / "test_it").mkdir(parents=True)
    here = project / "cassettes" / "test_it" / "test_it.yaml"
    shutil.copy(CASSETTES / "notes" / "plain-answer.yaml", here)


@pytest.mark.parametrize("mode", ["replay", "once", "record", "new_episodes"])
def test_a_test_that_passes_without_the_proxy_fails_at_its_end(
    pytester: pytest.Pytester, project: Path, mode: str
):
    pytester.makepyfile(test_it=MARKED + "pass")

    result = pytester.runpytest(f"--wiretape-mode={mode}")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([UNREACHED, "*make it in the test or in a fixture*", WAY_OUT])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert not list(project.rglob("*.yaml"))


def test_a_client_made_at_import_that_finds_no_engine_is_told_of_the_proxy(
    pytester: pytest.Pytester,
):
    pytest.importorskip("openai")
    text = """
import openai, pytest

client = openai.OpenAI(base_url="http://127.0.0.1:1/v1", api_key="none", max_retries=0)

@pytest.mark.wiretape
def test_it():
    client.models.list()
"""
    pytester.makepyfile(test_it=text)

    result = pytester.runpytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*APIConnectionError*", "*- wiretape -*", UNREACHED])


def test_recordings_that_are_unused_for_that_reason_are_not_told_besides(
    pytester: pytest.Pytester, project: Path
):
    hold_a_cassette(project)
    pytester.makepyfile(test_it=MARKED + "pass")

    result = pytester.runpytest()

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([UNREACHED])
    result.stdout.no_fnmatch_line("*did not ask for*")


def test_a_test_may_ask_nothing_where_that_is_allowed_or_all_is_passed_through(
    pytester: pytest.Pytester,
):
    pytester.makepyfile(test_it=MARKED + "pass")
    allowed = "@pytest.mark.wiretape(allow_no_requests=True)"
    pytester.makepyfile(test_allowed=f"import pytest\n{allowed}\ndef test_it():\n    pass")

    pytester.runpytest("test_allowed.py").assert_outcomes(passed=1)
    pytester.runpytest("-o", "wiretape_allow_no_requests=true").assert_outcomes(passed=2)
    pytester.runpytest("--wiretape-mode=passthrough").assert_outcomes(passed=2)


def test_the_mark_of_a_module_or_class_is_also_for_tests_that_ask_nothing(
    pytester: pytest.Pytester,
):
    text = """
import pytest
pytestmark = pytest.mark.wiretape

def test_it():
    pass

@pytest.mark.wiretape
class TestIt:
    def test_a(self):
        pass

    @pytest.mark.wiretape
    def test_b(self):
        pass
"""
    pytester.makepyfile(test_it=text)

    result = pytester.runpytest()

    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["ERROR *::test_b*"])


def test_who_names_the_fixture_means_it_but_not_who_has_it_through_another_one(
    pytester: pytest.Pytester,
):
    text = """
import pytest

@pytest.fixture(autouse=True)
def everywhere(wiretape):
    pass

def test_names_it(wiretape):
    pass

@pytest.mark.usefixtures("wiretape")
def test_uses_it():
    pass

def test_has_it():
    pass
"""
    pytester.makepyfile(test_it=text)

    result = pytester.runpytest()

    result.assert_outcomes(passed=3, errors=2)
    result.stdout.fnmatch_lines(["ERROR *::test_names_it*", "ERROR *::test_uses_it*"])


def test_a_test_that_never_came_to_ask_is_told_nothing(pytester: pytest.Pytester, project: Path):
    hold_a_cassette(project)
    text = """
import pytest

@pytest.fixture
def broken():
    raise LookupError("of its own")

@pytest.fixture
def later():
    pytest.skip("later")

@pytest.mark.wiretape
def test_broken(broken):
    pass

@pytest.mark.wiretape
def test_later(later):
    pass

@pytest.mark.wiretape
def test_it():
    pytest.skip()
"""
    pytester.makepyfile(test_it=text)

    result = pytester.runpytest()
    set_up = pytester.runpytest("--setup-only", "-k", "test_it and not broken and not later")

    result.assert_outcomes(errors=1, skipped=2)
    result.stdout.no_fnmatch_line("*wiretape: *")
    assert set_up.ret == pytest.ExitCode.OK
    set_up.stdout.no_fnmatch_line("*wiretape: *")


def test_a_program_that_a_test_starts_may_ask_for_it(pytester: pytest.Pytester, project: Path):
    hold_a_cassette(project)
    (project / "ask.py").write_text(ASK)
    text = """
import subprocess, sys, pytest

@pytest.mark.wiretape(ignore=["/model"])
def test_it():
    subprocess.run([sys.executable, "ask.py"], check=True)
"""
    pytester.makepyfile(test_it=text)

    pytester.runpytest().assert_outcomes(passed=1)


def test_each_of_several_processes_tells_its_own(pytester: pytest.Pytester):
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    pytester.makepyfile(test_it=MARKED + "pass", test_another=MARKED + "pass")

    result = pytester.runpytest("-n", "2")

    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines([UNREACHED])
