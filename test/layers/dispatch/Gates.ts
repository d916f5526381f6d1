/** Handlers that the test opens one by one, so that every interleaving can be played on purpose. */
import { Deferred, Effect } from "effect"
import { TestClock } from "effect/testing"

export class HandlerError {
  readonly _tag = "HandlerError"
  readonly job: number
  constructor(job: number) {
    this.job = job
  }
}

export interface Running {
  readonly job: number
  readonly worker: string
  readonly gate: Deferred.Deferred<number, HandlerError>
}

/** What runs now, in the order of the starts. */
export class Gates {
  readonly running = new Set<Running>()
  /** Worker of each start, in order. */
  readonly starts: Array<{ readonly job: number; readonly worker: string }> = []
  /** The most jobs that ever ran at once, by worker. */
  readonly most = new Map<string, number>()

  readonly handler =
    (worker: string) =>
    (job: number): Effect.Effect<number, HandlerError> =>
      Effect.suspend(() => {
        const run: Running = { job, worker, gate: Deferred.makeUnsafe<number, HandlerError>() }
        this.running.add(run)
        this.starts.push({ job, worker })
        this.most.set(worker, Math.max(this.most.get(worker) ?? 0, this.count(worker)))
        return Effect.onExit(Deferred.await(run.gate), () => Effect.sync(() => this.running.delete(run)))
      })

  count(worker: string): number {
    return [...this.running].filter((run) => run.worker === worker).length
  }

  /** The running job at a position, wrapping around. */
  pick(position: number): Running | undefined {
    return [...this.running][position % Math.max(1, this.running.size)]
  }

  succeed(run: Running) {
    return Deferred.succeed(run.gate, run.job)
  }

  fail(run: Running) {
    return Deferred.fail(run.gate, new HandlerError(run.job))
  }

  die(run: Running) {
    return Deferred.die(run.gate, `defect of ${run.job}`)
  }
}

/** Lets all fibers that can go on do so. */
export const settle = Effect.gen(function* () {
  for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
  yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
  for (let turn = 0; turn < 5; turn++) yield* Effect.yieldNow
})

/** Lets time pass step by step, so that what is waiting for something else gets its turn in between. */
export const pass = Effect.fnUntraced(function* (millis: number, stepMs = 50) {
  for (let passed = 0; passed < millis; passed += stepMs) {
    yield* settle
    yield* TestClock.adjust(stepMs)
  }
  yield* settle
})
