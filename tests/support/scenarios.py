"""What real clients ask of real engines: recorded once by tests/live, replayed by the tests.

Each scenario talks through a vendor's own SDK to a base URL without `/v1`, and returns what it
got as plain JSON values, to be compared between a live run and its replay.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import ollama
import openai

from support.rounds import ASK_TWO, MODEL, OUTPUTS, TOOL

Scenario = Callable[[str], Awaitable[Any]]
_ASK_TWO: Any = [{"role": "user", "content": ASK_TWO}]


def _openai(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="sk-none", max_retries=0)


async def chat_text(url: str) -> Any:
    """A streamed answer in text."""
    async with _openai(url) as client:
        return await _chat_text(client, "What is the capital of France?")


async def _chat_text(client: openai.AsyncOpenAI, question: str) -> dict[str, Any]:
    stream = await client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": question}],
        temperature=0,
        max_tokens=40,
        stream=True,
    )
    text, finish = "", None
    async for event in stream:
        for choice in event.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    return {"text": text, "finish_reason": finish}


async def chat_parallel_streams(url: str) -> Any:
    """Three streams at once, from one client."""
    questions = ("Name three colours.", "Name three animals.", "Name three rivers.")
    async with _openai(url) as client:
        return await asyncio.gather(*(_chat_text(client, each) for each in questions))


async def chat_tools(url: str) -> Any:
    """Parallel tool calls, run at once, their results sent back for a second turn."""
    messages = list(_ASK_TWO)
    async with _openai(url) as client:
        first = await _chat_with_tools(client, messages)
        calls = first["tool_calls"]
        messages.append({"role": "assistant", "content": None, "tool_calls": calls})
        results = await asyncio.gather(*(_run(call) for call in calls))
        messages += results
        return [first, await _chat_with_tools(client, messages)]


async def _chat_with_tools(client: openai.AsyncOpenAI, messages: list[Any]) -> dict[str, Any]:
    stream = await client.chat.completions.create(
        model=MODEL,
        messages=messages,
        tools=[TOOL],
        temperature=0,
        max_tokens=120,
        stream=True,
    )
    text, finish = "", None
    calls: dict[int, dict[str, Any]] = {}
    async for event in stream:
        for choice in event.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
            for part in choice.delta.tool_calls or []:
                call = calls.setdefault(
                    part.index,
                    {"id": "", "type": "function", "function": {"name": "", "arguments": ""}},
                )
                call["id"] += part.id or ""
                if part.function:
                    call["function"]["name"] += part.function.name or ""
                    call["function"]["arguments"] += part.function.arguments or ""
    return {"text": text, "finish_reason": finish, "tool_calls": list(calls.values())}


async def _run(call: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(0)
    command = json.loads(call["function"]["arguments"])["command"]
    output = OUTPUTS.get(command, f"{command}: not found")
    return {"role": "tool", "tool_call_id": call["id"], "content": output}


async def chat_cancelled(url: str) -> Any:
    """A stream that its client leaves after the third piece of text."""
    pieces: list[str] = []
    async with _openai(url) as client:
        stream = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Tell me a long story about a fox."}],
            temperature=0,
            max_tokens=200,
            stream=True,
        )
        async for event in stream:
            pieces += [choice.delta.content for choice in event.choices if choice.delta.content]
            if len(pieces) == 3:
                await stream.close()
                break
    return pieces


async def chat_error(url: str) -> Any:
    """A request that the engine refuses."""
    bad: Any = [{"role": "user", "content": [{"type": "nonsense"}]}]
    async with _openai(url) as client:
        try:
            await client.chat.completions.create(model=MODEL, messages=bad, stream=True)
        except openai.APIStatusError as error:
            return {"status": error.status_code, "message": error.message}
    return None


async def responses_text(url: str) -> Any:
    """A stream of the Responses API."""
    async with _openai(url) as client:
        stream = await client.responses.create(
            model=MODEL,
            input="What is the capital of Italy?",
            temperature=0,
            max_output_tokens=40,
            stream=True,
        )
        kinds: list[str] = []
        text = ""
        async for event in stream:
            kinds.append(event.type)
            if event.type == "response.output_text.delta":
                text += event.delta
    return {"text": text, "events": kinds}


async def messages_text(url: str) -> Any:
    """A stream of the Messages API."""
    async with (
        anthropic.AsyncAnthropic(base_url=url, api_key="none", max_retries=0) as client,
        client.messages.stream(
            model=MODEL,
            max_tokens=40,
            messages=[{"role": "user", "content": "What is the capital of Spain?"}],
            extra_body={"temperature": 0},
        ) as stream,
    ):
        text = "".join([piece async for piece in stream.text_stream])
        final = await stream.get_final_message()
    return {"text": text, "stop_reason": final.stop_reason}


async def ollama_text(url: str) -> Any:
    """A stream of ollama's own API, in NDJSON."""
    return await _ollama_chat(url, [{"role": "user", "content": "What is the capital of Japan?"}])


async def ollama_tools(url: str) -> Any:
    """Parallel tool calls through ollama's own API."""
    return await _ollama_chat(url, list(_ASK_TWO), tools=[TOOL])


async def _ollama_chat(url: str, messages: list[Any], **options: Any) -> Any:
    client = ollama.AsyncClient(host=url)
    text, reason = "", None
    calls: list[Any] = []
    stream = await client.chat(
        model=MODEL,
        messages=messages,
        stream=True,
        options={"temperature": 0, "num_predict": 120},
        **options,
    )
    async for part in stream:
        text += part.message.content or ""
        reason = part.done_reason or reason
        calls += [each.model_dump() for each in part.message.tool_calls or []]
    await client._client.aclose()  # noqa: SLF001  the SDK has no public way to close
    return {"text": text, "done_reason": reason, "tool_calls": calls}


async def demo(url: str) -> Any:
    """What `wiretape demo` ships: a round of parallel tool calls while another stream runs."""
    return await asyncio.gather(chat_tools(url), chat_text(url))


COMMON: dict[str, Scenario] = {
    "chat-text": chat_text,
    "chat-tools": chat_tools,
    "chat-parallel-streams": chat_parallel_streams,
    "chat-cancelled": chat_cancelled,
    "chat-error": chat_error,
}
SCENARIOS: dict[str, dict[str, Scenario]] = {
    "llamacpp": {
        **COMMON,
        "responses-text": responses_text,
        "messages-text": messages_text,
    },
    "ollama-0.6.5": {**COMMON, "api-chat-text": ollama_text, "api-chat-tools": ollama_tools},
    "ollama-0.24.0": {
        **COMMON,
        "responses-text": responses_text,
        "messages-text": messages_text,
        "api-chat-text": ollama_text,
        "api-chat-tools": ollama_tools,
    },
}
