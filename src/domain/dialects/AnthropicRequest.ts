/** Reads the body of an Anthropic message. */
import * as Result from "effect/Result"
import { isObject, type JsonObject } from "../JsonText.ts"
import { Problem } from "../server/Problem.ts"
import { neutralOf } from "./AnthropicBody.ts"
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
  wrongField
} from "./Fields.ts"
import { type Dispensable, isEmptyList, needed } from "./Needs.ts"

export const decode: Dialect["decode"] = (_route, written) => {
  const body = objectIn(written)
  if (body instanceof Problem) return Result.fail(body)
  const { max_tokens: maxTokens, model, stream, system } = body
  if (!isModelName(model)) return Result.fail(invalid("model", "the name of a model", model))
  if (maxTokens === undefined || maxTokens === null) {
    return Result.fail(invalid("max_tokens", "a whole number above 0", maxTokens))
  }
  const messages = objectsIn(body, "messages", "message")
  if (messages instanceof Problem) return Result.fail(messages)
  const wrong = wrongField(body, CHECKS) ?? wrongSystem(system) ?? wrongMessage(messages)
  if (wrong !== undefined) return Result.fail(wrong)
  const { fields, unsaid } = neutralOf(body, messages)
  return Result.succeed({
    request: { ...fields, native: { family: "anthropic", body }, keepRaw: "text" },
    model,
    isStreamed: stream === true,
    needs: needed(unsaid, DISPENSABLE, (name) => body[name]),
    wantsUsage: true
  })
}

const CHECKS: ReadonlyArray<readonly [string, Check]> = [
  ["max_tokens", COUNT],
  ["stream", FLAG],
  ["temperature", NUMBER],
  ["top_p", NUMBER],
  ["top_k", NUMBER],
  ["stop_sequences", LIST],
  ["tools", LIST],
  ["thinking", OBJECT],
  ["metadata", OBJECT]
]

const wrongSystem = (system: unknown): Problem | undefined => {
  if (system === undefined || system === null || isText(system)) return undefined
  return Array.isArray(system) ? wrongBlock(system, "system") : invalid("system", "text or a list of blocks", system)
}

const wrongMessage = (messages: ReadonlyArray<JsonObject>): Problem | undefined => {
  for (const [at, { content, role }] of messages.entries()) {
    const path = `messages[${at}]`
    if (!isText(role) || role === "") return invalid(`${path}.role`, '"user" or "assistant"', role)
    if (isText(content)) continue
    if (!Array.isArray(content)) return invalid(`${path}.content`, "text or a list of blocks", content)
    if (content.length === 0) return invalid(`${path}.content`, "at least one block", content)
    const wrong = wrongBlock(content, `${path}.content`)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

const wrongBlock = (blocks: ReadonlyArray<unknown>, path: string): Problem | undefined => {
  for (const [at, block] of blocks.entries()) {
    const place = `${path}[${at}]`
    if (!isObject(block)) return invalid(place, "an object", block)
    const { source, text, type } = block
    if (!isText(type)) return invalid(`${place}.type`, "text", type)
    if (type === "text" && !isText(text)) return invalid(`${place}.text`, "text", text)
    if (type !== "image" && type !== "document") continue
    if (!isObject(source)) return invalid(`${place}.source`, "an object", source)
    const members = isText(source["type"]) ? SOURCES.get(source["type"]) : ["type"]
    const missing = members?.find((member) => !isText(source[member]))
    if (missing !== undefined) return invalid(`${place}.source.${missing}`, "text", source[missing])
  }
  return undefined
}

/** The texts that a source must have, by its type. */
const SOURCES: ReadonlyMap<string, ReadonlyArray<string>> = new Map([
  ["base64", ["data", "media_type"]],
  ["text", ["data"]],
  ["url", ["url"]]
])

/** How to choose words, whom to bill, and what the model thought in former turns. */
const hints = new Set([
  "blocks of type redacted_thinking",
  "blocks of type thinking",
  "cache_control",
  "metadata",
  "service_tier",
  "top_k",
  "top_p"
])

/** Values that ask for what comes anyway. */
const defaults: Dispensable["defaults"] = new Map([
  ["mcp_servers", isEmptyList],
  ["stop_sequences", isEmptyList],
  ["thinking", (value: unknown) => isObject(value) && value["type"] === "disabled"],
  ["tool_choice", (value: unknown) => isObject(value) && (value["type"] === "none" || value["type"] === "auto")],
  ["tools", isEmptyList]
])

const DISPENSABLE: Dispensable = { hints, defaults }
