"""Secrets kept out of a response's chunks, also where one is split across chunks or events.

Knows the bytes of one body, as they come; nothing of journals. Nothing is held back: what was
written before a secret showed itself is given back to be written again, exactly as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wiretape.cassette.deltas import deltas, is_streamed, may_be_streamed
from wiretape.cassette.jsontext import breaks_off_in_escape, end_of_text, quotes
from wiretape.cassette.logprobs import may_hold_tokens
from wiretape.cassette.pieces import joined, left_out
from wiretape.cassette.secrets import CONTEXT_BYTES
from wiretape.cassette.tokens import TokenLane
from wiretape.cassette.watched import Lane, Safe, Written

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from wiretape.cassette.pieces import Pieces
    from wiretape.cassette.secrets import Secrets

_RAW = b""
_TOKENS = b'"token'  # no name of a member begins so
_LONGEST_KEY_BYTES = 32
_LONGEST_BETWEEN_BYTES = 4096
_FEW = 3


class StreamRedactor:
    """Redacts the chunks of one body.

    Args:
        secrets: what to look for.
        content_type: the body's; events are looked into unless it says that there are none, and
            where it says that there are, no pattern of the user's reaches over their ends.

    Attributes:
        kinds: what was found.
    """

    __slots__ = (
        "_after",
        "_after_key",
        "_alike",
        "_between",
        "_escaped",
        "_lanes",
        "_lead",
        "_open",
        "_passed",
        "_secrets",
        "_streamed",
        "_tokens",
        "_unread",
        "kinds",
    )

    def __init__(self, secrets: Secrets, content_type: str) -> None:
        self.kinds: set[str] = set()
        self._secrets = secrets
        self._streamed = may_be_streamed(content_type)
        raw = Lane(secrets, self.kinds, events=is_streamed(content_type))
        self._lanes: dict[bytes, Lane] = {_RAW: raw}
        self._tokens = TokenLane(self._lane(_TOKENS))
        self._unread = b""
        self._open = _RAW  # the lane whose text the last chunk broke off in
        self._escaped = False  # after a backslash
        # Most events of a stream differ in one text alone. What stood between the last two texts
        # is known to be no secret; `_alike` is those texts' lane, while they are all that differs.
        self._alike: Lane | None = None
        self._between = b""
        # What has come since the last text ended, and the lane of that text.
        self._after = b""
        self._after_key = _RAW
        self._lead = b""  # what is still to come before the next text
        self._passed = b""  # the end of what nothing but `_alike` was told of

    def take(self, pieces: Pieces) -> Safe:
        """Take some chunks, as (bytes, part), and tell how they are to be written."""
        if len(pieces) == 1 and self._alike is None:
            return self._take_one(pieces)
        looked_at: dict[int, Written] = {}
        touched: list[Written] = []
        index, few = self._take_torn(pieces), _FEW
        while index < len(pieces):
            rest = pieces[index:] if index else pieces
            count = self._take_all_alike(rest) or self._take_some_alike(rest)
            if not count:
                count, few = min(few, len(rest)), few * _FEW
                if not self._take_plain(joined(rest[:count])):
                    for number, (data, part) in enumerate(rest[:count], index):
                        chunk = looked_at[number] = Written(data, part)
                        touched += self._look_at(chunk)
            index += count
        if not looked_at:
            return Safe(pieces, (), ())
        return self._safe(pieces, looked_at, touched)

    def _take_one(self, pieces: Pieces) -> Safe:
        """Take a chunk alone, as a read mostly brings them."""
        data, part = pieces[0]
        if self._secrets.suspect is not None and self._take_plain(data):
            return Safe(pieces, (), ())
        chunk = Written(data, part)
        return self._safe(pieces, {0: chunk}, self._look_at(chunk))

    def take_alike(self, data: bytes) -> bool:
        """Take a chunk that is the last one again but for its text, which is no secret.

        Most chunks of a stream are so, and are to be written as they are. Of others this takes
        nothing and says so: they are for `take`.
        """
        lane, lead, after = self._alike, self._lead, self._after
        if lane is None or self._open or not (data.startswith(lead) and data.endswith(after)):
            return False
        text = data[len(lead) : len(data) - len(after)]
        if b'"' in text or b"\\" in text or len(data) < len(lead) + len(after):
            return False
        if not lane.add_if_plain(text):
            return False
        self._passed = data if len(data) >= CONTEXT_BYTES else self._passed[-CONTEXT_BYTES:] + data
        return True

    def _take_torn(self, pieces: Pieces) -> int:
        """Take the first chunk by itself, where it goes on in what broke off; how many that are."""
        if self._alike is None or len(pieces) < _FEW:
            return 0
        data = pieces[0][0]
        whole = data.startswith(self._lead) and data.endswith(self._after) and not self._open
        return 0 if whole else self._take_some_alike(pieces[:1])

    def _take_all_alike(self, pieces: Pieces) -> int:
        """Take many chunks, each the last one again but for its text, if that is no secret.

        The last one may break off, and is left then.

        Returns:
            How many were taken.
        """
        lane, first = self._alike, pieces[0][0]
        if lane is None or self._open or not first.startswith(self._lead):
            return 0
        whole = pieces[:-1] if pieces[-1][1] else pieces
        text = self._alike_text(whole)
        if text is None:  # a stream ends in a few events of other kinds
            whole = whole[:-_FEW]
            text = self._alike_text(whole)
        if text is None or b'"' in text or b"\\" in text or not lane.add_if_plain(text):
            return 0
        self._pass(joined(whole))
        return len(whole)

    def _alike_text(self, pieces: Pieces) -> bytes | None:
        """The text of some chunks that differ from the last one in nothing else; else None."""
        lead, after = self._lead, self._after
        texts = [data[len(lead) : len(data) - len(after)] for data, _ in pieces]
        # To put them together again takes less than to look at the ends of each. A chunk shorter
        # than both ends would make the whole longer: where it is the same, all lie in line.
        whole = lead + (after + lead).join(texts) + after
        return b"".join(texts) if pieces and whole == joined(pieces) else None

    def _take_some_alike(self, pieces: Pieces) -> int:
        """Take chunks that differ from those before in one text alone, if that is no secret.

        Returns:
            How many were taken.
        """
        lane = self._alike
        if lane is None:
            return 0
        between = self._between
        data = joined(pieces)
        if not self._open:
            data = self._after + data
        texts = data.split(between)
        if not self._open and texts.pop(0):
            return len(pieces) * self._take_between(data, joined(pieces))
        escaped = self._escaped and len(texts) == 1
        last = texts.pop()
        end = end_of_text(last, escaped=escaped)
        count, after = len(pieces), last[end:]
        if between.startswith(after):
            last = last[:end]
        else:
            # The last text is followed by something else, which is for others to look at.
            count, kept = left_out(pieces, len(last), len(last) + len(between))
            after, last = between[: len(between) - kept], b""
        text = b"".join(texts)
        # A quote in one of the texts would be the end of it, too.
        if not count or quotes(text):
            return 0
        text += last
        if not lane.add_if_plain(text):
            return 0
        self._pass(joined(pieces[:count]))
        self._open = _RAW if after else self._after_key
        self._escaped = not after and breaks_off_in_escape(last, escaped=escaped)
        self._after, self._lead = after, between[len(after) :]
        return count

    def _take_between(self, data: bytes, new: bytes) -> bool:
        """Take bytes that end before the next text begins.

        Args:
            data: all that has come since the last text.
            new: what of it has come now.
        """
        if not self._between.startswith(data):
            return False
        self._after, self._lead = data, self._between[len(data) :]
        self._pass(new)
        return True

    def _pass(self, data: bytes) -> None:
        self._passed = (self._passed + data[-CONTEXT_BYTES:])[-CONTEXT_BYTES:]

    def _take_plain(self, data: bytes) -> bool:
        """Take any bytes, if nothing in them looks like a secret."""
        self._leave_alike()
        begun = len(self._unread)
        event = self._unread + data
        texts: list[re.Match[bytes]] = []
        grown: dict[bytes, bytes] = {_RAW: data}
        start = 0
        if self._streamed:
            if self._open:
                start = end_of_text(data, escaped=self._escaped)
                grown[self._open] = data[:start]
            texts = deltas(event, start, begun)
            for match in texts:
                grown[match[1]] = grown.get(match[1], b"") + match[2]
        tokens, told = self._tokens, None
        if not tokens.rests or may_hold_tokens(data):
            told = tokens.plain(data)
            if told is None:
                return False
            grown[_TOKENS] = told[1].text()
        if not self._grow(grown):
            return False
        if told is not None:
            tokens.go_on(*told)
        if self._streamed:
            if self._open and start == len(data):
                self._escaped = breaks_off_in_escape(data, escaped=self._escaped)
            else:
                self._go_on_after(texts, event, start, begun)
        return True

    def _grow(self, grown: dict[bytes, bytes]) -> bool:
        """Add some bytes to some lanes, if all stay plain."""
        plain: list[tuple[Lane, bytes]] = []
        known = b""
        for key, added in grown.items():
            lane = self._lanes.get(key) or self._lane(key)
            # Tokens mostly read as the text does that comes with them.
            text = lane.with_plain(added, known)
            if text is None:
                return False
            known = text
            plain.append((lane, text))
        for lane, text in plain:
            lane.add_plain(text)
        return True

    def _safe(self, pieces: Pieces, looked_at: dict[int, Written], touched: list[Written]) -> Safe:
        safe = list(pieces)
        for index, chunk in looked_at.items():
            safe[index] = chunk.safe, chunk.part
        new = {id(chunk) for chunk in looked_at.values()}
        watched = {id(each.chunk) for lane in self._lanes.values() for each in lane.pieces}
        watched |= {id(each) for each in self._tokens.held(new)}
        return Safe(
            safe,
            [(index, chunk) for index, chunk in looked_at.items() if id(chunk) in watched],
            list({id(chunk): chunk for chunk in touched if id(chunk) not in new}.values()),
        )

    def _look_at(self, chunk: Written) -> list[Written]:
        data = chunk.data
        self._alike = None  # entered for the chunk before, perhaps; nobody asks it about this one
        touched = self._lane(_RAW).feed(chunk, 0, data)
        if not self._tokens.rests or may_hold_tokens(data):
            touched += self._tokens.feed(chunk)
        if not self._streamed:
            return touched
        start = 0
        if self._open:
            start = end_of_text(data, escaped=self._escaped)
            touched += self._lane(self._open).feed(chunk, 0, data[:start])
            if start == len(data):
                self._escaped = breaks_off_in_escape(data, escaped=self._escaped)
                return touched
        # A name that the last chunk broke off in is read together with the rest of it.
        begun = len(self._unread)
        event = self._unread + data
        texts = deltas(event, start, begun)
        added: dict[bytes, int] = {}
        for match in texts:
            self._lane(match[1]).add(chunk, match.start(2) - begun, match[2])
            added[match[1]] = added.get(match[1], 0) + len(match[2])
        for key, size in added.items():
            touched += self._lane(key).look(size)
        self._go_on_after(texts, event, start, begun)
        return touched

    def _go_on_after(
        self, texts: Sequence[re.Match[bytes]], event: bytes, start: int, begun: int
    ) -> None:
        """Remember what the next chunk may go on with.

        Args:
            texts: those that begin in the event.
            event: some bytes, which may be several events or part of one.
            start: where in them a text ended that had begun before; 0 if none had.
            begun: how many of them had come before.
        """
        ended = self._open
        self._unread = self._open = _RAW
        self._escaped = False
        key, between = self._after_key, b""
        if texts:
            last = texts[-1]
            key, end = last[1], last.end()
            if len(texts) > 1 and texts[-2][1] == key:
                between = _between(event, texts[-2:])
                # If it is the same before a text of another kind, it leads to the same kind.
                self._between = _between(event, texts[-3:-1]) or self._between
            elif ended == key:
                between = event[start : last.start(2)]
            elif len(texts) == 1 and self._after_key == key and not ended:
                between = self._after + event[begun : last.start(2)]
            self._after = event[end:]
            if end == len(event):
                self._open = key
                self._escaped = breaks_off_in_escape(last[2])
        elif ended:
            key = ended
            self._after = event[start:]
        else:
            self._after += event[begun:]
        if not self._open and not event.endswith(b"\n"):
            self._unread = event[-_LONGEST_KEY_BYTES:]
        self._after_key = key
        if len(self._after) > _LONGEST_BETWEEN_BYTES:
            self._after, self._after_key = b"", _RAW
        elif between and between.startswith(self._after):
            self._enter_alike(key, between)

    def _lane(self, key: bytes) -> Lane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(self._secrets, self.kinds)
        return lane

    def _enter_alike(self, key: bytes, between: bytes) -> None:
        """Take it that the next texts have between them what the last ones had, twice alike."""
        again, self._between = between == self._between, between
        # Tokens are no secret by being the same again.
        if not again or _TOKENS in between or not self._tokens.rests:
            return
        suspect = self._secrets.suspect
        watched = any(lane.watched for lane in self._lanes.values())
        if not watched and suspect is not None and suspect(between) is None:
            self._alike = self._lane(key)
            self._lead = between[len(self._after) :]
            self._passed = b""

    def _leave_alike(self) -> None:
        if self._alike is None:
            return
        raw = self._lane(_RAW)
        raw.add_plain(raw.text + self._passed[-CONTEXT_BYTES:])
        self._alike = None
        inside = not self._open and not self._after.endswith(b"\n")
        self._unread = self._after[-_LONGEST_KEY_BYTES:] if inside else b""
        self._tokens.skip(self._unread)


def _between(event: bytes, texts: Sequence[re.Match[bytes]]) -> bytes:
    """What stands between two texts; nothing if there is but one."""
    return event[texts[0].end() : texts[-1].start(2)] if len(texts) > 1 else b""
