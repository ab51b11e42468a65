"""Sessions: which cassette a request is recorded into or answered from, and what came of it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from wiretape.cassette.library import SUFFIX, cassette_path, find_cassettes, timestamp_name
from wiretape.cassette.loader import load
from wiretape.core.model import Mode
from wiretape.core.routing import DEFAULT_SESSION, SessionName
from wiretape.errors import CassetteBusyError, CassetteNotFoundError, JournalError, UsageError
from wiretape.server.clock import utc_now
from wiretape.server.recorder import Recorder
from wiretape.server.replayer import Replayer

if TYPE_CHECKING:
    from wiretape.core.model import Cassette
    from wiretape.server.replayer import Key
    from wiretape.server.settings import Settings

_log = logging.getLogger(__name__)

_CLOSE_WAIT_STEP_S = 0.01
_CLOSE_WAIT_STEPS = 500


class Session:
    """One live use of one cassette.

    Attributes:
        mode: what happens to its requests; `once` has been resolved.
        path: its cassette; None if it replays several or passes all through.
        recorder: set if it may record.
        replayer: set if it may replay.
        in_flight: how many of its requests are being answered.
    """

    def __init__(self, name: SessionName, mode: Mode, path: Path | None) -> None:
        self.name = name
        self.mode = mode
        self.path = path
        self.recorder: Recorder | None = None
        self.replayer: Replayer | None = None
        self.in_flight = 0

    async def settle(self) -> bool:
        """Wait a while for what is in flight; whether nothing is any more."""
        for _ in range(_CLOSE_WAIT_STEPS):
            if not self.in_flight:
                return True
            await asyncio.sleep(_CLOSE_WAIT_STEP_S)
        return False

    def failed(self) -> bool:
        """Whether a strict run has failed: a miss, or a recording that was not used."""
        replayer = self.replayer
        return replayer is not None and bool(replayer.misses or replayer.unused())

    def report(self) -> dict[str, Any]:
        """What has come of the session so far, as JSON."""
        report: dict[str, Any] = {
            "session": str(self.name),
            "mode": self.mode.value,
            "cassette": str(self.path) if self.path else None,
            "in_flight": self.in_flight,
            "recorded": self.recorder.interactions if self.recorder else 0,
            "error": str(self.recorder.failure)
            if self.recorder and self.recorder.failure
            else None,
            "order": None,
            "interactions": 0,
            "used": [],
            "unused": [],
            "misses": [],
            "stalls": [],
            "divergences": [],
        }
        replayer = self.replayer
        if replayer is None:
            return report

        def named(key: Key) -> dict[str, Any]:
            request = replayer.interactions[key].request
            return {
                "cassette": replayer.cassettes[key[0]].name,
                "interaction": key[1],
                "method": request.method,
                "target": request.target,
            }

        report["order"] = str(replayer.order)
        report["interactions"] = len(replayer.interactions)
        report["used"] = [named(key) for key in replayer.used]
        report["unused"] = [named(key) for key in replayer.unused()]
        report["misses"] = [
            {**miss.to_json(replayer.describe), "text": replayer.explain(miss)}
            for miss in replayer.misses
        ]
        report["stalls"] = [
            {
                "waiting": named(cast("Key", stall.waiting)),
                "missing": named(cast("Key", stall.missing)),
                "waited_s": stall.waited_ns / 1e9,
            }
            for stall in replayer.schedule.stalls()
        ]
        report["divergences"] = [
            {
                **named(divergence.key),
                "match": divergence.level.value,
                "differences": [difference.to_json() for difference in divergence.differences],
            }
            for divergence in replayer.divergences
        ]
        return report


class Sessions:
    """All sessions of a proxy, opened when they are first named."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redactor = settings.redactor()
        self._open: dict[SessionName, Session] = {}
        self._finished: list[Session] = []
        self._cassettes: dict[Path, Cassette] = {}
        self._given = {path.name.removesuffix(SUFFIX): path for path in settings.cassettes}
        self._default = self._default_name()

    def get(self, name: SessionName) -> Session:
        """The open session of this name, opened if need be.

        Raises:
            UsageError: the name is no good, or one must be given.
            CassetteError: there is no such cassette to replay, or it cannot be read.
        """
        if name == DEFAULT_SESSION:
            name = self._default
        session = self._open.get(name)
        if session is None:
            session = self._open[name] = self._make(name)
        return session

    def find(self, name: SessionName) -> Session | None:
        """The latest session of this name, open or closed, if there is any."""
        if name == DEFAULT_SESSION:
            name = self._default
        named = [session for session in self.all() if session.name == name]
        return named[-1] if named else None

    def _default_name(self) -> SessionName:
        """The name of the session that requests belong to which name none."""
        settings = self._settings
        if settings.cassette is not None:
            return SessionName(settings.cassette)
        if settings.mode is Mode.REPLAY and len(settings.cassettes) == 1:
            return SessionName(*self._given)
        if settings.mode is Mode.RECORD:
            return SessionName(self._new_name())
        return DEFAULT_SESSION

    def all(self) -> list[Session]:
        """Every session, open or closed, in the order in which they were opened."""
        return [*self._finished, *self._open.values()]

    async def rewind(self, session: Session) -> bool:
        """Begin a session again; False if something stayed in flight, which forbids it."""
        if not await session.settle():
            return False
        if session.replayer is not None:
            session.replayer.rewind()
        return True

    async def close(self, session: Session) -> Path | None:
        """Close a session and finish its cassette; return what was written, if anything was.

        Raises:
            UsageError: something stayed in flight.
            JournalError: the cassette could not be finished.
        """
        if not await session.settle():
            raise UsageError(
                f"session {session.name} has {session.in_flight} requests in flight;"
                " close it when they have ended"
            )
        return self._close_now(session)

    def close_all(self) -> tuple[list[Path], list[JournalError]]:
        """Close every session; return the cassettes that were written and what went wrong."""
        written: list[Path] = []
        errors: list[JournalError] = []
        for session in list(self._open.values()):
            try:
                path = self._close_now(session)
            except JournalError as error:
                errors.append(error)
            else:
                written += [path] if path else []
        return written, errors

    def _close_now(self, session: Session) -> Path | None:
        self._open.pop(session.name, None)
        self._finished.append(session)
        if session.name == self._default:
            self._default = self._default_name()
        if session.replayer is not None:
            session.replayer.stop()
        if session.recorder is None:
            return None
        path = session.recorder.close()
        if path is not None:
            self._cassettes.pop(path, None)
        return path

    def _make(self, name: SessionName) -> Session:
        settings = self._settings
        mode = settings.mode
        if mode is Mode.PASSTHROUGH:
            return Session(name, mode, None)
        path = self._path(name, mode)
        if mode is Mode.ONCE:
            assert path is not None  # noqa: S101  only a replay has no path of its own
            mode = Mode.REPLAY if path.exists() else Mode.RECORD
        session = Session(name, mode, path)
        record = self._record_command(name, path)
        if mode is Mode.REPLAY:
            session.replayer = Replayer(self._load(path, record), settings, record)
            return session
        assert path is not None  # noqa: S101  as above
        self._refuse_busy(path)
        continues = mode is Mode.NEW_EPISODES
        session.recorder = Recorder(
            path,
            settings.upstream,
            redactor=self._redactor,
            continues=continues,
        )
        if continues:
            known = self._load(path, record) if path.exists() else []
            session.replayer = Replayer(known, settings, record)
        return session

    def _path(self, name: SessionName, mode: Mode) -> Path | None:
        if name.cassette is not None:
            given = self._given.get(name.cassette)
            return given or cassette_path(self._settings.directory, name.cassette)
        if mode is Mode.REPLAY:
            return None
        raise UsageError(
            f"mode {mode.value} needs to know which cassette: give --cassette NAME,"
            " or /@NAME in the base URL"
        )

    def _new_name(self) -> str:
        """This second's name for a cassette, or one made from it if that is taken."""
        first = name = timestamp_name(utc_now())
        taken = {session.path for session in self.all()}
        for count in itertools.count(2):
            path = cassette_path(self._settings.directory, name)
            if not path.exists() and path not in taken:
                break
            name = f"{first}-{count}"
        return name

    def _record_command(self, name: SessionName, path: Path | None) -> str:
        settings = self._settings
        if name == self._default and settings.record_command:
            return settings.record_command
        if path is None or path in settings.cassettes:
            return "wiretape record"
        arguments = ["wiretape", "record", "--cassette"]
        arguments.append(path.relative_to(settings.directory).as_posix().removesuffix(SUFFIX))
        if settings.directory != Path("cassettes"):
            arguments += ["--dir", str(settings.directory)]
        return shlex.join(arguments)

    def _load(self, path: Path | None, record_command: str) -> list[Cassette]:
        if path is not None:
            if not path.exists():
                raise CassetteNotFoundError(path, f"record it with: {record_command}")
            paths = [path]
        else:
            given = sorted(self._settings.cassettes, key=lambda path: path.name)
            paths = given or find_cassettes(self._settings.directory)
            if not paths:
                raise CassetteNotFoundError(
                    self._settings.directory, f"record one with: {record_command}"
                )
        return [self._cassette(each) for each in paths]

    def _cassette(self, path: Path) -> Cassette:
        cassette = self._cassettes.get(path)
        if cassette is None:
            cassette = self._cassettes[path] = load(path)
            for warning in cassette.warnings:
                _log.warning("%s: %s", path, warning)
        return cassette

    def _refuse_busy(self, path: Path) -> None:
        if any(other.recorder and other.path == path for other in self._open.values()):
            raise CassetteBusyError(path)
