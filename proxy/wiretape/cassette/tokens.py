"""The tokens of an answer with log probabilities, watched for secrets beside its text.

Knows which bytes tell a token once more: they are made harmless with it, as long as they were.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from wiretape.cassette.logprobs import (
    EVENT_ENDS,
    LONGEST_HEAD_BYTES,
    SOUGHT,
    LogprobsReader,
    Part,
)
from wiretape.cassette.skimming import Tokens, tokens_of_whole
from wiretape.cassette.watched import Beside, Lane, Written

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from wiretape.cassette.secrets import Secrets

# JSON stays JSON. What chunks' forms depend on stays too: what is no ASCII, and the brackets that
# a line of JSON begins with.
_SHOWN = bytes({*range(32, 127)} - {*b"[]{}"})
_HARMLESS = {
    Part.TEXT: bytes.maketrans(_SHOWN, b"x" * len(_SHOWN)),
    Part.BYTES: bytes.maketrans(b"0123456789,", b" " * 11),
    Part.NUMBERS: bytes.maketrans(b"0123456789", b"1" * 10),
}


class TokenLane:
    """A lane for the tokens of one body.

    Args:
        lane: for their text.

    Attributes:
        rests: whether the next bytes have nothing to do with the last ones but that text.
    """

    __slots__ = ("_beside", "_lane", "_reader", "rests")

    def __init__(self, lane: Lane) -> None:
        self.rests = True
        self._lane = lane
        self._reader = LogprobsReader()
        # Of the object that is being read, unless its token is known to be no secret.
        self._beside: Beside | None = None

    def skip(self, unread: bytes) -> None:
        """As `LogprobsReader.skip`."""
        self._reader.skip(unread)
        self.rests = self._reader.rests

    def plain(self, data: bytes) -> tuple[LogprobsReader, Tokens] | None:
        """Read some bytes, to take them as they are if the tokens' text stays plain.

        Returns:
            What `go_on` wants then; None if a token that is to come decides.
        """
        if self._beside is not None or self._lane.watched:
            return None
        reader = self._reader
        tokens = None
        if self.rests and data.endswith(EVENT_ENDS):
            tokens = tokens_of_whole(data)
        if tokens is None:
            reader = copy.copy(reader)
            tokens = reader.tokens(data)
        return None if tokens is None else (reader, tokens)

    def go_on(self, reader: LogprobsReader, tokens: Tokens) -> None:
        """Go on after bytes that `plain` has read, their text being in the lane."""
        self._reader = reader
        self.rests = reader.rests
        last_list = tokens.last_list()
        if last_list is not None:
            self._lane.begin_part(last_list)

    def feed(self, chunk: Written) -> list[Written]:
        """Add a chunk; return the chunks whose safe bytes that changed."""
        touched: list[Written] = []
        reader, data = self._reader, chunk.data
        for part, start, end in reader.read(data):
            if part is Part.LIST:
                self._lane.begin_part()
            elif part is Part.OBJECT:
                self._beside = None
            elif part is Part.TOKEN:
                beside = self._beside = self._beside or Beside()
                touched += self._lane.feed(chunk, start, data[start:end], beside)
            elif (known := self._beside_known()) is not None:
                touched += known.add(chunk, start, data[start:end].translate(_HARMLESS[part]))
        held, watched = self._beside, self._lane.watched
        if held is not None and (reader.over or (reader.told and not held.secret and not watched)):
            self._beside = None
        self.rests = reader.rests and self._beside is None and not watched
        return touched

    def _beside_known(self) -> Beside | None:
        """What the next bytes stand beside; None if that is no secret."""
        beside = self._beside
        if not self._reader.told and (beside is None or beside.size > LONGEST_HEAD_BYTES):
            beside = self._beside = Beside()
        return beside

    def held(self, new: Container[int]) -> Iterator[Written]:
        """Of the chunks fed last, those that may be written again for what is beside tokens.

        Args:
            new: their ids.
        """
        if self._beside is not None and not self._reader.told:
            yield from self._beside.last(new)
        # An older token may go on in a new chunk, but only the last of them.
        for piece in reversed(self._lane.pieces):
            if piece.beside is not None:
                yield from piece.beside.last(new)
            if id(piece.chunk) not in new:
                break


def tokens_are_plain(secrets: Secrets, data: bytes) -> bool:
    """Whether the tokens of a whole body plainly spell nothing like a secret."""
    if SOUGHT.search(data) is None:
        return True
    tokens = tokens_of_whole(data) or LogprobsReader().tokens(data)
    if tokens is None:
        return False
    text, suspect = tokens.text(), secrets.suspect
    return not text or (suspect is not None and suspect(text) is None)


def redact_tokens(secrets: Secrets, data: bytes, kinds: set[str] | None = None) -> bytes:
    """A whole body whose tokens spell no secret, as long as it was; itself where they spelt none.

    Args:
        secrets: what to look for.
        data: the body.
        kinds: for the kinds of what is found.
    """
    if not secrets or tokens_are_plain(secrets, data):
        return data
    chunk = Written(data, part=False)
    TokenLane(Lane(secrets, set() if kinds is None else kinds)).feed(chunk)
    safe = chunk.safe
    return data if safe == data else safe
