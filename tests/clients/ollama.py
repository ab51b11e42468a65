"""ollama's own client, on its own API."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import ollama

from support.rounds import ASK_TWO, MODEL, TOOL, Tools, as_finished


@contextlib.asynccontextmanager
async def _client() -> AsyncIterator[ollama.AsyncClient]:
    client = ollama.AsyncClient()
    try:
        yield client
    finally:
        await client._client.aclose()  # noqa: SLF001  it has no public way to close


async def stream() -> Any:
    text, reason, count = "", None, None
    async with _client() as client:
        parts = await client.chat(
            model=MODEL,
            messages=[{"role": "user", "content": "What is the capital of France?"}],
            stream=True,
            options={"temperature": 0, "num_predict": 40},
        )
        async for part in parts:
            text += part.message.content or ""
            reason, count = part.done_reason, part.eval_count
    return {"text": text, "done_reason": reason, "eval_count": count}


async def tools(tools: Tools) -> Any:
    messages: list[Any] = [{"role": "user", "content": ASK_TWO}]
    async with _client() as client:
        first = await _turn(client, messages)
        calls = first.pop("tool_calls")
        messages.append({**first, "tool_calls": calls})

        async def run(call: Any) -> dict[str, Any]:
            output = await tools.run_command(**call.function.arguments)
            return {"role": "tool", "tool_name": call.function.name, "content": output}

        messages += await as_finished(run(call) for call in calls)
        last = await _turn(client, messages)
    commands = [call.function.arguments["command"] for call in calls]
    return {"calls": commands, "answer": last["content"]}


async def _turn(client: ollama.AsyncClient, messages: list[Any]) -> dict[str, Any]:
    content, calls = "", []
    parts = await client.chat(
        model=MODEL,
        messages=messages,
        tools=[TOOL],
        stream=True,
        options={"temperature": 0, "num_predict": 60},
    )
    async for part in parts:
        content += part.message.content or ""
        calls += part.message.tool_calls or []
    return {"role": "assistant", "content": content, "tool_calls": calls}


async def cancelled() -> Any:
    pieces: list[str] = []
    async with _client() as client:
        parts: Any = await client.chat(
            model=MODEL,
            messages=[{"role": "user", "content": "Tell me a long story about a fox."}],
            stream=True,
            options={"temperature": 0, "num_predict": 200},
        )
        async for part in parts:
            pieces.append(part.message.content)
            if len(pieces) == 3:
                await parts.aclose()
                break
    return pieces
