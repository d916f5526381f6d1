/** The token limits of an endpoint, as unit limits of its worker. */
import type * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type { EndpointConfig } from "../../domain/config/DispatcherConfig.ts"
import { fewerProcesses } from "../../domain/config/ProcessShares.ts"
import type { GenAiAnswer, Usage } from "../../domain/genai/GenAiResponse.ts"
import { maxTokensOf, TokenEstimator, writtenBytes } from "../../domain/genai/TokenEstimate.ts"
import type { UnitLimit } from "../../services/Dispatcher.ts"
import type { AttemptFailed, Call, NotSent } from "./Attempt.ts"

type TokenLimit = UnitLimit<Call, GenAiAnswer, AttemptFailed | NotSent>

/** What one endpoint's token limits count, and how leases report it. */
export interface TokenLimits {
  readonly limits: ReadonlyArray<TokenLimit>
  /** The counts of a streamed answer, in the order of `limits`. */
  readonly countsOf: (call: Call, usage: Usage) => ReadonlyArray<number>
  /**
   * Why a call must not be sent: it may take more than the share of a limit that this process has. `undefined` where limits
   * are whole: there, what is larger than one waits until nothing else counts.
   */
  readonly refusal: ((call: Call) => string | undefined) | undefined
}

/** One of the limits, and how it counts. */
interface Kind {
  readonly name: "tokensPerMinute" | "inputTokensPerMinute" | "outputTokensPerMinute"
  readonly perMinute: number
  readonly estimate: (call: Call, estimator: TokenEstimator) => number
  readonly count: (usage: Usage) => number
}

/**
 * The limits that the endpoint has: tokens in all, read, written.
 *
 * A failed attempt counts nothing, since providers refuse before they work; one that was cut off (interrupted, timed out)
 * keeps its estimate, since nobody knows.
 *
 * `processes`: of how many these are the limits of one. Each of those would let a request larger than its share go once
 * nothing else of its own counts, all of them at the same time: so then there is a `refusal`. What takes more than anybody
 * could foresee is a debt of its process, as it is where there is one only.
 */
export const makeTokenLimits = (endpoint: EndpointConfig, processes = 1): TokenLimits => {
  const estimator = estimatorFor(endpoint)
  const kinds = kindsOf(endpoint)
  const refusal = processes === 1 || kinds.length === 0 ? undefined : makeRefusal(endpoint, kinds, processes)

  return {
    limits: kinds.map(({ perMinute, estimate, count }, index) => ({
      perMinute,
      // What is refused need not wait for that.
      estimate: (call) => (refusal?.(call) === undefined ? estimate(call, estimator) : 0),
      actual: (exit, call) => {
        if (Exit.isFailure(exit)) return exit.cause.reasons.some(isRefusal) ? 0 : undefined
        const { usage } = exit.value
        if (usage === undefined) return undefined
        // Once for each answer, however many limits there are.
        if (index === 0) estimator.learn(call.size, usage)
        return count(usage)
      }
    })),
    countsOf: (call, usage) => {
      // The size of a prompt costs something, and where nothing is limited nobody asks for it.
      if (kinds.length > 0) estimator.learn(call.size, usage)
      return kinds.map(({ count }) => count(usage))
    },
    refusal
  }
}

const estimatorFor = ({ parameters }: EndpointConfig): TokenEstimator =>
  new TokenEstimator(maxTokensOf(parameters), writtenBytes(parameters))

const kindsOf = ({ limits }: EndpointConfig): ReadonlyArray<Kind> => {
  const input: Kind["estimate"] = (call, estimator) => estimator.inputTokens(call.size)
  const output: Kind["estimate"] = (call, estimator) => estimator.outputTokens(call.request)
  const all: ReadonlyArray<Omit<Kind, "perMinute">> = [
    {
      name: "tokensPerMinute",
      estimate: (call, estimator) => input(call, estimator) + output(call, estimator),
      count: (usage) => usage.totalTokens ?? (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0)
    },
    { name: "inputTokensPerMinute", estimate: input, count: (usage) => usage.inputTokens ?? 0 },
    { name: "outputTokensPerMinute", estimate: output, count: (usage) => usage.outputTokens ?? 0 }
  ]
  return all.flatMap((kind) => {
    const perMinute = limits[kind.name]
    return perMinute === undefined ? [] : [{ ...kind, perMinute }]
  })
}

const makeRefusal = (
  endpoint: EndpointConfig,
  kinds: ReadonlyArray<Kind>,
  processes: number
): ((call: Call) => string | undefined) => {
  // One that learns nothing: the same request has the same end everywhere and at any time, and one long answer does not
  // stop all that come after it.
  const estimator = estimatorFor(endpoint)
  return (call) => {
    for (const { estimate, name, perMinute } of kinds) {
      const units = estimate(call, estimator)
      if (units <= perMinute) continue
      const whole = Math.round(perMinute * processes)
      return (
        `the request may take ${units} tokens: use ${fewerProcesses(whole, units)}, since each of ${processes} processes ` +
        `has ${Math.floor(perMinute)} of ${whole} ${name}`
      )
    }
    return undefined
  }
}

/** The endpoint answered and refused: it has counted nothing. A timeout or a broken connection leaves that open. */
const isRefusal = (reason: Cause.Reason<AttemptFailed | NotSent>): boolean => {
  if (reason._tag !== "Fail") return false
  if (reason.error._tag === "NotSent") return true
  return reason.error.reason._tag !== "TimedOut" && reason.error.reason._tag !== "ConnectionFailed"
}
