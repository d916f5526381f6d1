import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { type ServePlan, serve } from "../../../src/layers/cli/Serve.ts"
import { HttpService } from "../../../src/services/HttpService.ts"
import { Jobs } from "../../../src/services/Jobs.ts"
import { endpoint } from "../../domain/report/Fixtures.ts"
import { capture, client, makeSignals, output } from "./Harness.ts"

const plan: ServePlan = {
  version: "1.2.3",
  source: "endpoints from --endpoint",
  access: { _tag: "ThisMachine" },
  models: [{ name: "m", endpoints: ["east"] }],
  takesAnyModel: false,
  endpoints: [{ name: "east", kind: "openai", host: "east.test" }],
  jobs: { durable: "jobs.db", ttl: "1h" },
  graceMs: 5000
}

const unused = () => Effect.die("not part of this test")

/** A service that is drained when the test says so. */
const serving = Effect.gen(function* () {
  const out = capture()
  const err = capture()
  const signals = makeSignals()
  const draining = yield* Deferred.make<number>()
  const drained = yield* Deferred.make<void>()
  const service = Layer.succeed(HttpService, {
    url: "http://127.0.0.1:8080",
    host: "127.0.0.1",
    port: 8080,
    inflight: Effect.succeed(3),
    drain: (graceMs) => Effect.andThen(Deferred.succeed(draining, graceMs), Deferred.await(drained))
  })
  const jobs = Layer.succeed(Jobs, {
    submit: unused,
    get: unused,
    list: unused,
    cancel: unused,
    events: () => Stream.die("not part of this test"),
    counts: Effect.succeed({ Pending: 2, Running: 0, Completed: 1, Failed: 0, Cancelled: 0 }),
    drain: () => Effect.void
  })
  const stats = client(() => [endpoint("east", { sent: 10, succeeded: 9, failures: { RateLimited: 1 } })])
  const layers = Layer.mergeAll(output(out, err), signals.layer, service, jobs, stats)
  const fiber = yield* Effect.forkChild(Effect.provide(serve(plan), layers), { startImmediately: true })
  while (!signals.isIntercepted() || out.text() === "") yield* Effect.yieldNow
  return { fiber, out, err, signals, draining, drained }
})

describe("serve", () => {
  it.effect("says where it is, and waits", () =>
    Effect.gen(function* () {
      const { err, fiber, out } = yield* serving
      assert.match(out.text(), /^genai-dispatcher 1\.2\.3 serves on http:\/\/127\.0\.0\.1:8080, open,/)
      assert.strictEqual(err.text(), "")
      assert.isUndefined(fiber.pollUnsafe())
    })
  )

  it.effect("lets what runs end at the first signal, then sums up and ends well", () =>
    Effect.gen(function* () {
      const { draining, drained, err, fiber, out, signals } = yield* serving
      out.take()
      yield* signals.first
      assert.strictEqual(yield* Deferred.await(draining), 5000)
      assert.strictEqual(err.text(), "stopping: 3 requests in flight, up to 5s; Ctrl-C again to stop at once\n")
      assert.strictEqual(out.take(), "", "no summary before the end")
      yield* Deferred.succeed(drained, undefined)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(fiber)))
      assert.strictEqual(
        out.take(),
        "Stopped: 10 requests sent to endpoints, 9 answered, 1 failed; 2 jobs left in jobs.db for the next start\n"
      )
    })
  )

  it.effect("says what becomes of the jobs when the second signal comes", () =>
    Effect.gen(function* () {
      const { draining, err, fiber, out, signals } = yield* serving
      out.take()
      yield* signals.first
      yield* Deferred.await(draining)
      err.take()
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(
        err.take(),
        "Stopped at once: what was in flight is cut off; jobs among it are run again at the next start.\n"
      )
      assert.strictEqual(out.take(), "")
    })
  )
})
