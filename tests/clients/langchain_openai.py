"""LangChain's chat model of OpenAI, on chat completions."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from langchain_openai import ChatOpenAI
from openai import DefaultAsyncHttpxClient

from clients import langchain
from support.rounds import MODEL, Tools


@contextlib.asynccontextmanager
async def _model(max_tokens: int) -> AsyncIterator[ChatOpenAI]:
    # Left to itself it shares a client for the life of the process, and never closes it.
    async with DefaultAsyncHttpxClient() as http:
        yield ChatOpenAI(
            model=MODEL,
            temperature=0,
            max_tokens=max_tokens,
            stream_usage=True,
            http_async_client=http,
        )


async def stream() -> Any:
    async with _model(40) as model:
        return await langchain.stream(model)


async def tools(tools: Tools) -> Any:
    async with _model(60) as model:
        return await langchain.tools(model, tools)


async def cancelled() -> Any:
    async with _model(200) as model:
        return await langchain.cancelled(model)
