/** Another process with a store of jobs: does what its one argument says and writes a line for each thing done. */
import { writeSync } from "node:fs"
import { Effect, Layer, Redacted } from "effect"
import * as JobStoreFromConfig from "../../../src/layers/jobs/JobStoreFromConfig.ts"
import { JobStore, type JobStoreError } from "../../../src/services/JobStore.ts"
import type { ChildOptions } from "./ChildProcess.ts"
import { completed, specOf } from "./StoreScenario.ts"

const { instance, kind, mode, offset, shared, target }: ChildOptions = JSON.parse(process.argv[2] ?? "")
const say = (line: string) => Effect.sync(() => writeSync(1, `${line}\n`))

const create = (store: JobStore["Service"]) =>
  Effect.gen(function* () {
    for (let index = offset; ; index += 2) {
      const created = yield* store.create([specOf(index), specOf(index + 1)], { maxPending: 1e6 })
      for (const each of created) if (each._tag === "Created") yield* say(each.job.id)
    }
  })

const work = (store: JobStore["Service"]) =>
  Effect.gen(function* () {
    while (true) {
      const claims = yield* store.claim({ limit: 3, nowMs: 10, leaseUntilMs: 100 })
      if (claims.length === 0) return
      const ends = claims.map(({ job, run }) => ({ id: job.id, run, outcome: completed(1), nowMs: 20 }))
      const ended = yield* store.end(ends)
      for (const [at, { id }] of ends.entries()) if (ended[at] === true) yield* say(id)
    }
  })

// A timer keeps the process; to wait for nothing would not.
const hold = Effect.andThen(say("holds"), Effect.sleep("1 hour"))

const claim = (store: JobStore["Service"]) =>
  Effect.gen(function* () {
    const claims = yield* store.claim({ limit: 1, nowMs: 10, leaseUntilMs: 100 })
    for (const { job } of claims) yield* say(job.id)
    yield* hold
  })

const MODES = { create, work, claim, hold: () => hold }

const main = Effect.flatMap(JobStore, (store): Effect.Effect<unknown, JobStoreError> => MODES[mode](store))

const config = kind === "sqlite" ? ({ kind, file: target } as const) : ({ kind, url: Redacted.make(target) } as const)

await Effect.runPromise(
  Effect.scoped(
    Effect.flatMap(Layer.build(JobStoreFromConfig.layer({ store: config, instance, shared })), (context) =>
      Effect.provide(main, context)
    )
  )
)
