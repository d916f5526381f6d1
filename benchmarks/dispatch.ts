/**
 * What a dispatch costs: `node benchmarks/dispatch.ts [jobs]`.
 *
 * No-op jobs, 2,048 submitters at once, against p-queue and fastq in the same run. `at once` has a free slot for every
 * job and takes the fast way; `queued` has 256 slots over 8 workers, so that most jobs go through a queue and a lane's
 * fiber. Jobs answer immediately, or after a yield. Medians of `ROUNDS` rounds.
 */
import * as Effect from "effect/Effect"
import { Dispatcher } from "../src/index.ts"

const JOBS = Number(process.argv[2] ?? 200_000)
const SUBMITTERS = 2_048
const ROUNDS = 5

const immediate = (n: number) => Effect.succeed(n)
const yielding = (n: number) => Effect.as(Effect.yieldNow, n)

interface Case {
  readonly name: string
  readonly handler: (n: number) => Effect.Effect<number>
  readonly size: number
  readonly concurrency: number
  readonly sessions: number
}

const CASES: ReadonlyArray<Case> = [
  { name: "immediate, at once, 1 worker", handler: immediate, size: 1, concurrency: 4096, sessions: 0 },
  { name: "immediate, at once, 8 workers", handler: immediate, size: 8, concurrency: 512, sessions: 0 },
  { name: "yielding, at once, 8 workers", handler: yielding, size: 8, concurrency: 512, sessions: 0 },
  { name: "yielding, queued, 8 workers", handler: yielding, size: 8, concurrency: 32, sessions: 0 },
  { name: "yielding, queued, 1,000 workers", handler: yielding, size: 1_000, concurrency: 1, sessions: 0 },
  { name: "yielding, at once, 100,000 sessions", handler: yielding, size: 8, concurrency: 512, sessions: 100_000 }
]

/** Jobs per second: each submitter takes the next number until all are done. */
const measure = (submit: (n: number) => Effect.Effect<unknown, unknown>) =>
  Effect.gen(function* () {
    let next = 0
    const submitter: Effect.Effect<void, unknown> = Effect.whileLoop({
      while: () => next < JOBS,
      body: () => submit(next++),
      step: () => {}
    })
    const startedAt = performance.now()
    yield* Effect.forEach(Array.from({ length: SUBMITTERS }), () => submitter, {
      concurrency: "unbounded",
      discard: true
    })
    return (JOBS / (performance.now() - startedAt)) * 1000
  })

const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

const main = Effect.gen(function* () {
  const results: Array<{ readonly case: string; readonly jobsPerSecond: number }> = []
  const record = (name: string, rates: ReadonlyArray<number>): void => {
    results.push({ case: name, jobsPerSecond: Math.round(median(rates)) })
    console.log(`${name.padEnd(40)} ${Math.round(median(rates)).toLocaleString("en-US").padStart(12)} jobs/s`)
  }
  for (const baseline of [immediate, yielding]) {
    const name = baseline === immediate ? "immediate" : "yielding"
    record(
      `no dispatcher, ${name}`,
      yield* Effect.replicateEffect(
        measure((n) => baseline(n)),
        ROUNDS
      )
    )
  }
  for (const { name, handler, size, concurrency, sessions } of CASES) {
    const rates = yield* Effect.scoped(
      Effect.gen(function* () {
        const dispatcher = yield* Dispatcher.makePool({
          size,
          concurrency,
          handler,
          affinity: { ttl: "1 hour", capacity: 2_000_000, onUnavailable: "wait" }
        })
        const submit =
          sessions === 0
            ? (n: number) => dispatcher.submit(n)
            : (n: number) => dispatcher.submit(n, { session: `s${n % sessions}` })
        return yield* Effect.replicateEffect(measure(submit), ROUNDS)
      })
    )
    record(name, rates)
  }
})

await Effect.runPromise(main)
