/** How long answers take: a distribution, its textual form, and samples of it. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { formatDuration, maxDurationMs, parseDuration } from "../config/DurationText.ts"
import { hint } from "./Hint.ts"
import type { Prng } from "./Prng.ts"

const Millis = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: maxDurationMs }))

/** Times are in milliseconds; samples below 0 count as 0. */
export const Latency = Schema.Union([
  /** Always the same. */
  Schema.TaggedStruct("fixed", { ms: Millis }),
  /** Any value from `minMs` to `maxMs` is as likely as any other. */
  Schema.TaggedStruct("uniform", { minMs: Millis, maxMs: Millis }),
  /** Bell-shaped, as of many small causes. */
  Schema.TaggedStruct("normal", { meanMs: Millis, deviationMs: Millis }),
  /** A long tail, as real endpoints have: half of the answers come within `medianMs`; `sigma` stretches the tail. */
  Schema.TaggedStruct("lognormal", { medianMs: Millis, sigma: Schema.Finite })
])
export type Latency = typeof Latency.Type

const FORMS: Readonly<Record<Latency["_tag"], string>> = {
  fixed: "fixed:50ms",
  uniform: "uniform:50ms-500ms",
  normal: "normal:200ms,50ms",
  lognormal: "lognormal:200ms,0.5"
}
const KINDS = Object.keys(FORMS)

/** Reads `fixed:50ms`, `uniform:50ms-500ms`, `normal:MEAN,DEVIATION` or `lognormal:MEDIAN,SIGMA`. */
export function parseLatency(text: string): Result.Result<Latency, string> {
  const [kind, rest] = cut(text.trim(), ":")
  switch (kind) {
    case "fixed":
      return Result.map(parseDuration(rest), (ms) => ({ _tag: "fixed", ms }))
    case "uniform":
      return Result.flatMap(parsePair(kind, rest, "-", parseDuration), ([minMs, maxMs]) =>
        minMs <= maxMs
          ? Result.succeed({ _tag: "uniform", minMs, maxMs })
          : Result.fail(`in "${text.trim()}" the first duration must not be longer than the second`)
      )
    case "normal":
      return Result.map(parsePair(kind, rest, ",", parseDuration), ([meanMs, deviationMs]) => ({
        _tag: "normal",
        meanMs,
        deviationMs
      }))
    case "lognormal":
      return Result.map(parsePair(kind, rest, ",", parseSigma), ([medianMs, sigma]) => ({
        _tag: "lognormal",
        medianMs,
        sigma
      }))
    default:
      return Result.fail(`"${kind}" is no distribution${hint(kind, KINDS, Object.values(FORMS))}`)
  }
}

/** The text that `parseLatency` reads as the same distribution. */
export function formatLatency(latency: Latency): string {
  switch (latency._tag) {
    case "fixed":
      return `fixed:${formatDuration(latency.ms)}`
    case "uniform":
      return `uniform:${formatDuration(latency.minMs)}-${formatDuration(latency.maxMs)}`
    case "normal":
      return `normal:${formatDuration(latency.meanMs)},${formatDuration(latency.deviationMs)}`
    case "lognormal":
      return `lognormal:${formatDuration(latency.medianMs)},${latency.sigma}`
  }
}

/** One latency in milliseconds, from 0 to `maxDurationMs`. */
export function sampleLatency(latency: Latency, random: Prng): number {
  switch (latency._tag) {
    case "fixed":
      return latency.ms
    case "uniform":
      return latency.minMs + (latency.maxMs - latency.minMs) * random.uniform()
    case "normal":
      return Math.min(Math.max(0, latency.meanMs + latency.deviationMs * random.normal()), maxDurationMs)
    case "lognormal":
      return Math.min(latency.medianMs * Math.exp(latency.sigma * random.normal()), maxDurationMs)
  }
}

function parsePair(
  kind: Latency["_tag"],
  text: string,
  separator: string,
  second: (text: string) => Result.Result<number, string>
): Result.Result<readonly [number, number], string> {
  const [left, right] = cut(text, separator)
  if (left === "" || right === "") {
    return Result.fail(`"${kind}:${text}" needs two values, as in "${FORMS[kind]}"`)
  }
  return Result.flatMap(parseDuration(left), (first) => Result.map(second(right), (other) => [first, other] as const))
}

function parseSigma(text: string): Result.Result<number, string> {
  const sigma = Number(text)
  return Number.isFinite(sigma) && sigma >= 0 && sigma <= 10
    ? Result.succeed(sigma)
    : Result.fail(`"${text.trim()}" is no sigma: write a number from 0 to 10, such as 0.5`)
}

function cut(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator)
  return at < 0 ? [text.trim(), ""] : [text.slice(0, at).trim(), text.slice(at + separator.length).trim()]
}
