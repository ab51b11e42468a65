"""In the place of a `Downstream`: a client that reads when the test says so."""

from __future__ import annotations

import asyncio
from typing import Any


class Client:
    """A client's end of an answer.

    Attributes:
        full_with_next: the next that is written fills its socket.
        reads: set while there is room.
    """

    chunked = True
    last_chunk = b"0\r\n\r\n"

    def __init__(self) -> None:
        self.sent = b""
        self.reads = asyncio.Event()
        self.reads.set()
        self.full_with_next = False

    @property
    def paused(self) -> bool:
        return not self.reads.is_set()

    def write_head(self, *_: Any, **__: Any) -> bytes:
        return b"HEAD "

    def write(self, data: bytes) -> None:
        self.sent += data
        if self.full_with_next:
            self.reads.clear()

    async def drain(self) -> None:
        await self.reads.wait()
