/** A request as one line of a log: who asked what of whom, how it went and how long it took. Never contents. */
import type { RequestRecord } from "../server/RequestRecord.ts"

type Value = string | number | boolean | undefined

/** In the order in which they are written; what is not known is left out. */
const fieldsOf = (record: RequestRecord): ReadonlyArray<readonly [name: string, value: Value]> => [
  ["time", timeOf(record.startedAtMs)],
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

/**
 * One JSON object and a line feed: the fields above, spelled out. Put together from a list of pairs it takes three times as
 * long, which is more than all counting of a request.
 */
export const jsonLine = (record: RequestRecord): string => {
  let line = `{"time":"${timeOf(record.startedAtMs)}","id":${quoted(record.id)},"method":${nameOf(record.method)}`
  line += `,"route":"${record.route}"`
  if (record.key !== undefined) line += `,"key":${nameOf(record.key)}`
  if (record.model !== undefined) line += `,"model":${nameOf(record.model)}`
  if (record.endpoint !== undefined) line += `,"endpoint":${nameOf(record.endpoint)}`
  line += `,"status":${record.status}`
  if (record.problem !== undefined) line += `,"problem":${nameOf(record.problem)}`
  if (record.attempts !== 0) line += `,"attempts":${record.attempts}`
  const firstByte = rounded(record.firstByteMs)
  if (firstByte !== undefined) line += `,"first_byte_ms":${firstByte}`
  const duration = rounded(record.durationMs)
  if (duration !== undefined) line += `,"duration_ms":${duration}`
  if (record.inputTokens !== undefined) line += `,"input_tokens":${record.inputTokens}`
  if (record.outputTokens !== undefined) line += `,"output_tokens":${record.outputTokens}`
  if (record.isStreamed) line += ',"streamed":true'
  if (record.isAborted) line += ',"aborted":true'
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
const UNSAFE = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

const quoted = (text: string): string =>
  PLAIN.test(text)
    ? `"${text}"`
    : JSON.stringify(text).replace(UNSAFE, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** To tenths. */
const rounded = (ms: number | undefined): number | undefined =>
  ms === undefined || !Number.isFinite(ms) ? undefined : Math.round(ms * 10) / 10

let second = Number.NaN
let secondText = ""

/** ISO 8601; the text of a second is kept for those that follow within it. */
const timeOf = (unixMs: number): string => {
  const now = Math.floor(unixMs / 1_000)
  if (now !== second) {
    second = now
    secondText = new Date(now * 1_000).toISOString().slice(0, -"000Z".length)
  }
  return `${secondText}${String(Math.floor(unixMs - now * 1_000)).padStart(3, "0")}Z`
}

/** Most names that are kept. */
const MOST_NAMES = 1_000
const names = new Map<string, string>()

/** A name that comes again and again, quoted. */
const nameOf = (name: string): string => {
  const known = names.get(name)
  if (known !== undefined) return known
  const text = quoted(name)
  if (names.size < MOST_NAMES) names.set(name, text)
  return text
}
