"""A client's request: its head, and its body as it comes."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from aiohttp import EMPTY_PAYLOAD
from aiohttp.http import HttpProcessingError

from wiretape.core.model import Body
from wiretape.server.framing import FramingError, declared_bytes
from wiretape.server.parsing import complaint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import StreamReader
    from aiohttp.http import RawRequestMessage


UNWANTED_BODY_S = 10.0
"""How long the rest of a body is read that nobody wants any more."""


class Request:
    """One request, when its head has come.

    Attributes:
        method: as in the request line.
        target: likewise, as it came.
        fields: its header fields by name, in any case.
        raw_headers: its header fields as they came, in order.
        http_1_0: whether its client speaks an older HTTP than 1.1.
        persists: whether another request may follow on the connection.
        content: its body.
    """

    __slots__ = (
        "content",
        "fields",
        "http_1_0",
        "method",
        "persists",
        "raw_headers",
        "target",
    )

    def __init__(self, message: RawRequestMessage, content: StreamReader) -> None:
        self.method = message.method
        self.target = message.path
        self.fields = message.headers
        self.raw_headers = message.raw_headers
        self.http_1_0 = message.version < (1, 1)
        # Not after one that asks for another protocol: what follows may be in it.
        self.persists = not (message.should_close or message.upgrade)
        self.content = content

    @property
    def has_body(self) -> bool:
        """Whether it has a body, of no length perhaps."""
        return self.content is not EMPTY_PAYLOAD

    @property
    def declared_length(self) -> int | None:
        """How many bytes its head says that its body has.

        Raises:
            BrokenBodyError: more than any body has.
        """
        length = self.fields.get("Content-Length")
        try:
            return None if length is None else declared_bytes(length)
        except FramingError as error:
            raise BrokenBodyError(str(error)) from None

    @property
    def waits_to_go_on(self) -> bool:
        """Whether its body is sent only once it is asked for."""
        expects = "100-continue" in self.fields.get("Expect", "").lower()
        return expects and self.has_body and not self.http_1_0  # RFC 9110, section 10.1.1


class BodyTimeoutError(Exception):
    """A client has begun a body and sends no more of it."""


class BrokenBodyError(Exception):
    """What a client sends for a body is no HTTP."""


class StreamedBody:
    """A request body over the size limit: passed on as it comes, and only its digest kept.

    Args:
        request: its.
        beginning: what has been read of it.
        timeout_s: how long nothing may come of it.

    Attributes:
        declared_length: as the request's head says.
        failure: why it cannot be read to its end; None while it can.
    """

    def __init__(self, request: Request, beginning: bytes, timeout_s: float) -> None:
        self._content = request.content
        self._beginning = beginning
        self._timeout_s = timeout_s
        self._digest = hashlib.sha256()
        self._length = 0
        self.declared_length = request.declared_length
        self.failure: BodyTimeoutError | BrokenBodyError | None = None

    async def stream(self) -> AsyncIterator[bytes]:
        """The whole body, piece by piece.

        Raises:
            BodyTimeoutError: nothing more came of it.
            BrokenBodyError: it is framed wrongly.
        """
        if self._beginning:
            yield self._seen(self._beginning)
            self._beginning = b""
        while data := await self._next():
            yield self._seen(data)

    async def _next(self) -> bytes:
        try:
            return await _piece(self._content, self._timeout_s)
        except (BodyTimeoutError, BrokenBodyError) as error:
            self.failure = error
            raise

    async def skip_rest(self) -> None:
        """Read what nobody wants any more, so that the digest is of the whole body.

        Where it does not come, or not for long, the digest stays as it is.
        """
        await asyncio.sleep(0)  # who has been told to read it no more lets go of it first
        try:
            async with asyncio.timeout(UNWANTED_BODY_S):
                async for _ in self.stream():
                    pass
        except (TimeoutError, BodyTimeoutError):
            # Nor is it to be waited for again, by who would have the connection serve on.
            self._content.set_exception(TimeoutError())
        except BrokenBodyError:
            pass

    def body(self) -> Body:
        """What is kept of the body, as far as it has come."""
        return Body(None, self._length, self._digest.hexdigest())

    def _seen(self, data: bytes) -> bytes:
        self._digest.update(data)
        self._length += len(data)
        return data


async def read_body(request: Request, limit_bytes: int, timeout_s: float) -> bytes | StreamedBody:
    """A request's body: whole if it is within the limit, else as a stream.

    Raises:
        BodyTimeoutError: nothing more came of it for `timeout_s`.
        BrokenBodyError: it is framed wrongly.
    """
    declared = request.declared_length or 0
    if not request.has_body:
        if declared:  # more than the parser can count, so it takes it for none
            raise BrokenBodyError(f"it cannot have {declared} bytes")
        return b""
    if declared > limit_bytes:
        return StreamedBody(request, b"", timeout_s)
    content = request.content
    if content.is_eof():  # it came with its head
        data = content.read_nowait()
        return StreamedBody(request, data, timeout_s) if len(data) > limit_bytes else data
    read: list[bytes] = []
    size_bytes = 0
    while data := await _piece(content, timeout_s):
        read.append(data)
        size_bytes += len(data)
        if size_bytes > limit_bytes:
            return StreamedBody(request, b"".join(read), timeout_s)
    return read[0] if len(read) == 1 else b"".join(read)


async def _piece(content: StreamReader, timeout_s: float) -> bytes:
    """What comes next of a body; empty at its end."""
    try:
        async with asyncio.timeout(timeout_s):
            return await content.readany()
    except TimeoutError:
        raise BodyTimeoutError from None
    except HttpProcessingError as error:
        raise BrokenBodyError(complaint(error)) from None
