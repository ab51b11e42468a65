"""pydantic-ai's agent with its own loop, on the Responses API."""

from __future__ import annotations

from typing import Any

from pydantic_ai import Agent, ModelSettings

from support.rounds import ASK_TWO, DESCRIPTION, MODEL, NAME, Tools


def _agent(max_tokens: int) -> Agent[None, str]:
    settings = ModelSettings(temperature=0, max_tokens=max_tokens)
    return Agent(f"openai:{MODEL}", model_settings=settings)


async def stream() -> Any:
    async with _agent(40) as agent, agent.run_stream("What is the capital of France?") as run:
        text = "".join([piece async for piece in run.stream_text(delta=True, debounce_by=None)])
        return {"text": text, "output_tokens": run.usage.output_tokens}


async def tools(tools: Tools) -> Any:
    agent = _agent(60)
    agent.tool_plain(tools.run_command, name=NAME, description=DESCRIPTION)
    calls = []
    async with agent, agent.run_stream_events(ASK_TWO) as events:
        async for event in events:
            if event.event_kind == "function_tool_call":
                calls.append(event.part.args_as_dict()["command"])
            if event.event_kind == "agent_run_result":
                answer = event.result.output
    return {"calls": calls, "answer": answer}


async def cancelled() -> Any:
    pieces: list[str] = []
    async with _agent(200) as agent, agent.run_stream("Tell me a long story about a fox.") as run:
        async for piece in run.stream_text(delta=True, debounce_by=None):
            pieces.append(piece)
            if len(pieces) == 3:
                break
    return pieces
