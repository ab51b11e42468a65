"""The canonical forms of a request, one per matching level, as digests.

Knows what of a request is compared (method, target, body; never headers) and nothing of what
was recorded. Two requests agree at a level if and only if their digests at that level are equal.
"""

from __future__ import annotations

import functools
import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from wiretape.core.closest import Shape
from wiretape.core.conversation import Level, conversation_field, relaxed, uses_tools
from wiretape.core.multipart import Multipart, boundary, marks, split
from wiretape.core.payload import content_coding, dump_json, parse_json, read_content
from wiretape.core.pointer import remove

if TYPE_CHECKING:
    from wiretape.core.conversation import Item
    from wiretape.core.model import Body, Headers
    from wiretape.core.payload import Payload
    from wiretape.core.pointer import Pointer

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")


def canonical_path(target: str) -> str:
    """The path of an origin-form target, percent-encodings normalised (RFC 3986, 6.2.2)."""
    path = target.partition("?")[0]
    return _ESCAPE.sub(_normal_escape, path) if "%" in path else path


@functools.lru_cache(maxsize=1024)
def canonical_query(target: str) -> bytes:
    """The query of a target, decoded as forms are, in an order that the one sent plays no part in.

    The source of the decoding: WHATWG URL, application/x-www-form-urlencoded parsing.
    """
    query = target.partition("?")[2]
    if not query:
        return b""
    pairs = []
    for pair in query.replace("+", " ").encode("utf-8", "surrogatepass").split(b"&"):
        if pair:
            name, equals, value = pair.partition(b"=")
            pairs.append((unquote_to_bytes(name), equals, unquote_to_bytes(value)))
    # Lengths keep decoded "&" and "=" apart from those that separate.
    return b"".join(
        b"%d:%b%b%d:%b" % (len(name), name, equals, len(value), value)
        for name, equals, value in sorted(pairs)
    )


def _normal_escape(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


@functools.lru_cache(maxsize=64)
def _spelling(headers: Headers) -> tuple[str, str]:
    """The content coding and the boundary. A client sends much the same fields every time."""
    return content_coding(headers), boundary(headers)


class Reading:
    """A request as matching reads it: each part is worked out once, and only when asked for.

    Attributes:
        method: as sent.
        target: as sent.
        path: the target's path in canonical form.
        body: as sent.
    """

    __slots__ = (
        "_digests", "_field", "_fields", "_headers", "_ignore", "_payload", "_query", "_texts",
        "_uses_tools", "body", "method", "path", "target",
    )  # fmt: skip

    def __init__(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: Body,
        ignore: tuple[Pointer, ...] = (),
    ) -> None:
        self.method = method
        self.target = target
        self.path = canonical_path(target)
        self.body = body
        self._headers = headers
        self._ignore = ignore
        self._query = canonical_query(target)
        self._payload: Payload | None = None
        self._field: str | None = None
        self._fields: dict[str, str] = {}
        self._texts: dict[Level, list[str]] = {}
        self._uses_tools = False
        self._digests: dict[Level, bytes] = {}

    def redirected(self, target: str) -> Reading:
        """The same request, sent to another target."""
        return Reading(self.method, target, self._headers, self.body, self._ignore)

    def ignoring(self, ignore: tuple[Pointer, ...]) -> Reading:
        """The same request, read with these pointers left out."""
        if ignore == self._ignore:
            return self  # what has been worked out of it stays
        return Reading(self.method, self.target, self._headers, self.body, ignore)

    @property
    def query(self) -> bytes:
        """The target's query in canonical form."""
        return self._query

    @property
    def payload(self) -> Payload:
        """The body without what is ignored; not to be changed."""
        if self._payload is None:
            self._payload = self._read()
        return self._payload

    @property
    def items(self) -> list[Item]:
        """The conversation as sent, but for what is ignored; empty if there is none."""
        payload = self.payload
        if self._field is None or not isinstance(payload, dict):
            return []
        items: list[Item] = payload[self._field]
        return items

    @property
    def conversation_field(self) -> str | None:
        """The name of the top-level field that holds the conversation, if there is one."""
        return self._field if self.payload is not None else None

    @property
    def uses_tools(self) -> bool:
        """Whether the forms of the levels can differ for this request."""
        return self._uses_tools if self.payload is not None else False

    def verbatim(self) -> bytes:
        """A digest (16 bytes) of the request with its body's very bytes; parses nothing.

        Requests that are equal in this are equal at every level.
        """
        coding, between = _spelling(self._headers)
        return self._hash(b"verbatim", f"{coding}\0{between}\0{self.body.digest()}")

    def shape(self, level: Level) -> Shape:
        """The request's fingerprints, its conversation as `level` compares it."""
        payload, fields = self.payload, [*self.field_texts().values()]
        if isinstance(payload, Multipart):
            # Of files that are all different those of one name, or that begin alike, are nearer.
            fields += [text for part in payload.parts.values() for text in marks(part)]
        return Shape.of(self.item_texts(level), fields)

    def digest(self, level: Level) -> bytes:
        """The digest (16 bytes) of the request's form at `level`."""
        if not self.uses_tools:
            level = Level.EXACT
        found = self._digests.get(level)
        if found is None:
            found = self._digests[level] = self._digest(level)
        return found

    def item_texts(self, level: Level) -> list[str]:
        """The canonical text of each item of the conversation, in the order of the form."""
        if not self.uses_tools:
            level = Level.EXACT
        found = self._texts.get(level)
        if found is None:
            found = self._texts[level] = self._relaxed_texts(level)
        return found

    def field_texts(self) -> dict[str, str]:
        """The canonical text `"name":value` of each top-level field but the conversation.

        Of a multipart body each part's name and digest.
        """
        return self._fields if self.payload is not None else {}

    def _read(self) -> Payload:
        content = read_content(self._headers, self.body)
        if isinstance(content, str):
            return content
        _, between = _spelling(self._headers)
        multipart = split(content, between) if between else None
        if multipart is not None:
            self._fields = {
                name: f"{name}:{hashlib.blake2b(part, digest_size=16).hexdigest()}"
                for name, part in multipart.parts.items()
            }
            return multipart
        try:
            payload = parse_json(content)
        except ValueError:
            return content
        if not isinstance(payload, dict | list):
            return dump_json(payload).encode()
        if self._ignore:
            remove(payload, self._ignore)
        self._field = conversation_field(payload)
        if isinstance(payload, list):
            self._fields = {"": dump_json(payload)}
            return payload
        self._fields = {
            name: f"{dump_json(name)}:{dump_json(value)}"
            for name, value in payload.items()
            if name != self._field
        }
        if self._field is not None:
            items = payload[self._field]
            self._texts[Level.EXACT] = [dump_json(item) for item in items]
            self._uses_tools = uses_tools(items)
        return payload

    def _relaxed_texts(self, level: Level) -> list[str]:
        exact = self._texts.get(Level.EXACT, [])
        known = {id(item): text for item, text in zip(self.items, exact, strict=True)}
        return [known.get(id(item)) or dump_json(item) for item in relaxed(self.items, level)]

    def _digest(self, level: Level) -> bytes:
        payload = self.payload
        if isinstance(payload, bytes):
            return self._hash(b"bytes", payload)
        if isinstance(payload, str):
            return self._hash(b"digest", payload)
        if isinstance(payload, Multipart):
            return self._hash(b"multipart", "\n".join(self._fields.values()))
        if isinstance(payload, list):
            return self._hash(b"json", self._fields[""])
        texts = self._fields
        if self._field is not None:
            items = ",".join(self.item_texts(level))
            texts = {**texts, self._field: f"{dump_json(self._field)}:[{items}]"}
        return self._hash(b"json", "{" + ",".join([texts[name] for name in sorted(texts)]) + "}")

    def _hash(self, kind: bytes, content: bytes | str) -> bytes:
        state = hashlib.blake2b(digest_size=16)
        head = f"{self.method}\0{self.path}\0{len(self._query)}\0"
        state.update(head.encode("utf-8", "surrogatepass") + self._query + kind + b"\0")
        state.update(content.encode() if isinstance(content, str) else content)
        return state.digest()
