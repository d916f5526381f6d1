import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { make } from "../../../src/layers/dispatch/Dispatcher.ts"
import { Gates, settle } from "./Gates.ts"

/** One worker that runs one job at a time, with one place in its queue. */
const single = Effect.gen(function* () {
  const gates = new Gates()
  const dispatcher = yield* make({
    onFull: "fail",
    workers: [{ name: "a", concurrency: 1, queueCapacity: 1, handler: gates.handler("a") }]
  })
  const counts = Effect.map(dispatcher.metrics, ({ completed, errors, inflight, interrupted, queue_len }) => ({
    completed,
    errors,
    inflight,
    interrupted,
    queue_len
  }))
  return { gates, dispatcher, counts }
})

/** The same, with job 0 running. */
const busy = Effect.tap(single, ({ dispatcher }) => Effect.andThen(Effect.forkChild(dispatcher.submit(0)), settle))

const none = { completed: 0, errors: 0, inflight: 0, interrupted: 0, queue_len: 0 }

const open = Effect.fnUntraced(function* (gates: Gates) {
  yield* gates.succeed(gates.pick(0)!)
  yield* settle
})

describe("a job that is begun without a fiber", () => {
  it.effect("has its turn at once where a worker is idle, and ends as its caller says, once", () =>
    Effect.gen(function* () {
      const { gates, dispatcher, counts } = yield* single
      const begun = dispatcher.begin(1)
      assert.strictEqual(begun.take(), "a")
      assert.deepStrictEqual(yield* counts, { ...none, inflight: 1 })
      begun.end(Exit.succeed(1))
      begun.end(Exit.interrupt())
      assert.deepStrictEqual(yield* counts, { ...none, completed: 1 })
      assert.lengthOf(gates.starts, 0, "its caller did the work")
      yield* dispatcher.awaitIdle
    })
  )

  it.effect("that was taken and cannot be done after all is the handler's", () =>
    Effect.gen(function* () {
      const { gates, dispatcher, counts } = yield* single
      const begun = dispatcher.begin(1)
      begun.take()
      const rest = yield* Effect.forkChild(begun.rest)
      yield* settle
      assert.deepStrictEqual(gates.starts, [{ job: 1, worker: "a" }])
      yield* open(gates)
      assert.strictEqual(yield* Fiber.join(rest), 1)
      begun.end(Exit.interrupt())
      assert.deepStrictEqual(yield* counts, { ...none, completed: 1 })
    })
  )

  it.effect("waits for its turn like every other", () =>
    Effect.gen(function* () {
      const { gates, dispatcher, counts } = yield* busy
      const begun = dispatcher.begin(1)
      assert.isUndefined(begun.take())
      const rest = yield* Effect.forkChild(begun.rest)
      yield* settle
      assert.deepStrictEqual(yield* counts, { ...none, inflight: 1, queue_len: 1 })
      yield* open(gates)
      yield* open(gates)
      assert.strictEqual(yield* Fiber.join(rest), 1)
      assert.deepStrictEqual(yield* counts, { ...none, completed: 2 })
    })
  )

  it.effect("is told when its turn has come, and may then be taken", () =>
    Effect.gen(function* () {
      const { gates, dispatcher, counts } = yield* busy
      const begun = dispatcher.begin(1)
      const turns: Array<unknown> = []
      begun.wait({ onTurn: (refusal) => turns.push(refusal?.reason._tag ?? begun.take()) })
      yield* settle
      assert.deepStrictEqual(turns, [])
      yield* open(gates)
      assert.deepStrictEqual(turns, ["a"])
      begun.end(Exit.succeed(1))
      assert.deepStrictEqual(yield* counts, { ...none, completed: 2 })
    })
  )

  it.effect("is told nothing more when it is given up while it waits, or has its turn already", () =>
    Effect.gen(function* () {
      const { gates, dispatcher, counts } = yield* busy
      const begun = dispatcher.begin(1)
      const turns: Array<unknown> = []
      begun.wait({ onTurn: (refusal) => turns.push(refusal) })
      // Its turn is given in this step, and told of in a later one.
      yield* gates.succeed(gates.pick(0)!)
      begun.end(Exit.interrupt())
      yield* settle
      assert.deepStrictEqual(turns, [])
      assert.deepStrictEqual(yield* counts, { ...none, completed: 1 })
    })
  )

  it.effect("is told why when its turn will never come", () =>
    Effect.gen(function* () {
      const { dispatcher, counts } = yield* single
      const held = dispatcher.begin(0)
      held.take()
      const turns: Array<unknown> = []
      const wait = (job: number) => {
        const begun = dispatcher.begin(job)
        begun.wait({
          onTurn: (refusal) => {
            turns.push(refusal?.reason._tag)
            begun.end(Exit.interrupt())
          }
        })
      }
      wait(1)
      wait(2)
      assert.deepStrictEqual(turns, ["QueueFull"])
      yield* dispatcher.drain({ timeout: 0, queued: "discard" })
      yield* settle
      assert.deepStrictEqual(turns, ["QueueFull", "Draining"])
      held.end(Exit.succeed(0))
      assert.deepStrictEqual(yield* counts, { ...none, completed: 1 })
      yield* dispatcher.awaitIdle
    })
  )

  it.effect("gives its place back when it is given up before it was gone on with", () =>
    Effect.gen(function* () {
      const { gates, dispatcher, counts } = yield* busy
      const begun = dispatcher.begin(1)
      begun.end(Exit.interrupt())
      assert.deepStrictEqual(yield* counts, { ...none, inflight: 1 }, "it had not had its turn, and counts for nothing")
      const next = yield* Effect.forkChild(dispatcher.submit(2))
      yield* settle
      yield* open(gates)
      yield* open(gates)
      assert.strictEqual(yield* Fiber.join(next), 2)
      yield* dispatcher.awaitIdle
    })
  )

  it.effect("gives a turn back that came after it was begun and that nobody took", () =>
    Effect.gen(function* () {
      const { gates, dispatcher, counts } = yield* busy
      const begun = dispatcher.begin(1)
      yield* open(gates)
      assert.strictEqual((yield* counts).inflight, 1)
      begun.end(Exit.interrupt())
      assert.deepStrictEqual(yield* counts, { ...none, completed: 1 })
    })
  )

  it.effect("is refused like every other, and then holds nothing", () =>
    Effect.gen(function* () {
      const { dispatcher, counts } = yield* single
      const held = dispatcher.begin(0)
      held.take()
      const queued = dispatcher.begin(1)
      const refused = dispatcher.begin(2)
      assert.isUndefined(refused.take())
      const error = yield* Effect.flip(refused.rest)
      assert.strictEqual("reason" in error && error.reason._tag, "QueueFull")
      refused.end(Exit.interrupt())
      queued.end(Exit.interrupt())
      held.end(Exit.die("defect"))
      assert.deepStrictEqual(yield* counts, { ...none, errors: 1 })
      yield* dispatcher.awaitIdle
    })
  )
})
