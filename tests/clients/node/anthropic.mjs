// Anthropic's own SDK, on the Messages API.

import Anthropic from "@anthropic-ai/sdk";

import {
  asFinished,
  ASK_TWO,
  DESCRIPTION,
  LONG,
  MODEL,
  NAME,
  PARAMETERS,
  QUESTION,
} from "./rounds.mjs";

const client = new Anthropic();

export async function stream() {
  const events = client.messages.stream({
    model: MODEL,
    max_tokens: 40,
    temperature: 0,
    messages: [{ role: "user", content: QUESTION }],
  });
  let text = "";
  events.on("text", (piece) => (text += piece));
  const final = await events.finalMessage();
  return { text, stop_reason: final.stop_reason, output_tokens: final.usage.output_tokens };
}

export async function tools(tools) {
  const messages = [{ role: "user", content: ASK_TWO }];
  const first = await turn(messages);
  const uses = first.content.filter((block) => block.type === "tool_use");
  const results = uses.map(async (use) => ({
    type: "tool_result",
    tool_use_id: use.id,
    content: await tools.runCommand(use.input.command),
  }));
  messages.push({ role: "assistant", content: first.content });
  messages.push({ role: "user", content: await asFinished(results) });
  const last = await turn(messages);
  const texts = last.content.filter((block) => block.type === "text");
  return {
    calls: uses.map((use) => use.input.command),
    answer: texts.map((block) => block.text).join(""),
  };
}

async function turn(messages) {
  const tool = { name: NAME, description: DESCRIPTION, input_schema: PARAMETERS };
  const events = client.messages.stream({
    model: MODEL,
    max_tokens: 60,
    temperature: 0,
    messages,
    tools: [tool],
  });
  return await events.finalMessage();
}

export async function cancelled() {
  const pieces = [];
  const events = await client.messages.create({
    model: MODEL,
    max_tokens: 200,
    temperature: 0,
    messages: [{ role: "user", content: LONG }],
    stream: true,
  });
  for await (const event of events) {
    if (event.type === "content_block_delta") pieces.push(event.delta.text);
    if (pieces.length === 3) break;
  }
  return pieces;
}
