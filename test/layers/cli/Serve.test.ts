import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { accountsOf, type ServePlan, type Started, serve } from "../../../src/layers/cli/Serve.ts"
import { HttpService } from "../../../src/services/HttpService.ts"
import { endpoint } from "../../domain/report/Fixtures.ts"
import { capture, makeSignals, output } from "./Harness.ts"

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

/** A service that is drained when the test says so. */
const stage = Effect.gen(function* () {
  const draining = yield* Deferred.make<number>()
  const drained = yield* Deferred.make<void>()
  const service = HttpService.of({
    url: "http://127.0.0.1:8080",
    host: "127.0.0.1",
    port: 8080,
    inflight: Effect.succeed(3),
    drain: (graceMs) => Effect.andThen(Deferred.succeed(draining, graceMs), Deferred.await(drained))
  })
  const accounts = accountsOf({
    endpoints: Effect.succeed([endpoint("east", { sent: 10, succeeded: 9, failures: { RateLimited: 1 } })]),
    jobs: Effect.succeed({ Pending: 2, Running: 0, Completed: 1, Failed: 0, Cancelled: 0 })
  })
  const started: Started = { service, accounts }
  return { started, draining, drained }
})

const begin = Effect.fnUntraced(function* <E>(start: Effect.Effect<Started, E>) {
  const out = capture()
  const err = capture()
  const signals = makeSignals()
  const layers = Layer.mergeAll(output(out, err), signals.layer)
  const fiber = yield* Effect.forkChild(Effect.provide(serve(plan, start), layers), { startImmediately: true })
  while (!signals.isIntercepted()) yield* Effect.yieldNow
  return { fiber, out, err, signals }
})

const serving = Effect.gen(function* () {
  const { drained, draining, started } = yield* stage
  const begun = yield* begin(Effect.succeed(started))
  while (begun.out.text() === "") yield* Effect.yieldNow
  return { ...begun, draining, drained }
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

  it.effect("counts a signal that comes while it starts: the start is ended, and so is the program", () =>
    Effect.gen(function* () {
      const isGone = yield* Deferred.make<void>()
      const { err, fiber, out, signals } = yield* begin(
        Effect.onInterrupt(Effect.never, () => Deferred.succeed(isGone, undefined))
      )
      yield* signals.first
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(fiber)))
      yield* Deferred.await(isGone)
      assert.deepStrictEqual([out.text(), err.text()], ["Stopped before it served\n", ""])
    })
  )

  it.effect("counts a signal that comes as it listens: it is drained, and sums up", () =>
    Effect.gen(function* () {
      const { drained, draining, started } = yield* stage
      const listens = yield* Deferred.make<Started>()
      const { fiber, out, signals } = yield* begin(Deferred.await(listens))
      yield* Deferred.succeed(listens, started)
      yield* signals.first
      yield* Deferred.await(draining)
      yield* Deferred.succeed(drained, undefined)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(fiber)))
      assert.match(out.text(), /serves on [\s\S]*\nStopped: 10 requests/)
    })
  )
})
