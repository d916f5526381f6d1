/** What becomes of a request: decided by the seed and the request's number alone. */
import { drawFailure, type FailureMix, type FaultName } from "./FailureMix.ts"
import { type Latency, sampleLatency } from "./Latency.ts"
import { Prng } from "./Prng.ts"

export interface Fate {
  /** The failure to make up, or `undefined` for an answer. */
  readonly fault: FaultName | undefined
  /** How long the answer takes, in milliseconds. */
  readonly latencyMs: number
}

export interface FateRules {
  readonly seed: number
  readonly latency: Latency
  readonly failures: FailureMix
}

/**
 * The fate of the `arrival`-th request (the first is 0).
 *
 * The failure is drawn first: changing the latency leaves the failures where they were, and the other way round.
 */
export function fateOf(rules: FateRules, arrival: number): Fate {
  const random = new Prng(rules.seed, arrival)
  const fault = drawFailure(rules.failures, random.uniform())
  return { fault, latencyMs: sampleLatency(rules.latency, random) }
}
