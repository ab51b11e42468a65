"""The tokens of an answer with log probabilities, told quickly where their members are all there.

Knows what tokens say and in which list they are, not where they stand: `logprobs` reads that, and
what is cut.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from wiretape.cassette.jsontext import quotes

# A token, a list of tokens up to where it breaks off, or the beginning of alternatives. A pattern
# that begins with plain characters is searched for fastest.
_WHOLE = re.compile(
    rb'"t(?<!\\"t)(?:oken"\s*+:\s*+"(?P<token>(?:[^"\\]++|\\.)*+)"'
    rb'|okens"\s*+:\s*+\[(?P<tokens>(?:[^]"]++|"(?:[^"\\]++|\\.)*+")*+)(?P<ended>\])?+'
    rb'|op_(?:logprobs|probs)"\s*+:\s*+\[)',
    re.DOTALL,
)
_TEXTS = re.compile(rb'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
# Objects without lists in them, but for a member's of numbers.
_OBJECTS = re.compile(
    rb'(?:[^]["}]*+(?:"(?:[^"\\]++|\\.)*+"(?:\s*+:\s*+\[[^]["]*+\])?+[^]["}]*+)*+\}[\s,]*+)*+',
    re.DOTALL,
)
_UNREAD = re.compile(rb'"(?:tokens?|top_logprobs|top_probs)"\s*+:')
_ENDING = re.compile(rb"\}\s*+\]")
_FAR_BYTES = 4096  # most lists of alternatives end sooner
_LIST = re.compile(rb"\[\s*+\{")


@dataclass(eq=False, slots=True)
class Tokens:
    """The tokens that some bytes hold.

    Attributes:
        texts: what each says, or a part of it, in their order.
        member: what the last one was found in that was all there.
    """

    texts: list[bytes] = field(default_factory=list)
    member: str = ""
    _listed: int | None = None

    def begin_list(self) -> None:
        """Take it that the next token is the first of a list."""
        self._listed = len(self.texts)

    def text(self) -> bytes:
        """What they say together."""
        return b"".join(self.texts)

    def last_list(self) -> int | None:
        """How many of the text's last bytes are of the list begun last; None if none was."""
        return None if self._listed is None else sum(map(len, self.texts[self._listed :]))


def tokens_of_whole(data: bytes) -> Tokens | None:
    """The tokens of bytes that begin and end with an event; None where these are cut all the same.

    JSON that is laid out in lines may be cut where an event might have ended.
    """
    tokens = Tokens()
    rest = skim_members(data, 0, tokens)
    return None if _UNREAD.search(data, rest) else tokens


def skim_members(data: bytes, position: int, tokens: Tokens) -> int:
    """Read members that are all there.

    Args:
        data: some bytes.
        position: from where in them.
        tokens: for what is found.

    Returns:
        Where the last of them ends.
    """
    while match := _WHOLE.search(data, position):
        token, listed, ended = match.groups()
        if listed is not None and not ended:
            break  # what is in it was looked at: to look for more there would take ever longer
        begins_list = _LIST.search(data, position, match.start())
        if begins_list or listed is not None:
            tokens.begin_list()
        end = match.end()
        if token is not None:
            tokens.texts.append(token)
            tokens.member = "token"
        elif listed is not None:
            tokens.texts += _TEXTS.findall(listed)
            tokens.member = "tokens"
        else:
            end = _end_of_alternatives(data, end)
            if end < 0:
                break
        position = end
    return position


def _end_of_alternatives(data: bytes, start: int) -> int:
    """Where a list of objects ends; -1 where it does not."""
    if data.startswith(b"]", start):
        return start + 1
    ending = _ENDING.search(data, start, start + _FAR_BYTES)
    if ending is not None:
        inside = data[start : ending.end()]
        # Most have no text with a bracket, nor one that ends in a backslash.
        if (
            b"\\\\" not in inside
            and inside.count(b"[") == inside.count(b"]") - 1
            and quotes(inside) % 2 == 0
        ):
            return ending.end()
    end = end_of_objects(data, start)
    return end + 1 if data.startswith(b"]", end) else -1


def end_of_objects(data: bytes, start: int) -> int:
    """Where the last object of a list ends that is all there, and the next one begins."""
    match = _OBJECTS.match(data, start)
    return match.end() if match else start
