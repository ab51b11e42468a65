"""The words of wiretape as types: entries, bodies, interactions, cassettes.

Knows nothing of YAML, sockets or what a body means. Times are whole microseconds since the
session began, on the cassette's one monotonic clock. Header text is Latin-1, HTTP's own
transparent encoding of header bytes (RFC 9110, section 5.5), so that any bytes come back.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Headers = tuple[tuple[str, str], ...]
"""Header fields in order of arrival, names in their own case; a repeated field stands repeated."""


REDACTED = "REDACTED"
"""What is written for a secret; with its kind and length behind it, where those are kept."""


class Outcome(enum.Enum):
    """How an interaction ended, as seen by the proxy."""

    COMPLETE = "complete"
    CLIENT_DISCONNECTED = "client_disconnected"
    UPSTREAM_CLOSED = "upstream_closed"
    UPSTREAM_RESET = "upstream_reset"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"


class Mode(enum.Enum):
    """What the proxy does with a request; also the words of the command line."""

    RECORD = "record"
    REPLAY = "replay"
    ONCE = "once"
    NEW_EPISODES = "new_episodes"
    PASSTHROUGH = "passthrough"

    @property
    def may_replay(self) -> bool:
        """Whether a request may be answered from a cassette."""
        return self in {Mode.REPLAY, Mode.ONCE, Mode.NEW_EPISODES}


@dataclass(frozen=True, slots=True)
class Body:
    """A request body: its bytes, or only their digest where they were over the size limit.

    Attributes:
        content: the bytes; None if only the digest was kept.
        length: the number of bytes.
        sha256: lower-case hex digest; set only where `content` is None.
    """

    content: bytes | None
    length: int
    sha256: str | None = None

    @classmethod
    def of(cls, content: bytes) -> Body:
        """Wrap bytes that are kept whole."""
        return cls(content, len(content))

    def digest(self) -> str:
        """The SHA-256 of the bytes, lower-case hex, whether they were kept or not."""
        if self.sha256 is not None:
            return self.sha256
        return hashlib.sha256(self.content or b"").hexdigest()


EMPTY_BODY = Body.of(b"")


@dataclass(frozen=True, slots=True)
class Request:
    """A request entry. `target` is the origin-form request target, as sent, never decoded."""

    interaction: int
    at_us: int
    method: str
    target: str
    headers: Headers
    body: Body


@dataclass(frozen=True, slots=True)
class Response:
    """A response head entry, hop-by-hop fields included as they came."""

    interaction: int
    at_us: int
    status: int
    headers: Headers


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk entry. With `part`, it and the interaction's next one are one HTTP chunk."""

    interaction: int
    at_us: int
    data: bytes
    part: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """An end entry: nothing of the interaction comes after it."""

    interaction: int
    at_us: int
    outcome: Outcome


Entry = Request | Response | Chunk | End


@dataclass(frozen=True, slots=True)
class Interaction:
    """One request and all that came back, gathered from a cassette's entries.

    Attributes:
        number: the interaction's number within its cassette.
        request: always there.
        response: None if no head came (unreachable, or closed before it).
        chunks: in order.
        end: None if the recorder died before the interaction ended.
        positions: the index in the cassette's entries of each of this interaction's
            entries, in order (request, response, chunks, end): the interleaving.
    """

    number: int
    request: Request
    response: Response | None
    chunks: tuple[Chunk, ...]
    end: End | None
    positions: tuple[int, ...]

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None if the recorder died before it did."""
        return self.end.outcome if self.end else None

    def body(self) -> bytes:
        """The response body as far as it came."""
        return b"".join(chunk.data for chunk in self.chunks)


@dataclass(frozen=True, slots=True)
class Cassette:
    """One recorded session.

    Attributes:
        name: the cassette's name, without directory and `.yaml`.
        recorded: the wall clock (UTC) at `at: 0`.
        upstream: the base URL that was recorded.
        entries: everything that crossed the proxy, in the order in which it happened.
        warnings: what was repaired or is odd, one line each (a torn last line, say).
    """

    name: str
    recorded: datetime
    upstream: str
    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()

    def interactions(self) -> tuple[Interaction, ...]:
        """The entries by interaction, in order of their requests."""
        return gather(self.entries)

    def moment(self, at_us: int) -> datetime:
        """The wall clock at a time; the calendar's end where it would be beyond that."""
        try:
            return self.recorded + timedelta(microseconds=at_us)
        except OverflowError:
            return datetime.max.replace(tzinfo=self.recorded.tzinfo)


def gather(entries: Iterable[Entry]) -> tuple[Interaction, ...]:
    """Group entries by interaction, in order of the requests.

    Entries are taken as valid (the loader checks them): the request of an interaction comes
    first, its end last, its head before its chunks.
    """
    requests: dict[int, Request] = {}
    responses: dict[int, Response] = {}
    chunks: dict[int, list[Chunk]] = {}
    ends: dict[int, End] = {}
    positions: dict[int, list[int]] = {}
    for position, entry in enumerate(entries):
        number = entry.interaction
        if isinstance(entry, Chunk):
            chunks[number].append(entry)
            positions[number].append(position)
        elif isinstance(entry, Request):
            requests[number] = entry
            chunks[number] = []
            positions[number] = [position]
        elif isinstance(entry, Response):
            responses[number] = entry
            positions[number].append(position)
        else:
            ends[number] = entry
            positions[number].append(position)
    return tuple(
        Interaction(
            number,
            request,
            responses.get(number),
            tuple(chunks[number]),
            ends.get(number),
            tuple(positions[number]),
        )
        for number, request in requests.items()
    )


def header(headers: Headers, name: str) -> str | None:
    """The first value of a header field, by name without regard to case."""
    wanted = name.lower()
    for field, value in headers:
        if field.lower() == wanted:
            return value
    return None
