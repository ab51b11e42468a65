"""Where a request goes: its session, its target upstream, its dialect.

Knows paths and header values; nothing of sockets, files or modes.
"""

from __future__ import annotations

import enum
import functools
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from wiretape.errors import UsageError

CONTROL_PREFIX = "/_wiretape/"

_SESSION_PREFIX = "/@"
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]+")
# A file name has 255 bytes; the time, a number and `.yaml.part` must still fit.
_SEGMENT_LIMIT_BYTES = 200
_FORBIDDEN = {"\\": "a backslash", "/": "a slash", "~": "`~` (it separates a session's label)"}


class Dialect(enum.Enum):
    """Whose API a path belongs to, which decides the shape of an error."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    OLLAMA = "ollama"


@dataclass(frozen=True, slots=True)
class SessionName:
    """Which session a request belongs to.

    Attributes:
        cassette: the cassette's name; None for the default one.
        label: tells independent sessions on one cassette apart; empty for the plain one.
    """

    cassette: str | None = None
    label: str = ""

    def __str__(self) -> str:
        name = self.cassette or "default"
        return f"{name}~{self.label}" if self.label else name


@dataclass(frozen=True, slots=True)
class Route:
    """A request's session and what is left of its target for the upstream."""

    session: SessionName
    target: str


DEFAULT_SESSION = SessionName()


def origin_form(raw_target: str) -> str:
    """The origin form (`/path?query`) of any request target (RFC 9112, section 3.2).

    Raises:
        UsageError: the target has no path (`*`, or the authority form of CONNECT).
    """
    if raw_target.startswith("/"):
        return raw_target
    absolute = _ABSOLUTE.match(raw_target)
    if absolute is None:
        raise UsageError(f"cannot forward the request target {raw_target!r}: it has no path")
    target = raw_target[absolute.end() :].partition("#")[0]
    return target if target.startswith("/") else f"/{target}"


# Clients ask for few things again and again.
@functools.lru_cache(maxsize=256)
def route(raw_target: str, cassette_header: str | None) -> Route:
    """Split a request target into session and upstream target.

    `/@NAME~LABEL/rest` names the session; else the value of `Wiretape-Cassette` does; else it
    is the default session. The path wins where both are given.

    Raises:
        UsageError: the name is no good, or the target has no path.
    """
    target = origin_form(raw_target)
    if target.startswith(_SESSION_PREFIX):
        segment = re.split(r"[/?]", target[len(_SESSION_PREFIX) :], maxsplit=1)[0]
        return Route(parse_session_name(_decode(segment)), without_session(target))
    if cassette_header is not None:
        return Route(parse_session_name(cassette_header.strip()), target)
    return Route(DEFAULT_SESSION, target)


def without_session(target: str) -> str:
    """A target in origin form without the `/@NAME` it may begin with, whatever the name."""
    if not target.startswith(_SESSION_PREFIX):
        return target
    path, question, query = target.partition("?")
    return f"/{path[len(_SESSION_PREFIX) :].partition('/')[2]}{question}{query}"


@functools.lru_cache(maxsize=256)
def parse_session_name(text: str) -> SessionName:
    """Parse `NAME` or `NAME~LABEL`.

    Raises:
        UsageError: the name is empty, leaves the directory, or holds what no file name may.
    """
    name, tilde, label = text.partition("~")
    if tilde and not label:
        raise UsageError(f"bad cassette name {text!r}: nothing follows the ~")
    if label:
        _check_segment(label, text)
    return SessionName(check_cassette_name(name), label)


def check_cassette_name(name: str) -> str:
    """Check a cassette name and take off a `.yaml` that was typed along.

    Raises:
        UsageError: as `parse_session_name`.
    """
    if name.startswith("/"):
        raise UsageError(f"bad cassette name {name!r}: it must not be an absolute path")
    name = name.removesuffix(".yaml")
    for segment in name.split("/"):
        _check_segment(segment, name)
    return name


def _check_segment(segment: str, whole: str) -> None:
    for character in segment:
        if character in _FORBIDDEN or not character.isprintable():
            what = _FORBIDDEN.get(character, f"the character U+{ord(character):04X}")
            raise UsageError(f"bad cassette name {whole!r}: it must not hold {what}")
    if not segment or segment.startswith("."):
        raise UsageError(
            f"bad cassette name {whole!r}: it must stay inside the cassette directory, and no part"
            " of it may be empty or begin with a dot"
        )
    if len(segment.encode()) > _SEGMENT_LIMIT_BYTES:
        raise UsageError(
            f"bad cassette name: a part of it is over {_SEGMENT_LIMIT_BYTES} bytes long"
        )


def _decode(segment: str) -> str:
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise UsageError(f"bad cassette name {segment!r}: it is not UTF-8") from None


def dialect(target: str) -> Dialect:
    """The API that a target belongs to; OpenAI's where it is no one's."""
    path = target.partition("?")[0]
    if path.startswith("/api/"):
        return Dialect.OLLAMA
    if path.endswith("/v1/messages") or "/v1/messages/" in path:
        return Dialect.ANTHROPIC
    return Dialect.OPENAI


def error_body(target: str, message: str, *, kind: str, code: str) -> dict[str, object]:
    """An error as the clients of the target's API read it.

    Args:
        target: the request target, without session prefix.
        message: the text that the client shows.
        kind: the error's `type` (`invalid_request_error`, `api_error`, …).
        code: a machine-readable word, where the dialect has a place for it.
    """
    spoken = dialect(target)
    if spoken is Dialect.OLLAMA:
        return {"error": message}
    if spoken is Dialect.ANTHROPIC:
        return {"type": "error", "error": {"type": kind, "message": message}}
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def is_metadata(method: str, target: str) -> bool:
    """Whether a request only asks about the server, so that its answer may be repeated."""
    if method in {"GET", "HEAD"}:
        return True
    return method == "POST" and target.partition("?")[0] == "/api/show"
