"""What LangChain's chat models have in common; each model's own module says which it is."""

from __future__ import annotations

import functools
import operator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import StructuredTool

from support.rounds import ASK_TWO, DESCRIPTION, NAME, PARAMETERS, Tools, as_finished


async def stream(model: BaseChatModel) -> Any:
    chunks = [chunk async for chunk in model.astream("What is the capital of France?")]
    whole = functools.reduce(operator.add, chunks)
    return {"text": whole.text, "usage": whole.usage_metadata["total_tokens"]}


async def tools(model: BaseChatModel, tools: Tools) -> Any:
    tool = StructuredTool(
        name=NAME, description=DESCRIPTION, args_schema=PARAMETERS, coroutine=tools.run_command
    )
    bound = model.bind_tools([tool])
    messages: list[BaseMessage] = [HumanMessage(ASK_TWO)]

    async def turn() -> Any:
        return functools.reduce(operator.add, [chunk async for chunk in bound.astream(messages)])

    async def run(call: Any) -> ToolMessage:
        return await tool.ainvoke({**call, "type": "tool_call"})

    first = await turn()
    messages += [first, *await as_finished(run(call) for call in first.tool_calls)]
    last = await turn()
    return {"calls": [call["args"]["command"] for call in first.tool_calls], "answer": last.text}


async def cancelled(model: BaseChatModel) -> Any:
    pieces: list[str] = []
    chunks: Any = model.astream("Tell me a long story about a fox.")
    async for chunk in chunks:
        if chunk.text:
            pieces.append(chunk.text)
        if len(pieces) == 3:
            await chunks.aclose()
            break
    return pieces
