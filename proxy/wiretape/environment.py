"""The environment variables of LLM clients: where they lead, and how they lead to a proxy.

Knows the clients' variables; reads and changes no environment itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wiretape.core.addresses import (
    DEFAULT_UPSTREAM,
    names_listener,
    ollama_host_url,
    parse_upstream,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wiretape.core.addresses import Address

# Which client reads which is measured: README.md, "Clients".
_WITH_VERSION = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "OLLAMA_BASE_URL")
_WITHOUT_VERSION = ("OLLAMA_HOST", "OLLAMA_API_BASE", "ANTHROPIC_BASE_URL")

NO_KEY = "wiretape-no-key-was-set"
"""Clients refuse to start without a key; an upstream that checks keys shows this one."""

# A key of our own would beat the credentials that the other variables stand for.
_KEYS = {
    "OPENAI_API_KEY": ("OPENAI_API_KEY",),
    "ANTHROPIC_API_KEY": (
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_PROFILE",
        "ANTHROPIC_IDENTITY_TOKEN",
        "ANTHROPIC_IDENTITY_TOKEN_FILE",
    ),
}

_LOOPBACK = ("127.0.0.1", "localhost")
_EVERYTHING = "*"


def openai_base_url(url: str) -> str:
    """What OpenAI's clients take as their base URL."""
    return f"{url}/v1"


def client_environment(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables to set so that clients talk to a proxy.

    Args:
        url: the proxy's base URL, without a trailing slash.
        environ: the environment they will be set in.
    """
    changes = dict.fromkeys(_WITH_VERSION, openai_base_url(url))
    changes |= dict.fromkeys(_WITHOUT_VERSION, url)
    for key, credentials in _KEYS.items():
        if not any(environ.get(name) for name in credentials):
            changes[key] = NO_KEY
    return changes | _no_proxy(environ)


def upstream_of(environ: Mapping[str, str], listen: Address | None = None) -> str:
    """The upstream's URL where none is given: what OLLAMA_HOST says, else ollama's usual place.

    An OLLAMA_HOST that names the proxy itself is there for the clients and no upstream.

    Args:
        environ: the environment as the user set it.
        listen: where the proxy is going to listen.

    Raises:
        UsageError: OLLAMA_HOST is no address.
    """
    value = environ.get("OLLAMA_HOST", "").strip()
    if value:
        url = parse_upstream(ollama_host_url(value))
        if listen is None or not names_listener(url, listen):
            return url
    return DEFAULT_UPSTREAM


def redirected(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that send clients somewhere already, with their values; OLLAMA_HOST aside."""
    names = (*_WITH_VERSION, *_WITHOUT_VERSION)
    return {name: environ[name] for name in names if name != "OLLAMA_HOST" and environ.get(name)}


def _no_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Keep other proxies from getting in between; programs read one case or the other."""
    upper, lower = environ.get("NO_PROXY", ""), environ.get("no_proxy", "")
    changes = {}
    for name, value in (("NO_PROXY", upper or lower), ("no_proxy", lower or upper)):
        hosts = [host.strip() for host in value.split(",") if host.strip()]
        if _EVERYTHING not in hosts:
            hosts += [host for host in _LOOPBACK if host not in hosts]
        changes[name] = ",".join(hosts)
    return changes
