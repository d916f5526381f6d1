/**
 * Checks the body of a chat completion request as OpenAI does, with its messages and codes.
 *
 * By hand and not by Schema: it runs for every request, and the messages are the point of it.
 */
import * as Result from "effect/Result"
import type { SandboxCall } from "../Answer.ts"
import type { Refusal } from "../Dialect.ts"

type Invalid = Extract<Refusal, { readonly kind: "invalid" }>
type Fields = Readonly<Record<string, unknown>>

const ROLES: ReadonlyArray<unknown> = ["system", "developer", "user", "assistant", "tool", "function"]

export function readChatCompletion(body: string): Result.Result<SandboxCall, Invalid> {
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    return invalid(
      "We could not parse the JSON body of your request. The API expects a JSON payload, but what was sent was not " +
        "valid JSON."
    )
  }
  if (!isFields(json)) return wrongType("the request body", "an object", json)
  const { model, messages, stream, temperature, max_completion_tokens } = json
  if (model === undefined || model === null || model === "") return invalid("you must provide a model parameter")
  if (typeof model !== "string") return wrongType("'model'", "a string", model, "model")
  if (messages === undefined) {
    return invalid("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
  }
  const texts = readMessages(messages)
  if (Result.isFailure(texts)) return Result.fail(texts.failure)
  if (stream === true) {
    return invalid("The sandbox does not stream answers: leave out 'stream'.", "stream", "unsupported_value")
  }
  if (isGiven(temperature)) {
    if (typeof temperature !== "number") return wrongType("'temperature'", "a decimal", temperature, "temperature")
    if (temperature < 0 || temperature > 2) return outOfRange("temperature", "decimal", temperature, 0, 2)
  }
  const limit = isGiven(max_completion_tokens) ? "max_completion_tokens" : "max_tokens"
  const maxTokens = json[limit]
  if (!isGiven(maxTokens)) return Result.succeed({ model, texts: texts.success, maxTokens: undefined })
  if (typeof maxTokens !== "number" || !Number.isInteger(maxTokens)) {
    return wrongType(`'${limit}'`, "an integer", maxTokens, limit)
  }
  if (maxTokens < 1) return outOfRange(limit, "integer", maxTokens, 1, Number.POSITIVE_INFINITY)
  return Result.succeed({ model, texts: texts.success, maxTokens })
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

const isGiven = (value: unknown): boolean => value !== undefined && value !== null

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const invalid = (message: string, param?: string, code?: string): Result.Result<never, Invalid> =>
  Result.fail({
    kind: "invalid",
    message,
    ...(param === undefined ? undefined : { param }),
    ...(code === undefined ? undefined : { code })
  })

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
