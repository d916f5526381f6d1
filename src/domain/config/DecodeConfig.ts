/** Reads untyped input by a schema and tells everything that is wrong with it in the words of the config file. */
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import { nearest } from "../Suggestion.ts"
import { type ConfigProblem, printPath } from "./ConfigError.ts"
import { homeOf } from "./FieldHomes.ts"
import { isSecretName, isSecretNameOfEndpoint, quote } from "./Secrets.ts"

/**
 * The value that `schema` reads from `input`, or every problem with it. `base` is the path of `input` itself.
 *
 * Messages repeat input only as far as `Secrets.ts` lets them.
 */
export const decode = <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S,
  input: unknown,
  base: string
): Result.Result<S["Type"], ReadonlyArray<ConfigProblem>> =>
  Result.mapError(
    SchemaParser.decodeUnknownResult(schema, { errors: "all", onExcessProperty: "error", reportInput: true })(input),
    (issue) => problemsOf(issue, base, [])
  )

const problemsOf = (
  issue: SchemaIssue.Issue,
  base: string,
  keys: ReadonlyArray<PropertyKey>
): ReadonlyArray<ConfigProblem> => {
  switch (issue._tag) {
    case "Pointer":
      return problemsOf(issue.issue, base, [...keys, ...issue.path])
    case "Composite":
      return issue.issues.flatMap((inner) => problemsOf(inner, base, keys))
    case "Filter":
    case "Encoding":
      return problemsOf(issue.issue, base, keys)
    default:
      return [{ path: printPath(base, keys), message: messageOf(issue, base, keys) }]
  }
}

const messageOf = (
  issue: SchemaIssue.Leaf | SchemaIssue.AnyOf,
  base: string,
  keys: ReadonlyArray<PropertyKey>
): string => {
  switch (issue._tag) {
    case "UnexpectedKey":
      return unknownField(base, keys, issue.ast)
    case "AnyOf":
    case "InvalidType": {
      const literals = literalsOf(issue.ast)
      if (typeof issue.input === "string" && literals.length > 0) return wrongChoice(issue.input, literals)
      return wrongType(literals.length > 0 ? oneOf(literals) : expectedOf(issue.ast), issue.input)
    }
    default:
      return SchemaIssue.defaultLeafHook(issue)
  }
}

const literalsOf = (ast: SchemaAST.AST): ReadonlyArray<string> =>
  ast._tag === "Union" ? ast.types.flatMap((type) => (type._tag === "Literal" ? [String(type.literal)] : [])) : []

const expectedOf = (ast: SchemaAST.AST): string => {
  const expected = ast.annotations?.["expected"]
  return typeof expected === "string" ? expected : "something else"
}

const oneOf = (choices: ReadonlyArray<string>): string =>
  choices.length > 1 ? `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}` : choices.join()

const wrongChoice = (value: string, choices: ReadonlyArray<string>): string => {
  const near = nearest(value, choices)
  return near === undefined
    ? `${quote(value)} is none of ${oneOf(choices)}`
    : `${quote(value)} is none of ${oneOf(choices)}; did you mean ${near}?`
}

const kindOf = (input: unknown): string => {
  if (input === null || input === undefined) return "nothing"
  if (Array.isArray(input)) return "a list"
  switch (typeof input) {
    case "string":
      return "text"
    case "number":
      return "a number"
    case "boolean":
      return String(input)
    default:
      return "fields"
  }
}

const wrongType = (expected: string, input: unknown): string => {
  const sentence = `expected ${expected}, got ${kindOf(input)}`
  if (input === null) return `${sentence}; give a value or remove the field`
  if (expected === "text" && typeof input !== "object") return `${sentence}; put it in quotes`
  const quoted = typeof input === "string" && input.trim() !== ""
  return expected === "a number" && quoted && Number.isFinite(Number(input))
    ? `${sentence}; remove the quotes`
    : sentence
}

/** What to write instead of a credential, by a field that stands where it was written. */
const secretAdvice = [
  ["sha256", "write its hash, sha256: HASH, as told by: genai-dispatcher key --stdin"],
  ["secretEnv", "put this one in an environment variable and write its name: secretEnv: NAME"],
  ["apiKeyEnv", "put this one in an environment variable and write its name: apiKeyEnv: NAME"]
] as const

/** A database's URL has the password in it. */
const isDatabaseUrl = (field: string, known: ReadonlyArray<string>): boolean =>
  known.includes("urlEnv") && /^(?:url|databaseurl|connectionstring|dsn)$/i.test(field)

/** `keys` in an endpoint are those of the object itself; only there, and beside a hash, `key` and `token` are surely credentials. */
const unknownField = (base: string, keys: ReadonlyArray<PropertyKey>, ast: SchemaAST.AST): string => {
  const field = String(keys.at(-1) ?? "")
  const known =
    ast._tag === "Objects" ? ast.propertySignatures.map((signature) => String(signature.name)) : ([] as Array<string>)
  const holdsKey = known.includes("sha256") || known.includes("secretEnv")
  const isOfEndpoint = keys.length === 1 && known.includes("apiKeyEnv")
  if (isSecretName(field) || ((holdsKey || isOfEndpoint) && isSecretNameOfEndpoint(field))) {
    const [, advice] = secretAdvice.find(([neighbour]) => known.includes(neighbour)) ?? secretAdvice[2]
    return `credentials do not go into a config; ${advice}`
  }
  if (isDatabaseUrl(field, known)) {
    return "a database's URL does not go into a config; put it in an environment variable and write its name: urlEnv: DATABASE_URL"
  }
  const home = homeOf(field, printPath(base, keys))
  if (home !== undefined) return `unknown field here; "${field}" belongs in ${home}`
  const near = nearest(field, known)
  return near === undefined
    ? `unknown field; known here: ${known.join(", ")}`
    : `unknown field; did you mean "${near}"?`
}
