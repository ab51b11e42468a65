"""Certificates: whom the proxy trusts, and what it shows to its clients.

Knows files and contexts of TLS; nothing of connections.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from wiretape.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def trusting(ca: Path | None = None) -> ssl.SSLContext:
    """Trust in what the system trusts, and in the certificates of a file too, if one is given.

    Raises:
        UsageError: it holds none, or cannot be read.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca is None:
        return context
    try:
        context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--upstream-ca {ca}: {_why(error, 'no certificate in PEM')}") from None
    return context


def showing(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """What a listener shows to its clients.

    Raises:
        UsageError: the files hold no certificate and key that belong together.
    """

    def no_password() -> str:
        raise UsageError("--tls-key: the key has a password; give one without")

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, no_password)
    except (OSError, ssl.SSLError) as error:
        what = _why(error, "no certificate and key in PEM that belong together")
        files = f"--tls-cert {certificate}" + (f" --tls-key {key}" if key else "")
        raise UsageError(f"{files}: {what}") from None
    return context


def _why(error: OSError, otherwise: str) -> str:
    # An SSLError is an OSError whose text is of no help here.
    return otherwise if isinstance(error, ssl.SSLError) else (error.strerror or str(error)).lower()
