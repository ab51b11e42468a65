"""Secrets found in a cassette that was written already, and taken out of it.

Knows cassettes as data and as files; what is secret is for `redaction` to say.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wiretape.cassette.library import PART_SUFFIX, SUFFIX
from wiretape.cassette.loader import loads, read_bytes
from wiretape.cassette.partfile import is_held, sync_directory, write_new
from wiretape.cassette.tokens import redact_tokens
from wiretape.cassette.writer import cassette_text
from wiretape.core.model import Body, Chunk, header
from wiretape.core.payload import content_coding, read_content
from wiretape.errors import CassetteBusyError, CassetteError

if TYPE_CHECKING:
    from wiretape.cassette.redaction import Redactor
    from wiretape.cassette.watched import Written
    from wiretape.core.model import Cassette, Entry, Interaction, Request, Response

_COMMENTS = re.compile(rb"(?:#[^\n]*\n|\n)*")


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret in a cassette.

    Attributes:
        kinds: what it is, in a word each.
        interaction: where; None where it belongs to none.
        place: where in it.
        cleanable: whether it can be replaced; not inside a compressed body.
    """

    kinds: tuple[str, ...]
    interaction: int | None
    place: str
    cleanable: bool = True

    def __str__(self) -> str:
        where = self.place
        if self.interaction is not None:
            where = f"interaction {self.interaction}, {self.place}"
        what = " and ".join(self.kinds)
        cure = "wiretape redact" if self.cleanable else "no help but recording it again"
        return f"{where}: a secret ({what}); {cure} takes it out"


class Cleaned(NamedTuple):
    """What was done to a file.

    Attributes:
        leaks: the secrets that were in it.
        anew: whether it was written anew, with only the comments above it.
    """

    leaks: tuple[Leak, ...]
    anew: bool = False


def clean(cassette: Cassette, redactor: Redactor) -> tuple[Cassette, tuple[Leak, ...]]:
    """A cassette without its secrets, and what they were."""
    leaks: list[Leak] = []
    entries = list(cassette.entries)
    upstream = redactor.secrets.redact_text(cassette.upstream)
    if upstream != cassette.upstream:
        leaks.append(Leak(_kinds(redactor, cassette.upstream.encode()), None, "upstream"))
    for interaction in cassette.interactions():
        safe, found = _clean_interaction(interaction, redactor)
        leaks += found
        for position, entry in zip(interaction.positions, safe, strict=False):
            entries[position] = entry
    return replace(cassette, upstream=upstream, entries=tuple(entries)), tuple(leaks)


def clean_file(path: Path, redactor: Redactor) -> Cleaned:
    """Take the secrets out of a cassette's file, atomically; return what was done.

    The file's own layout and comments stay, unless a secret is spread over several lines: then it
    is written anew, and only the comments above it stay.

    Raises:
        CassetteBusyError: it is being recorded.
        CassetteError: it cannot be read or written.
    """
    path = Path(os.path.realpath(path))  # `resolve` gives up where links lead round in a circle
    if not path.name.endswith(SUFFIX):
        raise CassetteError(path, f"a cassette's name ends in {SUFFIX}; wiretape recover first")
    part = path.with_name(path.name.removesuffix(SUFFIX) + PART_SUFFIX)
    if part.exists() and is_held(part):
        raise CassetteBusyError(path)
    content = read_bytes(path)
    cassette = loads(content, path)
    cleaned, leaks = clean(cassette, redactor)
    # Line by line, as a pattern that reaches over entries would make one secret of what is between.
    in_text = redactor.secrets.redact(content, events=True)
    if in_text == content and cleaned == cassette:
        return Cleaned(leaks)
    if not leaks:
        leaks = (Leak(_kinds(redactor, content), None, "text of the file"),)
    anew = not _says(in_text, path, cleaned)
    if anew:
        comments = _COMMENTS.match(content)
        above = redactor.secrets.redact(comments[0]) if comments else b""
        in_text = above + cassette_text(cleaned).encode()
    _replace(path, in_text)
    return Cleaned(leaks, anew)


def leaks_in_text(content: bytes, redactor: Redactor) -> tuple[tuple[int, str], ...]:
    """The secrets in a file's text, as (line, kind), comments and all."""
    found = redactor.secrets.find(content, events=True)
    return tuple((content.count(b"\n", 0, each.start) + 1, each.kind) for each in found)


def _says(content: bytes, path: Path, cassette: Cassette) -> bool:
    try:
        return loads(content, path).entries == cassette.entries
    except CassetteError:
        return False


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.redacted")
    try:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            write_new(beside, content, mode)
            beside.chmod(mode)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise CassetteError(path, f"cannot be redacted: {error.strerror or error}") from error
    sync_directory(path.parent)


def _kinds(redactor: Redactor, content: bytes) -> tuple[str, ...]:
    return tuple(sorted({each.kind for each in redactor.secrets.find(content)}))


def _kinds_in_body(redactor: Redactor, content: object) -> tuple[str, ...]:
    if not isinstance(content, bytes):
        return ()
    kinds = set(_kinds(redactor, content))
    redact_tokens(redactor.secrets, content, kinds)
    return tuple(sorted(kinds))


def _clean_interaction(
    interaction: Interaction, redactor: Redactor
) -> tuple[list[Entry], list[Leak]]:
    number = interaction.number
    request, leaks = _clean_request(interaction.request, redactor)
    entries: list[Entry] = [request]
    response = interaction.response
    if response is not None:
        headers = redactor.headers(response.headers)
        if headers != response.headers:
            leaks.append(Leak(_header_kinds(response, redactor), number, "response headers"))
        entries.append(replace(response, headers=headers))
        leaks += _coded_leaks(interaction, response, redactor)
    chunks, kinds = _clean_chunks(interaction, redactor)
    if kinds:
        leaks.append(Leak(kinds, number, "response body"))
    entries += chunks
    return entries, leaks


def _clean_request(request: Request, redactor: Redactor) -> tuple[Request, list[Leak]]:
    number = request.interaction
    leaks: list[Leak] = []
    target, headers, body = redactor.request(request.target, request.headers, request.body)
    if target != request.target:
        leaks.append(Leak(_kinds(redactor, request.target.encode()), number, "target"))
    if redactor.headers(request.headers) != request.headers:
        leaks.append(Leak(_header_kinds(request, redactor), number, "request headers"))
    if body != request.body:
        content = read_content(request.headers, request.body)
        kinds = _kinds_in_body(redactor, content)
        leaks.append(Leak(kinds, number, "request body"))
    return replace(request, target=target, headers=headers, body=body), leaks


def _header_kinds(entry: Request | Response, redactor: Redactor) -> tuple[str, ...]:
    changed = {
        name
        for (name, value), (_, safe) in zip(
            entry.headers, redactor.headers(entry.headers), strict=True
        )
        if value != safe
    }
    return tuple(sorted(changed))


def _coded_leaks(interaction: Interaction, response: Response, redactor: Redactor) -> list[Leak]:
    if not content_coding(response.headers):
        return []
    kinds = _kinds_in_body(redactor, read_content(response.headers, Body.of(interaction.body())))
    place = "compressed response body"
    return [Leak(kinds, interaction.number, place, cleanable=False)] if kinds else []


def _clean_chunks(
    interaction: Interaction, redactor: Redactor
) -> tuple[list[Chunk], tuple[str, ...]]:
    response = interaction.response
    kind = header(response.headers, "content-type") if response else None
    stream = redactor.stream(kind or "")
    chunks = list(interaction.chunks)
    if stream is None:
        return chunks, ()
    watched: dict[int, tuple[int, Written]] = {}
    for index, chunk in enumerate(interaction.chunks):
        safe = stream.take([(chunk.data, chunk.part)])
        chunks[index] = replace(chunk, data=safe.pieces[0][0])
        watched |= {id(each): (index, each) for _, each in safe.watched}
        for again in safe.again:
            place = watched[id(again)][0]
            chunks[place] = replace(chunks[place], data=again.safe)
    return chunks, tuple(sorted(stream.kinds))
