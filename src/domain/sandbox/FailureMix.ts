/** Which failures the sandbox makes up, and how often. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { hint } from "./Hint.ts"

/**
 * What can go wrong, by the names that users write.
 *
 * - `429`, `429-retry-after`: refused as by a rate limit, without and with a Retry-After header; at once;
 * - `503`, `529`: refused as overloaded; at once;
 * - `500`: the server's own error, after the latency;
 * - `reset`: the connection is reset (TCP RST) after the latency; a streamed answer after half of it;
 * - `stall`: the request is taken and never answered;
 * - `stall-body`: after the latency come the head and half of the body, and then nothing more;
 * - `truncated`: status 200 and JSON that ends in the middle, or half of a stream; as HTTP the answer is whole;
 * - `empty`: status 200 without a body;
 * - `html`: status 502 with an HTML page, as from a proxy; after the latency;
 * - `stream-error`: half of a streamed answer, and then the format's word for a failure; what is not streamed is
 *   refused as overloaded (503) after the latency.
 */
export const FaultName = Schema.Literals([
  "429",
  "429-retry-after",
  "500",
  "503",
  "529",
  "reset",
  "stall",
  "stall-body",
  "truncated",
  "empty",
  "html",
  "stream-error"
])
export type FaultName = typeof FaultName.Type

/** Those that do not wait for the latency to pass. */
const AtOnce = FaultName.pick(["429", "429-retry-after", "503", "529", "stall"])
export type FaultAtOnce = typeof AtOnce.Type
export const isAtOnce = Schema.is(AtOnce)

const NAMES: ReadonlyArray<string> = FaultName.literals
const isFaultName = Schema.is(FaultName)

/** Failures with their shares of all requests. Names are unique, the shares add up to at most 1. */
export const FailureMix = Schema.Array(
  Schema.Struct({
    name: FaultName,
    share: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
  })
)
export type FailureMix = typeof FailureMix.Type

/** Rounding of sums such as 0.1 + 0.2 must not make a mix invalid. */
const TOLERANCE = 1e-9

/** Reads `429=0.02,reset=0.01,...`; an empty text is a mix without failures. */
export function parseFailureMix(text: string): Result.Result<FailureMix, string> {
  const mix: Array<FailureMix[number]> = []
  let sum = 0
  for (const part of text.split(",")) {
    if (part.trim() === "") continue
    const at = part.indexOf("=")
    const name = (at < 0 ? part : part.slice(0, at)).trim()
    if (!isFaultName(name)) {
      return Result.fail(`"${name}" is no failure${hint(name, NAMES)}`)
    }
    const written = at < 0 ? "" : part.slice(at + 1).trim()
    const share = Number(written)
    if (written === "" || !(share >= 0 && share <= 1)) {
      return Result.fail(`the share of "${name}" must be a number from 0 to 1, as in "${name}=0.02", not "${written}"`)
    }
    if (mix.some((entry) => entry.name === name)) return Result.fail(`"${name}" is there twice`)
    mix.push({ name, share })
    sum += share
  }
  return sum <= 1 + TOLERANCE
    ? Result.succeed(mix)
    : Result.fail(`the shares add up to ${Number(sum.toFixed(6))}, and cannot be more than 1`)
}

/** The text that `parseFailureMix` reads as the same mix. */
export const formatFailureMix = (mix: FailureMix): string =>
  mix.map((entry) => `${entry.name}=${entry.share}`).join(",")

/** The failure that the draw `uniform` (from [0, 1)) stands for; `undefined` for none. */
export function drawFailure(mix: FailureMix, uniform: number): FaultName | undefined {
  let bound = 0
  for (const entry of mix) {
    bound += entry.share
    if (uniform < bound) return entry.name
  }
  return undefined
}
