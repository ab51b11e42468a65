"""Who may ask what: the name in Host, the token, the page that a request comes from.

Knows one request's head at a time; what is then done about it is for others.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING
from urllib.parse import unquote

from wiretape.core.addresses import host_allowed, is_loopback, name_in_host
from wiretape.core.routing import CONTROL_PREFIX, without_session
from wiretape.server.downstream import error_answer
from wiretape.server.headers import TOKEN_HEADER

if TYPE_CHECKING:
    from wiretape.core.model import Headers
    from wiretape.server.downstream import Answer
    from wiretape.server.request import Request
    from wiretape.server.settings import Settings

_TOKEN_PREFIX = "/~"  # noqa: S105  where a token stands in a path
_HEALTH = f"{CONTROL_PREFIX}health"
_READING = frozenset({"GET", "HEAD"})
_WEB = frozenset({"http", "https"})
_OWN_SITES = frozenset({"same-origin", "none"})
_CREDENTIALS = frozenset({"authorization", "x-api-key", "api-key"})
_CHALLENGE: Headers = (("WWW-Authenticate", 'Basic realm="wiretape", charset="UTF-8"'),)


class Access:
    """Lets requests in or says why not."""

    def __init__(self, settings: Settings) -> None:
        self._allow_hosts = settings.allow_hosts
        self._admits_pages = settings.admits_pages
        self._token = settings.token or ""
        # Beyond loopback nobody knows the names it goes by, unless they are said: as in a container
        # whose port is published on loopback, where a web page gets at it just the same.
        self._checks_host = is_loopback(settings.listen.host) or bool(settings.allow_hosts)

    def target(self, raw_target: str) -> str:
        """A request target without the `/~TOKEN` that it may begin with."""
        if self._token and raw_target.startswith(_TOKEN_PREFIX):
            segment, slash, rest = raw_target[len(_TOKEN_PREFIX) :].partition("/")
            if self._is_token(unquote(segment)):
                return slash + rest or "/"
        return raw_target

    def headers(self, headers: Headers) -> Headers:
        """A request's fields without those that brought the token: it is none of the upstream's."""
        if not self._token:
            return headers
        in_path = _TOKEN_PREFIX + self._token  # as in the Referer of a page that was shown there
        return tuple(
            (name, value)
            for name, value in headers
            if in_path not in unquote(value)
            and (name.lower() not in _CREDENTIALS or not self._holds_token(value))
        )

    def refusal(self, request: Request) -> tuple[Answer, bool] | None:
        """What to answer in place of serving the request, and whether to close the connection.

        None if it may come in.
        """
        raw_target = request.target
        target = self.target(raw_target)
        shown = without_session(target)
        host = request.fields.get("Host")
        if self._checks_host and not host_allowed(host, self._allow_hosts):
            text = f"the host {host!r} is not allowed; start wiretape with --allow-host"
            text = f"{text} {name_in_host(host or '')}"
            return error_answer(403, shown, text, kind="permission_error"), False
        coding = request.fields.get("Transfer-Encoding")
        if coding is not None and (coding.lower() != "chunked" or request.http_1_0):
            # Another hop could find another end of this body (RFC 9112, section 6.1).
            text = f"the Transfer-Encoding {coding!r} is not understood here; send chunked or none"
            return error_answer(400, shown, text), True
        if self._token and target is raw_target and not self._brings_token(request):
            if target == _HEALTH and request.method in _READING:
                return None
            text = (
                "a token is needed here: send the header Wiretape-Token, or the token as the API"
                " key, or /~TOKEN before the path in the base URL"
            )
            answer = error_answer(401, shown, text, kind="authentication_error", extra=_CHALLENGE)
            return answer, False
        return None

    def page_refusal(self, request: Request, target: str, *, control: bool) -> Answer | None:
        """What to answer a request that a page of another site makes; None if it may come in.

        Args:
            request: that has been let in.
            target: its target upstream, or below the control prefix.
            control: whether it is for the proxy itself, where any page may be led to and none but
                the proxy's own may change anything. Elsewhere each request may be recorded.
        """
        site = request.fields.get("Sec-Fetch-Site", "none").lower()
        origin = request.fields.get("Origin")
        if not control and site != "cross-site" and (origin is None or site != "none"):
            return None  # no browser asks, or a page of the proxy's own site
        scheme, separator, host = (origin or "").partition("://")
        text = "a page of another site may not change anything here"
        if control:
            own = origin is None or host == request.fields.get("Host", "")
            allowed = request.method in _READING or (site in _OWN_SITES and own)
        else:
            # What is served on this machine, or by no server at all, as a desktop application's
            # page, is somebody's own. Browsers say what site it is of where the name of the proxy
            # is a loopback one, or with TLS; who says nothing there is no browser.
            asked = request.fields.get("Host", "")
            own = bool(separator) and scheme not in _WEB
            own = own or (bool(host) and (host == asked or host_allowed(host, self._allow_hosts)))
            silent = site == "none" and is_loopback(name_in_host(asked))
            allowed = own or silent or self._admits_pages or not self._checks_host
            if host:
                text = f"{text}; to let it, start wiretape with --allow-host {name_in_host(host)}"
        return None if allowed else error_answer(403, target, text, kind="permission_error")

    def _brings_token(self, request: Request) -> bool:
        return self._is_token(request.fields.get(TOKEN_HEADER, "")) or any(
            self._holds_token(request.fields.get(name, "")) for name in _CREDENTIALS
        )

    def _holds_token(self, value: str) -> bool:
        scheme, _, credentials = value.strip().partition(" ")
        if scheme.lower() == "basic":
            try:
                pair = base64.b64decode(credentials, validate=True).decode()
            except (binascii.Error, ValueError):
                return False
            return self._is_token(pair.partition(":")[2])
        return self._is_token(credentials.strip() if scheme.lower() == "bearer" else value)

    def _is_token(self, text: str) -> bool:
        # In constant time, so that nobody can find it out letter by letter.
        given = text.strip().encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, self._token.encode())
