"""Secrets kept out of cassettes: what of a request and of a response's head is written.

Knows header names, and bodies as bytes; what crosses the proxy is untouched by it. What a secret
in text looks like is in `secrets`, and the chunks are for `streamredaction`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from wiretape.cassette.secrets import Secrets, same_for_all_lengths
from wiretape.cassette.streamredaction import StreamRedactor
from wiretape.cassette.tokens import redact_tokens
from wiretape.core.model import REDACTED, Body, header
from wiretape.core.payload import content_coding, read_content

if TYPE_CHECKING:
    from wiretape.core.model import Headers

_FORM = "x-www-form-urlencoded"
_UNQUOTED = "/:=,;@!$*()~"

SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "ocp-apim-subscription-key",
        "x-portkey-api-key",
        "x-auth-token",
        "x-access-token",
        "x-amz-security-token",
        "cf-access-client-secret",
        "cf-aig-authorization",
        "x-litellm-api-key",
        "helicone-auth",
        "x-auth-key",
        "x-rapidapi-key",
        "x-vault-token",
        "openai-api-key",
        "anthropic-api-key",
    },
)
"""Lower-case names of the headers that carry keys and sessions to known providers and gateways."""


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


class Redactor:
    """Decides what may be written.

    Args:
        secrets: what secrets in text look like.
        secret_headers: lower-case names that the user adds to SECRET_HEADERS.
    """

    def __init__(
        self, secrets: Secrets | None = None, secret_headers: frozenset[str] = frozenset()
    ) -> None:
        self.secrets = Secrets() if secrets is None else secrets
        self._secret_headers = secret_headers
        # A client sends much the same fields with every request, to much the same targets.
        self._safe_headers = functools.lru_cache(maxsize=64)(self._headers)
        self._safe_target = functools.lru_cache(maxsize=64)(self._target)

    def headers(self, headers: Headers) -> Headers:
        """Header fields as they may be written."""
        return self._safe_headers(headers)

    def _headers(self, headers: Headers) -> Headers:
        safe = redact_headers(headers, self._secret_headers)
        if not self.secrets.find("\n".join(value for _, value in safe).encode()):
            return safe
        return tuple((name, self.secrets.redact_text(value)) for name, value in safe)

    def request(self, target: str, headers: Headers, body: Body) -> tuple[str, Headers, Body]:
        """A request's target, headers and body as they may be written."""
        safe = self.headers(headers)
        if body.content is not None:
            content = self._content(headers, body)
            if content is not body.content:
                body = Body.of(content)
                if content_coding(headers):
                    # It is written as it reads, for the secret cannot be told inside the coding.
                    safe = _without_coding(safe, len(content))
        return self.target(target), safe, body

    def target(self, target: str) -> str:
        """A request target as it may be written, percent-encoded secrets included."""
        return self._safe_target(target)

    def _target(self, target: str) -> str:
        safe = self.secrets.redact_text(target)
        if "%" not in safe:
            return safe
        path, question, query = safe.partition("?")
        parts = [self._encoded(path), *map(self._encoded, query.split("&"))]
        return parts[0] + question + "&".join(parts[1:])

    def _encoded(self, part: str) -> str:
        content = unquote_to_bytes(part)
        redacted = self.secrets.redact(content)
        return part if redacted == content else quote(redacted, safe=_UNQUOTED)

    def for_comparison(
        self, target: str, headers: Headers, body: Body
    ) -> tuple[str, Headers, Body]:
        """A live or recorded request's parts, such that one secret is like any other.

        The recorded request may have been written before its secrets were redacted.
        """
        content = body.content
        if content is not None:
            content = same_for_all_lengths(self._content(headers, body))
            if content is not body.content:
                body = Body.of(content)
                headers = tuple(each for each in headers if each[0].lower() != "content-encoding")
        target = self.target(target)
        return (
            same_for_all_lengths(target.encode("utf-8", "surrogatepass")).decode(
                "utf-8", "surrogatepass"
            ),
            headers,
            body,
        )

    def stream(self, content_type: str) -> StreamRedactor | None:
        """What redacts the chunks of one response; None where nothing is to be redacted."""
        return StreamRedactor(self.secrets, content_type) if self.secrets else None

    def _content(self, headers: Headers, body: Body) -> bytes:
        """The body redacted; the very same bytes where there is nothing to redact."""
        assert body.content is not None  # noqa: S101  callers see to it
        content = read_content(headers, body) if content_coding(headers) else body.content
        assert isinstance(content, bytes)  # noqa: S101  as above
        if _FORM in (header(headers, "content-type") or ""):
            redacted = self.secrets.redact(b"?" + content)[1:]
            return body.content if redacted == content else redacted
        redacted = redact_tokens(self.secrets, self.secrets.redact(content))
        return body.content if redacted is content else redacted


def _without_coding(headers: Headers, length: int) -> Headers:
    return tuple(
        (name, str(length)) if name.lower() == "content-length" else (name, value)
        for name, value in headers
        if name.lower() != "content-encoding"
    )
