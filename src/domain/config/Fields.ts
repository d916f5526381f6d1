/** The fields that config files are made of: what each may hold, and the sentence for what it may not. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { nearest } from "../Suggestion.ts"
import { identifiers } from "./EndpointTarget.ts"
import { isSecretNameOfEndpoint, isVariableName, quote, variableExample } from "./Secrets.ts"

// Not `Finite`: the ranges below refuse NaN and infinity in the words of the file.
// @effect-diagnostics-next-line schemaNumber:off
export const NumberField = Schema.Number.annotate({ expected: "a number" })
export const TextField = Schema.String.annotate({ expected: "text" })
export const YesOrNo = Schema.Boolean.annotate({ expected: "true or false" })

export const AboveZero = NumberField.check(
  Schema.makeFilter((n: number) => (n > 0 && Number.isFinite(n)) || `must be a number above 0, got ${n}`)
)

export const AtLeastZero = NumberField.check(
  Schema.makeFilter((n: number) => (n >= 0 && Number.isFinite(n)) || `must be a number of at least 0, got ${n}`)
)

export const FromZero = NumberField.check(
  Schema.makeFilter(
    (n: number) => (Number.isSafeInteger(n) && n >= 0) || `must be a whole number of at least 0, got ${n}`
  )
)

export const AtLeastOne = NumberField.check(
  Schema.makeFilter(
    (n: number) => (Number.isSafeInteger(n) && n >= 1) || `must be a whole number of at least 1, got ${n}`
  )
)

const readConcurrency = (written: string | number): Result.Result<number | "auto", string> => {
  if (written === "auto") return Result.succeed(written)
  if (typeof written === "number") {
    return Number.isSafeInteger(written) && written >= 1
      ? Result.succeed(written)
      : Result.fail(`must be a whole number of at least 1, got ${written}`)
  }
  if (written.trim() !== "" && Number.isFinite(Number(written))) {
    return Result.fail("expected a number or auto, got text; remove the quotes")
  }
  const near = nearest(written, ["auto"])
  return Result.fail(
    `${quote(written)} is neither a number nor auto${near === undefined ? "" : `; did you mean ${near}?`}`
  )
}

/** A number of requests in flight, or `auto` to have it found. */
// @effect-diagnostics-next-line schemaNumber:off
export const ConcurrencyField = Schema.Union([Schema.String, Schema.Number])
  .annotate({ expected: "a number or auto" })
  .pipe(
    Schema.decodeTo(
      // @effect-diagnostics-next-line schemaNumber:off
      Schema.Union([Schema.Number, Schema.Literal("auto")]),
      SchemaTransformation.transformEffect({
        decode: (written: string | number) =>
          Effect.fromResult(
            Result.mapError(readConcurrency(written), (message) => new SchemaIssue.InvalidValue({ message }))
          ),
        encode: (concurrency: number | "auto"): Effect.Effect<string | number, SchemaIssue.Issue> =>
          Effect.succeed(concurrency)
      })
    )
  )

export const Filled = TextField.check(Schema.makeFilter((text: string) => text.trim() !== "" || "must not be empty"))

/** Names stand in tables, logs and metric labels. */
export const EndpointName = Filled.check(
  Schema.makeFilter(
    (name: string) =>
      /^[^\s\p{C}](?:[^\p{C}]{0,62}[^\s\p{C}])?$/u.test(name) || "must be at most 64 letters on one line"
  )
)

export const VariableName = TextField.check(
  Schema.makeFilter(
    (name: string) =>
      isVariableName(name) || "must be the name of an environment variable, such as EAST_API_KEY, not the key itself"
  )
)

export const identifier = (field: keyof typeof identifiers) =>
  TextField.check(
    Schema.makeFilter((text: string) => identifiers[field].pattern.test(text) || identifiers[field].message)
  )

const urlProblem = (url: URL, passwordAdvice: string): string | undefined => {
  if (url.protocol !== "http:" && url.protocol !== "https:") return "must start with http:// or https://"
  if (url.username !== "" || url.password !== "") return `must not hold a user name or password; ${passwordAdvice}`
  if ([...url.searchParams.keys()].some(isSecretNameOfEndpoint)) {
    return `must not hold a key in its query; send it as a header from a variable, such as x-api-key: ${variableExample}`
  }
  return url.hash === "" ? undefined : "must not hold a # part: it is never sent"
}

/** A URL over HTTP without credentials in it; `passwordAdvice` says where those go. */
export const urlField = (passwordAdvice: string) =>
  TextField.pipe(
    Schema.decodeTo(
      Schema.instanceOf(URL),
      SchemaTransformation.transformEffect({
        decode: (text: string) => {
          const url = URL.parse(text)
          const message =
            url === null ? "is no URL; write it whole, such as https://host/v1" : urlProblem(url, passwordAdvice)
          return url === null || message !== undefined
            ? Effect.fail(new SchemaIssue.InvalidValue({ message: message ?? "" }))
            : Effect.succeed(url)
        },
        encode: (url: URL): Effect.Effect<string, SchemaIssue.Issue> => Effect.succeed(url.href)
      })
    )
  )

export const BaseUrl = urlField("put the key in a variable and name that in apiKeyEnv")

/** What keeps a value from being sent as JSON: `.nan`, dates, binary data, an anchor that holds itself. */
const jsonProblems = (
  value: unknown,
  path: ReadonlyArray<PropertyKey>,
  above: ReadonlyArray<object>
): ReadonlyArray<{ readonly path: ReadonlyArray<PropertyKey>; readonly issue: string }> => {
  if (value === null || typeof value === "string" || typeof value === "boolean") return []
  if (typeof value === "number") return Number.isFinite(value) ? [] : [{ path, issue: `JSON has no ${value}` }]
  if (typeof value !== "object") return [{ path, issue: "is nothing that JSON can say" }]
  if (above.includes(value)) return [{ path, issue: "holds itself; JSON cannot say that" }]
  const plain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
  if (!plain) return [{ path, issue: "is nothing that JSON can say" }]
  const entries = Array.isArray(value) ? value.entries() : Object.entries(value)
  return [...entries].flatMap(([key, inner]) => jsonProblems(inner, [...path, key], [...above, value]))
}

export const Parameters = Schema.Record(Schema.String, Schema.Unknown)
  .annotate({ expected: "fields such as temperature: 0.4" })
  .check(Schema.makeFilter((parameters: object) => jsonProblems(parameters, [], [])))
