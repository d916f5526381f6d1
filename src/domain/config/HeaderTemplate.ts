/**
 * HTTP headers in a config: `${NAME}` in a value stands for an environment variable, `$${` for a plain `${`.
 *
 * Headers that carry credentials must take them from a variable. What came from one is sent, and shown nowhere: the
 * settled headers print, inspect and serialize as the templates they came from.
 */
import * as Redactable from "effect/Redactable"
import * as Result from "effect/Result"
import { type ConfigProblem, printPath } from "./ConfigError.ts"
import { isSecretHeader, isVariableName, looksLikeKey, variableExample } from "./Secrets.ts"

type Part = { readonly text: string } | { readonly variable: string }

/** One header: its name in lower case, its value as written, and what that is made of. */
export interface HeaderTemplate {
  readonly name: string
  readonly written: string
  readonly parts: ReadonlyArray<Part>
}

/** The environment variables that a header's value comes from. */
export const variablesOf = (template: HeaderTemplate): ReadonlyArray<string> =>
  template.parts.flatMap((part) => ("variable" in part ? [part.variable] : []))

/** RFC 9110 allows more marks at the start; no header in use begins with one. */
const headerName = /^[A-Za-z0-9][A-Za-z0-9!#$%&'*+.^_`|~-]*$/

/** Set by the HTTP client from the request itself; a value of one's own breaks the connection. */
const clientHeaders = new Set(["connection", "content-length", "expect", "keep-alive", "transfer-encoding", "upgrade"])

/** Whether HTTP can carry a header's value: Latin letters and marks on one line. */
export const isHeaderValue = (text: string): boolean => /^[\t\x20-\x7e\x80-\xff]*$/.test(text)

const splitTemplate = (written: string): Result.Result<ReadonlyArray<Part>, string> => {
  const parts: Array<Part> = []
  let from = 0
  for (const match of written.matchAll(/\$\$\{|\$\{([^}]*)(\}?)/g)) {
    const [whole, variable, end] = match
    parts.push({ text: written.slice(from, match.index) })
    from = match.index + whole.length
    if (variable === undefined) parts.push({ text: "${" })
    else if (end === "" || !isVariableName(variable)) {
      return Result.fail(`has a \${ that names no variable; write ${variableExample}, or $\${ for a plain \${`)
    } else parts.push({ variable })
  }
  parts.push({ text: written.slice(from) })
  return Result.succeed(parts.filter((part) => !("text" in part) || part.text !== ""))
}

const readHeader = (name: string, written: string): Result.Result<HeaderTemplate, string> => {
  if (!headerName.test(name)) return Result.fail("is no name for an HTTP header; use letters, digits and dashes")
  const lower = name.toLowerCase()
  if (clientHeaders.has(lower)) return Result.fail("is set by the HTTP client itself; remove it")
  return Result.flatMap(splitTemplate(written), (parts) => {
    const texts = parts.flatMap((part) => ("text" in part ? [part.text] : []))
    if (!texts.every(isHeaderValue)) return Result.fail("must be plain letters on one line")
    const plain = isSecretHeader(name) && texts.length === parts.length && written.trim() !== ""
    if (plain || texts.some(looksLikeKey)) {
      return Result.fail(
        `looks like a credential in plain text; put it in an environment variable and write its name: ${variableExample}`
      )
    }
    return Result.succeed({ name: lower, written, parts })
  })
}

/** The headers of one endpoint, or every problem with them. Values that are no text are left to the schema. */
export const readHeaders = (
  headers: Readonly<Record<string, unknown>>,
  base: string
): { readonly templates: ReadonlyArray<HeaderTemplate>; readonly problems: ReadonlyArray<ConfigProblem> } => {
  const templates = new Map<string, HeaderTemplate>()
  const problems: Array<ConfigProblem> = []
  for (const [name, written] of Object.entries(headers)) {
    if (typeof written !== "string") continue
    const read = readHeader(name, written)
    if (Result.isFailure(read)) problems.push({ path: printPath(base, [name]), message: read.failure })
    else if (templates.has(read.success.name)) {
      problems.push({ path: printPath(base, [name]), message: "is there twice; upper and lower case are the same" })
    } else templates.set(read.success.name, read.success)
  }
  return { templates: [...templates.values()], problems }
}

/** The value to send, or `undefined` when a variable is missing. */
export const fillTemplate = (
  template: HeaderTemplate,
  lookup: (variable: string) => string | undefined
): string | undefined => {
  const texts = template.parts.map((part) => ("text" in part ? part.text : lookup(part.variable)))
  return texts.includes(undefined) ? undefined : texts.join("")
}

const written = new WeakMap<object, Readonly<Record<string, string>>>()

/** Shared by all settled headers. Not enumerable, so that loops over headers meet headers only. */
const prototype = Object.create(
  Object.prototype,
  Object.fromEntries(
    ["toJSON", Symbol.for("nodejs.util.inspect.custom"), Redactable.symbolRedactable].map((key) => [
      key,
      {
        value(this: object) {
          return written.get(this)
        }
      }
    ])
  )
)

/** Headers to send, that show only what was written in the config. */
export const makeHeaders = (
  headers: ReadonlyArray<{ readonly template: HeaderTemplate; readonly value: string }>
): Readonly<Record<string, string>> => {
  const settled: Record<string, string> = Object.create(prototype)
  for (const { template, value } of headers) settled[template.name] = value
  written.set(settled, Object.fromEntries(headers.map(({ template }) => [template.name, template.written])))
  return Object.freeze(settled)
}

/** Headers as they may be shown: as written for those of a config file, credentials hidden for those made by hand. */
export const showHeaders = (headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  written.get(headers) ??
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      isSecretHeader(name) || looksLikeKey(value) ? "<redacted>" : value
    ])
  )
