/**
 * Splits a configuration among processes that work on the same requests: each has an exact share of every limit, so that
 * together they never exceed one, and use all of it while all have work.
 *
 * A request that may take more tokens than a share has no place in one: where each may (the endpoint's own longest answer),
 * the configuration cannot be split so, else the client refuses the request (`layers/genai/TokenLimits.ts`).
 */
import * as Result from "effect/Result"
import { maxTokensOf } from "../genai/TokenEstimate.ts"
import type { ConfigProblem } from "./ConfigError.ts"
import type { DispatcherConfig, EndpointConfig, EndpointLimits } from "./DispatcherConfig.ts"

/** What holds for requests in whole numbers, since no process can send a part of one. */
const WHOLE = ["requestsPerSecond", "requestsPerMinute"] as const

/** What holds for tokens, which come in thousands. */
const TOKENS = ["tokensPerMinute", "inputTokensPerMinute", "outputTokensPerMinute"] as const

/** Those that answers count in. */
const ANSWERS = ["tokensPerMinute", "outputTokensPerMinute"] as const

/** The configuration of each process, or what cannot be split so. Giving `processes` 1 changes nothing. */
export const split = (
  config: DispatcherConfig,
  processes: number
): Result.Result<ReadonlyArray<DispatcherConfig>, ReadonlyArray<ConfigProblem>> => {
  if (processes === 1) return Result.succeed([config])
  const problems = problemsOf(config, processes)
  if (problems.length > 0) return Result.fail(problems)
  return Result.succeed(Array.from({ length: processes }, (_, index) => shareOf(config, index, processes)))
}

const shareOf = (config: DispatcherConfig, index: number, of: number): DispatcherConfig => ({
  ...config,
  maxRequestsPerSecond: config.maxRequestsPerSecond && part(config.maxRequestsPerSecond, index, of),
  retryBudget: { ...config.retryBudget, minPerSecond: config.retryBudget.minPerSecond / of },
  endpoints: config.endpoints.map((endpoint) => endpointShare(endpoint, index, of)),
  processes: of
})

const endpointShare = (endpoint: EndpointConfig, index: number, of: number): EndpointConfig => ({
  ...endpoint,
  concurrency: part(endpoint.concurrency, index, of),
  queueCapacity: Math.ceil(endpoint.queueCapacity / of),
  limits: limitsShare(endpoint.limits, index, of)
})

const limitsShare = (limits: EndpointLimits, index: number, of: number): EndpointLimits => ({
  ...limits,
  ...Object.fromEntries(given(limits, WHOLE).map(([name, limit]) => [name, part(limit, index, of)])),
  ...Object.fromEntries(given(limits, TOKENS).map(([name, limit]) => [name, limit / of]))
})

/** A whole number for each process; the first ones have one more, and the first of all what is left of a fraction. */
export const part = (total: number, index: number, of: number): number => {
  const whole = Math.floor(total)
  const share = Math.floor(whole / of) + (index < whole % of ? 1 : 0)
  return index === 0 ? share + (total - whole) : share
}

/** With how many processes each has at least `least` of a limit, as advice. */
export const fewerProcesses = (limit: number, least: number): string => {
  const most = Math.max(1, Math.floor(limit / least))
  return `--processes ${most}${most === 1 ? "" : " or fewer"}`
}

/** What cannot be shared since each answer may be larger than a share. */
const answersTooLong = (
  { limits, parameters }: EndpointConfig,
  path: string,
  processes: number
): ReadonlyArray<ConfigProblem> => {
  const longest = maxTokensOf(parameters)
  if (longest === undefined) return []
  return given(limits, ANSWERS).flatMap(([name, limit]) => {
    if (longest <= limit / processes) return []
    const message =
      `${limit} shared by ${processes} processes is less for each than one answer of up to ${longest} tokens ` +
      `(by the endpoint's parameters): use ${fewerProcesses(limit, longest)}, or shorter answers`
    return [{ path: `${path}.limits.${name}`, message }]
  })
}

const given = <Name extends keyof EndpointLimits>(limits: EndpointLimits, names: ReadonlyArray<Name>) =>
  names.flatMap((name) => {
    const limit = limits[name]
    return limit === undefined ? [] : [[name, limit] as const]
  })

const problemsOf = (config: DispatcherConfig, processes: number): ReadonlyArray<ConfigProblem> => {
  const tooFew = (path: string, total: number | undefined): ReadonlyArray<ConfigProblem> => {
    if (total === undefined || total >= processes) return []
    const message = `${total} cannot be shared by ${processes} processes: use ${fewerProcesses(total, 1)}`
    return [{ path, message }]
  }
  return [
    ...tooFew("maxRequestsPerSecond", config.maxRequestsPerSecond),
    ...config.endpoints.flatMap((endpoint, index) => [
      ...tooFew(`endpoints[${index}].concurrency`, endpoint.concurrency),
      ...given(endpoint.limits, WHOLE).flatMap(([name, limit]) => tooFew(`endpoints[${index}].limits.${name}`, limit)),
      ...answersTooLong(endpoint, `endpoints[${index}]`, processes)
    ]),
    ...(config.affinity === undefined
      ? []
      : [
          {
            path: "affinity",
            message: "each process would know its own sessions only: use --processes 1, or no affinity"
          }
        ])
  ]
}
