"""LangChain's chat model of ollama, on ollama's own API."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from langchain_ollama import ChatOllama

from clients import langchain
from support.rounds import MODEL, Tools


@contextlib.asynccontextmanager
async def _model(max_tokens: int) -> AsyncIterator[ChatOllama]:
    model = ChatOllama(model=MODEL, temperature=0, num_predict=max_tokens)
    try:
        yield model
    finally:
        await model._async_client._client.aclose()  # noqa: SLF001  it has no public way to close
        model._client._client.close()  # noqa: SLF001  as above


async def stream() -> Any:
    async with _model(40) as model:
        return await langchain.stream(model)


async def tools(tools: Tools) -> Any:
    async with _model(60) as model:
        return await langchain.tools(model, tools)


async def cancelled() -> Any:
    async with _model(200) as model:
        return await langchain.cancelled(model)
