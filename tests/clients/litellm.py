"""litellm, on chat completions."""

from __future__ import annotations

import json
from typing import Any

import litellm

from support.rounds import ASK_TWO, MODEL, TOOL, Tools, as_finished

_MODEL = f"openai/{MODEL}"


async def stream() -> Any:
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    parts = await litellm.acompletion(
        _MODEL,
        messages,
        temperature=0,
        max_tokens=40,
        stream=True,
        stream_options={"include_usage": True},
    )
    whole = litellm.stream_chunk_builder([part async for part in parts])
    choice = whole.choices[0]
    return {
        "text": choice.message.content,
        "finish_reason": choice.finish_reason,
        "usage": whole.usage.total_tokens,
    }


async def tools(tools: Tools) -> Any:
    messages: list[Any] = [{"role": "user", "content": ASK_TWO}]
    first = await _turn(messages)

    async def run(call: Any) -> dict[str, Any]:
        output = await tools.run_command(**json.loads(call.function.arguments))
        return {"role": "tool", "tool_call_id": call.id, "content": output}

    results = await as_finished(run(call) for call in first.tool_calls)
    messages += [first.model_dump(), *results]
    last = await _turn(messages)
    commands = [json.loads(call.function.arguments)["command"] for call in first.tool_calls]
    return {"calls": commands, "answer": last.content}


async def _turn(messages: list[Any]) -> Any:
    parts = await litellm.acompletion(
        _MODEL, messages, tools=[TOOL], temperature=0, max_tokens=60, stream=True
    )
    return litellm.stream_chunk_builder([part async for part in parts]).choices[0].message


async def cancelled() -> Any:
    pieces: list[str] = []
    messages = [{"role": "user", "content": "Tell me a long story about a fox."}]
    parts: Any = await litellm.acompletion(
        _MODEL, messages, temperature=0, max_tokens=200, stream=True
    )
    async for part in parts:
        if part.choices[0].delta.content:
            pieces.append(part.choices[0].delta.content)
        if len(pieces) == 3:
            await parts.aclose()
            break
    return pieces
