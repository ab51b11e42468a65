"""A test's traffic while the test runs: which cassette, which settings, what came of it.

Knows pytest's items and the proxy in the background; the hooks that call it are the plugin's.
"""

from __future__ import annotations

import inspect
import os
import shlex
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wiretape.core.addresses import DEFAULT_UPSTREAM
from wiretape.core.model import Mode
from wiretape.core.routing import SessionName
from wiretape.environment import client_environment, openai_base_url, upstream_of
from wiretape.errors import UsageError
from wiretape.pyproject import Config, read_config
from wiretape.server.background import Background
from wiretape.server.session import Session
from wiretape.server.settings import Settings
from wiretape.testing.names import differ_in_case_alone, safe_name
from wiretape.testing.verdict import Verdict, as_mark, kept, verdict
from wiretape.testing.wishes import Wishes, gather, of_commands

if TYPE_CHECKING:
    from wiretape.server.serve import Summary

_BACKGROUND = pytest.StashKey[Background]()
_CONFIGS = pytest.StashKey[dict[Path, Config]]()
_RECORDED = pytest.StashKey[dict[Path, str]]()
_IDLE = "no test that is marked with wiretape is running"
# How long the end of a test waits for what it left in flight: a replay has no more to say, a
# recording gets the ends of the answers.
_GRACE_REPLAYING_S = 0.25
_GRACE_RECORDING_S = 2.0
_BESIDE = "cassettes"
_INI = (
    "mode",
    "match",
    "ignore",
    "repeat",
    "speed",
    "order",
    "upstream",
    "secret_headers",
    "redact",
    "keep_secrets",
    "allow_unused",
    "allow_no_requests",
)


class Taping:
    """One test's use of the proxy; what the fixture `wiretape` gives.

    Args:
        item: the test.
        ambiguous: its name differs from another test's in case alone.

    Attributes:
        cassette: the test's cassette, whether it exists or not.
        url: the proxy's, without a trailing slash.
    """

    def __init__(self, item: pytest.Item, *, ambiguous: bool = False) -> None:
        self._wishes = wishes = wishes_of(item)
        directory = cassette_directory(item)
        name = wishes.name or cassette_name(item, ambiguous=ambiguous)
        self.cassette = directory / f"{name}.yaml"
        exists = self.cassette.exists()
        if wishes.mode is Mode.RECORD:
            _refuse_second_recording(item, self.cassette)
        # Who passes all through has no cassette that something could be missing from.
        self._allow_no_requests = (
            wishes.allow_no_requests or wishes.mode is Mode.PASSTHROUGH or not _asks_itself(item)
        )
        self._record_command = record_command(item, "record" if exists else "once", wishes)
        # Where the mark names it, other tests may have their recordings in it too.
        shared = exists and wishes.name is not None
        self._replace_command = record_command(item, "record", wishes)
        self._add_command = (
            record_command(item, "new_episodes", wishes) if shared else self._record_command
        )
        self._seen_from = item.config.invocation_params.dir
        self._summary: Summary | None = None
        # What there is to report where the cassette is missing.
        self._nothing_yet = Session(SessionName(name), wishes.mode, self.cassette).report()
        self._background = _background(item.config)
        self.url = self._background.url
        self._background.open(self._settings(directory, name))
        self._environment = pytest.MonkeyPatch()
        for variable, value in client_environment(self.url, os.environ).items():
            self._environment.setenv(variable, value)

    @property
    def openai_base_url(self) -> str:
        """For OpenAI's clients; in the environment as OPENAI_BASE_URL."""
        return openai_base_url(self.url)

    @property
    def ollama_host(self) -> str:
        """For ollama's clients; in the environment as OLLAMA_HOST."""
        return self.url

    @property
    def anthropic_base_url(self) -> str:
        """For Anthropic's clients; in the environment as ANTHROPIC_BASE_URL."""
        return self.url

    @property
    def asked(self) -> int:
        """How many requests have come so far."""
        return self._background.asked()

    def report(self) -> dict[str, Any]:
        """What has come of the test's session so far: used, unused, misses and so on.

        As `GET /_wiretape/sessions/NAME` gives it. Of the sessions that `/@NAME` in a base URL
        has opened, it says nothing.
        """
        reports = (self._summary or self._background.summary()).reports
        return next(
            (report for report in reports if report["cassette"] == str(self.cassette)),
            self._nothing_yet,
        )

    def verdict(self) -> Verdict:
        """What is to be said of the traffic so far."""
        summary = self._summary or self._background.summary()
        return verdict(
            summary,
            record_command=self._record_command,
            allow_unused=self._wishes.allow_unused,
            allow_no_requests=self._allow_no_requests,
            seen_from=self._seen_from,
        )

    def end(self, *, failed: bool) -> None:
        """Close the session and put the environment back.

        Args:
            failed: the test did: then an upstream that was not there is no recording.
        """
        self._environment.undo()
        self._summary = self._background.close(upstream_needed=failed)

    def kept(self) -> tuple[str, ...]:
        """What is to be said of what a test that failed has recorded and `once` replays."""
        if self._summary is None or self._wishes.mode is not Mode.ONCE:
            return ()
        return kept(self._summary.written, self._replace_command, self._seen_from)

    def _settings(self, directory: Path, name: str) -> Settings:
        wishes = self._wishes
        upstream = wishes.upstream or DEFAULT_UPSTREAM
        if wishes.upstream is None and wishes.mode is not Mode.REPLAY:
            upstream = upstream_of(os.environ)
        return Settings(
            mode=wishes.mode,
            directory=directory,
            cassette=name,
            upstream=upstream,
            secret_headers=wishes.secret_headers,
            redact=wishes.redact,
            keep_secrets=wishes.keep_secrets,
            rules=wishes.rules,
            speed=wishes.speed,
            order=wishes.order,
            order_timeout_s=wishes.order_timeout_s,
            max_body_bytes=wishes.max_body_bytes,
            grace_s=_GRACE_REPLAYING_S if wishes.mode is Mode.REPLAY else _GRACE_RECORDING_S,
            keeps_unanswered=True,  # where the test passes it is about that, as `end` knows
            record_command=self._add_command,
            spell_suggestion=as_mark,
        )


def _asks_itself(item: pytest.Item) -> bool:
    """Whether a test itself is marked, or names the fixture.

    The mark of a whole class or module, and another fixture, are for tests of all kinds.
    """
    named = getattr(getattr(item, "_fixtureinfo", None), "initialnames", ())
    return "wiretape" in named or any(mark.name == "wiretape" for mark in item.own_markers)


def _refuse_second_recording(item: pytest.Item, cassette: Path) -> None:
    """Keep a test from replacing what another one has just recorded."""
    recorded = item.config.stash.setdefault(_RECORDED, {})
    other = recorded.setdefault(cassette, item.nodeid)
    if other != item.nodeid:
        raise UsageError(
            f"{cassette} was recorded by {other} in this run, which would be lost:"
            " give each test a cassette of its own, or use new_episodes"
        )


def _background(config: pytest.Config) -> Background:
    """The proxy of this pytest process, started when a test first needs it."""
    background = config.stash.get(_BACKGROUND, None)
    if background is None:
        background = config.stash[_BACKGROUND] = Background(_IDLE)
        config.add_cleanup(background.stop)
    return background


def _ini(config: pytest.Config, name: str) -> Any:
    try:
        return config.getini(name)
    except (ValueError, pytest.UsageError) as error:
        raise UsageError(f"{name} in the ini file: {error}") from None


def wishes_of(item: pytest.Item) -> Wishes:
    """What is in force for a test.

    Raises:
        UsageError: something that cannot be.
    """
    config = item.config
    marks = [(mark.args, mark.kwargs) for mark in item.iter_markers("wiretape")]
    flags = {name: config.getoption(f"wiretape_{name}") for name in ("mode", "upstream", "order")}
    variables, configured = of_commands(os.environ, _configured(item))
    ini = {name: _ini(config, f"wiretape_{name}") for name in _INI}
    return gather(
        marks,
        [
            {name: (f"--wiretape-{name}", value) for name, value in flags.items() if value},
            variables,
            {
                name: (f"wiretape_{name} in the ini file", value)
                for name, value in ini.items()
                if value or value is False  # which is said too
            },
            configured,
        ],
    )


def _configured(item: pytest.Item) -> Config:
    """What the pyproject.toml nearest to a test says to wiretape's commands, read once.

    pytest's own root may be further up: it takes no file that says nothing to pytest.
    """
    read, folder = item.config.stash.setdefault(_CONFIGS, {}), item.path.parent
    if folder not in read:
        read[folder] = read_config(folder)
    return read[folder]


def cassette_directory(item: pytest.Item) -> Path:
    """Where a test's cassettes are.

    `wiretape_dir` as a mere name is a folder beside the test file. As a path it is one folder
    for all, meant from the ini file's, with the folders of the tests in it.
    """
    place = item.config.getini("wiretape_dir") or _BESIDE
    beside = item.path.parent
    if Path(place).name == place:
        return beside / place
    ini = item.config.inipath
    root = ini.parent if ini else item.config.rootpath
    below = beside.relative_to(root) if beside.is_relative_to(root) else Path(beside.name)
    return root / place / below


def cassette_name(item: pytest.Item, *, ambiguous: bool = False) -> str:
    """A test's cassette by default: `module/Class.test[param]`, made safe.

    Args:
        item: the test.
        ambiguous: another test of the same function has the name in other case.
    """
    chain = [node for node in item.listchain() if isinstance(node, pytest.Item | pytest.Class)]
    unclear = ambiguous or any(map(_ambiguous, chain))
    test = safe_name(".".join(node.name for node in chain), ambiguous=unclear)
    module = item.path.stem
    unclear = differ_in_case_alone(module, _modules_in(item.path.parent))
    return f"{safe_name(module, ambiguous=unclear)}/{test}"


@lru_cache(maxsize=100)
def _modules_in(folder: Path) -> tuple[str, ...]:
    return tuple(path.stem for path in folder.glob("*.py"))


def _ambiguous(node: pytest.Item | pytest.Collector) -> bool:
    """Whether something else that is called the same but for its case stands beside it."""
    name = getattr(node, "originalname", None) or node.name
    holder = getattr(node.parent, "obj", None)
    others = [each for each in dir(holder) if callable(inspect.getattr_static(holder, each, None))]
    return differ_in_case_alone(name, others)


def record_command(item: pytest.Item, mode: str, wishes: Wishes) -> str:
    """What records a test, to be pasted where pytest was started."""
    if wishes.pinned:
        return f"take mode={wishes.mode.value!r} from the wiretape mark first"
    _, colons, rest = item.nodeid.partition("::")
    path = os.path.relpath(item.path, item.config.invocation_params.dir)
    return shlex.join(["pytest", f"--wiretape-mode={mode}", f"{path}{colons}{rest}"])
