"""Secret headers kept out of cassettes.

Knows header names only; a request's bytes go to the upstream untouched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wiretape.core.model import Headers

REDACTED = "REDACTED"

SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
    },
)
"""Lower-case names of the headers that carry keys and sessions to the known providers."""


def redact_headers(headers: Headers, extra: frozenset[str] = frozenset()) -> Headers:
    """The headers with `REDACTED` for the value of each secret one, case aside.

    Args:
        headers: as on the wire.
        extra: lower-case names that the user adds to SECRET_HEADERS.
    """
    return tuple(
        (field[0], REDACTED)
        if (name := field[0].lower()) in SECRET_HEADERS or name in extra
        else field
        for field in headers
    )
