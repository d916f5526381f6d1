/** One row of an input file: what a line asks for, or why it cannot be read. */
import { isUtf8 } from "node:buffer"
import { hash as digest } from "node:crypto"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { ChatMessage, type GenAiRequest } from "../genai/GenAiRequest.ts"
import { type RawLine, ROW_LIMIT } from "./LineSplitter.ts"
import { brokenText, fieldPath, isDeeper, isObject, type JsonObject, shown } from "./RowText.ts"

/** A line that can be sent. */
export interface Row {
  readonly _tag: "Row"
  /** 0-based number of the line in the input: the row's name in the result files. */
  readonly index: number
  /** What the line held, for telling a changed input: see `lineHash`. */
  readonly hash: string
  readonly request: GenAiRequest
  readonly session: string | undefined
  readonly id: string | number | undefined
  /** The row's own `metadata`, passed through; `undefined` when it has none. */
  readonly metadata: unknown
  /** What was asked, as the row has it: `input`, `messages` or `body`. */
  readonly asked: JsonObject
  /** The whole row, as an input file may have it. */
  readonly source: JsonObject
}

/** A line that cannot be sent. */
export interface InvalidRow {
  readonly _tag: "InvalidRow"
  readonly index: number
  readonly hash: string
  /** Names the field and what is wrong with it. */
  readonly error: string
  /** The row's `id`, when that much could be read. */
  readonly id: string | number | undefined
  /** The line's text; of an oversized line its first 1,000 characters. Bytes that are no UTF-8 show as U+FFFD. */
  readonly raw: string
}

/** How rows are read. */
export interface RowOptions {
  /** Any JSON object is a row: its `body` is its field of that name or else the object itself. */
  readonly anyObject: boolean
}

const RAW_SHOWN = 1000
const MAX_DEPTH = 500

/**
 * 16 hexadecimal digits that stand for a line's bytes: the first half of their SHA-1 (FIPS 180-4).
 *
 * It is there to notice edits, not attacks, and of an oversized line it covers what is kept. SHA-1 is native, the same everywhere, easy to check with other tools, and
 * costs 1.5 us for a line of 250 bytes, where SHA-256 costs 2.5.
 */
export const lineHash = (line: RawLine): string => digest("sha1", line.bytes, "hex").slice(0, 16)

/** Reads one line. */
export const readRow = (line: RawLine, options: RowOptions): Row | InvalidRow => {
  const hash = lineHash(line)
  const invalid = (error: string, raw: string, id?: string | number): InvalidRow => ({
    _tag: "InvalidRow",
    index: line.index,
    hash,
    error,
    id,
    raw
  })
  if (line.oversized) {
    // A character has at most 4 bytes.
    const raw = line.bytes.toString("utf8", 0, RAW_SHOWN * 4).slice(0, RAW_SHOWN)
    return invalid(`the line is longer than ${ROW_LIMIT / 1024 / 1024} MiB`, raw.toWellFormed())
  }
  const text = line.bytes.toString("utf8")
  if (!isUtf8(line.bytes)) return invalid("the line is not valid UTF-8", text)
  if (text.trim() === "") return invalid("the line is blank", text)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    return invalid(`the line is not valid JSON: ${error instanceof Error ? error.message : String(error)}`, text)
  }
  if (!isObject(json)) return invalid(`expected a JSON object, got ${shown(json)}`, text)
  const content = readContent(json, text, options)
  if (Result.isFailure(content)) return invalid(content.failure, text, named(json).id)
  return { _tag: "Row", index: line.index, hash, ...content.success }
}

function readContent(row: JsonObject, text: string, options: RowOptions): Result.Result<Content, string> {
  // What JSON.parse reads without recursion, JSON.stringify and others cannot take up again.
  if (text.length > 2 * MAX_DEPTH && isDeeper(row, MAX_DEPTH)) {
    return Result.fail(`the row is nested more than ${MAX_DEPTH} levels deep`)
  }
  // Text that is valid UTF-8 can bring half a surrogate pair only as an escape.
  const broken = text.includes("\\u") ? brokenText(row) : undefined
  if (broken !== undefined) return Result.fail(`${broken}: has half of a surrogate pair, which is no character`)
  return options.anyObject ? Result.succeed(readObject(row)) : readFields(row)
}

/** What a row's text says, without where it stands. */
type Content = Omit<Row, "_tag" | "index" | "hash">

/** `null` is the same as absent, as many exporters write it. */
const optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))
const Name = Schema.Union([Schema.String, Schema.Finite])
type Name = typeof Name.Type
const isName = Schema.is(Name)

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
  "messages[].content": "text"
}

const decodeFields = Schema.decodeUnknownResult(Fields)
const toIssues = SchemaIssue.makeFormatterStandardSchemaV1()

function readFields(row: JsonObject): Result.Result<Content, string> {
  const decoded = decodeFields(row)
  if (Result.isFailure(decoded)) return Result.fail(fieldError(row, toIssues(decoded.failure.issue).issues[0]?.path))
  const fields = decoded.success
  const { input, messages } = fields
  if (typeof fields.id === "number" && Number.isInteger(fields.id) && !Number.isSafeInteger(fields.id)) {
    return Result.fail("id: the number is too large to be kept exactly; write it as text, in quotes")
  }
  const { body, messages: written, metadata } = passedThrough(row)
  if (input == null && messages == null && body === undefined) {
    const given = ["input", "messages", "body"].find((name) => Object.hasOwn(row, name))
    return Result.fail(
      given === undefined
        ? 'expected a field "input" (text), "messages" or "body"; there is none'
        : `${given}: expected ${EXPECTED[given] ?? "JSON"}, got null`
    )
  }
  if (input != null && messages != null) return Result.fail('has both "input" and "messages"; keep one of them')
  if (messages?.length === 0) return Result.fail("messages: expected at least one message, got an empty list")
  return Result.succeed({
    request: toRequest(fields, body),
    session: fields.session == null ? undefined : String(fields.session),
    id: fields.id ?? undefined,
    metadata,
    asked: {
      ...(input == null ? {} : { input }),
      ...(messages == null ? {} : { messages: written }),
      ...(body === undefined ? {} : { body })
    },
    source: row
  })
}

/** Any object: its fields mean what they mean elsewhere when they fit, and are only part of the body when not. */
function readObject(row: JsonObject): Content {
  const { body = row, metadata } = passedThrough(row)
  const fields = isObject(body) ? decodeFields(body) : Result.fail(undefined)
  const { id, session } = named(row)
  return {
    request: toRequest(Result.isSuccess(fields) ? fields.success : {}, body),
    session: session === undefined ? undefined : String(session),
    id,
    metadata,
    asked: { body },
    // A failed line has fields of its own beside the row's: a body that is the whole row must stay apart from them.
    source: body === row ? { ...present({ id, session, metadata }), body } : row
  }
}

function toRequest(fields: Fields, body: unknown): GenAiRequest {
  const { input, max_tokens, messages, model, system, temperature } = fields
  return {
    messages: input != null ? [{ role: "user", content: input }] : (messages ?? []),
    ...(system == null ? {} : { system }),
    ...(model == null ? {} : { model }),
    ...(temperature == null ? {} : { temperature }),
    ...(max_tokens == null ? {} : { maxTokens: max_tokens }),
    ...(body === undefined ? {} : { body })
  }
}

function fieldError(row: JsonObject, path: ReadonlyArray<unknown> | undefined): string {
  const keys = (path ?? []).filter((key) => typeof key === "string" || typeof key === "number")
  const expected = EXPECTED[fieldPath(keys.map((key) => (typeof key === "number" ? "" : key)))]
  const value = keys.reduce<unknown>((at, key) => (at as Record<string | number, unknown> | undefined)?.[key], row)
  return `${fieldPath(keys)}: expected ${expected ?? "another value"}, got ${shown(value)}`
}

/** The fields that go into the results as they are; `null` is the same as absent. */
function passedThrough({
  body,
  messages,
  metadata
}: JsonObject): Partial<Record<"body" | "messages" | "metadata", unknown>> {
  return { body: body ?? undefined, messages, metadata: metadata ?? undefined }
}

function present(fields: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** The row's names for itself and its session, as far as they can be names. */
function named({ id, session }: JsonObject): { readonly id: Name | undefined; readonly session: Name | undefined } {
  return { id: isName(id) ? id : undefined, session: isName(session) ? session : undefined }
}
