"""A cassette as the page reads it: whole at first, then only the lanes that have changed.

Knows files and entries; how a lane looks is for `lane`.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from wiretape.analysis.show_json import recorded_text
from wiretape.analysis.threads import Place, places
from wiretape.analysis.transcript import Transcript, transcript
from wiretape.cassette.following import Following
from wiretape.cassette.loader import load
from wiretape.core.model import Chunk, End, Interaction, Request, Response
from wiretape.errors import WiretapeError
from wiretape.viewer.encoding import encoded
from wiretape.viewer.lane import PARTS, lane
from wiretape.viewer.shelf import State

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from wiretape.core.model import Cassette, Entry
    from wiretape.viewer.shelf import Shelved

_VERSION = re.compile(r"[0-9]{1,18}")


class NoSuchPartError(WiretapeError):
    """The cassette has no such interaction or chunk."""


@dataclass(slots=True)
class _Draft:
    """An interaction as far as it has come.

    Attributes:
        version: of the reading in which it last changed.
        asked: the transcript of its request alone, once places have been looked for.
        drawn: its lane in JSON, once it has been asked for.
    """

    request: Request
    version: int
    response: Response | None = None
    chunks: list[Chunk] = field(default_factory=list)
    end: End | None = None
    asked: Transcript | None = None
    drawn: bytes | None = None

    def interaction(self) -> Interaction:
        return Interaction(
            self.request.interaction,
            self.request,
            self.response,
            tuple(self.chunks),
            self.end,
            (),
        )


class Reading:
    """One cassette file, read.

    Args:
        shelved: the file. One that is being recorded is followed: call `grow` before each look.

    Raises:
        CassetteError: it cannot be read.
    """

    def __init__(self, shelved: Shelved) -> None:
        self.shelved = shelved
        self._mark = secrets.token_hex(4)
        self._following: Following | None = None
        self._cassette: Cassette
        self._entries: list[Entry] = []
        self._drafts: dict[int, _Draft] = {}
        self._places: dict[int, Place] = {}
        self._version = 0
        if shelved.state is State.RECORDING:
            self._following = Following(shelved.path)
            self._cassette = self._following.cassette
        else:
            self._cassette = load(shelved.path)
            self._take(self._cassette.entries)

    def stands(self) -> bool:
        """Whether what was read still stands there; no longer, where a recording wrote it again.

        Raises:
            CassetteError: the recording has ended, or cannot be read.
        """
        return self._following is None or self._following.stands()

    def grow(self) -> None:
        """Take what has been recorded since the last call.

        Raises:
            CassetteError: the recording has ended, or cannot be read.
        """
        if self._following is not None:
            entries = self._following.entries()
            self._entries += entries
            self._take(entries)

    def json(self, since: str, now: datetime) -> dict[str, Any]:
        """The cassette as JSON values, with those lanes alone that have changed, encoded each.

        `now` is where it stands, in microseconds since the session began; null unless it is being
        recorded. `whole` says that every lane is there.

        Args:
            since: the `version` that the page has; what this reading has not given out is as good
                as none.
            now: the wall clock.
        """
        mark, _, given = since.partition(".")
        known = mark == self._mark and _VERSION.fullmatch(given)
        seen = int(given) if known and int(given) <= self._version else 0
        drafts = [draft for draft in self._drafts.values() if draft.version > seen]
        self._find_places()
        elapsed = now - self._cassette.recorded
        return {
            "name": self.shelved.name,
            "state": self.shelved.state.value,
            "version": f"{self._mark}.{self._version}",
            "whole": not seen,
            "parts": [part.value for part in PARTS],
            "recorded": recorded_text(self._cassette.recorded),
            "upstream": self._cassette.upstream,
            "warnings": list(self._cassette.warnings),
            "now": elapsed // timedelta(microseconds=1) if self._following else None,
            "interactions": len(self._drafts),
            "lanes": [self._lane(draft) for draft in drafts],
        }

    def cassette(self) -> Cassette:
        """All of it, as far as it has come."""
        if self._following is None:
            return self._cassette
        return replace(self._cassette, entries=tuple(self._entries))

    def interaction(self, number: int) -> Interaction:
        """One interaction.

        Raises:
            NoSuchPartError: there is none of this number.
        """
        draft = self._drafts.get(number)
        if draft is None:
            raise NoSuchPartError(f"{self.shelved.name} has no interaction {number}")
        return draft.interaction()

    def chunk(self, number: int, index: int) -> bytes:
        """The bytes of one chunk, counted from 0.

        Raises:
            NoSuchPartError: there is no such chunk.
        """
        chunks = self.interaction(number).chunks
        if index >= len(chunks):
            raise NoSuchPartError(f"interaction {number} has no chunk {index}")
        return chunks[index].data

    def _take(self, entries: Iterable[Entry]) -> None:
        version = self._version + 1
        for entry in entries:
            if isinstance(entry, Request):
                self._drafts[entry.interaction] = _Draft(entry, version)
                self._version = version
                continue
            draft = self._drafts[entry.interaction]
            draft.version = self._version = version
            draft.drawn = None
            if isinstance(entry, Chunk):
                draft.chunks.append(entry)
            elif isinstance(entry, Response):
                draft.response = entry
            else:
                draft.end = entry

    def _find_places(self) -> None:
        if len(self._places) == len(self._drafts):
            return
        asked = []
        for draft in self._drafts.values():
            if draft.asked is None:
                request = draft.request
                draft.asked = transcript(
                    Interaction(request.interaction, request, None, (), None, ())
                )
            asked.append(draft.asked)
        self._places = places(asked)

    def _lane(self, draft: _Draft) -> bytes:
        # A transcript takes many times what its lane does, so that none is kept.
        if draft.drawn is None:
            place = self._places[draft.request.interaction]
            draft.drawn = encoded(lane(transcript(draft.interaction()), place))
        return draft.drawn
