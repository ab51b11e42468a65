"""What secrets look like, and what is written in their place.

Knows bytes and shapes; nothing of requests, streams or files. A stand-in is as long as its secret,
so that lengths, chunk boundaries and framing stay true, and tells its kind and nothing else: it is
made from no bit of the secret. Equal secrets so get equal stand-ins, in every cassette.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wiretape.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CUSTOM = "custom"

CONTEXT_BYTES = 48
"""How far before a secret's first byte the text may lie that tells it is one."""

# A word begins here, also after an escape of JSON or a percent-encoded character.
_START = (
    rb"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
)
_T = rb"[A-Za-z0-9_-]"
_DIGIT_IN = rb"(?=[A-Za-z0-9._~+/=-]*[0-9])"
_NAMES = (
    rb"(?:api[-_]?key|key|(?:[a-z]+[-_])?token|token|client[-_]secret|secret|passw(?:or)?d|pwd"
    rb"|sig|signature|x-amz-signature|x-amz-credential|x-goog-signature)"
)

# Each has one group, which is the secret; `kind` alone stands in the stand-in. No stand-in has a
# digit or fits a shape, so that what is clean stays as it is. The first shape that fits wins.
_SHAPES: tuple[tuple[str, bytes], ...] = (
    ("anthropic", _START + rb"(sk-ant-" + _T + rb"{16,})"),
    (
        "openai",
        _START
        + rb"(sk-(?:(?:proj|svcacct|admin|or)-"
        + _T
        + rb"{16,}|(?="
        + _T
        + rb"*[0-9])"
        + _T
        + rb"{20,}))",
    ),
    ("google", _START + rb"(AIza" + _T + rb"{30,})"),
    ("google", _START + rb"(ya29\.[A-Za-z0-9._-]{20,}|GOCSPX-" + _T + rb"{20,})"),
    ("aws", _START + rb"(A[KS]IA[A-Z2-7]{16})(?![A-Za-z0-9])"),
    ("github", _START + rb"(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})"),
    ("gitlab", _START + rb"(glpat-[A-Za-z0-9_.-]{20,})"),
    ("slack", _START + rb"(xox[a-z]-[A-Za-z0-9-]{10,})"),
    ("huggingface", _START + rb"(hf_[A-Za-z0-9]{30,})"),
    ("groq", _START + rb"(gsk_[A-Za-z0-9]{30,})"),
    ("stripe", _START + rb"([sr]k_(?:live|test)_[A-Za-z0-9]{16,})"),
    ("npm", _START + rb"(npm_[A-Za-z0-9]{30,})"),
    ("xai", _START + rb"(xai-[A-Za-z0-9]{30,})"),
    ("sendgrid", _START + rb"(SG\." + _T + rb"{16,}\." + _T + rb"{16,})"),
    (
        "private-key",
        rb"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
        rb"((?:[A-Za-z0-9+/=\s:,.]|\\+[nr]|-(?!-)){16,})",
    ),
    (
        "bearer",
        _START + rb"[Bb]earer(?:[ \t]|%20|\+)+" + _DIGIT_IN + rb"([A-Za-z0-9._~+/=-]{16,})",
    ),
    (
        "basic",
        rb"uthorization\\*[\"']?\s*[:=]\s*\\*[\"']?[Bb]asic[ ]+([A-Za-z0-9+/]{8,}={0,2})",
    ),
    ("jwt", _START + rb"(eyJ" + _T + rb"{8,}\.eyJ" + _T + rb"{8,}(?:\." + _T + rb"*){0,3})"),
    (
        "password",
        rb"(?<=[a-z0-9])://[^\s/:@\"'<>\\?#]{0,64}:"
        rb"(?!REDA|(?i:passw(?:or)?d|pass|secret)@|[*x.]+@|[{$])([^\s/@\"'<>\\]{1,200})@",
    ),
    (
        "parameter",
        rb"(?:[?&;]|\\u0026|%26|%3[Ff])(?i:"
        + _NAMES
        + rb")(?:=|%3[Dd])(?!REDA|[{$<])([^\s&#\"'<>\\%]{8,})",
    ),
)

# Told by characters that are rare in JSON, each of which looks back for the rest: this runs over
# all that crosses the proxy, and costs some five nanoseconds a byte.
_SUSPECT = re.compile(
    rb"[-_](?<=[kfpousrmitabeX].)(?:(?<=[sr]k[-_])|(?<=hf_)|(?<=gh[pousr]_)|(?<=npm_)|(?<=xai-)"
    rb"|(?<=lpat-)|(?<=_pat_)|(?<=xox[a-z]-)|(?<=CSPX-))"
    rb"|A(?:Iza|[KS]IA)|J(?<=eyJ)|PRIVATE KEY|[Bb]earer|z(?<=uthoriz)|9(?<=ya29)|SG\."
    rb"|/(?<=:/)|[?&;%](?=[A-Za-z0-9]|26|3[Ff])(?=[A-Za-z0-9_-]{3,40}(?:=|%3))|6(?<=u0026)",
)
_STAND_INS = re.compile(rb"REDACTED-(?:[a-z]+-)*?[a-z]+-x+")


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
    """Bytes in which each stand-in is as long as any other of its kind."""
    if b"REDACTED-" not in content:
        return content
    return _STAND_INS.sub(lambda match: match[0].rstrip(b"x"), content)


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
        suspect: tells quickly whether bytes may hold a well-known secret; None where nothing
            tells quickly.
    """

    def __init__(self, patterns: Iterable[str] = (), *, builtin: bool = True) -> None:
        self.patterns = tuple(patterns)
        self.builtin = builtin
        self._custom = [compile_pattern(pattern) for pattern in self.patterns]
        self.suspect = None if self._custom or not builtin else _SUSPECT.search

    def __bool__(self) -> bool:
        return self.builtin or bool(self._custom)

    def find(self, content: bytes, start: int = 0) -> list[Found]:
        """Every secret from a position on, in order, none inside another."""
        found = list(_well_known(content, start)) if self.builtin else []
        for pattern in self._custom:
            found += _custom(pattern, content, start)
        if self._custom and len(found) > 1:
            found.sort(key=lambda each: (each.start, -each.end))
            found = [
                each
                for index, each in enumerate(found)
                if all(each.start >= other.end for other in found[:index])
            ]
        return found

    def redact(self, content: bytes) -> bytes:
        """The bytes with each secret replaced; as many as before."""
        found = self.find(content)
        if not found:
            return content
        redacted = bytearray(content)
        for each in found:
            redacted[each.start : each.end] = stand_in(each.kind, each.end - each.start)
        return bytes(redacted)

    def redact_text(self, text: str) -> str:
        """The same for text."""
        redacted = self.redact(text.encode("utf-8", "surrogatepass"))
        return redacted.decode("utf-8", "surrogatepass" if text else "strict")


def compile_pattern(pattern: str) -> re.Pattern[bytes]:
    """A user's regular expression, for bytes of UTF-8.

    Raises:
        UsageError: it is none, or it matches the empty text.
    """
    try:
        compiled = re.compile(pattern.encode())
    except (re.error, UnicodeEncodeError) as error:
        raise UsageError(f"--redact {pattern!r} is no regular expression: {error}") from None
    if compiled.match(b""):
        raise UsageError(f"--redact {pattern!r} matches nothing at all, so it would match anywhere")
    return compiled


def _compiled() -> tuple[re.Pattern[bytes], list[str]]:
    kinds = [""]
    shapes = []
    for kind, shape in _SHAPES:
        shapes.append(shape)
        kinds.append(kind)
    return re.compile(b"|".join(shapes)), kinds


_KNOWN, _KINDS = _compiled()


def _well_known(content: bytes, start: int) -> Iterator[Found]:
    suspect = _SUSPECT.search(content, start)
    if suspect is None:
        return
    for match in _KNOWN.finditer(content, max(start, suspect.start() - CONTEXT_BYTES)):
        assert match.lastindex is not None  # noqa: S101  each shape has its group
        yield Found(_KINDS[match.lastindex], *match.span(match.lastindex))


def _custom(pattern: re.Pattern[bytes], content: bytes, start: int) -> Iterator[Found]:
    group: str | int = "secret" if "secret" in pattern.groupindex else min(pattern.groups, 1)
    for match in pattern.finditer(content, start):
        first, end = match.span(group)
        if end > first and not content[first:end].startswith(b"REDA"):
            yield Found(CUSTOM, first, end)
