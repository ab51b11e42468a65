"""OpenAI's Agents SDK with its own loop, on the Responses API."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from agents import (
    Agent,
    ModelSettings,
    OpenAIProvider,
    RunConfig,
    Runner,
    RunResultStreaming,
    function_tool,
)
from openai import AsyncOpenAI

from support.rounds import ASK_TWO, DESCRIPTION, MODEL, NAME, Tools


@contextlib.asynccontextmanager
async def _run(max_tokens: int, prompt: str, **options: Any) -> AsyncIterator[RunResultStreaming]:
    settings = ModelSettings(temperature=0, max_tokens=max_tokens)
    agent = Agent(name="agent", model=MODEL, model_settings=settings, **options)
    # Left to itself it keeps its first client for the life of the process, with that base URL.
    async with AsyncOpenAI() as client:
        config = RunConfig(
            model_provider=OpenAIProvider(openai_client=client),
            tracing_disabled=True,  # traces go to OpenAI, not to the base URL
        )
        yield Runner.run_streamed(agent, prompt, run_config=config)


async def stream() -> Any:
    async with _run(40, "What is the capital of France?") as run:
        text = "".join([piece async for piece in _pieces(run)])
        return {"text": text, "output_tokens": run.context_wrapper.usage.output_tokens}


async def tools(tools: Tools) -> Any:
    tool = function_tool(tools.run_command, name_override=NAME, description_override=DESCRIPTION)
    async with _run(60, ASK_TWO, tools=[tool]) as run:
        calls = [
            json.loads(event.item.raw_item.arguments)["command"]
            async for event in run.stream_events()
            if event.type == "run_item_stream_event" and event.name == "tool_called"
        ]
        return {"calls": calls, "answer": run.final_output}


async def cancelled() -> Any:
    pieces: list[str] = []
    async with _run(200, "Tell me a long story about a fox.") as run:
        async for piece in _pieces(run):
            pieces.append(piece)
            if len(pieces) == 3:
                run.cancel()
                break
    return pieces


async def _pieces(run: RunResultStreaming) -> AsyncIterator[str]:
    async for event in run.stream_events():
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
            yield event.data.delta
