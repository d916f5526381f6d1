/** A request as one line of a log: who asked what of whom, how it went and how long it took. Never contents. */
import type { RequestRecord } from "../server/RequestRecord.ts"

type Value = string | number | boolean | undefined

/** In the order in which they are written; what is not known is left out. */
const fieldsOf = (record: RequestRecord): ReadonlyArray<readonly [name: string, value: Value]> => [
  ["time", new Date(record.startedAtMs).toISOString()],
  ["id", record.id],
  ["method", record.method],
  ["route", record.route],
  ["key", record.key],
  ["model", record.model],
  ["endpoint", record.endpoint],
  ["status", record.status],
  ["problem", record.problem],
  ["attempts", record.attempts === 0 ? undefined : record.attempts],
  ["first_byte_ms", rounded(record.firstByteMs)],
  ["duration_ms", rounded(record.durationMs)],
  ["input_tokens", record.inputTokens],
  ["output_tokens", record.outputTokens],
  ["streamed", record.isStreamed || undefined],
  ["aborted", record.isAborted || undefined]
]

/** One JSON object and a line feed. */
export const jsonLine = (record: RequestRecord): string => {
  let line = ""
  for (const [name, value] of fieldsOf(record)) {
    if (value === undefined) continue
    line += `${line === "" ? "{" : ","}"${name}":${typeof value === "string" ? quoted(value) : value}`
  }
  return `${line}}\n`
}

/** `name=value`, separated by spaces; texts that are not plain words are quoted as in JSON. */
export const textLine = (record: RequestRecord): string => {
  let line = ""
  for (const [name, value] of fieldsOf(record)) {
    if (value === undefined) continue
    const text = typeof value !== "string" || WORD.test(value) ? value : quoted(value)
    line += `${line === "" ? "" : " "}${name}=${text}`
  }
  return `${line}\n`
}

const WORD = /^[\w.:/@+-]+$/

/** Printable ASCII without what JSON escapes: most values. */
const PLAIN = /^[ !#-[\]-~]*$/

/** What JSON leaves as it is and terminals or readers of lines may take for more than a character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSAFE = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

const quoted = (text: string): string =>
  PLAIN.test(text)
    ? `"${text}"`
    : JSON.stringify(text).replace(UNSAFE, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** To tenths. */
const rounded = (ms: number | undefined): number | undefined =>
  ms === undefined || !Number.isFinite(ms) ? undefined : Math.round(ms * 10) / 10
