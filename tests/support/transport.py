"""A transport to nowhere, which notes what is done to it, on an event loop that is let go on."""

from __future__ import annotations

import asyncio


class Wire(asyncio.Transport):
    """In the place of a connection's own transport."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False
        self.paused = False
        self.sent = b""
        self.unsent_bytes = 0

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


async def turns(count: int = 10) -> None:
    """Let the event loop go on, so that all that is due has happened."""
    for _ in range(count):
        await asyncio.sleep(0)
