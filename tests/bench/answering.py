"""The least that a replaying server on aiohttp can be: what instant replay is compared with.

    python tests/bench/answering.py PORT CASSETTE

It answers each request with the chunks that the cassette has for it, found by the request's last
message, each with a write of its own, as fast as they go: no order, no pace, no misses.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from aiohttp import web

from wiretape.cassette.loader import load

Answers = Mapping[str, list[bytes]]


def answers_of(cassette: Path) -> Answers:
    return {
        last_message(interaction.request.body.content or b""): [
            chunk.data for chunk in interaction.chunks
        ]
        for interaction in load(cassette).interactions()
    }


def last_message(body: bytes) -> str:
    return str(json.loads(body)["messages"][-1]["content"])


def answering(answers: Answers) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if not request.can_read_body:
            return web.Response(text="ok")
        chunks = answers[last_message(await request.read())]
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()
        return response

    return handle


async def serve(port: int, cassette: Path) -> None:
    server = web.Server(answering(answers_of(cassette)), access_log=None)
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
