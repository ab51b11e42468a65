"""One client's connection: bytes come in, and out of them requests, answered one after the other.

aiohttp's parser reads heads and bodies; who answers is given, and what is written is framed by
`downstream`. What comes after a request that is not HTTP in the same read takes that request with
it: the parser gives neither out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser, StreamWriter

from wiretape.server.clock import monotonic_ns
from wiretape.server.downstream import Downstream, error_answer
from wiretape.server.parsing import OPTIONS, complaint
from wiretape.server.peer import has_left, unsent_bytes
from wiretape.server.request import UNWANTED_BODY_S, Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any

    from aiohttp import StreamReader
    from aiohttp.http import RawRequestMessage

    Handle = Callable[[Request, Downstream], Awaitable[None]]

_log = logging.getLogger(__name__)

_BODY_BUFFER_BYTES = 256 * 1024
_READ_BYTES = 64 * 1024
_MANY_WAITING = 16
_LOOK_S = 0.5
_LAST_ANSWER_S = 2.0
# What a browser asks for to show it, rather than to hand it to a script of its page. By names that
# are not of this machine, and without TLS, it says no more than that it would rather have TLS.
_PAGES = frozenset({"document", "embed", "fencedframe", "frame", "iframe", "object"})


class ClientConnection(BaseProtocol):
    """A connection, whose requests are answered in their order, each when the one before is done.

    Args:
        handle: answers one request. It is cancelled when the client leaves.
        connections: holds this one for as long as it is open.
        stopped: whether no more requests are to be taken.

    Attributes:
        came_ns: when something last came on it, on the monotonic clock.
        asked: how many requests have come on it.
        transport: None once it is gone.
    """

    def __init__(
        self,
        handle: Handle,
        connections: set[ClientConnection],
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(asyncio.get_running_loop())
        self.came_ns = 0
        self.asked = 0
        self._handle = handle
        self._connections = connections
        self._stopped = stopped
        self._parser: HttpRequestParser | None = self._new_parser()
        self._chunked = False
        self._last_bytes = b""
        self._waiting: deque[tuple[RawRequestMessage, StreamReader] | HttpProcessingError] = deque()
        self._content: StreamReader | None = None
        self._retires = False
        self._task: asyncio.Task[None] | None = None
        self._looks: asyncio.TimerHandle | None = None

    @property
    def answering(self) -> bool:
        """Whether a request that came on it is being answered."""
        return self._task is not None

    @property
    def progress(self) -> tuple[int, int]:
        """Another value after each request, and after more of an answer has reached the client."""
        return self.asked, self.unsent_bytes

    @property
    def unsent_bytes(self) -> int:
        """How much of what was written is still here, for the client has not read on."""
        return 0 if self.transport is None else unsent_bytes(self.transport)

    async def drain(self) -> None:
        """Wait until the client has read enough for more to be sent, or is gone.

        Raises:
            ConnectionError: it went with an error.
        """
        await StreamWriter(self, self._loop).drain()

    def retire(self) -> None:
        """Take no more requests: close it, if need be when the one under way has been answered."""
        self._retires = True
        if self._task is None:
            self.close()

    def close(self) -> None:
        """Close it, once what was written has been sent."""
        if self._task is not None:
            self._task.cancel()
        # Closed twice, asyncio's TLS transports can no longer be asked anything, nor aborted.
        if self.transport is not None and not self.transport.is_closing():
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
        if self._stopped():  # since it was accepted: with TLS that is a while ago
            self._take_no_more()
            self.close()

    def data_received(self, data: bytes) -> None:
        """Bytes have come from the client."""
        if self._parser is None:
            return  # no more is taken
        if data:
            self.came_ns = monotonic_ns()
        try:
            messages, upgraded, _ = self._parser.feed_data(data)
        except HttpProcessingError as error:
            self._parser = None
            self._break_off(error)
            return
        if messages:
            self._take(messages)
        if upgraded:
            self._parser = None
        elif self._chunked:
            self._follow_chunked(data)

    def resume_reading(self, *args: Any, **options: Any) -> None:
        """Let more come: a body has been read as far as it had come, or has ended."""
        # To look whether more of it waits in the parser takes a while, and none does where the
        # last body has ended.
        if self._reading_paused or (self._content is not None and not self._content.is_eof()):
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
        if self._looks is not None:
            self._looks.cancel()

    def _pause_transport_reading(self) -> None:
        super()._pause_transport_reading()
        if self._looks is None:
            self._looks = self._loop.call_later(_LOOK_S, self._look)

    def _look(self) -> None:
        """See whether the client has left, which nothing tells while its socket is not read."""
        self._looks = None
        if self.transport is None or self.transport.is_reading():
            return
        if has_left(self.transport):
            self.abort()
        else:
            self._looks = self._loop.call_later(_LOOK_S, self._look)

    def _take(self, messages: Sequence[tuple[RawRequestMessage, StreamReader]]) -> None:
        for message, content in messages:
            if self._chunked:  # and this one was parsed with what that left
                self._take_no_more()
                break
            self.asked += 1
            self._chunked = message.chunked
            self._content = content
            self._waiting.append((message, content))
        self._begin()
        if len(self._waiting) > _MANY_WAITING and not self._buffer_paused:
            self._pause_reading_for_buffer()

    def _follow_chunked(self, data: bytes) -> None:
        """Begin anew after a chunked body: its trailer stays in the parser, for the next request.

        Args:
            data: what has come last, of the body or its head.
        """
        self._last_bytes = (self._last_bytes + data[-4:])[-4:]
        if self._content is None or not self._content.is_eof():
            return
        self._chunked = False
        if self._last_bytes == b"\r\n\r\n":
            self._parser = self._new_parser()
        else:
            self._take_no_more()

    def _take_no_more(self) -> None:
        """Answer what has been taken, and close."""
        self._parser = None
        self._chunked = False
        self._retires = True

    def _new_parser(self) -> HttpRequestParser:
        return HttpRequestParser(self, self._loop, _BODY_BUFFER_BYTES, **OPTIONS)

    def _break_off(self, error: HttpProcessingError) -> None:
        """What came is not HTTP, and where the next request would begin is not known."""
        if self._content is not None and not self._content.is_eof():
            self._content.set_exception(error)
        else:
            self._waiting.append(error)
            self._begin()

    def _begin(self) -> None:
        if self._task is None:
            self._task = self._loop.create_task(self._answer_all())

    async def _answer_all(self) -> None:
        """Answer what has come. Whatever keeps that from its end closes the connection."""
        may_follow = False
        try:
            while self._waiting:
                may_follow = False
                if not await self._answer(self._waiting.popleft()):
                    await self._let_it_be_read()
                    break
                may_follow = True
                if self._buffer_paused and len(self._waiting) < _MANY_WAITING:
                    self._resume_reading_for_buffer()
        finally:
            self._task = None
            if self._retires or not may_follow:
                self.close()

    async def _answer(
        self, came: tuple[RawRequestMessage, StreamReader] | HttpProcessingError
    ) -> bool:
        """Answer one request; whether another may follow."""
        if isinstance(came, HttpProcessingError):
            self._refuse(came)
            return False
        request = Request(*came)
        persists = request.persists and not self._retires
        downstream = Downstream(self, request.method, http_1_0=request.http_1_0, persists=persists)
        downstream.shows_page = (
            request.fields.get("Sec-Fetch-Dest") in _PAGES
            or "Upgrade-Insecure-Requests" in request.fields
        )
        await self._handle(request, downstream)
        if self.writing_paused:
            await self.drain()
        content = request.content
        return (content.is_eof() or await self._skip(content)) and downstream.persists

    async def _skip(self, content: StreamReader) -> bool:
        """Read a body that nobody wanted to its end; False if that cannot be, or takes too long."""
        await asyncio.sleep(0)  # who has been told to read it no more lets go of it first
        if self._is_closing():
            return False
        with contextlib.suppress(TimeoutError, HttpProcessingError):
            async with asyncio.timeout(UNWANTED_BODY_S):
                while not content.is_eof():
                    await content.readany()
        return content.is_eof()

    async def _let_it_be_read(self) -> None:
        """Wait for the client to close, if it may still be sending after its last answer.

        To close with something unread resets the connection, and the answer with it.
        """
        may_send = self._parser is None or self._waiting
        if self.transport is None or self._is_closing() or not may_send:
            return
        self._parser = None
        if self.transport.can_write_eof():
            with contextlib.suppress(OSError):  # where the client has just reset it
                self.transport.write_eof()
        await asyncio.sleep(_LAST_ANSWER_S)

    def _is_closing(self) -> bool:
        return self.transport is None or self.transport.is_closing()

    def _refuse(self, error: HttpProcessingError) -> None:
        text = complaint(error)
        _log.warning("refused a request that is not HTTP: %s", text)
        downstream = Downstream(self, "GET", http_1_0=False, persists=False)
        downstream.answer(error_answer(400, "/", f"this is not HTTP: {text}"))
