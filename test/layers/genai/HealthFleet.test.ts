import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import {
  type GenAiErrorReason,
  QuotaExhausted,
  RateLimited,
  Unauthorized
} from "../../../src/domain/genai/GenAiError.ts"
import { HealthFleet } from "../../../src/layers/genai/HealthFleet.ts"
import type { RateLimits } from "../../../src/services/Dispatcher.ts"
import { config, endpoint } from "../../support/Config.ts"

const HOUR_MS = 3_600_000
const LIMITS = { requestsPerSecond: 7 }
const refused = new Unauthorized({ status: 401 })
const spentToday = new QuotaExhausted({ status: 429, period: "day" })

interface Worker {
  is: "open" | "closed" | "closed for long"
  limits: RateLimits
}

/** A fleet whose workers only note what they are told. */
const makeFleet = Effect.fnUntraced(function* (names: ReadonlyArray<string>) {
  yield* TestClock.setTime(Date.parse("2026-01-05T06:00:00Z"))
  const endpoints = names.map((name) => endpoint({ name, limits: LIMITS }))
  const fleet = new HealthFleet(config(endpoints), yield* Clock.Clock)
  const workers: Array<Worker> = []
  for (const monitor of fleet.monitors) {
    const worker: Worker = { is: "open", limits: LIMITS }
    workers.push(worker)
    const watch = monitor.watch({
      setConcurrency: () => Effect.void,
      setLimits: (limits) =>
        Effect.sync(() => {
          worker.limits = limits
        }),
      setOpen: (open, options) =>
        Effect.sync(() => {
          worker.is = open ? "open" : options?.forLong === true ? "closed for long" : "closed"
        })
    })
    yield* Effect.forkScoped(watch, { startImmediately: true })
  }
  const fail = (name: string, reason: GenAiErrorReason) =>
    Effect.suspend(() => {
      const monitor = fleet.monitors.find((monitor) => monitor.name === name)!
      monitor.failed(monitor.sent(), { reason, message: "no" }, 0)
      return fleet.apply(name)
    })
  return { fail, workers, states: () => workers.map(({ is }) => is) }
})

describe("the workers of endpoints", () => {
  it.effect("are closed for long while these are disabled, and only then", () =>
    Effect.gen(function* () {
      const { fail, states } = yield* makeFleet(["a", "b", "c"])
      yield* fail("a", new RateLimited({ status: 429, retryAfterMs: 60_000 }))
      assert.deepStrictEqual(states(), ["closed", "open", "open"])
      yield* fail("a", refused)
      yield* fail("b", spentToday)
      assert.deepStrictEqual(states(), ["closed for long", "closed for long", "open"])
      yield* TestClock.adjust(2 * HOUR_MS)
      assert.deepStrictEqual(states(), ["closed for long", "open", "open"])
    })
  )

  it.effect("let those that wait come and be refused when all are disabled, until one is back", () =>
    Effect.gen(function* () {
      const { fail, states, workers } = yield* makeFleet(["a", "b"])
      yield* fail("a", refused)
      yield* fail("b", spentToday)
      assert.deepStrictEqual(states(), ["open", "open"])
      for (const { limits } of workers) assert.deepStrictEqual(limits, {})
      yield* TestClock.adjust(2 * HOUR_MS)
      assert.deepStrictEqual(states(), ["closed for long", "open"])
      for (const { limits } of workers) assert.deepStrictEqual(limits, LIMITS)
    })
  )
})
