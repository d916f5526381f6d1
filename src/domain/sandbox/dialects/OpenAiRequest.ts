/**
 * Checks the body of a chat completion request as OpenAI does, with its messages and codes.
 *
 * By hand and not by Schema: it runs for every request, and the messages are the point of it.
 */
import * as Result from "effect/Result"
import type { SandboxCall, SandboxToolCall } from "../Answer.ts"
import { type Invalid, invalid, isFields, isGiven, parseJson } from "./Fields.ts"
import { toolCallIn, toolNames } from "./ToolRequest.ts"

const ROLES: ReadonlyArray<unknown> = ["system", "developer", "user", "assistant", "tool", "function"]

/** `deployment`: what stands for the model where the path names it, as with Azure. */
export function readChatCompletion(body: string, deployment?: string): Result.Result<SandboxCall, Invalid> {
  const json = parseJson(body)
  if (json === undefined) {
    return invalid(
      "We could not parse the JSON body of your request. The API expects a JSON payload, but what was sent was not " +
        "valid JSON."
    )
  }
  if (!isFields(json)) return wrongType("the request body", "an object", json)
  const { messages, stream, stream_options, temperature, max_completion_tokens } = json
  const model = deployment ?? json["model"]
  if (model === undefined || model === null || model === "") return invalid("you must provide a model parameter")
  if (typeof model !== "string") return wrongType("'model'", "a string", model, "model")
  if (messages === undefined) {
    return invalid("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
  }
  const texts = readMessages(messages)
  if (Result.isFailure(texts)) return Result.fail(texts.failure)
  if (isGiven(stream) && typeof stream !== "boolean") {
    return wrongType("'stream'", "a boolean", stream, "stream")
  }
  if (isGiven(stream_options) && stream !== true) {
    return invalid(
      "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
      "stream_options",
      "invalid_value"
    )
  }
  if (isGiven(temperature)) {
    if (typeof temperature !== "number") return wrongType("'temperature'", "a decimal", temperature, "temperature")
    if (temperature < 0 || temperature > 2) return outOfRange("temperature", "decimal", temperature, 0, 2)
  }
  const limit = isGiven(max_completion_tokens) ? "max_completion_tokens" : "max_tokens"
  const maxTokens = json[limit]
  const tool = toolCallOf(json["tools"], messages)
  const call: SandboxCall = {
    ...(tool === undefined ? {} : { tool }),
    model,
    texts: texts.success,
    maxTokens: undefined,
    stream: stream === true,
    streamUsage: isFields(stream_options) && stream_options["include_usage"] === true
  }
  if (!isGiven(maxTokens)) return Result.succeed(call)
  if (typeof maxTokens !== "number" || !Number.isInteger(maxTokens)) {
    return wrongType(`'${limit}'`, "an integer", maxTokens, limit)
  }
  if (maxTokens < 1) return outOfRange(limit, "integer", maxTokens, 1, Number.POSITIVE_INFINITY)
  return Result.succeed({ ...call, maxTokens })
}

/** Tools are rare: nothing is looked into without them. */
function toolCallOf(tools: unknown, messages: unknown): SandboxToolCall | undefined {
  const last: unknown = isGiven(tools) && Array.isArray(messages) ? messages.at(-1) : undefined
  if (!isFields(last) || last["role"] !== "user") return undefined
  return typeof last["content"] === "string" ? toolCallIn(last["content"], toolNames(tools)) : undefined
}

function readMessages(messages: unknown): Result.Result<ReadonlyArray<string>, Invalid> {
  if (!Array.isArray(messages)) return wrongType("'messages'", "an array of objects", messages, "messages")
  if (messages.length === 0) {
    return invalid(
      "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
      "messages",
      "empty_array"
    )
  }
  const texts: Array<string> = []
  for (let index = 0; index < messages.length; index++) {
    const message: unknown = messages[index]
    const at = `messages[${index}]`
    if (!isFields(message)) return wrongType(`'${at}'`, "an object", message, at)
    const { role, content } = message
    if (role === undefined) {
      return invalid(`Missing required parameter: '${at}.role'.`, `${at}.role`, "missing_required_parameter")
    }
    if (!ROLES.includes(role)) {
      return invalid(
        `Invalid value: ${JSON.stringify(role)}. Supported values are: ${ROLES.map((known) => `'${known}'`).join(", ")}.`,
        `${at}.role`,
        "invalid_value"
      )
    }
    if (typeof content === "string") {
      texts.push(content)
    } else if (Array.isArray(content)) {
      for (const part of content) {
        const { text } = isFields(part) ? part : {}
        if (typeof text === "string") texts.push(text)
      }
    } else if (isGiven(content)) {
      return wrongType(`'${at}.content'`, "one of a string or array of objects", content, `${at}.content`)
    } else if (role !== "assistant") {
      // An assistant's turn may hold only tool calls.
      return invalid(`Missing required parameter: '${at}.content'.`, `${at}.content`, "missing_required_parameter")
    }
  }
  return Result.succeed(texts)
}

function wrongType(what: string, expected: string, value: unknown, param?: string): Result.Result<never, Invalid> {
  return invalid(
    `Invalid type for ${what}: expected ${expected}, but got ${typeName(value)} instead.`,
    param,
    "invalid_type"
  )
}

function outOfRange(
  param: string,
  type: "decimal" | "integer",
  value: number,
  minimum: number,
  maximum: number
): Result.Result<never, Invalid> {
  const below = value < minimum
  return invalid(
    `Invalid '${param}': ${type} ${below ? "below minimum" : "above maximum"} value. Expected a value ` +
      `${below ? `>= ${minimum}` : `<= ${maximum}`}, but got ${value} instead.`,
    param,
    `${type}_${below ? "below_min" : "above_max"}_value`
  )
}

function typeName(value: unknown): string {
  if (value === null) return "null"
  if (Array.isArray(value)) return "an array"
  switch (typeof value) {
    case "object":
      return "an object"
    case "number":
      return Number.isInteger(value) ? "an integer" : "a decimal"
    default:
      return `a ${typeof value}`
  }
}
