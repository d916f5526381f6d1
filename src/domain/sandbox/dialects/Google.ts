/**
 * What the Gemini API and Vertex AI share: `generateContent` and `streamGenerateContent`, and the form of their errors
 * (ai.google.dev/api/generate-content, cloud.google.com/apis/design/errors).
 *
 * A stream is server-sent events with `alt=sse`, and one JSON array otherwise.
 */
import * as Result from "effect/Result"
import type { SandboxAnswer, SandboxCall } from "../Answer.ts"
import type { Dialect, Refusal, ReplyIdentity, SandboxReply } from "../Dialect.ts"
import { type Fields, invalid, isFields, isGiven, parseJson } from "./Fields.ts"

const JSON_HEADERS: ReadonlyArray<string> = ["content-type", "application/json; charset=UTF-8"]
const EVENT_HEADERS: ReadonlyArray<string> = ["content-type", "text/event-stream"]
const HTML_HEADERS: ReadonlyArray<string> = ["content-type", "text/html; charset=UTF-8"]

/** How a streamed answer is framed. */
export type Framing = "events" | "array"

/** The framing that the query of a streamed call asks for. */
export const framingOf = (query: string): Framing => (/(^|&)alt=sse(&|$)/.test(query) ? "events" : "array")

export interface GoogleError {
  readonly status: number
  readonly reason: string
  readonly message: string
  readonly details?: ReadonlyArray<Fields>
}

/** A page as Google's front end sends it, for paths that no service has. */
export const notFoundPage: SandboxReply = {
  status: 404,
  headers: HTML_HEADERS,
  body:
    "<!DOCTYPE html>\n<html lang=en>\n  <title>Error 404 (Not Found)!!1</title>\n" +
    "  <p><b>404.</b> <ins>That’s an error.</ins>\n  <p>The requested URL was not found on this server."
}

const errorJson = ({ status, reason, message, details }: GoogleError): string =>
  JSON.stringify({ error: { code: status, message, status: reason, ...(details && { details }) } }, undefined, 2)

/** A refusal as JSON; calls that asked for an array get the error in one. */
const errorReply = (error: GoogleError, framing: Framing): SandboxReply => ({
  status: error.status,
  headers: JSON_HEADERS,
  body: framing === "array" ? `[${errorJson(error)}]\n` : `${errorJson(error)}\n`
})

export interface GoogleFlavour {
  readonly framing: Framing
  readonly keyOf: Dialect["keyOf"]
  /** The model that the path names. */
  readonly modelOf: (path: string) => string
  readonly errorOf: (refusal: Refusal) => GoogleError
  /** What comes after the token counts in `usageMetadata`: JSON fields with a comma before each. */
  readonly usageFields: string
  /** How a failure is told in the middle of server-sent events. */
  readonly eventError: (json: string) => string
}

/** The failure that breaks off streams. */
const STREAM_ERROR: GoogleError = {
  status: 503,
  reason: "UNAVAILABLE",
  message: "The model is overloaded. Please try again later."
}

export function makeGoogleDialect(flavour: GoogleFlavour): Dialect {
  const { framing } = flavour
  const usage = ({ promptTokens, completionTokens }: SandboxAnswer): string =>
    `{"promptTokenCount":${promptTokens},"candidatesTokenCount":${completionTokens},` +
    `"totalTokenCount":${promptTokens + completionTokens}${flavour.usageFields}}`

  /** By hand, which costs far less than JSON.stringify of the whole. */
  const part = (call: SandboxCall, text: string, finish: string, usage: string, { id }: ReplyIdentity): string =>
    `{"candidates":[{"content":{"role":"model","parts":[{"text":${JSON.stringify(text)}}]}${finish},"index":0}],` +
    `"usageMetadata":${usage},"modelVersion":${JSON.stringify(call.model)},"responseId":"${id}"}`

  const finishOf = (answer: SandboxAnswer): string => `,"finishReason":"${answer.cut ? "MAX_TOKENS" : "STOP"}"`

  return {
    keyOf: flavour.keyOf,

    readCall: (request, body, models) => {
      const model = flavour.modelOf(request.path)
      if (models !== undefined && !models.includes(model)) return Result.fail({ kind: "unknown-model", model })
      return readContents(body, model, request.path.endsWith(":streamGenerateContent"))
    },

    answer: (call, answer, identity) => ({
      status: 200,
      headers: JSON_HEADERS,
      body: part(call, answer.text, finishOf(answer), usage(answer), identity)
    }),

    stream: (call, answer, deltas, identity) => {
      // Only the last part tells all tokens; those before know the prompt's.
      const begun = `{"promptTokenCount":${answer.promptTokens},"totalTokenCount":${answer.promptTokens}}`
      const parts = [
        ...deltas.map((delta) => part(call, delta, "", begun, identity)),
        part(call, "", finishOf(answer), usage(answer), identity)
      ]
      if (framing === "events") {
        return { headers: EVENT_HEADERS, frames: parts.map((text) => `data: ${text}\r\n\r\n`) }
      }
      const last = parts.length - 1
      return {
        headers: JSON_HEADERS,
        frames: parts.map((text, index) => `${index === 0 ? "[" : ",\r\n"}${text}${index === last ? "\n]" : ""}`)
      }
    },

    streamError:
      framing === "array" ? `,\r\n${errorJson(STREAM_ERROR)}\n]` : flavour.eventError(errorJson(STREAM_ERROR)),

    callHeaders: () => ["vary", "X-Origin"],

    timingHeaders: (latencyMs) => ["server-timing", `gfet4t7; dur=${Math.round(latencyMs)}`],

    refuse: (refusal) => {
      if (refusal.kind === "unknown-path") return notFoundPage
      if (refusal.kind === "wrong-method") return { ...notFoundPage, headers: [...HTML_HEADERS, "allow", "POST"] }
      return errorReply(flavour.errorOf(refusal), framing)
    },

    // Neither service says in headers where a client stands.
    rateHeaders: () => []
  }
}

const ROLES: ReadonlyArray<unknown> = ["user", "model", "function"]

function readContents(body: string, model: string, stream: boolean): Result.Result<SandboxCall, Refusal> {
  const json = parseJson(body)
  if (!isFields(json)) {
    return invalid("Invalid JSON payload received. Expected an object key or }.")
  }
  const { contents, generationConfig } = json
  if (!Array.isArray(contents) || contents.length === 0) {
    return invalid("* GenerateContentRequest.contents: contents is not specified\n")
  }
  const texts: Array<string> = []
  const system = json["systemInstruction"] ?? json["system_instruction"]
  if (isGiven(system) && !readParts(system, texts)) {
    return invalid(
      "Invalid value at 'system_instruction' (type.googleapis.com/google.ai.generativelanguage.v1beta.Content)"
    )
  }
  for (let index = 0; index < contents.length; index++) {
    const content: unknown = contents[index]
    const role = isFields(content) ? (content["role"] ?? "user") : undefined
    if (!ROLES.includes(role)) return invalid("Please use a valid role: user, model.")
    if (!readParts(content, texts)) {
      return invalid(`* GenerateContentRequest.contents[${index}].parts: contents.parts must not be empty.\n`)
    }
  }
  const config = isFields(generationConfig) ? generationConfig : {}
  const { maxOutputTokens, temperature } = config
  if (isGiven(temperature) && (typeof temperature !== "number" || temperature < 0 || temperature > 2)) {
    return invalid(
      "* GenerateContentRequest.generation_config.temperature: temperature must be in the range [0.0, 2.0].\n"
    )
  }
  if (
    isGiven(maxOutputTokens) &&
    (typeof maxOutputTokens !== "number" || !Number.isInteger(maxOutputTokens) || maxOutputTokens < 1)
  ) {
    return invalid(
      "* GenerateContentRequest.generation_config.max_output_tokens: max_output_tokens must be positive.\n"
    )
  }
  const maxTokens = typeof maxOutputTokens === "number" ? maxOutputTokens : undefined
  return Result.succeed({ model, texts, maxTokens, stream, streamUsage: true })
}

/** Adds the texts of a content; false when it has no parts. */
function readParts(content: unknown, texts: Array<string>): boolean {
  const parts = isFields(content) ? content["parts"] : undefined
  // A single part may be written without the array.
  const list: ReadonlyArray<unknown> = Array.isArray(parts) ? parts : isFields(parts) ? [parts] : []
  for (const part of list) {
    const { text } = isFields(part) ? part : {}
    if (typeof text === "string") texts.push(text)
  }
  return list.length > 0
}
