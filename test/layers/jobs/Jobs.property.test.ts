/** Whatever happens to the processes and whenever jobs are cancelled: every accepted job ends once, in the store. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { isEnded, type JobId } from "../../../src/domain/jobs/Job.ts"
import { makeMemory } from "../../../src/layers/jobs/MemoryJobStore.ts"
import type { JobStore, JobStoreError } from "../../../src/services/JobStore.ts"
import { listsUpTo } from "../../support/RandomLists.ts"
import { answer, asked, failure, instance, request, storeDown } from "./JobsHarness.ts"

const Below = (bound: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: bound - 1 }))

const Step = Schema.Union([
  /** How long the job's call takes, in tenths of a second, and whether it fails then. */
  Schema.Struct({ do: Schema.Literal("submit"), takes: Below(40), fails: Schema.Boolean }),
  Schema.Struct({ do: Schema.Literal("cancel"), which: Below(20) }),
  Schema.Struct({ do: Schema.Literal("wait"), tenths: Below(80) }),
  Schema.Struct({ do: Schema.Literals(["crash", "drain", "breakStore", "mendStore"]) })
])

describe("jobs under random cancels, failures, crashes and restarts", () => {
  it.effect.prop(
    "end exactly once each",
    { steps: Schema.Array(Step).check(Schema.isMaxLength(25)) },
    ({ steps }) =>
      Effect.gen(function* () {
        const memory = makeMemory()
        const ends = new Map<JobId, number>()
        const count = (id: JobId) => ends.set(id, (ends.get(id) ?? 0) + 1)
        let isAway = false

        const start = (name: string) =>
          Effect.gen(function* () {
            const life = { isDead: false }
            const here = <A>(work: Effect.Effect<A, JobStoreError>): Effect.Effect<A, JobStoreError> =>
              Effect.suspend((): Effect.Effect<A, JobStoreError> => {
                if (life.isDead) return Effect.never
                return isAway ? Effect.fail(storeDown) : work
              })
            const watched = (store: JobStore["Service"]): JobStore["Service"] => ({
              ...store,
              create: (specs, options) => here(store.create(specs, options)),
              claim: (options) => here(store.claim(options)),
              renew: (claims, until) => here(store.renew(claims, until)),
              release: (claims) => here(store.release(claims)),
              recover: (options) => (options.own ? store.recover(options) : here(store.recover(options))),
              dueWebhooks: (options) => here(store.dueWebhooks(options)),
              end: (all) =>
                here(
                  Effect.tap(store.end(all), (done) =>
                    Effect.sync(() => {
                      for (const [at, isEnd] of done.entries()) if (isEnd) count(all[at]!.id)
                    })
                  )
                ),
              cancel: (id, now) =>
                here(
                  Effect.tap(store.cancel(id, now), (found) =>
                    Effect.sync(() => {
                      if (found._tag === "Some" && found.value.cancelled) count(id)
                    })
                  )
                )
            })
            const made = yield* instance({
              memory,
              name,
              concurrency: 3,
              wrap: watched,
              generate: (request) =>
                Effect.gen(function* () {
                  const [takes, fails] = asked(request).split(",")
                  yield* Effect.sleep(Number(takes) * 100)
                  if (life.isDead) return yield* Effect.never
                  if (fails === "true") return yield* failure()
                  return answer("done")
                })
            })
            return { ...made, life }
          })

        let current = yield* start("one")
        const accepted: Array<JobId> = []
        for (const step of steps) {
          if (step.do === "submit") {
            const made = yield* Effect.option(
              current.jobs.submit({ owner: "me", request: request(`${step.takes},${step.fails}`) })
            )
            if (made._tag === "Some") accepted.push(made.value.job.id)
          } else if (step.do === "cancel") {
            const id = accepted[step.which]
            if (id !== undefined) yield* Effect.exit(current.jobs.cancel("me", id))
          } else if (step.do === "wait") {
            yield* TestClock.adjust(step.tenths * 100)
          } else if (step.do === "crash") {
            // No finalizer runs: what it held, it holds.
            current.life.isDead = true
            current = yield* start("one")
          } else if (step.do === "drain") {
            yield* current.jobs.drain(0)
            current = yield* start("two")
          } else {
            isAway = step.do === "breakStore"
          }
        }
        isAway = false
        // As long as the slowest way: leases that end, and what is queued behind them.
        for (let round = 0; round < 15; round++) yield* TestClock.adjust("10 seconds")
        for (const id of accepted) {
          assert.isTrue(isEnded((yield* current.jobs.get("me", id)).status))
          assert.strictEqual(ends.get(id), 1)
        }
        assert.strictEqual(ends.size, accepted.length)
      }),
    { arbitrary: { runs: 40, ...listsUpTo(25) }, timeout: 120_000 }
  )
})
