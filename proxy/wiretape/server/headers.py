"""Header fields on their way through the proxy: which go on and which stay on their hop.

Pure functions on `core.model.Headers`; the rules are those of RFC 9110, section 7.6.1.
"""

from __future__ import annotations

import base64
import functools
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from wiretape.core.model import Headers

CASSETTE_HEADER = "Wiretape-Cassette"
TOKEN_HEADER = "Wiretape-Token"  # noqa: S105  a name
INTERACTION_HEADER = "Wiretape-Interaction"
MATCH_HEADER = "Wiretape-Match"

OWN_HEADERS = frozenset({CASSETTE_HEADER.lower(), TOKEN_HEADER.lower()})
"""Lower-case names of what clients say to the proxy alone: neither forwarded nor recorded."""

_MARKS = frozenset({INTERACTION_HEADER.lower(), MATCH_HEADER.lower()})
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

# The proxy speaks for itself in these: it names the upstream's host, frames the body anew, has
# answered `Expect` already, and asks for bytes that can be read in a cassette.
_REPLACED_IN_REQUESTS = OWN_HEADERS | {"host", "content-length", "expect", "accept-encoding"}


# A client sends much the same fields with every request, and an upstream with every response.
_remembered = functools.lru_cache(maxsize=64)


@_remembered
def from_raw(raw_headers: tuple[tuple[bytes, bytes], ...]) -> Headers:
    """Header bytes as they came, as Latin-1 text."""
    return tuple([(str(name, "latin-1"), str(value, "latin-1")) for name, value in raw_headers])


def listed(headers: Headers, name: str) -> list[str]:
    """The members of all fields of a (lower-case) name whose value is a list, in lower case."""
    return [
        member.strip().lower()
        for field, value in headers
        if field.lower() == name
        for member in value.split(",")
    ]


@_remembered
def hop_by_hop(headers: Headers) -> frozenset[str]:
    """The lower-case names of the fields that concern one connection only."""
    # The length is of the message, whoever says what of it; without it nobody finds its end.
    named = frozenset(listed(headers, "connection")) - {"content-length"}
    return _HOP_BY_HOP | named if named else _HOP_BY_HOP


@_remembered
def end_to_end(headers: Headers) -> Headers:
    """The fields that go on to the next hop, in order."""
    dropped = hop_by_hop(headers)
    return tuple(field for field in headers if field[0].lower() not in dropped)


@_remembered
def without_own(headers: Headers) -> Headers:
    """A client's fields without those that are for the proxy alone."""
    return tuple(each for each in headers if each[0].lower() not in OWN_HEADERS)


@_remembered
def without_marks(headers: Headers) -> Headers:
    """An answer's fields without those in which a replay says what answers.

    They may have been recorded, where the upstream was such a replay.
    """
    return tuple(each for each in headers if each[0].lower() not in _MARKS)


@_remembered
def for_upstream(headers: Headers) -> Headers:
    """A client's fields as the upstream gets them."""
    dropped = hop_by_hop(headers) | _REPLACED_IN_REQUESTS
    kept = tuple(each for each in headers if each[0].lower() not in dropped)
    return (*kept, ("Accept-Encoding", "identity"))


def basic_authorization(user_info: str) -> str:
    """What a URL has before its host's `@`, percent-encoded, as a field's value (RFC 7617)."""
    return f"Basic {base64.b64encode(unquote_to_bytes(user_info)).decode()}"
