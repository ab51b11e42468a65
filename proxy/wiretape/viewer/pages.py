"""The page's own files, and the header fields that keep what it shows from doing harm.

Knows files of the package and header fields; nothing of cassettes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from wiretape.viewer.encoding import encoded

if TYPE_CHECKING:
    from wiretape.core.model import Headers

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
GUARDS: Headers = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
"""What every answer carries: nothing but the page's own files runs, and no other site reads it."""

_INDEX = "index.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOLDER = "page"
_AT = f"{_FOLDER}/"


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of the viewer's.

    Attributes:
        headers: besides Content-Type and Content-Length.
    """

    status: int
    content_type: str
    body: bytes
    headers: Headers = GUARDS


def json_page(status: int, payload: Any) -> Page:
    """An answer in JSON, which no cache keeps; `payload` is as for `encoded`."""
    fields = (*GUARDS, ("Cache-Control", "no-store"))
    return Page(status, "application/json", encoded(payload), fields)


def error_page(status: int, message: str) -> Page:
    """An error, for the page to show."""
    return json_page(status, {"error": {"message": message}})


def bytes_page(content: bytes) -> Page:
    """Bytes of a cassette: to be saved or read by the page, never to be shown as what they are."""
    fields = (("Content-Disposition", "attachment"), ("Cache-Control", "no-store"))
    return Page(200, "application/octet-stream", content, (*GUARDS, *fields))


def file_name(path: str) -> str | None:
    """Which of the page's files stands at a path below `/_wiretape/`; None if none can."""
    if path and not path.startswith(_AT):
        return None
    return path.removeprefix(_AT) or _INDEX


def file_page(name: str, if_none_match: str | None = None) -> Page | None:
    """One of the page's files; None if there is none of this name.

    Args:
        name: as `file_name` gives it.
        if_none_match: the header field.
    """
    content = _files().get(name)
    if content is None:
        return None
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = (*GUARDS, ("Cache-Control", "no-cache"), ("ETag", tag))
    content_type = _TYPES[name[name.rindex(".") :]]
    if if_none_match == tag:
        return Page(304, content_type, b"", headers)
    return Page(200, content_type, content, headers)


@cache
def _files() -> dict[str, bytes]:
    folder = resources.files(__package__) / _FOLDER
    return {
        each.name: each.read_bytes()
        for each in folder.iterdir()
        if each.name.endswith(tuple(_TYPES))
    }
