/** What clients ask of `POST /generate` and `POST /submit`: in our own words, or as Gemini's API has it. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { decode as decodeDialect } from "../dialects/GeminiRequest.ts"
import { ChatMessage, type GenAiRequest } from "../genai/GenAiRequest.ts"
import { brokenText, fieldPath, isDeeper, isObject, type JsonObject, shown } from "../JsonText.ts"
import { isModelName } from "../ModelName.ts"
import { nearest } from "../Suggestion.ts"
import { Problem } from "../server/Problem.ts"
import { MAX_SESSION_LENGTH } from "../server/Session.ts"

const Text = Schema.String.check(Schema.isMinLength(1))
const PositiveInt = Schema.Int.check(Schema.isGreaterThan(0))
const Members = Schema.Record(Schema.String, Schema.Unknown)

/** What both ways to ask have beside the request itself. */
const shared = {
  /** A name of a model, as `GET /v1/models` lists them. Default: any endpoint. */
  model: Schema.optionalKey(Text.check(Schema.makeFilter(isModelName, { expected: "the name of a model" }))),
  /** Requests of one session go to one endpoint. The header `x-session-id` says the same. */
  session: Schema.optionalKey(Text.check(Schema.isMaxLength(MAX_SESSION_LENGTH))),
  /** Whether the text is wanted piece by piece, at `GET /jobs/{id}/events`. Default: false. */
  stream: Schema.optionalKey(Schema.Boolean),
  /** Is sent the job once it has ended. */
  webhook: Schema.optionalKey(Text)
}

/** In our own words; exactly one of `input`, `messages` and `body`. */
export const NeutralForm = Schema.Struct({
  /** One turn of the user. */
  input: Schema.optionalKey(Schema.String),
  messages: Schema.optionalKey(Schema.NonEmptyArray(ChatMessage)),
  /** The JSON document that endpoints of kind `raw` are sent as it is. */
  body: Schema.optionalKey(Schema.Unknown),
  system: Schema.optionalKey(Schema.String),
  temperature: Schema.optionalKey(Schema.Finite),
  /** The longest answer wanted, in tokens. */
  maxTokens: Schema.optionalKey(PositiveInt),
  /** The same, as rows of batches have it. */
  max_tokens: Schema.optionalKey(PositiveInt),
  /** What only the provider has words for; merged into its body last. */
  extra: Schema.optionalKey(Members),
  ...shared
}).annotate({ identifier: "GenerateRequest" })

/** As Gemini's `generateContent` has it; what only Gemini understands is sent to its endpoints as it is. */
export const GeminiForm = Schema.StructWithRest(
  Schema.Struct({ contents: Schema.NonEmptyArray(Schema.StructWithRest(Schema.Struct({}), [Members])), ...shared }),
  [Members]
).annotate({ identifier: "GeminiGenerateRequest" })

/** What a client asks for. */
export interface Asked {
  /** Has no `model`. */
  readonly request: GenAiRequest
  readonly model: string | undefined
  readonly session: string | undefined
  readonly stream: boolean
  readonly webhook: string | undefined
}

/** Lists and objects inside each other; deeper ones cannot be worked on without exhausting the stack. */
const MAX_DEPTH = 256

/** What `extra` must not say: where a request goes is decided, and allowed, by what stands beside it. */
const OWN = ["model", "models", "messages", "stream"]

const parse = { onExcessProperty: "error", errors: "first" } as const
const decodeNeutral = Schema.decodeUnknownResult(NeutralForm, parse)
const decodeGemini = Schema.decodeUnknownResult(GeminiForm, { errors: "first" })
const toIssues = SchemaIssue.makeFormatterStandardSchemaV1()

export const readGenerateBody = (body: unknown): Result.Result<Asked, Problem> => {
  if (!isObject(body)) return wrong(undefined, `The body must be a JSON object, but it is ${shown(body)}.`)
  if (isDeeper(body, MAX_DEPTH)) return wrong(undefined, `The body has more than ${MAX_DEPTH} levels.`)
  const broken = brokenText(body)
  if (broken !== undefined) return wrong(broken, `${broken}: the text has half of a surrogate pair.`)
  return Object.hasOwn(body, "contents") ? readGemini(body) : readNeutral(body)
}

const readNeutral = (body: JsonObject): Result.Result<Asked, Problem> => {
  const decoded = decodeNeutral(body)
  if (Result.isFailure(decoded)) return misfit(body, decoded.failure)
  const {
    extra,
    input,
    max_tokens,
    maxTokens = max_tokens,
    messages,
    model,
    session,
    system,
    temperature
  } = decoded.success
  const given = ["input", "messages", "body"].filter((name) => Object.hasOwn(body, name))
  if (given.length === 0) {
    return wrong("input", 'Expected a field "input" (text), "messages", "body" or "contents"; there is none.')
  }
  if (given.length > 1) return wrong(given[1], `There is both "${given[0]}" and "${given[1]}"; keep one of them.`)
  if (max_tokens !== undefined && maxTokens !== max_tokens) {
    return wrong("max_tokens", 'There is both "maxTokens" and "max_tokens"; keep one of them.')
  }
  const own = OWN.find((name) => Object.hasOwn(extra ?? {}, name))
  if (own !== undefined) return wrong(`extra.${own}`, `extra.${own}: this service sets ${own} itself; leave it out.`)
  return Result.succeed({
    request: {
      messages: input === undefined ? (messages ?? []) : [{ role: "user", content: input }],
      ...(system === undefined ? {} : { system }),
      ...(temperature === undefined ? {} : { temperature }),
      ...(maxTokens === undefined ? {} : { maxTokens }),
      ...(extra === undefined ? {} : { extra }),
      ...(Object.hasOwn(body, "body") ? { body: body["body"] } : {})
    },
    model,
    session,
    stream: decoded.success.stream ?? false,
    webhook: decoded.success.webhook
  })
}

const readGemini = (body: JsonObject): Result.Result<Asked, Problem> => {
  const decoded = decodeGemini(body)
  if (Result.isFailure(decoded)) return misfit(body, decoded.failure)
  const { model, session, stream, webhook } = decoded.success
  const { model: _model, session: _session, stream: _stream, webhook: _webhook, ...native } = body
  return Result.map(decodeGeminiRequest(native), ({ keepRaw: _keepRaw, ...request }) => ({
    request: { ...request, native: { family: "gemini", body: native } },
    model,
    session,
    stream: stream ?? false,
    webhook
  }))
}

/** Without a model, of which the dialect knows nothing. */
const decodeGeminiRequest = (body: JsonObject): Result.Result<GenAiRequest, Problem> =>
  Result.map(decodeDialect(geminiRoute, body), ({ request }) => request)

/**
 * What only endpoints of the request's own family understand and what must not be left out; empty for requests in our own
 * words.
 */
export const needsOf = ({ native }: GenAiRequest): ReadonlyArray<string> => {
  if (native?.family !== "gemini") return []
  const decoded = decodeDialect(geminiRoute, native.body)
  return Result.isSuccess(decoded) ? decoded.success.needs : []
}

const geminiRoute = { _tag: "Generate", model: "any", isStreamed: false } as const

const misfit = (body: JsonObject, error: Schema.SchemaError): Result.Result<never, Problem> => {
  const issue = toIssues(error.issue).issues[0]
  const keys = (issue?.path ?? []).map((key) => (typeof key === "number" ? key : String(key)))
  const field = fieldPath(keys)
  if (issue?.message === "Missing key") return missing(keys)
  const isUnknown = issue?.message === "Expected no excess property"
  const near = isUnknown && keys.length === 1 ? nearest(field, Object.keys(NeutralForm.fields)) : undefined
  const hint = near === undefined ? "" : ` Did you mean ${near}?`
  const what = isUnknown ? `there is no such field.${hint}` : `${issue?.message}, got ${shown(valueAt(body, keys))}.`
  return wrong(field, `${field}: ${what}`)
}

/** Of a list, that it is empty. */
const missing = (keys: ReadonlyArray<string | number>): Result.Result<never, Problem> => {
  const list = fieldPath(keys.slice(0, -1))
  return typeof keys.at(-1) === "number"
    ? wrong(list, `${list}: expected at least one, got an empty list.`)
    : wrong(fieldPath(keys), `${fieldPath(keys)}: it is missing.`)
}

const valueAt = (value: unknown, keys: ReadonlyArray<string | number>): unknown =>
  keys.reduce<unknown>(
    (within, key) => (typeof within === "object" && within !== null ? Reflect.get(within, key) : undefined),
    value
  )

const wrong = (field: string | undefined, message: string): Result.Result<never, Problem> =>
  Result.fail(new Problem({ kind: "InvalidRequest", message, ...(field ? { field } : {}) }))
