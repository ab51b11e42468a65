"""One client's connection: bytes come in, and out of them requests, answered one after the other.

aiohttp's parser reads heads and bodies; who answers is given, and what is written is framed by
`downstream`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser, StreamWriter

from wiretape.cassette.secrets import Secrets
from wiretape.server.clock import monotonic_ns
from wiretape.server.downstream import Downstream, error_answer
from wiretape.server.request import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from aiohttp import StreamReader
    from aiohttp.http import RawRequestMessage

    Handle = Callable[[Request, Downstream], Awaitable[None]]

_log = logging.getLogger(__name__)

_HEADER_LIMIT_BYTES = 256 * 1024
_HEADER_COUNT_LIMIT = 1000
_BODY_BUFFER_BYTES = 256 * 1024
_READ_BYTES = 64 * 1024
_WAITING_LIMIT = 16
_UNWANTED_BODY_S = 10.0
_LONGEST_ERROR = 200
_SECRETS = Secrets()


class ClientConnection(BaseProtocol):
    """A connection, whose requests are answered in their order, each when the one before is done.

    Args:
        handle: answers one request. It is cancelled when the client leaves.
        connections: holds this one for as long as it is open.

    Attributes:
        came_ns: when something last came on it, on the monotonic clock.
        asked: how many requests have come on it.
        transport: None once it is gone.
    """

    def __init__(self, handle: Handle, connections: set[ClientConnection]) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(loop)
        self.came_ns = 0
        self.asked = 0
        self._handle = handle
        self._connections = connections
        self._parser: HttpRequestParser | None = HttpRequestParser(
            self,
            loop,
            _BODY_BUFFER_BYTES,
            max_line_size=_HEADER_LIMIT_BYTES,
            max_field_size=_HEADER_LIMIT_BYTES,
            max_headers=_HEADER_COUNT_LIMIT,
            auto_decompress=False,
        )
        self._waiting: deque[tuple[RawRequestMessage, StreamReader] | HttpProcessingError] = deque()
        self._holds = False
        self._content: StreamReader | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def answering(self) -> bool:
        """Whether a request that came on it is being answered."""
        return self._task is not None

    async def drain(self) -> None:
        """Wait until the client has read enough for more to be sent.

        Raises:
            ConnectionError: the client is gone.
        """
        await StreamWriter(self, self._loop).drain()

    def close(self) -> None:
        """Close it, once what was written has been sent."""
        if self._task is not None:
            self._task.cancel()
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Close it at once."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client has connected, and agreed on TLS where that is spoken."""
        super().connection_made(transport)
        self._connections.add(self)
        if hasattr(transport, "max_size"):  # as asyncio's own plain transports have it
            # Each read takes that much memory first: more than this, and malloc(3) asks the kernel
            # for it, each time.
            transport.max_size = _READ_BYTES

    def data_received(self, data: bytes) -> None:
        """Bytes have come from the client."""
        parser = self._parser
        if parser is None:
            return
        if data:
            self.came_ns = monotonic_ns()
        try:
            messages, upgraded, rest = parser.feed_data(data)
            while upgraded:
                # No other protocol is spoken here; who asks for one may go on in HTTP.
                parser.set_upgraded(False)
                if messages:
                    self._take(messages)
                messages, upgraded, rest = parser.feed_data(rest)
        except HttpProcessingError as error:
            self._parser = None
            self._break_off(error)
            return
        if messages:
            self._take(messages)

    def resume_reading(self, *args: Any, **options: Any) -> None:
        """Let more come: a body has been read as far as it had come, or has ended."""
        if self._reading_paused:  # which is seldom, and to look again takes a while
            super().resume_reading(*args, **options)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone; without an error if the client closed it."""
        super().connection_lost(exc)
        self._connections.discard(self)
        self._parser = None
        content, self._content = self._content, None
        if content is not None and not content.is_eof():
            content.set_exception(exc or ConnectionResetError("the client left"))
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    def _take(self, messages: list[tuple[RawRequestMessage, StreamReader]]) -> None:
        self._waiting.extend(messages)
        self.asked += len(messages)
        self._content = messages[-1][1]
        if self._task is None:
            self._task = self._loop.create_task(self._answer_all())
        elif len(self._waiting) > _WAITING_LIMIT and self.transport is not None:
            self._holds = True
            self.transport.pause_reading()

    def _break_off(self, error: HttpProcessingError) -> None:
        """What came is not HTTP, and where the next request would begin is not known."""
        if self._content is not None and not self._content.is_eof():
            self._content.set_exception(error)
            return
        self._waiting.append(error)
        if self._task is None:
            self._task = self._loop.create_task(self._answer_all())

    async def _answer_all(self) -> None:
        """Answer what has come. Whatever keeps that from its end closes the connection."""
        try:
            while self._waiting:
                if not await self._answer(self._waiting.popleft()):
                    break
                if self._holds and len(self._waiting) < _WAITING_LIMIT:
                    self._go_on()
            else:
                self._task = None
        finally:
            if self._task is not None:
                self._task = None
                self.close()

    async def _answer(
        self, came: tuple[RawRequestMessage, StreamReader] | HttpProcessingError
    ) -> bool:
        """Answer one request; whether another may follow."""
        if isinstance(came, HttpProcessingError):
            self._refuse(came)
            return False
        request = Request(*came)
        downstream = Downstream(
            self, request.method, http_1_0=request.http_1_0, persists=request.persists
        )
        await self._handle(request, downstream)
        if self.transport is None or self.transport.is_closing():
            return False
        # A connection that is closed with something unread is reset, and the answer with it.
        return (request.content.is_eof() or await _skip(request.content)) and downstream.persists

    def _refuse(self, error: HttpProcessingError) -> None:
        text = " ".join(error.message.rstrip("\n ^").split())[:_LONGEST_ERROR]
        text = _SECRETS.redact_text(text)
        _log.warning("refused a request that is not HTTP: %s", text)
        downstream = Downstream(self, "GET", http_1_0=False, persists=False)
        downstream.answer(error_answer(400, "/", f"this is not HTTP: {text}"))

    def _go_on(self) -> None:
        self._holds = False
        if self.transport is not None and not self._reading_paused:
            self.transport.resume_reading()


async def _skip(content: StreamReader) -> bool:
    """Read a body that nobody wanted to its end; False if that would take too long."""
    with contextlib.suppress(TimeoutError, HttpProcessingError):
        async with asyncio.timeout(_UNWANTED_BODY_S):
            while not content.is_eof():
                await content.readany()
    return content.is_eof()
