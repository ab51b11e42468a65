"""The viewer's data: paths below `/_wiretape/` to answers. Reads cassettes; changes nothing.

    cassettes                                      what there is, and which sessions are open
    cassettes/NAME?since=VERSION                   its lanes, as `lane` has them; changed ones only
    cassettes/NAME/interactions/N                  headers and the request's body
    cassettes/NAME/interactions/N/chunks/I         a chunk's bytes; ?limit=BYTES
    diff?a=NAME&b=NAME                             what changed in behaviour, as `diff --json`

A `/` in NAME is written `%2F`. An answer may take long, and readings grow: have all made in one
thread, and that not the event loop's.
"""

from __future__ import annotations

import codecs
import re
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from wiretape.analysis.diff import diff
from wiretape.analysis.printable import counted
from wiretape.cassette.library import PART_SUFFIX
from wiretape.errors import CassetteNotFoundError, WiretapeError
from wiretape.viewer.pages import Page, bytes_page, error_page, json_page
from wiretape.viewer.reading import NoSuchPartError, Reading
from wiretape.viewer.shelf import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from wiretape.core.model import Interaction
    from wiretape.viewer.live import LiveSession
    from wiretape.viewer.shelf import Shelf, Shelved

_OPEN = 4
_LONGEST_BODY_BYTES = 1_000_000
_ENDPOINT = re.compile(
    r"diff|cassettes(?:/(?P<name>[^/]+)(?:/interactions/(?P<number>[0-9]{1,18})"
    r"(?:/chunks/(?P<chunk>[0-9]{1,18}))?)?)?/?"
)
_LIMIT = re.compile(r"[0-9]{1,18}")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Viewer:
    """Answers with the data that the page shows.

    Args:
        shelf: what it may show.
        clock: the wall clock, UTC.
    """

    def __init__(self, shelf: Shelf, clock: Callable[[], datetime] = _utc_now) -> None:
        self._shelf = shelf
        self._clock = clock
        self._readings: OrderedDict[Path, Reading] = OrderedDict()

    def answer(self, target: str, sessions: Sequence[LiveSession]) -> Page | None:
        """The answer to a GET; None if the path is none of the viewer's.

        Args:
            target: path and query, without `/_wiretape/`.
            sessions: those that are open now.
        """
        path, _, query = target.partition("?")
        found = _ENDPOINT.fullmatch(path)
        if found is None:
            return None
        given = {name: values[-1] for name, values in parse_qs(query).items()}
        try:
            return self._endpoint(found, given, sessions)
        except (CassetteNotFoundError, NoSuchPartError) as error:
            return error_page(404, str(error))
        except WiretapeError as error:
            return error_page(422, str(error))

    def _endpoint(
        self, found: re.Match[str], given: dict[str, str], sessions: Sequence[LiveSession]
    ) -> Page:
        if found[0] == "diff":
            a, b = (self._reading(given.get(side, "")).cassette() for side in "ab")
            return json_page(200, diff(a, b).to_json())
        if found["name"] is None:
            return json_page(200, self._list(sessions))
        reading = self._reading(unquote(found["name"]))
        if found["number"] is None:
            return json_page(200, reading.json(given.get("since", ""), self._clock()))
        number = int(found["number"])
        if found["chunk"] is None:
            return json_page(200, _details(reading.interaction(number)))
        content = reading.chunk(number, int(found["chunk"]))
        limit = given.get("limit", "")
        return bytes_page(content[: int(limit)] if _LIMIT.fullmatch(limit) else content)

    def _list(self, sessions: Sequence[LiveSession]) -> dict[str, Any]:
        return {
            "cassettes": [
                {
                    "name": each.name,
                    "size": each.size,
                    "modified": each.modified_s,
                    "state": each.state.value,
                }
                for each in self._shelf.cassettes()
            ],
            "sessions": [self._session(session) for session in sessions],
        }

    def _session(self, session: LiveSession) -> dict[str, Any]:
        cassette = self._shelf.name_of(session.path) if session.path else None
        if cassette is not None and session.recorded:
            cassette += PART_SUFFIX
        return {
            "name": session.name,
            "mode": session.mode,
            "cassette": cassette,
            "in_flight": session.in_flight,
            "recorded": session.recorded,
            "replayed": session.replayed,
            "misses": session.misses,
            "interactions": session.interactions,
        }

    def _reading(self, name: str) -> Reading:
        shelved = self._shelf.find(name)
        reading = self._readings.pop(shelved.path, None)
        if reading is None or not _same(reading.shelved, shelved) or not reading.stands():
            reading = Reading(shelved)
        reading.grow()
        self._readings[shelved.path] = reading
        if len(self._readings) > _OPEN:
            self._readings.popitem(last=False)
        return reading


def _same(before: Shelved, now: Shelved) -> bool:
    """Whether a file is still the one that was read; a recording looks for changes itself."""
    if before.state is not now.state or before.inode != now.inode:
        return False
    if now.state is State.RECORDING:
        return True
    return (before.size, before.modified_s) == (now.size, now.modified_s)


def _details(interaction: Interaction) -> dict[str, Any]:
    request, response = interaction.request, interaction.response
    body = request.body
    return {
        "request": {
            "headers": [list(field) for field in request.headers],
            "body": None if body.content is None else _beginning(body.content),
            "bytes": body.length,
            "sha256": body.digest(),
        },
        "response": {
            "status": response.status,
            "headers": [list(field) for field in response.headers],
        }
        if response
        else None,
    }


def _beginning(content: bytes) -> str:
    """A body as text. One that is long is cut before it is decoded, which lets nobody else run."""
    left = len(content) - _LONGEST_BODY_BYTES
    if left <= 0:
        return content.decode(errors="backslashreplace")
    # One by increments leaves out a character that is cut in two.
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    text = decoder.decode(content[:_LONGEST_BODY_BYTES])
    return f"{text}… ({counted(left, 'more byte')})"
