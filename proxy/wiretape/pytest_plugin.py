"""The pytest plugin: hooks and the fixture, and nothing that costs a run that does not use it.

What they do is in `wiretape.testing`, which is imported when the first test needs it.
"""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from wiretape.testing.taping import Taping
    from wiretape.testing.verdict import Verdict

_MODES = ("replay", "once", "record", "new_episodes", "passthrough")
_MARK = (
    "wiretape(name=None, *, mode=None, match=None, ignore=None, repeat=None, speed=None,"
    " order=None, order_timeout=None, max_body=None, upstream=None, secret_headers=None,"
    " redact=None, keep_secrets=None, allow_unused=None, allow_no_requests=None):"
    " run the test against its cassette; fail it if its LLM traffic is not as recorded, or if no"
    " request reaches the proxy"
)
_INI = {
    "wiretape_mode": ("string", "what tests do if no flag says otherwise (default: replay)"),
    "wiretape_dir": (
        "string",
        "a folder beside each test file (default: cassettes), or a path: one folder for all",
    ),
    "wiretape_match": ("string", "how alike requests must be: exact, tool-order, tool-output"),
    "wiretape_ignore": ("linelist", "JSON pointers to what is left out of the comparison"),
    "wiretape_repeat": ("string", "what answers equal requests at last: none, last, loop"),
    "wiretape_speed": ("string", "how fast answers replay: instant, original or a factor"),
    "wiretape_order": ("string", "in which order: recorded, free, shuffle[:SEED]"),
    "wiretape_upstream": ("string", "whom to record (default: OLLAMA_HOST, else ollama)"),
    "wiretape_secret_headers": ("linelist", "headers to redact besides the well-known ones"),
    "wiretape_redact": ("linelist", "regular expressions of secrets besides the well-known ones"),
    "wiretape_keep_secrets": ("bool", "leave secrets of well-known shapes as they are"),
    "wiretape_allow_unused": ("bool", "a recording that no request asked for is no failure"),
    "wiretape_allow_no_requests": ("bool", "nor is it that no request reaches the proxy"),
}

_TAPING = pytest.StashKey["Taping"]()
_Ending = Literal["begun", "passed", "skipped", "failed"]
_ENDING = pytest.StashKey[_Ending]()
_AMBIGUOUS = pytest.StashKey[bool]()
_CURRENT = pytest.StashKey["Taping"]()
_ASKING = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add flags and ini settings."""
    group = parser.getgroup("wiretape", "recorded LLM traffic")
    group.addoption("--wiretape-mode", choices=_MODES, help="What tests marked wiretape do.")
    group.addoption("--wiretape-upstream", metavar="URL", help="Whom to record.")
    group.addoption(
        "--wiretape-order", metavar="ORDER", help="recorded, free, or shuffle[:SEED] to find races."
    )
    for name, (kind, text) in _INI.items():
        # Without a default of its own, a flag that is absent would be one that is false.
        parser.addini(name, f"wiretape: {text}", type=kind, default=None)  # type: ignore[arg-type]  # one of them


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark; refuse a mode that is none before any test runs."""
    config.addinivalue_line("markers", _MARK)
    mode = config.getini("wiretape_mode")
    if mode and mode not in _MODES:
        raise pytest.UsageError(f"wiretape_mode: {mode!r} is none of {', '.join(_MODES)}")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what a flag has set."""
    mode = config.getoption("wiretape_mode")
    return f"wiretape: {mode}" if mode else None


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pycollect_makeitem() -> Generator[None, Any, Any]:
    """Note which tests' names differ in case alone: many file systems take them for one.

    Seen here, all parameters of a function are known, whichever are going to run.
    """
    made = yield
    if isinstance(made, list) and len(made) > 1:
        items = [item for item in made if isinstance(item, pytest.Item)]
        folded = Counter(item.name.casefold() for item in items)
        if len(folded) < len(items):
            for item in items:
                item.stash[_AMBIGUOUS] = folded[item.name.casefold()] > 1
    return made


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Lead the test's clients to the proxy before its fixtures make any."""
    if item.get_closest_marker("wiretape") is not None or _uses_fixture(item):
        _begin(item)


def _uses_fixture(item: pytest.Item) -> bool:
    """Whether a test asks for our fixture, and not for another of that name."""
    if "wiretape" not in getattr(item, "fixturenames", ()):
        return False
    named = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    definitions = named.get("wiretape", ())
    return bool(definitions) and definitions[-1].func.__module__ == __name__


def _begin(item: pytest.Item) -> Taping:
    with warnings.catch_warnings():
        # Where tests turn warnings into errors, an import is not the place to find out.
        warnings.simplefilter("ignore")
        from wiretape.errors import WiretapeError  # noqa: PLC0415  not for every run
        from wiretape.testing.taping import Taping  # noqa: PLC0415  as above

    item.stash[_ENDING] = "begun"
    try:
        taping = item.stash[_TAPING] = Taping(item, ambiguous=item.stash.get(_AMBIGUOUS, False))
    except WiretapeError as error:
        problem = str(error)
    else:
        item.config.stash[_CURRENT] = taping
        return taping
    pytest.fail(f"wiretape: {problem}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Note which fixtures ask that are not a single test's."""
    taping = request.config.stash.get(_CURRENT, None)
    if taping is None or fixturedef.scope == "function":
        return (yield)
    before = taping.asked
    try:
        return (yield)
    finally:
        if taping.asked > before:
            asking = request.config.stash.setdefault(_ASKING, {})
            asking[fixturedef.argname] = fixturedef.scope


def _shared(item: pytest.Item) -> tuple[str, ...]:
    """What is to be said of the fixtures of a test that have asked in a test's name."""
    asking = item.config.stash.get(_ASKING, {})
    return tuple(
        f"wiretape: the fixture {name}, of {asking[name]} scope, asks in whichever test needs it"
        " first, which with -k or -n is another one: give it function scope"
        for name in getattr(item, "fixturenames", ())
        if name in asking
    )


@pytest.fixture(name="wiretape")
def _wiretape(request: pytest.FixtureRequest) -> Taping:
    """The test's recorded traffic: where clients find it, and what has come of it so far.

    `.openai_base_url`, `.ollama_host` and `.anthropic_base_url` stand in the environment too.
    `.cassette` is the file, `.report()` says what was used, unused and missed.
    """
    item: pytest.Item = request.node
    return item.stash.get(_TAPING, None) or _begin(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a test fails, say what its traffic has to do with it."""
    report = yield
    taping = item.stash.get(_TAPING, None)
    if taping is not None and call.when != "teardown":
        item.stash[_ENDING] = _ending(item.stash[_ENDING], call)
        if report.failed:
            verdict = taping.verdict()
            # What failed in its set-up may have had no time to ask.
            told = verdict.missed or (verdict.unreached if call.when == "call" else ())
            told += _shared(item) if verdict.missed else ()
            if told:
                report.sections.append(("wiretape", "\n".join(told)))
    return report


def _ending(so_far: _Ending, call: pytest.CallInfo[None]) -> _Ending:
    """What has become of a test after a phase of it; with --setup-only it never gets to pass."""
    if call.excinfo is not None:
        return "skipped" if call.excinfo.errisinstance(pytest.skip.Exception) else "failed"
    return "passed" if call.when == "call" and so_far == "begun" else so_far


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Close the cassette when all fixtures are gone; fail the test if it was not kept to."""
    try:
        result = yield
    finally:
        taping = item.stash.get(_TAPING, None)
        if taping is not None:
            del item.stash[_TAPING]
            del item.config.stash[_CURRENT]
            failed = item.stash[_ENDING] == "failed"
            taping.end(failed=failed)
            for text in taping.kept() if failed else ():
                item.add_report_section("teardown", "wiretape", text)
    if taping is not None:
        _judge(item, taping.verdict())
    return result


def _judge(item: pytest.Item, verdict: Verdict) -> None:
    """Fail the test with what its traffic was, unless its own failure has said so already.

    A test that did not run to its end need not have used all recordings, nor asked anything.
    """
    ending = item.stash[_ENDING]
    missed = verdict.missed if ending != "failed" else ()
    unused = verdict.unused if ending == "passed" else ()
    text = verdict.broken + missed
    text += verdict.unreached if ending == "passed" else ()
    text += unused
    text += _shared(item) if missed or unused else ()
    if text:
        pytest.fail("\n".join(text), pytrace=False)
