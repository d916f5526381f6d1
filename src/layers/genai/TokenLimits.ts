/** The token limits of an endpoint, as unit limits of its worker. */
import type * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type { EndpointConfig } from "../../domain/config/DispatcherConfig.ts"
import type { GenAiAnswer, Usage } from "../../domain/genai/GenAiResponse.ts"
import { TokenEstimator, writtenBytes } from "../../domain/genai/TokenEstimate.ts"
import type { UnitLimit } from "../../services/Dispatcher.ts"
import type { AttemptFailed, Call, NotSent } from "./Attempt.ts"

type TokenLimit = UnitLimit<Call, GenAiAnswer, AttemptFailed | NotSent>

/** What one endpoint's token limits count, and how leases report it. */
export interface TokenLimits {
  readonly limits: ReadonlyArray<TokenLimit>
  /** The counts of a streamed answer, in the order of `limits`. */
  readonly countsOf: (call: Call, usage: Usage) => ReadonlyArray<number>
}

/**
 * The limits that the endpoint has: tokens in all, read, written.
 *
 * A failed attempt counts nothing, since providers refuse before they work; one that was cut off (interrupted, timed out)
 * keeps its estimate, since nobody knows.
 */
export const makeTokenLimits = (endpoint: EndpointConfig): TokenLimits => {
  const { tokensPerMinute, inputTokensPerMinute, outputTokensPerMinute } = endpoint.limits
  const estimator = new TokenEstimator(maxTokensOf(endpoint.parameters), writtenBytes(endpoint.parameters))
  const input = (call: Call) => estimator.inputTokens(call.size)
  const output = (call: Call) => estimator.outputTokens(call.request)
  const kinds = [
    {
      perMinute: tokensPerMinute,
      estimate: (call: Call) => input(call) + output(call),
      count: (usage: Usage) => usage.totalTokens ?? (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0)
    },
    { perMinute: inputTokensPerMinute, estimate: input, count: (usage: Usage) => usage.inputTokens ?? 0 },
    { perMinute: outputTokensPerMinute, estimate: output, count: (usage: Usage) => usage.outputTokens ?? 0 }
  ].flatMap(({ perMinute, ...kind }) => (perMinute === undefined ? [] : [{ perMinute, ...kind }]))

  return {
    limits: kinds.map(({ perMinute, estimate, count }, index) => ({
      perMinute,
      estimate,
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
    }
  }
}

/** The endpoint answered and refused: it has counted nothing. A timeout or a broken connection leaves that open. */
const isRefusal = (reason: Cause.Reason<AttemptFailed | NotSent>): boolean => {
  if (reason._tag !== "Fail") return false
  if (reason.error._tag === "NotSent") return true
  return reason.error.reason._tag !== "TimedOut" && reason.error.reason._tag !== "ConnectionFailed"
}

/** The providers' names for the longest answer, in the endpoint's own parameters. */
export const maxTokensOf = (parameters: Readonly<Record<string, unknown>>): number | undefined =>
  ["max_completion_tokens", "max_tokens", "maxOutputTokens"]
    .map((name) => parameters[name])
    .find((value) => typeof value === "number")
