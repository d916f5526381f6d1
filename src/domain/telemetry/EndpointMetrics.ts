/** The figures of the endpoints as metrics: read when they are asked for, counted nowhere else. */
import type { EndpointStats } from "../genai/EndpointStats.ts"
import type { HealthState } from "../genai/health/EndpointHealth.ts"
import { bucketsOf } from "./Buckets.ts"
import type { PrometheusText, Sample } from "./PrometheusText.ts"

const STATES: ReadonlyArray<HealthState> = ["up", "recovering", "cooling", "open", "disabled"]

/** Adds the families to a text. */
export const writeEndpoints = (text: PrometheusText, endpoints: ReadonlyArray<EndpointStats>): void => {
  const each = (value: (stats: EndpointStats) => number): ReadonlyArray<Sample> =>
    endpoints.map((stats): Sample => [{ endpoint: stats.name }, value(stats)])

  text.gauge(
    "genai_dispatcher_endpoint_info",
    "Always 1: the endpoints and their kinds.",
    endpoints.map(({ name, kind }): Sample => [{ endpoint: name, kind }, 1])
  )
  text.gauge(
    "genai_dispatcher_endpoint_state",
    "1 for the state that the endpoint is in, 0 for the others.",
    endpoints.flatMap(({ name, state: now }) =>
      STATES.map((state): Sample => [{ endpoint: name, state }, state === now ? 1 : 0])
    )
  )
  text.gauge(
    "genai_dispatcher_endpoint_in_flight",
    "Sent to the endpoint and not yet answered.",
    each(({ inflight }) => inflight)
  )
  text.gauge(
    "genai_dispatcher_endpoint_queue_length",
    "Given to the endpoint and not yet sent.",
    each(({ queueLen }) => queueLen)
  )
  text.counter(
    "genai_dispatcher_endpoint_sends_total",
    "Requests sent to the endpoint, retries included.",
    each(({ sent }) => sent)
  )
  text.counter(
    "genai_dispatcher_endpoint_retries_total",
    "Those of the sends that were not the first of their request.",
    each(({ retries }) => retries)
  )
  text.counter(
    "genai_dispatcher_endpoint_successes_total",
    "Sends with a whole answer.",
    each(({ succeeded }) => succeeded)
  )
  text.counter(
    "genai_dispatcher_endpoint_failures_total",
    "Sends that failed, by reason.",
    endpoints.flatMap(({ name, failures }) =>
      Object.entries(failures).map(([reason, count]): Sample => [{ endpoint: name, reason }, count])
    )
  )
  text.counter(
    "genai_dispatcher_endpoint_aborted_total",
    "Sends that were given up by their caller.",
    each(({ aborted }) => aborted)
  )
  text.histogram(
    "genai_dispatcher_endpoint_wait_seconds",
    "How long requests waited for a place, their turn and the limits until they were sent.",
    endpoints.map(({ name, wait }) => [{ endpoint: name }, bucketsOf(wait)] as const)
  )
  text.histogram(
    "genai_dispatcher_endpoint_call_duration_seconds",
    "From a send to its whole answer.",
    endpoints.map(({ name, latency }) => [{ endpoint: name }, bucketsOf(latency)] as const)
  )
  writeUsage(text, endpoints)
}

const writeUsage = (text: PrometheusText, endpoints: ReadonlyArray<EndpointStats>): void => {
  text.counter(
    "genai_dispatcher_endpoint_tokens_total",
    "Tokens that the endpoint reported; those that it read from a cache are not in its input.",
    endpoints.flatMap(
      ({ name, inputTokens, cachedInputTokens, outputTokens }): ReadonlyArray<Sample> => [
        [{ endpoint: name, type: "input" }, Math.max(0, inputTokens - cachedInputTokens)],
        [{ endpoint: name, type: "cached_input" }, cachedInputTokens],
        [{ endpoint: name, type: "output" }, outputTokens]
      ]
    )
  )
  text.counter(
    "genai_dispatcher_endpoint_unmetered_total",
    "Answers whose tokens were not reported.",
    endpoints.map(({ name, unmetered }): Sample => [{ endpoint: name }, unmetered])
  )
  text.counter(
    "genai_dispatcher_endpoint_cost_total",
    "What the reported tokens cost, in the currency of the configured prices.",
    endpoints.flatMap(
      ({ name, cost }): ReadonlyArray<Sample> =>
        cost === undefined
          ? []
          : [
              [{ endpoint: name, type: "input" }, cost.input],
              [{ endpoint: name, type: "cached_input" }, cost.cachedInput],
              [{ endpoint: name, type: "output" }, cost.output]
            ]
    )
  )
}
