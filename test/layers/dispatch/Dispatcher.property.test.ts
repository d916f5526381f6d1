/** The invariants of the dispatcher, under random interleavings of submit, completion, failure, defect, interruption. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schema } from "effect"
import { DispatchError } from "../../../src/domain/dispatch/DispatchError.ts"
import { make } from "../../../src/layers/dispatch/Dispatcher.ts"
import type { Dispatcher } from "../../../src/services/Dispatcher.ts"
import { listsUpTo } from "../../support/RandomLists.ts"
import { Gates, type HandlerError, settle } from "./Gates.ts"

const Count = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const Step = Schema.Struct({
  op: Schema.Literals([
    "submit",
    "submit",
    "submit",
    "burst",
    "swap",
    "succeed",
    "fail",
    "die",
    "interrupt",
    "close",
    "open",
    "limit"
  ]),
  pick: Count(0, 1000),
  session: Schema.Literals(["none", "none", "a", "b", "c"]),
  avoid: Schema.Literals(["none", "none", "w0", "w1"]),
  exclude: Schema.Literals(["none", "none", "none", "w0"])
})
type Step = typeof Step.Type

const Scenario = Schema.Struct({
  /** No sessions, nothing avoided or excluded: any worker may take any job. */
  plain: Schema.Boolean,
  policy: Schema.Literals(["least-loaded", "weighted", "weighted-random"]),
  onFull: Schema.Literals(["wait", "wait", "fail"]),
  onUnavailable: Schema.Literals(["wait", "spill"]),
  /** Workers that close do so for long: then sessions do not stay. */
  closesForLong: Schema.Boolean,
  workers: Schema.Array(
    Schema.Struct({ weight: Count(1, 4), concurrency: Count(1, 3), queueCapacity: Count(0, 3) })
  ).check(Schema.isBetweenLength(1, 4)),
  steps: Schema.Array(Step).check(Schema.isBetweenLength(1, 60))
})
type Scenario = typeof Scenario.Type

type Submitted = Fiber.Fiber<number, HandlerError | DispatchError>

/** The submits of one scenario: job `n` is the n-th submit. */
class Play {
  readonly fibers: Array<Submitted> = []
  readonly closed = new Set<string>()
  /** Jobs with a session, which has a worker for each set of workers that jobs exclude. */
  readonly sessions = new Map<number, string>()
  readonly expected = new Map<number, "success" | "fail" | "die" | "interrupt">()
  private readonly scenario: Scenario
  private readonly gates: Gates
  private readonly dispatcher: Dispatcher<number, number, HandlerError>

  constructor(scenario: Scenario, gates: Gates, dispatcher: Dispatcher<number, number, HandlerError>) {
    this.scenario = scenario
    this.gates = gates
    this.dispatcher = dispatcher
  }

  readonly submit = Effect.fnUntraced(function* (this: Play, step: Step) {
    const job = this.fibers.length
    const options = this.scenario.plain
      ? {}
      : {
          ...(step.session === "none" ? {} : { session: step.session }),
          ...(step.avoid === "none" ? {} : { avoid: new Set([step.avoid]) }),
          ...(step.exclude === "none" ? {} : { exclude: new Set([step.exclude]) })
        }
    if (options.session !== undefined) this.sessions.set(job, `${options.session} without ${step.exclude}`)
    const fiber = yield* Effect.forkChild(this.dispatcher.submit(job, options), {
      startImmediately: step.pick % 2 === 0
    })
    this.fibers.push(fiber)
  })

  readonly play = Effect.fnUntraced(function* (this: Play, step: Step) {
    switch (step.op) {
      case "submit":
        return yield* this.submit(step)
      case "burst":
        for (let count = 0; count < 1 + (step.pick % 8); count++) yield* this.submit(step)
        return
      case "interrupt": {
        const job = step.pick % Math.max(1, this.fibers.length)
        const fiber = this.fibers[job]
        if (fiber === undefined || fiber.pollUnsafe() !== undefined) return
        this.expected.set(job, "interrupt")
        return yield* Fiber.interrupt(fiber)
      }
      case "close":
      case "open": {
        const name = `w${step.pick % this.scenario.workers.length}`
        if (step.op === "close") this.closed.add(name)
        else this.closed.delete(name)
        return yield* this.dispatcher
          .control(name)!
          .setOpen(step.op === "open", { forLong: this.scenario.closesForLong })
      }
      case "limit":
        return yield* this.dispatcher
          .control(`w${step.pick % this.scenario.workers.length}`)!
          .setConcurrency(1 + (step.pick % 3))
      default: {
        const run = this.gates.pick(step.pick)
        if (run === undefined) return
        const op = step.op === "swap" ? "succeed" : step.op
        this.expected.set(run.job, op === "succeed" ? "success" : op)
        yield* this.gates[op](run)
        // In the very moment in which the slot is free and the queued job has not got it yet.
        if (step.op === "swap") yield* this.submit(step)
      }
    }
  })

  /** Opens every gate until nothing runs any more. */
  readonly finish = Effect.fnUntraced(function* (this: Play) {
    while (this.gates.running.size > 0) {
      for (const run of [...this.gates.running]) {
        this.expected.set(run.job, "success")
        yield* this.gates.succeed(run)
      }
      yield* settle
    }
  })
}

const outcomeOf = (exit: Exit.Exit<number, HandlerError | DispatchError>, job: number): string => {
  if (Exit.isSuccess(exit)) {
    assert.strictEqual(exit.value, job, "an answer goes to the submit that it belongs to")
    return "success"
  }
  if (Cause.hasInterruptsOnly(exit.cause)) return "interrupt"
  const error = Cause.squash(exit.cause)
  if (error instanceof DispatchError) return error.reason._tag
  if (typeof error === "object" && error !== null && "job" in error) {
    assert.strictEqual(error.job, job, "an error goes to the submit that it belongs to")
    return "fail"
  }
  assert.strictEqual(error, `defect of ${job}`)
  return "die"
}

const run = Effect.fnUntraced(function* (scenario: Scenario) {
  const gates = new Gates()
  const dispatcher = yield* make({
    policy: scenario.policy,
    onFull: scenario.onFull,
    affinity: { ttl: "1 hour", onUnavailable: scenario.onUnavailable },
    workers: scenario.workers.map((worker, index) => ({
      ...worker,
      name: `w${index}`,
      handler: gates.handler(`w${index}`)
    }))
  })
  const play = new Play(scenario, gates, dispatcher)
  const check = Effect.gen(function* () {
    const metrics = yield* dispatcher.metrics
    for (const [index, worker] of metrics.workers.entries()) {
      const { concurrency, queueCapacity } = scenario.workers[index]!
      assert.isAtLeast(worker.inflight, 0)
      assert.isAtMost(worker.inflight, concurrency, "no worker exceeds its concurrency")
      assert.strictEqual(worker.inflight, gates.count(worker.name), "in flight is what really runs")
      assert.isAtLeast(worker.queue_len, 0)
      assert.isAtMost(worker.queue_len, Math.max(1, queueCapacity), "no queue exceeds its capacity")
      if (play.closed.has(worker.name)) {
        assert.strictEqual(worker.queue_len, 0, "nobody queues at a closed worker")
        continue
      }
      if (scenario.plain && metrics.waiting > 0) {
        assert.isAtLeast(worker.queue_len, queueCapacity, "nobody waits while a queue has room")
      }
      if (worker.queue_len > 0) {
        assert.isAtLeast(worker.inflight, worker.concurrency, "nobody queues while a slot is free")
      }
    }
    const alive = play.fibers.filter((fiber) => fiber.pollUnsafe() === undefined).length
    assert.strictEqual(metrics.inflight + metrics.queue_len + metrics.waiting, alive, "every live submit is somewhere")
  })

  for (const step of scenario.steps) {
    yield* play.play(step)
    yield* settle
    yield* check
  }
  for (const name of play.closed) yield* dispatcher.control(name)!.setOpen(true)
  play.closed.clear()
  yield* settle
  yield* play.finish()
  yield* dispatcher.awaitIdle
  yield* check

  const metrics = yield* dispatcher.metrics
  assert.deepStrictEqual([metrics.inflight, metrics.queue_len, metrics.waiting], [0, 0, 0])
  const outcomes: Record<string, number> = {}
  for (const [job, fiber] of play.fibers.entries()) {
    const outcome = outcomeOf(yield* Fiber.await(fiber), job)
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    const expected = play.expected.get(job)
    if (expected !== undefined) assert.strictEqual(outcome, expected)
    else assert.include(["QueueFull", "NoWorker"], outcome, "only a rejected submit ends without being told to")
  }
  assert.strictEqual(metrics.completed, outcomes["success"] ?? 0)
  assert.strictEqual(metrics.errors, (outcomes["fail"] ?? 0) + (outcomes["die"] ?? 0))
  const started = new Set(gates.starts.map((start) => start.job))
  assert.strictEqual(gates.starts.length, started.size, "no job starts twice")
  for (const [name, most] of gates.most) {
    assert.isAtMost(most, scenario.workers[Number(name.slice(1))]!.concurrency)
  }
  if (scenario.plain && scenario.workers.length === 1) {
    const order = gates.starts.map((start) => start.job)
    assert.deepStrictEqual(
      order,
      [...order].sort((a, b) => a - b),
      "nobody overtakes"
    )
  }
  if (scenario.onUnavailable === "spill" || scenario.closesForLong) return
  const workerOf = new Map<string, string>()
  for (const { job, worker } of gates.starts) {
    const session = play.sessions.get(job)
    if (session === undefined) continue
    assert.strictEqual(worker, workerOf.get(session) ?? worker, "a session stays on its worker")
    workerOf.set(session, worker)
  }
})

describe("a dispatcher under random interleavings", () => {
  it.effect.prop(
    "keeps its counters, its limits and its promise of exactly one answer",
    { scenario: Scenario },
    ({ scenario }) => Effect.scoped(run(scenario)),
    { arbitrary: { runs: 300, ...listsUpTo(30) } }
  )
})
