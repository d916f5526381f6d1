/** The families, each with the provider that reads what its dialect writes, and with answers of its own. */
import { Result } from "effect"
import { anthropic } from "../../../src/domain/dialects/Anthropic.ts"
import type { AnswerContext, ClientRequest, Dialect } from "../../../src/domain/dialects/Dialect.ts"
import { gemini } from "../../../src/domain/dialects/Gemini.ts"
import { openai } from "../../../src/domain/dialects/OpenAi.ts"
import type { ChatEvent } from "../../../src/domain/genai/ChatEvent.ts"
import type { Family } from "../../../src/domain/genai/GenAiRequest.ts"
import type { GenAiAnswer } from "../../../src/domain/genai/GenAiResponse.ts"
import * as AnthropicProvider from "../../../src/domain/providers/Anthropic.ts"
import * as GeminiProvider from "../../../src/domain/providers/Gemini.ts"
import * as OpenAiProvider from "../../../src/domain/providers/OpenAi.ts"
import type { Provider, ProviderTarget } from "../../../src/domain/providers/Provider.ts"
import type { StreamItem } from "../../../src/domain/providers/StreamDecoder.ts"
import type { Problem } from "../../../src/domain/server/Problem.ts"

export const context: AnswerContext = { model: "my-model", id: "abc123", nowMs: 1_767_614_400_500, wantsUsage: true }

const target: ProviderTarget = {
  baseUrl: new URL("https://api.example.com/v1"),
  model: undefined,
  parameters: {},
  headers: {}
}

const event = (document: object): string => `data: ${JSON.stringify(document)}\n\n`
const named = (document: { readonly type: string; readonly [name: string]: unknown }): string =>
  `event: ${document.type}\n${event(document)}`

export interface World {
  readonly dialect: Dialect
  /** Reads what the dialect writes; an endpoint without a model of its own. */
  readonly provider: Provider
  /** A request with all that has neutral words. */
  readonly body: Readonly<Record<string, unknown>>
  /** The same as an answer of the family: whole, and streamed. */
  readonly answer: string
  readonly stream: string
  /** A streamed call of a tool, which has no text. */
  readonly toolStream: string
}

const chunk = (choice: object, rest: object = {}) =>
  event({
    id: "chatcmpl-9",
    object: "chat.completion.chunk",
    created: 1,
    model: "gpt-up",
    choices: [{ index: 0, logprobs: null, finish_reason: null, ...choice }],
    usage: null,
    ...rest
  })

const usageChunk = chunk({}, { choices: [], usage: { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 } })

const openaiWorld: World = {
  dialect: openai,
  provider: OpenAiProvider.make(target),
  body: {
    model: "my-model",
    messages: [
      { role: "system", content: "Be brief." },
      {
        role: "user",
        content: [
          { type: "text", text: "What is it?" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }
        ]
      },
      { role: "assistant", content: "A dot." },
      { role: "user", content: "Sure?" }
    ],
    temperature: 0.5,
    max_tokens: 100,
    stream: true,
    stream_options: { include_usage: true }
  },
  answer: JSON.stringify({
    id: "chatcmpl-9",
    object: "chat.completion",
    created: 1,
    model: "gpt-up",
    choices: [{ index: 0, message: { role: "assistant", content: "Grüße 🐢." }, finish_reason: "stop" }],
    usage: { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 }
  }),
  stream: `${chunk({ delta: { role: "assistant", content: "" } })}${chunk({ delta: { content: "Grüße " } })}${chunk({ delta: { content: "🐢." } })}${chunk({ delta: {}, finish_reason: "stop" })}${usageChunk}data: [DONE]\n\n`,
  toolStream: `${chunk({ delta: { role: "assistant", content: null } })}${chunk({ delta: { tool_calls: [{ index: 0, id: "t", type: "function", function: { name: "f", arguments: "{}" } }] } })}${chunk({ delta: {}, finish_reason: "tool_calls" })}${usageChunk}data: [DONE]\n\n`
}

const piece = (candidate: object) =>
  event({
    candidates: [{ index: 0, ...candidate }],
    usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 4, totalTokenCount: 13 },
    modelVersion: "gemini-up",
    responseId: "r"
  })
const said = (...parts: ReadonlyArray<object>) => ({ content: { role: "model", parts } })

const geminiWorld: World = {
  dialect: gemini,
  provider: GeminiProvider.make(target),
  body: {
    systemInstruction: { parts: [{ text: "Be brief." }] },
    contents: [
      { role: "user", parts: [{ text: "What is it?" }, { inlineData: { mimeType: "image/png", data: "AAAA" } }] },
      { role: "model", parts: [{ text: "A dot." }] },
      { role: "user", parts: [{ text: "Sure?" }] }
    ],
    generationConfig: { temperature: 0.5, maxOutputTokens: 100 }
  },
  answer: piece({ ...said({ text: "Grüße 🐢." }), finishReason: "STOP" }).slice(6),
  stream: `${piece(said({ text: "Grüße " }))}${piece(said({ text: "🐢." }))}${piece({ ...said({ text: "" }), finishReason: "STOP" })}`,
  toolStream: `${piece(said({ text: "" }))}${piece({ ...said({ functionCall: { name: "f", args: {} } }), finishReason: "STOP" })}`
}

const start = named({
  type: "message_start",
  message: {
    id: "msg_9",
    type: "message",
    role: "assistant",
    model: "claude-up",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 9, output_tokens: 1 }
  }
})
const block = (content: object) => named({ type: "content_block_start", index: 0, content_block: content })
const delta = (of: object) => named({ type: "content_block_delta", index: 0, delta: of })
const end = (stop_reason: string) =>
  named({ type: "content_block_stop", index: 0 }) +
  named({ type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 4 } }) +
  named({ type: "message_stop" })

const anthropicWorld: World = {
  dialect: anthropic,
  provider: AnthropicProvider.make(target),
  body: {
    model: "my-model",
    system: [{ type: "text", text: "Be brief." }],
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "What is it?" },
          { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } }
        ]
      },
      { role: "assistant", content: "A dot." },
      { role: "user", content: [{ type: "text", text: "Sure?" }] }
    ],
    temperature: 0.5,
    max_tokens: 100,
    stream: true
  },
  answer: JSON.stringify({
    id: "msg_9",
    type: "message",
    role: "assistant",
    model: "claude-up",
    content: [{ type: "text", text: "Grüße 🐢." }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 9, output_tokens: 4 }
  }),
  stream: `${start}${block({ type: "text", text: "" })}${named({ type: "ping" })}${delta({ type: "text_delta", text: "Grüße " })}${delta({ type: "text_delta", text: "🐢." })}${end("end_turn")}`,
  toolStream: `${start}${block({ type: "tool_use", id: "t", name: "f", input: {} })}${delta({ type: "input_json_delta", partial_json: "{}" })}${end("tool_use")}`
}

export const worlds: Readonly<Record<Family, World>> = {
  openai: openaiWorld,
  gemini: geminiWorld,
  anthropic: anthropicWorld
}

export const TEXT = "Grüße 🐢."

const PATHS: Readonly<Record<Family, string>> = {
  openai: "/v1/chat/completions",
  gemini: "/v1beta/models/my-model:streamGenerateContent",
  anthropic: "/v1/messages"
}

/** What a dialect makes of a body that was sent to its own path for streamed answers. */
export const decoded = (dialect: Dialect, body: unknown): Result.Result<ClientRequest, Problem> => {
  const route = dialect.route("POST", PATHS[dialect.name], "?alt=sse")
  if (typeof route !== "object" || route._tag !== "Generate") throw new Error("not the path of a generated answer")
  return dialect.decode(route, body)
}

/** The answer that an endpoint of a family gives, as the client hands it on. */
export const answerOf = (family: Family): GenAiAnswer => {
  const { answer, provider } = worlds[family]
  const response = Result.getOrThrow(provider.decode({ status: 200, headers: {}, body: answer }, undefined, 0))
  return { ...response, raw: JSON.parse(answer), endpoint: "e", attempts: 1, latencyMs: 5 }
}

/** What a provider reads in the bytes of a stream. */
export const itemsIn = (provider: Provider, body: string, keepRaw = false): ReadonlyArray<StreamItem> => {
  const decoder = provider.stream(undefined, 0, keepRaw)
  return [...decoder.push(new TextEncoder().encode(body)), ...decoder.end()]
}

/** The events of a stream that does not fail. */
export const eventsIn = (provider: Provider, body: string, keepRaw = false): ReadonlyArray<ChatEvent> =>
  itemsIn(provider, body, keepRaw).map((item) => {
    if (item._tag === "StreamFailed") throw new Error(item.failure.message)
    return item
  })

export const textIn = (events: ReadonlyArray<StreamItem>): string =>
  events.map((event) => (event._tag === "TextDelta" ? event.text : "")).join("")

/** The events in groups that end at these places, which may be any numbers. */
export const grouped = <A>(items: ReadonlyArray<A>, places: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<A>> => {
  const ends = [...places.map((place) => Math.abs(place) % (items.length + 1)), items.length].sort((a, b) => a - b)
  return ends.map((end, i) => items.slice(ends[i - 1] ?? 0, end))
}

/** What a dialect writes of events that come in groups. */
export const written = (
  dialect: Dialect,
  groups: ReadonlyArray<ReadonlyArray<ChatEvent>>,
  options: Partial<AnswerContext> = {}
): string => {
  const writer = dialect.stream({ ...context, ...options })
  return groups.map((group) => writer.write(group)).join("")
}
