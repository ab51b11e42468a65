"""The least that a streaming proxy on aiohttp can be: what wiretape is compared with.

    python tests/bench/passthrough.py PORT UPSTREAM_URL

It passes on every chunk as it comes, with its boundaries, and does nothing else: it records
nothing, counts nothing, handles no failure. aiohttp's fast parts are used: the low-level server,
one session, no access log, no cookies, no decompression.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy
from yarl import URL

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


def end_to_end(headers: CIMultiDictProxy[str]) -> list[tuple[str, str]]:
    return [field for field in headers.items() if field[0].lower() not in HOP_BY_HOP]


def passing_to(
    upstream: str, session: aiohttp.ClientSession
) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        async with session.request(
            request.method,
            URL(upstream + request.raw_path, encoded=True),
            headers=end_to_end(request.headers),
            data=await request.read(),
            allow_redirects=False,
        ) as answer:
            response = web.StreamResponse(
                status=answer.status, reason=answer.reason, headers=end_to_end(answer.headers)
            )
            if answer.content_length is None:
                response.enable_chunked_encoding()
            await response.prepare(request)
            async for data, _ in answer.content.iter_chunks():
                await response.write(data)
            await response.write_eof()
            return response

    return handle


async def serve(port: int, upstream: str) -> None:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
    ) as session:
        server = web.Server(passing_to(upstream, session), access_log=None)
        runner = web.ServerRunner(server)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
