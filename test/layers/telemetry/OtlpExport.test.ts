import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Option } from "effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import { TestClock } from "effect/testing"
import { makeTraces } from "../../../src/layers/telemetry/OtlpExport.ts"
import { withSettableClock } from "../../support/SettableClock.ts"
import { settle } from "../dispatch/Gates.ts"

const HOUR_MS = 3_600_000

const settings = {
  otlpUrl: new URL("http://collector.test"),
  otlpHeaders: {},
  serviceName: "test",
  sampleRatio: 1
}

const failing: typeof fetch = () => Promise.resolve(new Response("", { status: 400 }))

describe("a collector that has failed", () => {
  it.effect.each([-HOUR_MS, 0, HOUR_MS])("is left alone for its time, although the clock is set by %s ms", (byMs) =>
    withSettableClock((set) =>
      Effect.gen(function* () {
        const { isReady, tracer } = yield* makeTraces(settings)
        const span = tracer.span({
          name: "request",
          parent: Option.none(),
          annotations: Context.empty(),
          links: [],
          startTime: 0n,
          kind: "server",
          root: true,
          sampled: true
        })
        span.end(1n, Exit.void)
        assert.isTrue(isReady())
        for (let tenth = 0; tenth < 100 && isReady(); tenth++) {
          yield* TestClock.adjust(100)
          yield* settle
        }
        assert.isFalse(isReady())
        set(byMs)
        yield* TestClock.adjust(4_900)
        assert.isFalse(isReady())
        yield* TestClock.adjust(200)
        assert.isTrue(isReady())
      })
    ).pipe(Effect.provideService(FetchHttpClient.Fetch, failing))
  )
})
