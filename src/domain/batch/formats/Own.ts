/** Our own rows: one JSON object with `input`, `messages` or `body`. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type { Mutable } from "effect/Types"
import { ChatMessage, type GenAiRequest, Role } from "../../genai/GenAiRequest.ts"
import { fieldPath, isObject, type JsonObject, shown } from "../../JsonText.ts"
import type { Content } from "../Row.ts"
import { type Asked, isName, Name, NOTHING, type RowFormat } from "./RowFormat.ts"

/** Our own rows. */
export const own: RowFormat = {
  name: "own",
  recognises: ({ body, input, messages }) => (input ?? messages ?? body ?? undefined) !== undefined,
  read: readFields,
  nameOf: ({ id }) => (isName(id) ? id : undefined),
  askedIn
}

/** Rows for endpoints that take any JSON: any object is one. */
export const anyObject: RowFormat = {
  name: "own",
  recognises: () => true,
  read: (row) => Result.succeed(readObject(row)),
  nameOf: own.nameOf,
  askedIn: ({ body }) => ({ body })
}

/** `null` is the same as absent, as many exporters write it. */
const optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

const Fields = Schema.Struct({
  id: optional(Name),
  session: optional(Name),
  system: optional(Schema.String),
  model: optional(Schema.String),
  temperature: optional(Schema.Finite),
  max_tokens: optional(Schema.Int.check(Schema.isGreaterThan(0))),
  input: optional(Schema.String),
  messages: optional(Schema.Array(ChatMessage))
})
type Fields = typeof Fields.Type

/** What each field must be, in words; `messages[0]` is looked up as `messages[]`. */
const EXPECTED: Readonly<Record<string, string>> = {
  id: "text or a number",
  session: "text or a number",
  system: "text",
  model: "text",
  temperature: "a number",
  max_tokens: "a whole number above 0",
  input: "text",
  messages: "a list of messages",
  "messages[]": 'an object with "role" and "content"',
  "messages[].role": '"system", "user" or "assistant"',
  "messages[].content": "text or a list of parts",
  "messages[].content[]": 'a part of type "text", "data" or "uri"',
  "messages[].content[].text": "text",
  "messages[].content[].mimeType": 'text such as "image/png"',
  "messages[].content[].data": "text in base64",
  "messages[].content[].uri": "text"
}

const decodeFields = Schema.decodeUnknownResult(Fields)
const toIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * Whether each field is absent or what it should be, as in nearly all rows: the schema would only say so too, and take much
 * longer. Messages must be as the schema would give them: with nothing else, in its order.
 */
function isPlain(row: JsonObject): row is Fields & JsonObject {
  const { max_tokens: maxTokens, messages, temperature } = row
  return (
    isText(row["input"]) &&
    isText(row["system"]) &&
    isText(row["model"]) &&
    (isText(row["id"]) || Number.isFinite(row["id"])) &&
    (isText(row["session"]) || Number.isFinite(row["session"])) &&
    // JSON has numbers that are too large to be finite here.
    (temperature === undefined || Number.isFinite(temperature)) &&
    (maxTokens === undefined || (Number.isSafeInteger(maxTokens) && Number(maxTokens) > 0)) &&
    (messages === undefined || (Array.isArray(messages) && messages.every(isPlainMessage)))
  )
}

const isText = (value: unknown): boolean => value === undefined || typeof value === "string"

const isRole = Schema.is(Role)

const MESSAGE_MEMBERS = Object.keys(ChatMessage.fields)

function isPlainMessage(message: unknown): boolean {
  if (!isObject(message) || typeof message["content"] !== "string" || !isRole(message["role"])) return false
  let at = 0
  for (const name in message) if (name !== MESSAGE_MEMBERS[at++]) return false
  return true
}

function readFields(row: JsonObject): Result.Result<Content, string> {
  if (isPlain(row)) return contentOf(row, row)
  const decoded = decodeFields(row)
  if (Result.isSuccess(decoded)) return contentOf(row, decoded.success)
  return Result.fail(fieldError(row, toIssues(decoded.failure.issue).issues[0]?.path))
}

function contentOf(row: JsonObject, fields: Fields): Result.Result<Content, string> {
  const { id, input, messages, session } = fields
  if (typeof id === "number" && Number.isInteger(id) && !Number.isSafeInteger(id)) {
    return Result.fail("id: the number is too large to be kept exactly; write it as text, in quotes")
  }
  const body = passedThrough(row, "body")
  if (input == null && messages == null && body === undefined) {
    const given = ["input", "messages", "body"].find((name) => Object.hasOwn(row, name))
    return Result.fail(
      given === undefined
        ? 'expected a field "input" (text), "messages" or "body"; there is none'
        : `${given}: expected ${EXPECTED[given] ?? "JSON"}, got null`
    )
  }
  if (input != null && messages != null) return Result.fail('has both "input" and "messages"; keep one of them')
  const extra = passedThrough(row, "extra")
  if (extra !== undefined && !isObject(extra)) return Result.fail(`extra: expected an object, got ${shown(extra)}`)
  const raw = passedThrough(row, "raw")
  if (raw !== undefined && typeof raw !== "boolean") {
    return Result.fail(`raw: expected true or false, got ${shown(raw)}`)
  }
  if (messages?.length === 0) return Result.fail("messages: expected at least one message, got an empty list")
  const request = toRequest(fields, body, raw === true)
  if (extra !== undefined) request.extra = extra
  return Result.succeed({
    request,
    session: session == null ? undefined : String(session),
    source: row,
    unsaid: NOTHING
  })
}

/**
 * Any object: its body is its field of that name or else the object itself. Its fields mean what they mean elsewhere when
 * they fit, and are only part of the body when not.
 */
function readObject(row: JsonObject): Content {
  const body = passedThrough(row, "body") ?? row
  const metadata = passedThrough(row, "metadata")
  const raw = row["raw"] === true ? true : undefined
  const fields = isObject(body) ? decodeFields(body) : Result.fail(undefined)
  const { id, session } = named(row)
  return {
    request: toRequest(Result.isSuccess(fields) ? fields.success : {}, body, raw === true),
    session: session === undefined ? undefined : String(session),
    // A failed line has fields of its own beside the row's: a body that is the whole row must stay apart from them.
    source: body === row ? { ...present({ id, session, metadata, raw }), body } : row,
    unsaid: NOTHING
  }
}

/** Field by field: by `...` it would be three times the size, with room for fields that few rows have, until it is answered. */
function toRequest(fields: Fields, body: unknown, keepRaw: boolean): Mutable<GenAiRequest> {
  const { input, max_tokens: maxTokens, messages, model, system, temperature } = fields
  const request: Mutable<GenAiRequest> = {
    messages: input != null ? [{ role: "user", content: input }] : (messages ?? [])
  }
  if (system != null) request.system = system
  if (model != null) request.model = model
  if (temperature != null) request.temperature = temperature
  if (maxTokens != null) request.maxTokens = maxTokens
  if (keepRaw) request.keepRaw = keepRaw
  if (body !== undefined) request.body = body
  return request
}

/** What was asked; `null` is the same as absent. */
function askedIn({ body, input, messages }: JsonObject): Asked {
  const asked: Mutable<Asked> = {}
  if (input != null) asked.input = input
  if (messages != null) asked.messages = messages
  if (body != null) asked.body = body
  return asked
}

function fieldError(row: JsonObject, path: ReadonlyArray<unknown> | undefined): string {
  const keys = (path ?? []).filter((key) => typeof key === "string" || typeof key === "number")
  const expected = EXPECTED[fieldPath(keys.map((key) => (typeof key === "number" ? "" : key)))]
  const value = keys.reduce<unknown>((at, key) => (at as Record<string | number, unknown> | undefined)?.[key], row)
  return `${fieldPath(keys)}: expected ${expected ?? "another value"}, got ${shown(value)}`
}

/** A field that is not looked into; `null` is the same as absent. */
function passedThrough(row: JsonObject, name: "body" | "extra" | "metadata" | "raw"): unknown {
  return row[name] ?? undefined
}

function present(fields: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** The row's names for itself and its session, as far as they can be names. */
function named({ id, session }: JsonObject): { readonly id: Name | undefined; readonly session: Name | undefined } {
  return { id: isName(id) ? id : undefined, session: isName(session) ? session : undefined }
}
