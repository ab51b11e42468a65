"""Asking again: a cassette's questions sent to a live upstream, each time into a new cassette.

Knows which requests ask a model, whose credentials to send, and where takes are kept. A take
is recorded aside and gets its name when it is whole, so that what has a name counts.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from wiretape.analysis.answer import GENERATING
from wiretape.analysis.transcript import transcripts
from wiretape.cassette.library import take_path
from wiretape.cassette.loader import load
from wiretape.cassette.redaction import SECRET_HEADERS
from wiretape.core.model import REDACTED, Body, Entry, Mode, Outcome, Request, header
from wiretape.core.routing import Dialect as Api
from wiretape.core.routing import SessionName, dialect
from wiretape.core.tempo import Speed
from wiretape.core.variation import label_of, varied
from wiretape.errors import UsageError
from wiretape.server.driver import drive
from wiretape.server.serve import any_port, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from wiretape.core.model import Cassette, Headers, Interaction
    from wiretape.core.variation import Assignment
    from wiretape.server.serve import Running
    from wiretape.server.settings import Settings

_INSTANT = Speed(None)
_HIDDEN = ".rerun-"
_FIRST_ERROR = 400
_NO_ANSWER = frozenset({Outcome.UPSTREAM_UNREACHABLE, Outcome.UPSTREAM_TIMEOUT})
# The first that is set counts. Azure's key is for another provider than OpenAI's: neither is shown
# to the other.
_KEYS: dict[Api, dict[str, tuple[str, ...]]] = {
    Api.OPENAI: {
        "authorization": ("OPENAI_API_KEY",),
        "x-api-key": ("OPENAI_API_KEY",),
        "api-key": ("AZURE_OPENAI_API_KEY",),
    },
    Api.ANTHROPIC: {
        "x-api-key": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        "authorization": ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"),
    },
    Api.OLLAMA: {"authorization": ("OLLAMA_API_KEY",)},
}
# Where the APIs take them, whatever header was recorded; they take the others as a bearer's.
_HEADERS = {"ANTHROPIC_API_KEY": "x-api-key", "AZURE_OPENAI_API_KEY": "api-key"}


@dataclass(frozen=True, slots=True)
class Takes:
    """Where the takes of a cassette are.

    Attributes:
        path: the cassette that is asked again.
        label: tells takes of varied questions from others; empty for the recorded ones.
    """

    path: Path
    label: str = ""

    @classmethod
    def of(cls, path: Path, assignments: Sequence[Assignment]) -> Takes:
        """The takes of a cassette with some members set."""
        return cls(path, label_of(assignments))

    def file(self, number: int) -> Path:
        """The file of a take, counted from 1."""
        return take_path(self.path, self.label, number)


def questions(cassette: Cassette) -> Cassette:
    """The interactions that ask a model; what else is recorded is nobody's to do again.

    Raises:
        UsageError: there are none.
    """
    asked = {
        each.interaction.number
        for each in transcripts(cassette)
        if each.dialect in GENERATING and each.interaction.request.body.content is not None
    }
    if not asked:
        raise UsageError(f"{cassette.name} has no request that asks a model, body and all")
    entries = tuple(entry for entry in cassette.entries if entry.interaction in asked)
    return replace(cassette, entries=entries)


def to_be_asked(
    recorded: Cassette, assignments: Sequence[Assignment], environ: Mapping[str, str]
) -> Cassette:
    """Recorded questions as they are to be asked.

    Raises:
        UsageError: a member cannot be set.
    """

    def asked(entry: Entry) -> Entry:
        if not isinstance(entry, Request):
            return entry
        path = entry.target.partition("?")[0]
        body = Body.of(varied(entry.body.content or b"", path, assignments))
        return replace(entry, headers=credentials(entry, environ), body=body)

    return replace(recorded, entries=tuple(map(asked, recorded.entries)))


def credentials(request: Request, environ: Mapping[str, str]) -> Headers:
    """A request's headers with keys from the environment where the recording has none.

    A header whose value was redacted and for which there is no key is left out.
    """
    sent: list[tuple[str, str]] = []
    for name, value in request.headers:
        if not _redacted(name, value):
            sent.append((name, value))
            continue
        variable = next(filter(environ.get, _variables(request, name)), None)
        carrier = _HEADERS.get(variable or "", "Authorization")
        # Two recorded headers may lead to one key.
        if variable is not None and header(tuple(sent), carrier) is None:
            key = environ[variable]
            spelled = name if name.lower() == carrier.lower() else carrier
            sent.append((spelled, f"Bearer {key}" if carrier == "Authorization" else key))
    return tuple(sent)


def unset_keys(recorded: Cassette, environ: Mapping[str, str]) -> list[str]:
    """The variables that were looked for where a redacted credential is left out, each once."""
    looked_for = [
        _variables(interaction.request, name)
        for interaction in recorded.interactions()
        for name, value in interaction.request.headers
        if _redacted(name, value)
    ]
    unset = [names for names in looked_for if not any(map(environ.get, names))]
    return list(dict.fromkeys(name for names in unset for name in names))


def _redacted(name: str, value: str) -> bool:
    return value == REDACTED or (REDACTED in value and name.lower() in SECRET_HEADERS)


def _variables(request: Request, name: str) -> tuple[str, ...]:
    return _KEYS[dialect(request.target)].get(name.lower(), ())


async def retake(
    asked: Cassette,
    takes: Takes,
    numbers: Iterable[int],
    settings: Settings,
    *,
    concurrency: int,
    done: Callable[[], None],
) -> None:
    """Ask again, once for each number, and keep each take.

    Args:
        asked: from `to_be_asked`.
        takes: where they are kept.
        numbers: of the takes to make.
        settings: of the recording; mode, directory and address are set here.
        concurrency: how many takes are under way at once.
        done: is called after each.

    Raises:
        UsageError: the upstream did not answer, or refused; the takes before are kept.
        WiretapeError: nothing can be recorded.
    """
    limit = asyncio.Semaphore(concurrency)
    with tempfile.TemporaryDirectory(dir=takes.path.parent, prefix=_HIDDEN) as folder:
        # After a failure the others' clients are gone, which ends their requests within moments.
        recording = replace(
            any_port(settings),
            mode=Mode.RECORD,
            directory=Path(folder),
            cassette=None,
            admits_pages=True,
            grace_s=1.0,
        )

        async def take(number: int, proxy: Running) -> None:
            async with limit:
                path = await _take(asked, number, proxy)
                _check(asked, load(path))
                path.rename(takes.file(number))
                done()

        async with running(recording) as proxy:
            try:
                async with asyncio.TaskGroup() as tasks:
                    for number in numbers:
                        tasks.create_task(take(number, proxy))
            except ExceptionGroup as errors:
                # The others were cut off by the first.
                raise errors.exceptions[0] from None


async def _take(asked: Cassette, number: int, proxy: Running) -> Path:
    name = SessionName(f"take-{number}")
    received = await drive(asked, f"{proxy.url}/@{quote(str(name))}", _INSTANT)
    sessions = proxy.app.sessions
    path = await sessions.close(await sessions.get(name))
    if path is None:
        said = next(filter(None, (_line(each.body) for each in received)), "no answer came")
        raise UsageError(f"nothing of take {number} was recorded: {said}")
    return path


def _check(asked: Cassette, take: Cassette) -> None:
    """Refuse what would be counted as behaviour and is none.

    Raises:
        UsageError: the upstream did not answer, or refused what it had not refused before.
    """
    known = {each.response.status if each.response else None for each in asked.interactions()}
    for interaction in take.interactions():
        # What hung up before it said anything has not behaved in any way.
        hung_up = interaction.response is None and None not in known
        if interaction.outcome in _NO_ANSWER or hung_up:
            raise UsageError(f"no answer from the upstream {take.upstream}: {_said(interaction)}")
        response = interaction.response
        if response and response.status >= _FIRST_ERROR and response.status not in known:
            raise UsageError(
                f"the upstream {take.upstream} refused with status {response.status}:"
                f" {_said(interaction)}"
            )


def _said(interaction: Interaction) -> str:
    ending = interaction.outcome.value if interaction.outcome else "nothing came"
    return _line(interaction.body()) or ending


def _line(body: bytes) -> str:
    return " ".join(body[:300].decode(errors="replace").split())
