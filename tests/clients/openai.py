"""OpenAI's own SDK, on chat completions."""

from __future__ import annotations

import json
from typing import Any

import openai

from support.rounds import ASK_TWO, MODEL, TOOL, Tools, as_finished


async def stream() -> Any:
    text, finish = "", None
    async with openai.AsyncOpenAI() as client:
        events = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "What is the capital of France?"}],
            temperature=0,
            max_tokens=40,
            stream=True,
            stream_options={"include_usage": True},
        )
        async for event in events:
            for choice in event.choices:
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
            usage = event.usage
    return {"text": text, "finish_reason": finish, "usage": usage and usage.total_tokens}


async def tools(tools: Tools) -> Any:
    messages: list[Any] = [{"role": "user", "content": ASK_TWO}]
    async with openai.AsyncOpenAI() as client:
        first = await _turn(client, messages)
        calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {
                    "name": call.function.name,
                    "arguments": tools.spell(call.function.arguments),
                },
            }
            for call in first.tool_calls
        ]
        messages.append({"role": "assistant", "content": first.content, "tool_calls": calls})

        async def run(call: Any) -> dict[str, Any]:
            output = await tools.run_command(**json.loads(call.function.arguments))
            return {"role": "tool", "tool_call_id": call.id, "content": output}

        messages += await as_finished(run(call) for call in first.tool_calls)
        last = await _turn(client, messages)
    commands = [json.loads(call.function.arguments)["command"] for call in first.tool_calls]
    return {"calls": commands, "answer": last.content}


async def _turn(client: openai.AsyncOpenAI, messages: list[Any]) -> Any:
    async with client.chat.completions.stream(
        model=MODEL, messages=messages, tools=[TOOL], temperature=0, max_tokens=60
    ) as events:
        async for _ in events:
            pass
        return (await events.get_final_completion()).choices[0].message


async def cancelled() -> Any:
    pieces: list[str] = []
    async with openai.AsyncOpenAI() as client:
        events = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Tell me a long story about a fox."}],
            temperature=0,
            max_tokens=200,
            stream=True,
        )
        async for event in events:
            pieces += [choice.delta.content for choice in event.choices if choice.delta.content]
            if len(pieces) == 3:
                await events.close()
                break
    return pieces
