"""What secrets look like, and what is written in their place.

Knows bytes and shapes; nothing of requests, streams or files. A stand-in is as long as its secret,
so that lengths, chunk boundaries and framing stay true, and tells its kind and nothing else: it is
made from no bit of the secret. Equal secrets so get equal stand-ins, in every cassette.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wiretape.cassette.escapes import unescaped
from wiretape.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CUSTOM = "custom"

CONTEXT_BYTES = 80
"""How far before a secret's first byte the text may lie that tells it is one."""

# A word begins here, also after an escape of JSON or a percent-encoded character.
_START = rb"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
_NAMES = (
    rb"(?i:(?:x-)?api[-_]?key|key|access[-_]?key|(?:ocp-apim-)?subscription[-_]key"
    rb"|(?:[a-z]{1,32}[-_]){0,3}token|client[-_]secret|secret|passw(?:or)?d|pwd"
    rb"|sig|signature|x-amz-signature|x-amz-credential|x-goog-signature)"
)

_KEY_LINES = rb"((?:[A-Za-z0-9+/=\s:,.%]|\\+[nr/]){16,})"
# What stands for a password in an example is none.
_PASSWORD = rb"(?!REDA|RE?D?@|(?i:passw(?:or)?d|pass|secret)@|[*x.]+@|[{$])([^\s/@\"'<>\\]{1,200})@"

# A key is told when two thirds of it are there, for the beginning of one that is streamed may stay.
# Each has one group, which is the secret; what stands before it is no secret, and may have been
# written long since when the secret is told. No stand-in fits a shape, so what is clean stays so.
# The first shape that fits wins.
_SHAPES: tuple[tuple[str, bytes], ...] = (
    ("anthropic", _START + rb"sk-ant-(?!REDA)([A-Za-z0-9_-]{16,})"),
    ("openai", _START + rb"sk-(?:proj|svcacct|admin|or)-(?!REDA)([A-Za-z0-9_-]{16,})"),
    (
        "openai",
        _START + rb"sk-(?!(?:ant|proj|svcacct|admin|or)-)"
        rb"(?=[A-Za-z0-9_-]{0,60}[0-9])([A-Za-z0-9_-]{20,})",
    ),
    ("google", _START + rb"AIza(?!REDA)([A-Za-z0-9_-]{20,})"),
    ("google", _START + rb"(?:ya29\.|GOCSPX-)(?!REDA)([A-Za-z0-9._-]{20,})"),
    ("aws", _START + rb"A[KS]IA([A-Z2-7]{16})(?![A-Za-z0-9])"),
    ("github", _START + rb"(?:gh[pousr]_|github_pat_)(?!REDA)([A-Za-z0-9_]{20,})"),
    ("gitlab", _START + rb"glpat-(?!REDA)([A-Za-z0-9_.-]{12,})"),
    ("slack", _START + rb"xox[a-z]-(?!REDA)([A-Za-z0-9-]{10,})"),
    ("huggingface", _START + rb"hf_([A-Za-z0-9]{20,})"),
    ("groq", _START + rb"gsk_([A-Za-z0-9]{20,})"),
    ("stripe", _START + rb"[sr]k_(?:live|test)_([A-Za-z0-9]{16,})"),
    ("npm", _START + rb"npm_([A-Za-z0-9]{20,})"),
    ("xai", _START + rb"xai-([A-Za-z0-9]{20,})"),
    ("perplexity", _START + rb"pplx-([A-Za-z0-9]{30,})"),
    # Names in programs begin with these two as well, and go on with an underscore.
    ("replicate", _START + rb"r8_([A-Za-z0-9]{24,})"),
    ("fireworks", _START + rb"fw_(?=[A-Za-z]{0,60}[0-9])([A-Za-z0-9]{18,})"),
    ("nvidia", _START + rb"nvapi-(?!REDA)([A-Za-z0-9_-]{40,})"),
    ("cerebras", _START + rb"csk-([A-Za-z0-9]{30,})"),
    (
        "tavily",
        _START + rb"tvly-(?!REDA)(?=[A-Za-z0-9_-]{0,60}[0-9])([A-Za-z0-9_-]{24,})",
    ),
    ("langsmith", _START + rb"lsv2_(?:pt|sk)_([A-Za-z0-9]{28,}_?[A-Za-z0-9]*)"),
    ("pinecone", _START + rb"pcsk_([A-Za-z0-9]{4,8}_[A-Za-z0-9]{36,})"),
    ("jina", _START + rb"jina_([0-9a-f]{32}[A-Za-z0-9_-]{8,})"),
    ("sendgrid", _START + rb"SG\.([A-Za-z0-9_-]{16,200}\.[A-Za-z0-9_-]{16,})"),
    (
        "private-key",
        rb"-----BEGIN[A-Z0-9 %+]{1,30}PRIVATE(?: |%20|\+)KEY(?:(?: |%20|\+)BLOCK)?-----"
        rb"(?:\s|\\+[nr]|data:)*+(?!REDA)" + _KEY_LINES,
    ),
    (
        "bearer",
        _START + rb"[Bb]earer(?:[ \t+]|%20)+(?=[A-Za-z0-9._~+/=-]{0,60}[0-9])"
        rb"([A-Za-z0-9._~+/=-]{16,})",
    ),
    (
        "basic",
        rb"uthorization[\\\"'\s:=]{1,9}[Bb]asic[ ]+(?!REDA)([A-Za-z0-9+/]{8,}={0,2})",
    ),
    (
        "jwt",
        _START
        + rb"eyJ(?!REDA)([A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,3})",
    ),
    (
        "password",
        rb"(?<=[a-z0-9])://[^\s/:@\"'<>\\?#]{0,64}:" + _PASSWORD,
    ),
    (
        "parameter",
        rb"(?:[?&;]|%26|%3[Ff])"
        + _NAMES
        + rb"(?:=|%3[Dd])(?!REDA|[{$<])((?:[^\s&#\"'<>\\%]|%(?!26|23)){8,})",
    ),
)

# Where a secret may begin. It may look ahead for what tells that none does, but must want no more
# than the shape does. Told by characters that are rare in JSON, each of which looks back for the
# rest: this runs over all that crosses the proxy, and a choice of things that each begin with a
# character of their own is what `re` searches for fast.
_NOT_A_KEY = rb"(?![A-Za-z0-9_-]{0,9}[^A-Za-z0-9_-])"
_NOT_A_USER = rb"(?![^\s/:@\"'<>\\?#]*(?:[\s/@\"'<>\\?#]|:[^\s/@\"'<>\\]*[\s/\"'<>\\]))"
_A_BEARER = rb"earer(?!\w)(?!(?:[ \t]|%20)++[A-Za-z0-9._~/=-]{0,15}[^A-Za-z0-9._~+/=-])"
_A_PARAMETER = (
    rb"(?=(?:26|3[Ff])?[A-Za-z_-]{3,40}(?:=|%3[Dd])"
    rb"(?!(?:[^\s&#\"'<>\\%]|%(?!26|23)){0,7}(?:[\s&#\"'<>\\]|%26|%23)))"
)
_SUSPECT = re.compile(
    b"|".join(
        (
            rb"_(?<=[kfpousrmit8w2a]_)(?:(?<=[sr]k_)|(?<=hf_)|(?<=gh._)|(?<=npm_)|(?<=_pat_)"
            rb"|(?<=r8_)|(?<=fw_)|(?<=lsv2_)|(?<=jina_))" + _NOT_A_KEY,
            rb"-(?<=[kixy]-)(?:(?<=[sr]k-)|(?<=xai-)|(?<=nvapi-)|(?<=pplx-)|(?<=tvly-))"
            + _NOT_A_KEY,
            rb"-(?<=CSPX-)(?![A-Za-z0-9._-]{0,19}[^A-Za-z0-9._-])",
            rb"-(?<=xox[a-z]-)(?![A-Za-z0-9-]{0,9}[^A-Za-z0-9-])",
            rb"-(?<=lpat-)(?![A-Za-z0-9_.-]{0,11}[^A-Za-z0-9_.-])",
            rb"\.(?:(?<=ya29\.)|(?<=SG\.))(?![A-Za-z0-9._-]{0,15}[^A-Za-z0-9._-])",
            rb"/(?<=://)" + _NOT_A_USER,
            rb"J(?<=eyJ)(?![A-Za-z0-9_-]{0,7}[^A-Za-z0-9_-])",
            rb"A(?:Iza|[KS]IA)(?![A-Za-z0-9_-]{0,15}[^A-Za-z0-9_-])",
            rb"PRIVATE(?: |%20|\+)KEY",
            rb"b" + _A_BEARER,
            rb"B" + _A_BEARER,
            rb"z(?<=uthoriz)(?!ation[\\\"'\s:=]{0,9}[^\\\"'\s:=Bb])",
            *(sign + _A_PARAMETER for sign in (rb"\?", rb"&", rb";", rb"%(?=26|3[Ff])")),
        )
    )
)
# How far before what tells a suspect its shape may begin, by the byte that tells it. Each try takes
# a microsecond, and a page's text can be full of parameters.
_BEGINS_BEFORE = {
    **dict.fromkeys(b"?&;%bBA", 0),
    **dict.fromkeys(b"/J", len("ey")),
    **dict.fromkeys(b"P", len("-----BEGIN") + 30),
}
_MOSTLY_BEFORE = len("github_pat")


@dataclass(frozen=True, slots=True)
class Found:
    """A secret in some bytes.

    Attributes:
        kind: what it is, in a word.
        start: where its first byte is.
        end: where the first byte after it is.
    """

    kind: str
    start: int
    end: int


def stand_in(kind: str, length: int) -> bytes:
    """What is written in place of a secret of so many bytes.

    The stand-in of a longer secret of the kind begins with that of a shorter one.
    """
    return (b"REDACTED-%b-" % kind.encode()).ljust(length, b"x")[:length]


def same_for_all_lengths(content: bytes) -> bytes:
    """Bytes in which each stand-in is like any other, whatever the secret's length and kind.

    A short secret's is cut off: it tells the length, and the kind in part or not at all.
    """
    if b"REDA" not in content:
        return content
    return _STAND_INS.sub(b"REDACTED", content)


class Secrets:
    """The secrets to look for.

    Args:
        patterns: regular expressions of the user's; the group `secret`, else the first one, else
            the whole is the secret.
        builtin: whether to look for the shapes of well-known secrets too.

    Raises:
        UsageError: a pattern is no regular expression, or matches nothing at all.

    Attributes:
        patterns: the user's.
        suspect: tells quickly where the first thing is that may be a well-known secret, from a
            position of some bytes on; None where nothing tells quickly.
    """

    def __init__(self, patterns: Iterable[str] = (), *, builtin: bool = True) -> None:
        self.patterns = tuple(patterns)
        self.builtin = builtin
        self._custom = [compile_pattern(pattern) for pattern in self.patterns]
        self.suspect = None if self._custom or not builtin else _suspect

    def __bool__(self) -> bool:
        return self.builtin or bool(self._custom)

    def find(self, content: bytes, *, events: bool = False) -> list[Found]:
        """Every secret, in order, none inside another; also one with escapes of JSON in it.

        Args:
            content: where.
            events: it is several events, over whose ends no pattern of the user's reaches: it
                would make one secret of their JSON, and an answer of theirs nobody could read.
        """
        plain = unescaped(content)
        text = content if plain is None else plain.text
        found = list(_well_known(text)) if self.builtin else []
        for pattern in self._custom:
            found += _custom(pattern, text, events=events)
        if plain is not None:
            found = [
                Found(each.kind, plain.outside(each.start), plain.outside(each.end))
                for each in found
            ]
            # A pattern of the user's may be meant for the bytes as they stand.
            for pattern in self._custom:
                found += _custom(pattern, content, events=events)
        if self._custom and len(found) > 1:
            found = _apart(found)
        return found

    def redact(self, content: bytes, *, events: bool = False) -> bytes:
        """The bytes with each secret replaced; as many as before. `events` is as for `find`."""
        if self.suspect is not None and self.suspect(content) is None:
            return content
        found = self.find(content, events=events)
        if not found:
            return content
        redacted = bytearray(content)
        for each in found:
            redacted[each.start : each.end] = stand_in(each.kind, each.end - each.start)
        return bytes(redacted)

    def redact_text(self, text: str) -> str:
        """The same for text; where it cannot be UTF-8, what cannot be is replaced by `?`."""
        content = text.encode("utf-8", "replace")
        redacted = self.redact(content)
        return text if redacted == content else redacted.decode("utf-8", "replace")


def _apart(found: list[Found]) -> list[Found]:
    """Of those that overlap, one of the first's kind that covers them all."""
    apart: list[Found] = []
    for each in sorted(found, key=lambda each: (each.start, -each.end)):
        if not apart or each.start >= apart[-1].end:
            apart.append(each)
        elif each.end > apart[-1].end:
            apart[-1] = Found(apart[-1].kind, apart[-1].start, each.end)
    return apart


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A user's regular expression.

    Raises:
        UsageError: it is none, or it matches the empty text.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--redact {pattern!r} is no regular expression: {error}") from None
    if compiled.match(""):
        raise UsageError(f"--redact {pattern!r} matches nothing at all, so it would match anywhere")
    return compiled


_KINDS = ("", *(kind for kind, _ in _SHAPES))
_KNOWN = re.compile(b"|".join(shape for _, shape in _SHAPES))
_EVENT_END = re.compile(rb"\n(?!data:)")
_SHORTEST_BYTES = 4
_WHOLE = [b"REDACTED-%b-" % kind.encode() for kind in (*_KINDS[1:], CUSTOM)]
_CUT_OFF = {whole[:length] for whole in _WHOLE for length in range(_SHORTEST_BYTES, len(whole))}
# The longest that fits is the one. Text that goes on as it does cannot be told from it: a dash, as
# follows keys in names, is left out after each.
_STAND_INS = re.compile(
    b"(?:" + b"|".join([each + b"x*+" for each in _WHOLE] + sorted(_CUT_OFF, reverse=True)) + b")-?"
)


def _suspect(content: bytes, start: int = 0) -> int | None:
    plain = unescaped(content) if b"\\" in content else None
    if plain is None:
        match = _SUSPECT.search(content, start)
        return match and match.start()
    match = _SUSPECT.search(plain.text, plain.inside(start))
    return match and plain.outside(match.start())


def _well_known(content: bytes) -> Iterator[Found]:
    # Trying every shape at a byte takes microseconds: it is done only where one may begin. What
    # the end cuts off may not, and the line break tells so.
    start = 0
    for suspect in _SUSPECT.finditer(content + b"\n"):
        sign = suspect.start()
        before = _BEGINS_BEFORE.get(content[sign], _MOSTLY_BEFORE)
        for position in range(max(start, sign - before), sign + 1):
            match = _KNOWN.match(content, position)
            if match is not None:
                assert match.lastindex is not None  # noqa: S101  each shape has its group
                yield Found(_KINDS[match.lastindex], *match.span(match.lastindex))
                start = match.end()
                break


def _custom(pattern: re.Pattern[str], content: bytes, *, events: bool) -> Iterator[Found]:
    begins = 0
    for part in _EVENT_END.split(content) if events else [content]:
        for start, end in _matches(pattern, part):
            yield Found(CUSTOM, begins + start, begins + end)
        begins += len(part) + 1


def _matches(pattern: re.Pattern[str], content: bytes) -> Iterator[tuple[int, int]]:
    group: str | int = "secret" if "secret" in pattern.groupindex else min(pattern.groups, 1)
    # The user's letters are characters; what the bytes are cut off in is none.
    text = content.decode("utf-8", "surrogateescape")
    position = offset = 0  # the same place in the text and in the bytes
    for match in pattern.finditer(text):
        first, end = match.span(group)
        if end <= first or text.startswith("REDA", first):
            continue
        if first < position:  # a group may lie before the last one, in what is looked back at
            position = offset = 0
        start = offset + _byte_length(text[position:first])
        position, offset = end, start + _byte_length(text[first:end])
        yield start, offset


def _byte_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
