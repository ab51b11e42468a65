"""What a proxy is told at its start, as one frozen value. Nothing reads it but the server."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wiretape.cassette.redaction import Redactor
from wiretape.cassette.secrets import Secrets
from wiretape.core.addresses import DEFAULT_LISTEN, DEFAULT_UPSTREAM, Address, parse_listen
from wiretape.core.matching import Rules
from wiretape.core.model import Mode  # noqa: TC001  a field of a dataclass
from wiretape.core.tempo import Order, Speed

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BODY_BYTES = 16 * 1024 * 1024
UPSTREAM_TIMEOUT_S = 3600.0
"""Longer than any model thinks before its first word, or between two."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one proxy.

    Attributes:
        mode: what is done with requests.
        directory: where cassettes are, and are made.
        cassette: the default session's cassette; None for a new one (recording) or all
            `cassettes` (replay).
        cassettes: the files that the default session replays; all in `directory` if empty.
        upstream: base URL without trailing slash.
        listen: where to listen.
        upstream_ca: a file of certificates to trust an https upstream by, besides the system's.
        tls_cert: a file with the certificate (chain) to listen with; None to listen in the clear.
        tls_key: the file of its key, unless it is in the same file.
        token: what clients must bring, if any.
        allow_hosts: names in Host that are answered to besides loopback ones, lower-case. Host is
            checked while listening on loopback, and anywhere if there are any.
        admits_pages: answer pages of other sites too. Only for a proxy that is asked again what
            another has let in.
        secret_headers: header names to redact besides the well-known ones, lower-case.
        redact: regular expressions of secrets in bodies, targets and headers, besides the
            well-known shapes.
        keep_secrets: leave the well-known shapes as they are.
        max_body_bytes: request bodies over this are streamed through and not kept.
        stops_on_disk_error: refuse what can no longer be recorded, rather than let it pass.
        upstream_timeout_s: how long an upstream may send nothing at all; 0 for ever.
        head_timeout_s: how long a connection may stay without a whole request head.
        body_timeout_s: how long a client may send nothing of a body it has begun.
        keep_reading: read an answer to its end when its client has left, for the record.
        rules: how requests match.
        speed: how fast answers replay.
        order: in which order overlapping answers replay.
        order_timeout_s: how long the order may wait for a request that does not come.
        grace_s: how long a shutdown waits for what is in flight.
        strict: a miss, a cassette that cannot be had or an unused recording is a failure of all.
        only_views: nobody asks a model here, so that `/` leads to the viewer's page.
        keeps_unanswered: write a cassette, also in another's place, if no upstream ever answered.
        record_command: what records the default session's cassette again, for messages; None
            for `wiretape record`.
        spell_suggestion: how flags that a miss suggests are written for who reads its text.
    """

    mode: Mode
    directory: Path = Path("cassettes")
    cassette: str | None = None
    cassettes: tuple[Path, ...] = ()
    upstream: str = DEFAULT_UPSTREAM
    listen: Address = field(default_factory=lambda: parse_listen(DEFAULT_LISTEN))
    upstream_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    token: str | None = None
    allow_hosts: frozenset[str] = frozenset()
    admits_pages: bool = False
    secret_headers: frozenset[str] = frozenset()
    redact: tuple[str, ...] = ()
    keep_secrets: bool = False
    max_body_bytes: int = MAX_BODY_BYTES
    stops_on_disk_error: bool = False
    upstream_timeout_s: float = UPSTREAM_TIMEOUT_S
    head_timeout_s: float = 90.0
    body_timeout_s: float = 300.0
    keep_reading: bool = False
    rules: Rules = field(default_factory=Rules)
    speed: Speed = field(default_factory=lambda: Speed(None))
    order: Order = field(default_factory=lambda: Order("recorded"))
    order_timeout_s: float = 2.0
    grace_s: float = 30.0
    strict: bool = False
    record_command: str | None = None
    spell_suggestion: Callable[[str], str] = str
    keeps_unanswered: bool = False
    only_views: bool = False

    def redactor(self) -> Redactor:
        """What decides about secrets.

        Raises:
            UsageError: a pattern is no regular expression.
        """
        secrets = Secrets(self.redact, builtin=not self.keep_secrets)
        return Redactor(secrets, self.secret_headers)
