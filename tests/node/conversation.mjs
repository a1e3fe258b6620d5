// One conversation with a model of another vendor's, by the Vercel AI SDK: vercel_ai.rs runs this beside the packages and
// scripts the model.
//
// The argument is the way: `chat`, `openai-chat`, `responses`, `messages` or `google`. Each line of the input is a conversation:
// the gateway's `origin`, the `model`, the file that it is `kept` in, and a `picture`. Where the file is there, the conversation
// goes on. For each, what the model says last is printed, as JSON. The model calls the tools `weather` and `picture`, and one
// request in between fails.

import assert from "node:assert/strict";
import fs from "node:fs";
import readline from "node:readline";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, isStepCount, jsonSchema, streamText, tool } from "ai";

const apiKey = "of-the-client-alone";
const way = {
  chat: (v1, name) => createOpenAICompatible({ name: "gateway", includeUsage: true, ...v1 })(name),
  "openai-chat": (v1, name) => createOpenAI(v1).chat(name),
  responses: (v1, name) => createOpenAI(v1).responses(name),
  messages: (v1, name) => createAnthropic(v1)(name),
  google: (v1, name) => createGoogleGenerativeAI({ ...v1, baseURL: `${v1.baseURL}beta` })(name),
}[process.argv[2]];
const city = { type: "object", properties: { city: { type: "string" }, days: { type: "number" } }, required: ["city"] };
const tools = (data) => ({
  weather: tool({
    description: "Tells the weather.",
    inputSchema: jsonSchema(city),
    execute: async ({ city }) => {
      if (city === "Atlantis") throw new Error("There is no such city.");
      return `It is fine in ${city}.`;
    },
  }),
  picture: tool({
    description: "Shows the sky.",
    inputSchema: jsonSchema({ type: "object", properties: {} }),
    execute: async () => "The sky:",
    toModelOutput: ({ output }) => ({
      type: "content",
      value: [
        { type: "text", text: output },
        { type: "file", mediaType: "image/png", data: { type: "data", data } },
      ],
    }),
  }),
});
const providerOptions = {
  openai: { reasoningEffort: "high", reasoningSummary: "auto", store: false, include: ["reasoning.encrypted_content"], forceReasoning: true },
  anthropic: { thinking: { type: "adaptive" } },
  google: { thinkingConfig: { includeThoughts: true, thinkingLevel: "high" } },
};

async function lead({ origin, model, kept, picture }) {
  const goesOn = fs.existsSync(kept);
  let messages = goesOn ? JSON.parse(fs.readFileSync(kept)) : [];
  messages.push({ role: "user", content: goesOn ? "Are you there?" : "How is the weather?" });
  const settings = {
    model: way({ baseURL: `${origin}/v1`, apiKey }, model),
    tools: tools(fs.readFileSync(picture).toString("base64")),
    system: "You are a weather station.",
    maxOutputTokens: 8000,
    maxRetries: 0,
    stopWhen: isStepCount(1),
    providerOptions,
  };
  for (let requests = 1, failed = 0; ; requests += 1) {
    let step;
    try {
      step = await (requests % 2 === 1 ? streamed : whole)({ ...settings, messages });
    } catch (error) {
      // Once: the same again goes well.
      failed += 1;
      if (failed > 1 || goesOn || !APICallError.isInstance(error) || error.statusCode !== 400) throw error;
      continue;
    }
    assert.equal(step.finishReason, step.toolCalls.length > 0 ? "tool-calls" : "stop");
    assert.deepEqual([step.usage.inputTokens, step.usage.outputTokens], [100, 20]);
    messages = messages.concat(step.response.messages);
    if (step.toolCalls.length > 0) continue;
    fs.writeFileSync(kept, JSON.stringify(messages));
    return step.text;
  }
}

function whole(asked) {
  return generateText(asked);
}

async function streamed(asked) {
  const stream = streamText({ ...asked, onError: () => {} });
  for await (const part of stream.fullStream) if (part.type === "error") throw part.error;
  const [text, toolCalls, usage, finishReason, response] = await Promise.all([
    stream.text, stream.toolCalls, stream.usage, stream.finishReason, stream.response,
  ]);
  return { text, toolCalls, usage, finishReason, response };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await lead(JSON.parse(line))));
}
