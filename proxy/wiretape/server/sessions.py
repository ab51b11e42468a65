"""Sessions: which cassette a request is recorded into or answered from, and what came of it."""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import shlex
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wiretape.analysis.printable import counted
from wiretape.cassette.holding import part_path_of
from wiretape.cassette.library import (
    SUFFIX,
    cassette_path,
    find_recordings,
    is_inside,
    name_in,
    timestamp_name,
)
from wiretape.cassette.loader import check_replaceable, load
from wiretape.cassette.partfile import is_held, version_of
from wiretape.core.addresses import DEFAULT_UPSTREAM
from wiretape.core.commands import with_option
from wiretape.core.model import REDACTED, Mode
from wiretape.core.routing import DEFAULT_SESSION, SessionName
from wiretape.errors import (
    CassetteBusyError,
    CassetteError,
    CassetteNotFoundError,
    JournalError,
    UsageError,
)
from wiretape.server.clock import utc_now
from wiretape.server.peer import ReceiveQueues
from wiretape.server.recorder import Recorder
from wiretape.server.replayer import Replayer
from wiretape.server.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wiretape.core.model import Cassette
    from wiretape.server.settings import Settings

_log = logging.getLogger(__name__)

_CASSETTES_KEPT = 16
_NAMED_DEFAULT = SessionName(str(DEFAULT_SESSION))


class Sessions:
    """All sessions of a proxy, opened when they are first named."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redactor = settings.redactor()
        self._open: dict[SessionName, Session] = {}
        self._opening: dict[SessionName, asyncio.Task[Session]] = {}
        self._finishing: dict[Session, asyncio.Task[Path | None]] = {}
        self._finished: list[Session] = []
        self._queues = ReceiveQueues()
        self._loading = threading.Lock()
        # Many sessions replay one cassette, one after the other.
        self._unchanged = functools.lru_cache(maxsize=_CASSETTES_KEPT)(_loaded)
        self._given = {path.name.removesuffix(SUFFIX): path for path in settings.cassettes}
        self._default = self._default_name()

    async def get(self, name: SessionName) -> Session:
        """The open session of this name, opened if need be; whoever asks meanwhile waits.

        Raises:
            UsageError: the name is no good, or one must be given.
            CassetteError: there is no such cassette to replay, or it cannot be read.
        """
        # Again where somebody has closed it since it was opened: a closed one serves nobody.
        while (session := self._open.get(own_name := self._own_name(name))) is None:
            opening = self._opening.get(own_name)
            if opening is None or opening.done():
                opening = self._opening[own_name] = asyncio.create_task(self._make(own_name))
                opening.add_done_callback(functools.partial(self._opened, own_name))
            await asyncio.wait([opening])  # which goes on for others, should this one leave
            opening.result()
        return session

    def _own_name(self, name: SessionName) -> SessionName:
        if name != DEFAULT_SESSION:
            return name
        if self._default not in self._open and self._default not in self._opening:
            # Another proxy may have taken the name of the second in which this one began.
            self._default = self._default_name()
        return self._default

    def _opened(self, name: SessionName, opening: asyncio.Task[Session]) -> None:
        if self._opening.get(name) is opening:
            del self._opening[name]
        if not opening.cancelled():
            opening.exception()  # or it is logged as nobody's, if all who waited have left

    def find(self, name: SessionName) -> Session | None:
        """The latest session of this name, open or closed, if there is any.

        `default` is the one that requests belong to which name none, unless one is named so.
        """
        name = self._meant(name)
        named = [session for session in self.all() if session.name == name]
        return named[-1] if named else None

    async def find_to_rewind(self, name: SessionName) -> Session | None:
        """As `find`; one that may replay is opened, so that a test's set-up can come first.

        Raises:
            UsageError: the name is no good.
            CassetteError: its cassette cannot be read.
        """
        session = self.find(name)
        if session is None and self._settings.mode.may_replay:
            with suppress(CassetteNotFoundError):
                session = await self.get(self._meant(name))
        return session

    def _meant(self, name: SessionName) -> SessionName:
        return self._default if name == _NAMED_DEFAULT and name not in self._open else name

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
        session.rewind()
        return True

    async def close(self, session: Session) -> Path | None:
        """Close a session and finish its cassette; return what was written, if anything was.

        Raises:
            UsageError: something stayed in flight.
            JournalError: the cassette could not be finished.
        """
        if not await session.settle():
            raise UsageError(
                f"session {session.name} has {counted(session.in_flight, 'request')} in flight;"
                " close it when there is none"
            )
        if session not in self._finishing:
            self._leave(session)
            finishing = self._finishing[session] = asyncio.create_task(session.finish())
            finishing.add_done_callback(functools.partial(self._finished_one, session))
        await asyncio.wait([finishing := self._finishing[session]])
        return finishing.result()

    def _finished_one(self, session: Session, finishing: asyncio.Task[Path | None]) -> None:
        del self._finishing[session]
        if not finishing.cancelled():
            finishing.exception()  # or it is logged as nobody's, if who closed it has left

    def close_all(self) -> tuple[list[Path], list[JournalError]]:
        """Close every session.

        Returns:
            The cassettes that were written and what went wrong, also with those closed before.
        """
        written: dict[Path, None] = {}
        errors: list[JournalError] = []
        for opening in self._opening.values():
            opening.cancel()
        for session in self.all():
            self._leave(session)
            try:
                path = session.close()
            except JournalError as error:
                errors.append(error)
            else:
                written |= {path: None} if path else {}
        self._queues.close()
        return [*written], errors

    def _leave(self, session: Session) -> None:
        """Give a session nothing more to do."""
        # Somebody else may have closed it meanwhile, and another may have been opened.
        if self._open.get(session.name) is session:
            del self._open[session.name]
            self._finished.append(session)
            if session.name == self._default:
                self._default = self._default_name()

    async def _make(self, name: SessionName) -> Session:
        settings = self._settings
        mode = settings.mode
        if mode is Mode.PASSTHROUGH:
            session = self._open[name] = Session(name, mode, None)
            return session
        path = self._path(name, mode)
        while ending := [task for each, task in self._finishing.items() if each.path == path]:
            await asyncio.wait(ending)  # or its cassette would not be there yet
        if mode is Mode.ONCE:
            assert path is not None  # noqa: S101  only a replay has no path of its own
            mode = Mode.REPLAY if path.exists() else Mode.RECORD
            part = part_path_of(path)
            if mode is Mode.RECORD and part.exists() and is_held(part):
                # Or it would be recorded once more after another process has done so.
                raise CassetteBusyError(path)
        if mode is Mode.RECORD and path is not None and path.exists():
            await asyncio.to_thread(check_replaceable, path)
        session = Session(name, mode, path)
        continues = mode is Mode.NEW_EPISODES
        if mode is Mode.REPLAY or continues:
            session.replayer = await self._replayer(name, path, mode)
        if mode is not Mode.REPLAY:
            assert path is not None  # noqa: S101  as above
            if not continues:  # which may find all that it is asked for, and then records nothing
                self._refuse_busy(path)
            session.recorder = Recorder(
                path,
                settings.upstream,
                redactor=self._redactor,
                stops=settings.stops_on_disk_error,
                continues=continues,
                # Or a model that was not started would take the place of all that it once said, or
                # be replayed for ever.
                wants_answers=not settings.keeps_unanswered
                and (settings.mode is not Mode.RECORD or path.exists()),
            )
            if mode is Mode.RECORD and any(each.wrote(path) for each in self._finished):
                _log.warning(
                    "session %s was closed and is asked again: what comes now is recorded anew and"
                    " will take the place of %s",
                    name,
                    path,
                )
        self._open[name] = session
        return session

    async def _replayer(self, name: SessionName, path: Path | None, mode: Mode) -> Replayer:
        """Read what is to be replayed. It takes a while, and streams must not wait for it."""
        while True:
            version = _version(path) if path else ()
            replayer = await asyncio.to_thread(self._read, name, path, mode)
            # To what is continued, another session may have added meanwhile.
            if mode is Mode.REPLAY or path is None or version == _version(path):
                return replayer

    def _read(self, name: SessionName, path: Path | None, mode: Mode) -> Replayer:
        record = self._record_command(name, path)
        new = mode is Mode.NEW_EPISODES and path is not None and not path.exists()
        with self._loading:  # or many that begin together would each read one cassette
            known = [] if new else self._load(path, record)
        return Replayer(known, self._settings, _from_upstream(record, known), self._queues)

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
            free = not path.exists() and not part_path_of(path).exists()
            if free and path not in taken:
                break
            name = f"{first}-{count}"
        return name

    def _record_command(self, name: SessionName, path: Path | None) -> str:
        settings = self._settings
        if name == self._default and settings.record_command:
            return settings.record_command
        if path is None or path.suffix != SUFFIX:
            return "wiretape record"
        directory = settings.directory
        if not path.is_relative_to(directory):  # one of those given by their paths
            directory = path.parent
        arguments = ["wiretape", "record", "--cassette", name_in(directory, path)]
        if directory != Path("cassettes"):
            arguments += ["--dir", str(directory)]
        return shlex.join(arguments)

    def _load(self, path: Path | None, record_command: str) -> list[Cassette]:
        if path is not None:
            if not path.exists():
                raise CassetteNotFoundError(path, f"record it with: {record_command}")
            paths = [path]
        else:
            given = sorted(
                self._settings.cassettes, key=lambda path: path.name.removesuffix(SUFFIX)
            )
            paths = given or find_recordings(self._settings.directory)
            if not given:
                _check_inside(self._settings.directory, paths)
            if not paths:
                raise CassetteNotFoundError(
                    self._settings.directory, f"record one with: {record_command}"
                )
        return [self._read_one(each) for each in paths]

    def _read_one(self, path: Path) -> Cassette:
        """One cassette, by the name that chooses it: below directories, that says which."""
        cassette = self._unchanged(path, _version(path))
        directory = self._settings.directory
        # Most stand in the directory itself, and then it would say no more.
        if path.parent == directory or path in self._settings.cassettes:
            return cassette
        return replace(cassette, name=name_in(directory, path))

    def _refuse_busy(self, path: Path) -> None:
        if any(other.recorder and other.path == path for other in self._open.values()):
            raise CassetteBusyError(path)


def _from_upstream(record: str, cassettes: Sequence[Cassette]) -> str:
    """The command that records cassettes again from where they are, if that is not the default."""
    upstreams = {cassette.upstream for cassette in cassettes} - {DEFAULT_UPSTREAM}
    if len(upstreams) != 1 or "--upstream" in record:
        return record
    (upstream,) = upstreams
    return record if REDACTED in upstream else with_option(record, "--upstream", upstream)


def _version(path: Path) -> tuple[int, ...]:
    """What is another after each change of a file; empty if it cannot be had."""
    try:
        return version_of(path)
    except OSError:
        return ()


def _loaded(path: Path, _version: tuple[int, ...]) -> Cassette:
    cassette = load(path)
    for warning in cassette.warnings:
        _log.warning("%s: %s", path, warning)
    return cassette


def _check_inside(directory: Path, paths: Sequence[Path]) -> None:
    """Refuse links that lead out of the directory: it may have come from somebody else.

    Raises:
        CassetteError: there is one.
    """
    for path in paths:
        if path.is_symlink() and not is_inside(path, directory):
            named = shlex.join(["wiretape", "replay", str(path)])
            text = f"a link that leads out of {directory}; if that is meant: {named}"
            raise CassetteError(path, text)
