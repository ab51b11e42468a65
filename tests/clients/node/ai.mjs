// The AI SDK with its own loop and its OpenAI provider, on the Responses API.

import { openai } from "@ai-sdk/openai";
import { isStepCount, jsonSchema, streamText, tool } from "ai";

import { ASK_TWO, DESCRIPTION, LONG, MODEL, NAME, PARAMETERS, QUESTION } from "./rounds.mjs";

function ask(prompt, maxOutputTokens, more = {}) {
  return streamText({
    model: openai(MODEL),
    prompt,
    temperature: 0,
    maxOutputTokens,
    maxRetries: 0,
    ...more,
  });
}

export async function stream() {
  const run = ask(QUESTION, 40);
  let text = "";
  for await (const piece of run.textStream) text += piece;
  return { text, finish_reason: await run.finishReason, usage: (await run.usage).totalTokens };
}

export async function tools(tools) {
  const runCommand = tool({
    description: DESCRIPTION,
    inputSchema: jsonSchema(PARAMETERS),
    execute: ({ command }) => tools.runCommand(command),
  });
  const run = ask(ASK_TWO, 60, { tools: { [NAME]: runCommand }, stopWhen: isStepCount(5) });
  const steps = await run.steps;
  const calls = steps[0].toolCalls.map((call) => call.input.command);
  return { calls, answer: await run.text };
}

export async function cancelled() {
  const leaving = new AbortController();
  const pieces = [];
  for await (const piece of ask(LONG, 200, { abortSignal: leaving.signal }).textStream) {
    pieces.push(piece);
    if (pieces.length === 3) {
      leaving.abort();
      break;
    }
  }
  return pieces;
}
