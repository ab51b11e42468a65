"""Where the tokens of an answer with log probabilities stand in its bytes.

Knows the members that the dialects write them in, cut anywhere; nothing of secrets. OpenAI's chat
and Responses, ollama, llama.cpp and those like them have an object for each token, with its text,
its bytes, perhaps its number, and the same of its alternatives; OpenAI's completions have a list of
tokens and a list of objects whose names are the alternatives.

There are two ways to read them. `LogprobsReader.read` tells all there is, a text and a bracket at a
time, for what is then replaced. What plainly holds no secret needs the tokens' text alone:
`skimming` finds it in members that are all there, ten times as fast; what is cut is left to the
first way.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING

from wiretape.cassette.jsontext import breaks_off_in_escape, end_of_text
from wiretape.cassette.skimming import Tokens, end_of_objects, skim_members

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

SOUGHT = re.compile(rb'"(?:token|(?:bytes|id)"\s*+:\s*+[\[0-9])')
"""What there is where a token is, or what stands before it."""

EVENT_ENDS = (b"\n\n", b"}\n", b"\r\n\r\n", b"}\r\n")
"""What an event ends in; no token's object goes on after it."""

_BLANK_LINES = (b"\n\n", b"\r\n\r\n")

LONGEST_HEAD_BYTES = 4096
"""What of an object comes before its token is looked at up to this length."""

_NAMES = frozenset(
    (b"token", b"tokens", b"bytes", b"id", b"token_id", b"top_logprobs", b"top_probs")
)
_LONGEST_NAME_BYTES = 32  # with what may stand around it
_BEGIN = re.compile(
    rb'(?<!\\)"(?:(?P<token>token)"\s*+:\s*+"|(?P<tokens>tokens)"\s*+:\s*+\['
    rb'|(?P<alternatives>top_logprobs|top_probs)"\s*+:\s*+\[|(?P<bytes>bytes)"\s*+:\s*+\['
    rb'|(?P<number>id|token_id)"\s*+:\s*+(?=[0-9]))|(?P<list>\[\s*+\{)|(?P<object>\{)'
)
_BEGUN_NAMES = frozenset(name[:end] for name in _NAMES for end in range(1, len(name) + 1))
_OUTSIDE = re.compile(rb'[^]["]*+')
_DIGITS = re.compile(rb"[0-9]*+")
_BYTES = re.compile(rb"[0-9,\s]*+")


class Part(Enum):
    """What some bytes are."""

    LIST = auto()  # one begins, of tokens perhaps
    OBJECT = auto()  # it begins: what comes next is another token's
    TOKEN = auto()
    TEXT = auto()  # of an alternative
    BYTES = auto()  # the inside of a list of numbers
    NUMBERS = auto()


Found = tuple[Part, int, int]
"""What some bytes are, where they start, and where they end."""


class LogprobsReader:
    """Reads a body as it comes.

    Attributes:
        told: the member that the token of the object being read came in; empty while it has not.
        over: whether the last bytes ended in an event's end, so that no object goes on.
    """

    __slots__ = (
        "_bytes",
        "_colon",
        "_depth",
        "_escaped",
        "_of_alternative",
        "_open",
        "_quoted",
        "_unread",
        "over",
        "told",
    )

    def __init__(self) -> None:
        self.told = ""
        self.over = True
        self._open = ""  # the member that is being read, by its group in _BEGIN
        self._depth = 0  # of lists in it
        self._quoted = False
        self._escaped = False  # after a backslash
        self._colon = False  # a member's value comes next
        self._bytes = False  # nothing but whole numbers in the list so far
        self._of_alternative = False  # the text being read is one, not the name of a member
        self._unread = b""

    @property
    def rests(self) -> bool:
        """Whether nothing has begun that the next bytes may go on with."""
        return not self._open and not self._unread and (self.over or not self.told)

    def skip(self, unread: bytes) -> None:
        """Be told of the end of bytes that hold no token; a name may begin there."""
        self._unread = unread if breaks_off(unread) else b""
        self.over, self.told = not self._unread, ""

    def read(self, data: bytes) -> Iterator[Found]:
        """Read on; tells what the bytes hold, as (part, start, end), in their order."""
        return self._read(self._unread + data, len(self._unread), None)

    def tokens(self, data: bytes) -> Tokens | None:
        """Read on, but tell the tokens' text alone, which takes less long.

        Returns:
            None where something stands beside a token that is still to come.
        """
        tokens, beside = Tokens(), False
        event, begun = self._unread + data, len(self._unread)
        for part, start, end in self._read(event, begun, tokens):
            if part is Part.TOKEN:
                tokens.texts.append(data[start:end])
            elif part is Part.LIST:
                tokens.begin_list()
            else:
                beside = part is not Part.OBJECT
        return None if beside and not self.told else tokens

    def _read(self, event: bytes, begun: int, tokens: Tokens | None) -> Iterator[Found]:
        """As `read`, the first bytes having been read before.

        Args:
            event: the bytes.
            begun: how many were.
            tokens: for those of members that are all there, where only tokens are wanted.
        """
        position, skim = 0, tokens is not None
        if self.over:
            self.told = ""
        if self._open:
            position = yield from self._read_open(event, 0, begun, skim=skim)
        if tokens is not None and not self._open:
            position = skim_members(event, position, tokens)
            self.told = tokens.member or self.told
        while not self._open:
            match = _BEGIN.search(event, position)
            if match is None:
                break
            position = match.end()
            if position < begun:
                continue  # it has been read
            name = str(match.lastgroup)
            if name in {"list", "tokens"}:
                yield Part.LIST, position - begun, position - begun
            if name in {"list", "object"}:
                self.told = ""
                yield Part.OBJECT, position - begun, position - begun
            else:
                self._begin(name)
                position = yield from self._read_open(event, position, begun, skim=skim)
        self.over = not self._open and event.endswith(EVENT_ENDS)
        rest = event[max(position, len(event) - _LONGEST_NAME_BYTES) :]
        self._unread = rest if not self._open and not self.over and breaks_off(rest) else b""

    def _begin(self, name: str) -> None:
        self._open = name
        self._depth = int(name not in {"token", "number"})
        self._quoted = name == "token"
        self._bytes = name == "bytes"
        self._escaped = self._colon = False

    def _read_open(
        self, event: bytes, position: int, begun: int, *, skim: bool
    ) -> Generator[Found, None, int]:
        """Read the open member to its end or that of the bytes; returns where that is."""
        while self._open and position < len(event):
            if skim and self._open == "alternatives" and self._depth == 1 and not self._quoted:
                position, skim = end_of_objects(event, position), False  # none is whole after it
            start, part = position, self._part()
            position = self._end(event, start)
            if part is Part.BYTES and not _BYTES.fullmatch(event, start, position):
                part, self._bytes = Part.NUMBERS, False
            if part and position > start:
                yield part, start - begun, position - begun
            if position < len(event):
                position = self._turn(event, position)
        return position

    def _part(self) -> Part | None:
        if not self._quoted:
            if self._open == "tokens":
                return None
            return Part.BYTES if self._bytes else Part.NUMBERS
        if self._open in {"token", "tokens"}:
            return Part.TOKEN
        return Part.TEXT if self._of_alternative else None

    def _end(self, event: bytes, start: int) -> int:
        """Where what is being read ends: at a quote or a bracket."""
        if self._quoted:
            end = end_of_text(event, start, escaped=self._escaped)
            self._escaped = breaks_off_in_escape(event[start:end], escaped=self._escaped)
            return end
        match = (_DIGITS if self._open == "number" else _OUTSIDE).match(event, start)
        end = match.end() if match else start
        last = event[start:end].rstrip()
        if last:
            self._colon = last.endswith(b":")
        return end

    def _turn(self, event: bytes, position: int) -> int:
        """Go past the quote or bracket at which what was being read ended."""
        if self._open == "number":
            self._open = ""
            return position
        sign = event[position : position + 1]
        self._bytes = sign == b"["
        if self._quoted:
            self._quoted = self._escaped = False
        elif sign == b'"':
            self._quoted = True
            # Of a list of tokens the alternatives are the names of an object's members.
            self._of_alternative = self._colon or self.told != "token"
            self._colon = False
        else:
            self._depth += 1 if sign == b"[" else -1
        if not self._depth and not self._quoted:
            if self._open in {"token", "tokens"}:
                self.told = self._open
            self._open = ""
        return position + 1


def may_hold_tokens(data: bytes) -> bool:
    """Whether bytes may hold a token, or the beginning of what does. All of an answer is asked."""
    if b'"token' in data:
        return True
    end = data[-_LONGEST_NAME_BYTES:]
    if end.endswith(_BLANK_LINES):
        return False  # most are such: an event, and all of it
    return SOUGHT.search(data) is not None or (not end.endswith(EVENT_ENDS) and breaks_off(end))


def breaks_off(end: bytes) -> bool:
    """Whether bytes end in the beginning of a list, of an object or of a member."""
    before, _, after = end.rpartition(b'"')
    last = after.strip()
    if last in {b"", b":"}:
        # A name may begin with this quote, or end with it.
        return after == b"" or before.rpartition(b'"')[2] in _NAMES
    return last.endswith((b"[", b"{")) or after in _BEGUN_NAMES
