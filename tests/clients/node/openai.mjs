// OpenAI's own SDK, on chat completions.

import OpenAI from "openai";

import { asFinished, ASK_TWO, LONG, MODEL, QUESTION, TOOL } from "./rounds.mjs";

const client = new OpenAI();

export async function stream() {
  const events = await client.chat.completions.create({
    model: MODEL,
    messages: [{ role: "user", content: QUESTION }],
    temperature: 0,
    max_tokens: 40,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  let finish_reason = null;
  let usage = null;
  for await (const event of events) {
    text += event.choices[0]?.delta.content ?? "";
    finish_reason = event.choices[0]?.finish_reason ?? finish_reason;
    usage = event.usage?.total_tokens ?? usage;
  }
  return { text, finish_reason, usage };
}

export async function tools(tools) {
  const messages = [{ role: "user", content: ASK_TWO }];
  const first = await turn(messages);
  const calls = first.tool_calls.map(({ id, function: { name, arguments: args } }) => ({
    id,
    type: "function",
    function: { name, arguments: tools.spell(args) },
  }));
  const commands = calls.map((call) => JSON.parse(call.function.arguments).command);
  const results = calls.map(async (call, at) => ({
    role: "tool",
    tool_call_id: call.id,
    content: await tools.runCommand(commands[at]),
  }));
  messages.push({ role: "assistant", content: first.content, tool_calls: calls });
  messages.push(...(await asFinished(results)));
  return { calls: commands, answer: (await turn(messages)).content };
}

async function turn(messages) {
  const events = client.chat.completions.stream({
    model: MODEL,
    messages,
    tools: [TOOL],
    temperature: 0,
    max_tokens: 60,
  });
  return await events.finalMessage();
}

export async function cancelled() {
  const pieces = [];
  const events = await client.chat.completions.create({
    model: MODEL,
    messages: [{ role: "user", content: LONG }],
    temperature: 0,
    max_tokens: 200,
    stream: true,
  });
  for await (const event of events) {
    if (event.choices[0]?.delta.content) pieces.push(event.choices[0].delta.content);
    if (pieces.length === 3) break;
  }
  return pieces;
}
