"""Addresses as users write them: OLLAMA_HOST, --upstream, --listen, the Host header.

Pure text: nothing is resolved or connected to.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from wiretape.core.model import REDACTED
from wiretape.errors import UsageError

OLLAMA_PORT = 11434
DEFAULT_UPSTREAM = f"http://127.0.0.1:{OLLAMA_PORT}"
DEFAULT_LISTEN = "127.0.0.1:11435"

_MAX_PORT = 65535
SCHEME_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """A host, without brackets, and its port; to listen on, port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(text: str) -> Address:
    """Parse `HOST:PORT`, `[IPV6]:PORT`, `:PORT` (all interfaces) or `PORT` (loopback).

    Raises:
        UsageError: it is none of these.
    """
    bad = UsageError(f"bad listen address {text!r}: write HOST:PORT, such as {DEFAULT_LISTEN}")
    if re.fullmatch(r"[0-9]{1,5}", text):
        host, port = "127.0.0.1", text
    else:
        match = re.fullmatch(r"(?:\[([^\]]*)\]|([^:\[\]\s/]*)):(\d{1,5})", text, re.ASCII)
        if match is None:
            raise bad
        host, port = match[1] or match[2] or "0.0.0.0", match[3]  # noqa: S104  asked for by ":PORT"
    if int(port) > _MAX_PORT:
        raise bad
    return Address(host, int(port))


def parse_upstream(text: str) -> str:
    """Check an upstream URL and return it without a trailing slash.

    A bare `host:port` is taken as http.

    Raises:
        UsageError: it is not an http or https URL with a host.
    """
    bad = f"the upstream {text!r} is not a URL: write http://HOST:PORT or https://HOST/PATH"
    url = text.strip()
    if "://" not in url and re.match(r"[\w.-]+:\d+(/|$)|\[[0-9a-fA-F:]+\]", url):
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
        port = parts.port
        if not url.isascii():
            (parts.hostname or "").encode("idna")  # which looks at an ASCII host's labels too
    except ValueError:  # UnicodeError is one
        raise UsageError(bad) from None
    if parts.scheme not in SCHEME_PORTS or not parts.hostname or port == 0:
        raise UsageError(bad)
    if parts.query or parts.fragment or re.search(r"\s", url):
        raise UsageError(bad)
    return url.rstrip("/")


def redact_user_info(url: str) -> str:
    """A base URL as it may be shown and written: with `REDACTED` for a user and password."""
    try:
        parts = urlsplit(url)
    except ValueError:  # somebody's variable can hold anything
        scheme, separator, rest = url.partition("://")
        _, at, host = rest.rpartition("@")
        return f"{scheme}{separator}{REDACTED}@{host}" if at else url
    _, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{REDACTED}@{host}")) if at else url


def ollama_host_url(value: str) -> str:
    """The base URL that ollama itself makes of OLLAMA_HOST (its `envconfig.Host`).

    Scheme, host, port and path are each optional: without a scheme it is http and port 11434,
    `http://` alone means port 80 and `https://` 443, and so does `ollama.com`. A port that is none
    falls back likewise.
    The unspecified addresses are for listening; a client reaches them on loopback.
    """
    text = value.strip().strip("\"'").strip()
    scheme, separator, rest = text.partition("://")
    if text == "ollama.com":
        scheme, rest, port = "https", text, SCHEME_PORTS["https"]
    elif separator:
        port = SCHEME_PORTS.get(scheme, OLLAMA_PORT)
    else:
        scheme, rest, port = "http", text, OLLAMA_PORT
    authority, _, path = rest.partition("/")
    match = re.fullmatch(
        r"(\[[^\]]*\]|[^:]*|[0-9a-fA-F:]+:[0-9a-fA-F:]*(?:%[^:]*)?)(?::([^:]*))?", authority
    )
    host = (match[1] if match else authority).strip("[]")
    number = (match[2] if match else None) or ""
    if re.fullmatch(r"[0-9]{1,9}", number) and 0 < int(number) <= _MAX_PORT:
        port = int(number)
    if host in {"", "0.0.0.0"}:  # noqa: S104  read here, never bound
        host = "127.0.0.1"
    elif host == "::":
        host = "::1"
    netloc = Address(host, port)
    path = path.strip("/")
    return f"{scheme}://{netloc}/{path}" if path else f"{scheme}://{netloc}"


def names_listener(url: str, listen: Address) -> bool:
    """Whether a base URL is the proxy's own address: forwarding there would go in circles."""
    parts = urlsplit(url)
    port = parts.port or SCHEME_PORTS.get(parts.scheme, 0)
    if listen.port == 0 or port != listen.port or parts.hostname is None:
        return False
    host = parts.hostname
    if host == listen.host:
        return True
    if is_any(listen.host):
        return is_loopback(host) and (not is_address(host) or same_family(host, listen.host))
    # Of two addresses one would have been the other.
    both = is_address(host) and is_address(listen.host)
    return not both and is_loopback(host) and is_loopback(listen.host)


def is_any(host: str) -> bool:
    """Whether a listening host stands for every interface."""
    return host in {"", "0.0.0.0", "::"}  # noqa: S104  compared, never bound


def same_family(host: str, listening: str) -> bool:
    """Whether who listens at an address can be reached at another one, as far as IPv4 and 6 go."""
    return not listening or (":" in host) == (":" in listening)


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine only."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    return is_address(name) and ipaddress.ip_address(name).is_loopback


def ascii_name(host: str) -> str:
    """A host's name as it goes over the wire (IDNA).

    Raises:
        UnicodeError: no host can have it.
    """
    return host if host.isascii() else host.encode("idna").decode()


def is_address(host: str) -> bool:
    """Whether a host is an IP address, without brackets, rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=256)
def host_allowed(host_header: str | None, extra: frozenset[str]) -> bool:
    """Whether a Host header names the proxy on loopback or by an allowed name.

    A page from the web can point its own name at 127.0.0.1 (DNS rebinding), but its requests
    still carry that name in Host. No Host at all (HTTP/1.0) comes from no browser.
    """
    if host_header is None:
        return True
    name = name_in_host(host_header)
    return is_loopback(name) or name in extra


def parse_allowed_host(text: str) -> str:
    """What `--allow-host` names, as `name_in_host` gives it: a name or address, or a URL's.

    Raises:
        UsageError: it names none.
    """
    host = text.strip().rpartition("://")[2].partition("/")[0]
    name = (
        host.lower()
        if re.fullmatch(r"[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*", host)
        else name_in_host(host)
    )
    if not re.fullmatch(r"[^\s\[\]@*?]+", name):
        raise UsageError(f"bad host {text!r}: write a name, such as proxy.test")
    return name


def name_in_host(host_header: str) -> str:
    """The name in a Host header as `--allow-host` takes it: no port, lower-case."""
    host = host_header.strip()
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return host.lower().rstrip(".")
