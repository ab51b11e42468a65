"""Anthropic's own SDK, on the Messages API."""

from __future__ import annotations

from typing import Any

import anthropic

from support.rounds import ASK_TWO, DESCRIPTION, MODEL, NAME, PARAMETERS, Tools, as_finished

_TOOL: Any = {"name": NAME, "description": DESCRIPTION, "input_schema": PARAMETERS}
_EVEN_TEMPER = {"temperature": 0}


async def stream() -> Any:
    async with (
        anthropic.AsyncAnthropic() as client,
        client.messages.stream(
            model=MODEL,
            max_tokens=40,
            messages=[{"role": "user", "content": "What is the capital of France?"}],
            extra_body=_EVEN_TEMPER,
        ) as events,
    ):
        text = "".join([piece async for piece in events.text_stream])
        final = await events.get_final_message()
    return {
        "text": text,
        "stop_reason": final.stop_reason,
        "output_tokens": final.usage.output_tokens,
    }


async def tools(tools: Tools) -> Any:
    messages: list[Any] = [{"role": "user", "content": ASK_TWO}]
    async with anthropic.AsyncAnthropic() as client:
        first = await _turn(client, messages)
        uses = [block for block in first.content if block.type == "tool_use"]

        async def run(use: Any) -> dict[str, Any]:
            output = await tools.run_command(**use.input)
            return {"type": "tool_result", "tool_use_id": use.id, "content": output}

        results = await as_finished(run(use) for use in uses)
        messages += [
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": results},
        ]
        last = await _turn(client, messages)
    answer = "".join(block.text for block in last.content if block.type == "text")
    return {"calls": [use.input["command"] for use in uses], "answer": answer}


async def _turn(client: anthropic.AsyncAnthropic, messages: list[Any]) -> Any:
    async with client.messages.stream(
        model=MODEL, max_tokens=60, messages=messages, tools=[_TOOL], extra_body=_EVEN_TEMPER
    ) as events:
        return await events.get_final_message()


async def cancelled() -> Any:
    pieces: list[str] = []
    async with (
        anthropic.AsyncAnthropic() as client,
        client.messages.stream(
            model=MODEL,
            max_tokens=200,
            messages=[{"role": "user", "content": "Tell me a long story about a fox."}],
            extra_body=_EVEN_TEMPER,
        ) as events,
    ):
        async for piece in events.text_stream:
            pieces.append(piece)
            if len(pieces) == 3:
                break
    return pieces
