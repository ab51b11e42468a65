// ollama's own client, on its own API. It reads no variable: the host has to be given to it.

import { Ollama } from "ollama";

import { asFinished, ASK_TWO, LONG, MODEL, QUESTION, TOOL } from "./rounds.mjs";

const client = new Ollama({ host: process.env.OLLAMA_HOST });

export async function stream() {
  const parts = await client.chat({
    model: MODEL,
    messages: [{ role: "user", content: QUESTION }],
    stream: true,
    options: { temperature: 0, num_predict: 40 },
  });
  let text = "";
  let last;
  for await (const part of parts) {
    text += part.message.content;
    last = part;
  }
  return { text, done_reason: last.done_reason, eval_count: last.eval_count };
}

export async function tools(tools) {
  const messages = [{ role: "user", content: ASK_TWO }];
  const first = await turn(messages);
  const results = first.tool_calls.map(async ({ function: { name, arguments: args } }) => ({
    role: "tool",
    tool_name: name,
    content: await tools.runCommand(args.command),
  }));
  messages.push(first, ...(await asFinished(results)));
  const calls = first.tool_calls.map((call) => call.function.arguments.command);
  return { calls, answer: (await turn(messages)).content };
}

async function turn(messages) {
  const whole = { role: "assistant", content: "", tool_calls: [] };
  const parts = await client.chat({
    model: MODEL,
    messages,
    tools: [TOOL],
    stream: true,
    options: { temperature: 0, num_predict: 60 },
  });
  for await (const part of parts) {
    whole.content += part.message.content;
    whole.tool_calls.push(...(part.message.tool_calls ?? []));
  }
  return whole;
}

export async function cancelled() {
  const pieces = [];
  const parts = await client.chat({
    model: MODEL,
    messages: [{ role: "user", content: LONG }],
    stream: true,
    options: { temperature: 0, num_predict: 200 },
  });
  for await (const part of parts) {
    pieces.push(part.message.content);
    if (pieces.length === 3) {
      parts.abort();
      break;
    }
  }
  return pieces;
}
