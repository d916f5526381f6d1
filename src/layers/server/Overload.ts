/**
 * When a full service has room again. What clients are told is what the figures say, so that those who come back are
 * not turned away a second time, nor come later than they could.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { EndpointStats } from "../../domain/genai/EndpointStats.ts"
import type { GenAiError } from "../../domain/genai/GenAiError.ts"
import { fromGenAiError } from "../../domain/server/FromGenAiError.ts"
import { Problem } from "../../domain/server/Problem.ts"
import type { GenAiClient } from "../../services/GenAiClient.ts"

/** How far back completions count as recent, and how often they are looked at. */
const WINDOW_SECONDS = 10

const LEAST_MS = 1_000
const MOST_MS = 60_000

/** What an endpoint had completed at the ends of the window. */
export interface Progress {
  readonly earlier: ReadonlyArray<EndpointStats>
  readonly now: ReadonlyArray<EndpointStats>
  readonly elapsedMs: number
}

/**
 * Milliseconds until requests that may not go to the excluded endpoints are worth sending again: the time in which the
 * others work off what is queued with them at their recent rate, clamped to 1 to 60 s. Nothing completed lately: the time
 * that their answers have taken so far, as often as the slots must be filled for the queue; at least as long as nothing
 * completed, and 60 s when that is the whole window. Never before one of them takes requests at all.
 */
export const retryAfterMs = (progress: Progress, exclude: ReadonlySet<string>): number =>
  Math.max(workedOffMs(progress, exclude), opensInMs(progress.now, exclude))

/** Until the first of them takes requests; 0 when one does, or when nobody knows. */
const opensInMs = (stats: ReadonlyArray<EndpointStats>, exclude: ReadonlySet<string>): number => {
  const asked = stats.filter(({ name }) => !exclude.has(name))
  if (asked.some(({ opensInMs, state }) => opensInMs === undefined && state !== "disabled")) return 0
  const times = asked.flatMap(({ opensInMs }) => opensInMs ?? [])
  return times.length === 0 ? 0 : Math.min(...times)
}

const workedOffMs = ({ earlier, elapsedMs, now }: Progress, exclude: ReadonlySet<string>): number => {
  let queued = 0
  let completed = 0
  let inflight = 0
  let answers = 0
  let answeringMs = 0
  now.forEach((endpoint, index) => {
    if (exclude.has(endpoint.name)) return
    queued += endpoint.queueLen
    inflight += endpoint.inflight
    completed += completedBy(endpoint) - completedBy(earlier[index])
    answers += endpoint.latency.count
    answeringMs += endpoint.latency.sum
  })
  if (completed > 0) return clamp((queued / completed) * elapsedMs)
  if (elapsedMs >= WINDOW_SECONDS * 1_000) return MOST_MS
  const expectedMs = inflight === 0 || answers === 0 ? 0 : Math.ceil(queued / inflight) * (answeringMs / answers)
  return clamp(Math.max(expectedMs, elapsedMs))
}

/** Whether requests that may not go to the excluded endpoints had anything before them. */
const isBusy = (stats: ReadonlyArray<EndpointStats>, exclude: ReadonlySet<string>): boolean =>
  stats.some(({ inflight, name, queueLen }) => !exclude.has(name) && inflight + queueLen > 0)

/** Sends that have ended in whatever way: each has given its slot to another. */
const completedBy = (endpoint: EndpointStats | undefined): number =>
  endpoint === undefined ? 0 : endpoint.sent - endpoint.inflight

const clamp = (millis: number): number => Math.min(MOST_MS, Math.max(LEAST_MS, Math.round(millis)))

export interface Overload {
  /** What a client is told of a request that got no answer; with the wait when every queue was full. */
  readonly problemOf: (error: GenAiError, exclude: ReadonlySet<string>) => Effect.Effect<Problem>
}

/** Watches the client's figures for as long as the scope lives: once a second. */
export const make = Effect.fnUntraced(function* (
  client: GenAiClient["Service"]
): Effect.fn.Return<Overload, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  /** The oldest first. */
  const samples: Array<{ readonly atMs: number; readonly stats: ReadonlyArray<EndpointStats> }> = []
  const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const sample = Effect.map(client.stats, (stats) => {
    samples.push({ atMs: now(), stats })
    if (samples.length > WINDOW_SECONDS + 1) samples.shift()
  })
  yield* sample
  yield* Effect.forkScoped(Effect.repeat(sample, Schedule.spaced("1 second")))

  return {
    problemOf: (error, exclude) => {
      const problem = fromGenAiError(error)
      if (error.reason._tag !== "Rejected" || error.reason.cause !== "QueueFull") return Effect.succeed(problem)
      return Effect.map(client.stats, (stats) => {
        // What was not done while there was nothing to do says nothing of how fast it is.
        const idleAt = samples.findLastIndex((sample) => !isBusy(sample.stats, exclude))
        const since = samples[Math.max(0, idleAt)]!
        const progress = { earlier: since.stats, now: stats, elapsedMs: now() - since.atMs }
        return new Problem({ ...problemFields(problem), retryAfterMs: retryAfterMs(progress, exclude) })
      })
    }
  }
})

const problemFields = ({ code, field, kind, message }: Problem) => ({
  kind,
  message,
  ...(code === undefined ? {} : { code }),
  ...(field === undefined ? {} : { field })
})
