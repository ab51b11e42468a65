"""aiohttp's server with what a proxy needs of it: limits, logging, and when requests came."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.http import HttpProcessingError

from wiretape.server.clock import monotonic_ns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)

_HEADER_LIMIT_BYTES = 256 * 1024
_HEADER_COUNT_LIMIT = 1000
_KEEP_ALIVE_S = 75.0


class _Client(web.RequestHandler):
    """A client's connection, which keeps the time at which something last came on it."""

    __slots__ = ("came_ns",)

    def __init__(self, manager: web.Server, **options: Any) -> None:
        super().__init__(manager, **options)
        self.came_ns = 0

    def data_received(self, data: bytes) -> None:
        """Bytes have come; who handles them has to wait for its turn."""
        self.came_ns = monotonic_ns()
        super().data_received(data)


class Listener(web.Server):
    """The server that a proxy listens with.

    Args:
        handle: answers one request.
    """

    def __init__(self, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(handle, handler_cancellation=True)

    def __call__(self) -> web.RequestHandler:
        """A new connection."""
        return _Client(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,
            logger=_log,
            auto_decompress=False,
            keepalive_timeout=_KEEP_ALIVE_S,
            max_line_size=_HEADER_LIMIT_BYTES,
            max_field_size=_HEADER_LIMIT_BYTES,
            max_headers=_HEADER_COUNT_LIMIT,
        )


def came_ns(request: web.BaseRequest) -> int:
    """When a request came, on the monotonic clock: the last of it that has been read by now."""
    client = request.protocol
    return client.came_ns if isinstance(client, _Client) else monotonic_ns()


def _in_one_line(record: logging.LogRecord) -> bool:
    """Have aiohttp's parser complain of a client in one line, without a traceback."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg = "refused a request that is not HTTP: %s"
        record.args = (" ".join(error.message.rstrip("\n ^").split()),)
        record.exc_info = record.exc_text = None
    return True


_log.addFilter(_in_one_line)
