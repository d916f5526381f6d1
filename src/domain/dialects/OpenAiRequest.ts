/** Reads the body of a chat completion. */
import * as Result from "effect/Result"
import { isObject, type JsonObject } from "../JsonText.ts"
import { Problem } from "../server/Problem.ts"
import type { Dialect } from "./Dialect.ts"
import {
  type Check,
  COUNT,
  FLAG,
  invalid,
  isModelName,
  isText,
  LIST,
  NUMBER,
  OBJECT,
  objectIn,
  objectsIn,
  TEXT,
  wrongField
} from "./Fields.ts"
import { type Dispensable, isEmptyList, needed } from "./Needs.ts"
import { neutralOf } from "./OpenAiBody.ts"

export const decode: Dialect["decode"] = (_route, written) => {
  const body = objectIn(written)
  if (body instanceof Problem) return Result.fail(body)
  const { model, stream, stream_options: streamOptions } = body
  if (!isModelName(model)) return Result.fail(invalid("model", "the name of a model", model))
  const messages = objectsIn(body, "messages", "message")
  if (messages instanceof Problem) return Result.fail(messages)
  const wrong = wrongField(body, CHECKS) ?? wrongMessage(messages)
  if (wrong !== undefined) return Result.fail(wrong)
  const { fields, unsaid } = neutralOf(body, messages)
  return Result.succeed({
    request: { ...fields, native: { family: "openai", body }, keepRaw: "text" },
    model,
    isStreamed: stream === true,
    needs: needed(unsaid, DISPENSABLE, (name) => body[name]),
    wantsUsage: isObject(streamOptions) && streamOptions["include_usage"] === true
  })
}

const STOP: Check = [
  "text or a list of texts",
  (value) => isText(value) || (Array.isArray(value) && value.every((text) => isText(text)))
]

const CHECKS: ReadonlyArray<readonly [string, Check]> = [
  ["stream", FLAG],
  ["stream_options", OBJECT],
  ["temperature", NUMBER],
  ["top_p", NUMBER],
  ["max_tokens", COUNT],
  ["max_completion_tokens", COUNT],
  ["n", COUNT],
  ["stop", STOP],
  ["tools", LIST],
  ["response_format", OBJECT]
]

const wrongMessage = (messages: ReadonlyArray<JsonObject>): Problem | undefined => {
  for (const [at, { content, role }] of messages.entries()) {
    const path = `messages[${at}]`
    if (!isText(role) || role === "") return invalid(`${path}.role`, '"system", "user" or "assistant"', role)
    if (isText(content)) continue
    if (Array.isArray(content)) {
      const wrong = wrongPart(content, `${path}.content`)
      if (wrong !== undefined) return wrong
      // What an assistant said may be a tool call, or a refusal, which are said beside the content.
    } else if ((content !== undefined && content !== null) || !WITHOUT_CONTENT.has(role)) {
      return invalid(`${path}.content`, "text or a list of parts", content)
    }
  }
  return undefined
}

const WITHOUT_CONTENT = new Set(["assistant", "function"])

const wrongPart = (parts: ReadonlyArray<unknown>, path: string): Problem | undefined => {
  if (parts.length === 0) return invalid(path, "at least one part", parts)
  for (const [at, part] of parts.entries()) {
    const place = `${path}[${at}]`
    if (!isObject(part)) return invalid(place, "an object", part)
    const { type } = part
    if (!isText(type)) return invalid(`${place}.type`, "text", type)
    const known = PARTS.get(type)
    if (known === undefined) continue
    const [name, members] = known
    const inner = part[name]
    if (members === undefined) {
      if (!isText(inner)) return invalid(`${place}.${name}`, "text", inner)
      continue
    }
    if (!isObject(inner)) return invalid(`${place}.${name}`, "an object", inner)
    const missing = members.find((member) => !isText(inner[member]))
    if (missing !== undefined) return invalid(`${place}.${name}.${missing}`, "text", inner[missing])
    const wrong = wrongField(inner, [["file_data", TEXT]], `${place}.${name}.`)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

/** Where each type of part has what it carries: a text, or an object with these texts. */
const PARTS: ReadonlyMap<string, readonly [name: string, members?: ReadonlyArray<string>]> = new Map([
  ["text", ["text"]],
  ["image_url", ["image_url", ["url"]]],
  ["input_audio", ["input_audio", ["data", "format"]]],
  ["file", ["file", []]]
])

/** How to choose words, whom to bill and where to keep things; and effort, which every family measures in its own way. */
const hints = new Set([
  "frequency_penalty",
  "messages[].annotations",
  "messages[].cache_control",
  "messages[].name",
  "messages[].reasoning",
  "messages[].reasoning_content",
  "messages[].refusal",
  "metadata",
  "min_p",
  "parallel_tool_calls",
  "prediction",
  "presence_penalty",
  "prompt_cache_key",
  "prompt_cache_retention",
  "reasoning_effort",
  "repetition_penalty",
  "safety_identifier",
  "seed",
  "service_tier",
  "store",
  "top_k",
  // Nothing without `logprobs`, which is a need.
  "top_logprobs",
  "top_p",
  "user",
  "verbosity"
])

const isNoChoice = (value: unknown): boolean => value === "none" || value === "auto"

/** Values that ask for what comes anyway. */
const defaults: Dispensable["defaults"] = new Map([
  ["function_call", isNoChoice],
  ["functions", isEmptyList],
  ["logit_bias", (value: unknown) => isObject(value) && Object.keys(value).length === 0],
  ["logprobs", (value: unknown) => value === false],
  ["modalities", (value: unknown) => Array.isArray(value) && value.every((item) => item === "text")],
  ["n", (value: unknown) => value === 1],
  ["response_format", (value: unknown) => isObject(value) && value["type"] === "text"],
  ["stop", (value: unknown) => value === "" || isEmptyList(value)],
  ["tool_choice", isNoChoice],
  ["tools", isEmptyList]
])

const DISPENSABLE: Dispensable = { hints, defaults }
