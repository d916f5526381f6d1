/** What every store of jobs keeps to. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, type Scope } from "effect"
import type { JobId } from "../../../src/domain/jobs/Job.ts"
import type { JobStore, JobStoreError } from "../../../src/services/JobStore.ts"
import { listsUpTo } from "../../support/RandomLists.ts"
import { completed, failed, idOf, play, Scenario, specOf } from "./StoreScenario.ts"

type Store = JobStore["Service"]

/** Opens a store for an instance; all of one opener share their jobs. */
export type Opener = (instance: string) => Effect.Effect<Store, JobStoreError, Scope.Scope>

export interface SuiteOptions {
  /** An opener over no jobs yet. */
  readonly fresh: Effect.Effect<Opener, unknown, Scope.Scope>
  /** How many random scenarios are played. */
  readonly runs: number
}

const claimOptions = { nowMs: 10, leaseUntilMs: 100 }
const max = { maxPending: 1000 }
const tags = (created: ReadonlyArray<{ readonly _tag: string }>) => created.map(({ _tag }) => _tag)

/** A database of jobs, and another program that writes into it. */
export interface Written {
  readonly store: Store
  readonly write: (
    id: JobId,
    columns: { readonly about?: string | null; readonly spec: string }
  ) => Effect.Effect<unknown, unknown>
}

/** What a database does about jobs that others than this version have written. */
export const writtenSuite = (name: string, open: Effect.Effect<Written, unknown, Scope.Scope>): void => {
  const spoilt = { about: "{}", spec: "{}" }

  it.live(
    `reads the requests of jobs of ${name} only where they are taken up, and fails those that it cannot read`,
    () =>
      Effect.gen(function* () {
        const { store, write } = yield* open
        const webhookUrl = "https://example.test/"
        const keyed = specOf(1, { webhookUrl, idempotencyKey: "k" })
        yield* store.create([keyed, specOf(2)], max)
        yield* Effect.forEach([1, 2], (index) => write(idOf(index), { spec: "{}" }))
        const listed = yield* store.list({ limit: 9 })
        assert.deepStrictEqual(
          listed.map(({ id }) => id),
          [idOf(2), idOf(1)]
        )
        assert.deepStrictEqual(yield* store.get(idOf(2)), Option.some(listed[0]!))
        assert.deepStrictEqual(tags(yield* store.create([keyed], max)), ["Existing"])
        assert.isTrue(Option.getOrThrow(yield* store.cancel(idOf(2), 5)).cancelled)
        assert.deepStrictEqual(yield* store.claim({ limit: 9, ...claimOptions }), [])
        const [due] = yield* store.dueWebhooks({ nowMs: 1000, limit: 9, retryAtMs: 1001 })
        assert.deepStrictEqual([due?.id, due?.status], [idOf(1), "Failed"])
      })
  )

  it.live(`reads jobs of ${name} that the version before has written`, () =>
    Effect.gen(function* () {
      const { store, write } = yield* open
      const { request, ...about } = specOf(1, { session: "s \u0000", webhookUrl: "https://example.test/" })
      yield* store.create([{ ...about, request }], max)
      const kept = yield* store.list({ limit: 9 })
      yield* write(idOf(1), { about: null, spec: JSON.stringify({ ...about, request }) })
      assert.deepStrictEqual(yield* store.list({ limit: 9 }), kept)
      const [claim] = yield* store.claim({ limit: 9, ...claimOptions })
      assert.deepStrictEqual([claim?.request, claim?.job.session], [request, about.session])
    })
  )

  it.live(`fails one job of ${name} that cannot be read, and goes on with those beside it`, () =>
    Effect.gen(function* () {
      const { store, write } = yield* open
      const webhookUrl = "https://example.test/"
      yield* store.create([specOf(1), specOf(2, { webhookUrl }), specOf(3)], max)
      yield* write(idOf(2), spoilt)
      const ids = (jobs: ReadonlyArray<{ readonly id: JobId }>) => jobs.map(({ id }) => id)
      assert.deepStrictEqual(ids(yield* store.list({ limit: 9 })), [idOf(3), idOf(1)])
      const claims = yield* store.claim({ limit: 9, ...claimOptions })
      assert.deepStrictEqual(ids(claims.map(({ job }) => job)), [idOf(1), idOf(3)])
      const { Failed, Running } = yield* store.count
      assert.deepStrictEqual([Failed, Running], [1, 2])
      assert.deepStrictEqual(tags(yield* store.create([specOf(4), specOf(5)], { maxPending: 3 })), ["Created", "Full"])
      assert.strictEqual(yield* store.recover({ nowMs: 100, own: false }), 2)
      assert.deepStrictEqual(yield* store.dueWebhooks({ nowMs: 1000, limit: 9, retryAtMs: 1001 }), [])
      assert.strictEqual(yield* store.purge(11), 1)
    })
  )

  it.live(`tells of the ends of other jobs of ${name} when one cannot be read`, () =>
    Effect.gen(function* () {
      const { store, write } = yield* open
      const webhookUrl = "https://example.test/"
      yield* store.create([specOf(1, { webhookUrl }), specOf(2, { webhookUrl })], max)
      yield* Effect.forEach([1, 2], (index) => store.cancel(idOf(index), 20))
      yield* write(idOf(1), spoilt)
      const due = (nowMs: number) => store.dueWebhooks({ nowMs, limit: 1, retryAtMs: nowMs + 5 })
      assert.deepStrictEqual(yield* due(20), [])
      assert.deepStrictEqual(
        (yield* due(25)).map(({ id }) => id),
        [idOf(2)]
      )
    })
  )
}

export const jobStoreSuite = (name: string, { fresh, runs }: SuiteOptions): void => {
  const single = Effect.flatMap(fresh, (open) => open("one"))
  const pair = Effect.flatMap(fresh, (open) => Effect.all([open("one"), open("two")]))

  describe(`${name}, as a store of jobs`, () => {
    it.live("gives a job back as it was accepted, and as it ended", () =>
      Effect.gen(function* () {
        const store = yield* single
        const spec = specOf(1, {
          model: "m",
          session: "s \u0000",
          stream: true,
          idempotencyKey: "k \ud800 \u0000",
          webhookUrl: "https://example.test/a?b=c",
          request: {
            messages: [{ role: "user", content: [{ type: "data", mimeType: "image/png", data: "AA==" }] }],
            temperature: 0.5,
            extra: { tools: [null, { a: "\u0000" }] },
            native: { family: "openai", body: { n: 1 } }
          }
        })
        const [created] = yield* store.create([spec], max)
        const { request, ...about } = spec
        const accepted = {
          ...about,
          status: "Pending",
          runs: 0,
          webhook: { url: spec.webhookUrl, status: "pending", attempts: 0, nextAtMs: spec.createdAtMs }
        }
        assert.deepStrictEqual<unknown>(created, { _tag: "Created", job: accepted })
        const [claim] = yield* store.claim({ limit: 1, ...claimOptions })
        assert.deepStrictEqual<unknown>(claim, {
          run: 1,
          request,
          job: { ...accepted, status: "Running", runs: 1, startedAtMs: 10 }
        })
        assert.deepStrictEqual(yield* store.end([{ id: spec.id, run: 1, outcome: completed(1), nowMs: 20 }]), [true])
        assert.deepStrictEqual<unknown>(Option.getOrThrow(yield* store.get(spec.id)), {
          ...accepted,
          ...completed(1),
          runs: 1,
          startedAtMs: 10,
          endedAtMs: 20,
          webhook: { ...accepted.webhook, nextAtMs: 20 }
        })
      })
    )

    it.live("knows an idempotency key per owner, within a batch too, also when it is full", () =>
      Effect.gen(function* () {
        const store = yield* single
        const same = { idempotencyKey: "k", requestHash: "h" }
        const first = yield* store.create([specOf(1, same), specOf(2, same), specOf(3, { ...same, owner: "b" })], max)
        assert.deepStrictEqual(tags(first), ["Created", "Existing", "Created"])
        const again = yield* store.create(
          [specOf(4, same), specOf(5, { idempotencyKey: "k", requestHash: "other" }), specOf(6)],
          { maxPending: 2 }
        )
        assert.deepStrictEqual(tags(again), ["Existing", "Conflict", "Full"])
        assert.deepStrictEqual(
          again.map((each) => (each._tag === "Full" ? each.pending : each.job.id)),
          [idOf(1), idOf(1), 2]
        )
      })
    )

    it.live("frees an idempotency key when its job is forgotten", () =>
      Effect.gen(function* () {
        const store = yield* single
        const key = { idempotencyKey: "k" }
        yield* store.create([specOf(1, key)], max)
        yield* store.cancel(idOf(1), 50)
        assert.strictEqual(yield* store.purge(50), 0)
        assert.strictEqual(yield* store.purge(51), 1)
        assert.deepStrictEqual(tags(yield* store.create([specOf(2, key)], max)), ["Created"])
      })
    )

    it.live("fills to exactly the most that may be pending, whoever creates at once", () =>
      Effect.gen(function* () {
        const stores = yield* pair
        const created = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, at) => at),
          (at) => stores[at % 2]!.create([specOf(at * 2), specOf(at * 2 + 1)], { maxPending: 25 }),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(tags(created.flat()).filter((tag) => tag === "Created").length, 25)
        assert.strictEqual((yield* stores[0].count).Pending, 25)
      })
    )

    it.live("accepts a key once, whoever creates at once", () =>
      Effect.gen(function* () {
        const stores = yield* pair
        const created = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, at) => at),
          (at) => stores[at % 2]!.create([specOf(at, { idempotencyKey: "k", requestHash: "h" })], max),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(tags(created.flat()).filter((tag) => tag === "Created").length, 1)
        assert.strictEqual(new Set(created.flat().map((each) => (each._tag === "Full" ? "" : each.job.id))).size, 1)
      })
    )

    it.live("gives each pending job to one instance, and ends it once, whoever claims at once", () =>
      Effect.gen(function* () {
        const stores = yield* pair
        yield* stores[0].create(
          Array.from({ length: 60 }, (_, at) => specOf(at)),
          max
        )
        const claimed = (yield* Effect.forEach(
          Array.from({ length: 30 }, (_, at) => at),
          (at) => stores[at % 2]!.claim({ limit: 3, ...claimOptions }),
          { concurrency: "unbounded" }
        )).flat()
        assert.strictEqual(new Set(claimed.map(({ job }) => job.id)).size, claimed.length)
        const rest = yield* stores[0].claim({ limit: 100, ...claimOptions })
        const all = [...claimed, ...rest]
        assert.strictEqual(new Set(all.map(({ job }) => job.id)).size, 60)
        const ended = (yield* Effect.forEach(
          [...stores, ...stores],
          (store) => store.end(all.map(({ job, run }) => ({ id: job.id, run, outcome: completed(1), nowMs: 20 }))),
          { concurrency: "unbounded" }
        )).flat()
        assert.strictEqual(ended.filter((done) => done).length, 60)
      })
    )

    it.live("claims the oldest first, those that were given back too", () =>
      Effect.gen(function* () {
        const store = yield* single
        yield* store.create([specOf(2), specOf(3), specOf(1), specOf(4)], max)
        const ids = (claims: ReadonlyArray<{ readonly job: { readonly id: JobId } }>) => claims.map(({ job }) => job.id)
        const first = yield* store.claim({ limit: 3, ...claimOptions })
        assert.deepStrictEqual(ids(first), [idOf(1), idOf(2), idOf(3)])
        yield* store.release([{ id: idOf(2), run: 1 }])
        assert.deepStrictEqual(ids(yield* store.claim({ limit: 3, ...claimOptions })), [idOf(2), idOf(4)])
      })
    )

    it.live("claims long requests few at a time, but one at least, and all in the end", () =>
      Effect.gen(function* () {
        const store = yield* single
        const long = (length: number) => ({
          request: { messages: [{ role: "user" as const, content: "x".repeat(length) }] as const }
        })
        const lengths = [3_000_000, 600_000, 600_000, 600_000, 10]
        const specs = lengths.map((length, index) => specOf(index, long(length)))
        yield* store.create(specs, max)
        const claimed: Array<JobId> = []
        while (true) {
          const claims = yield* store.claim({ limit: 9, ...claimOptions })
          if (claims.length === 0) break
          for (const { job, request } of claims) {
            assert.deepStrictEqual(request, specs[claimed.length]!.request)
            claimed.push(job.id)
          }
        }
        assert.deepStrictEqual(
          claimed,
          specs.map(({ id }) => id)
        )
      })
    )

    it.live("does not end a job by a claim that was taken over, cancelled or given back", () =>
      Effect.gen(function* () {
        const [one, two] = yield* pair
        yield* one.create([specOf(1), specOf(2), specOf(3), specOf(4)], max)
        yield* one.claim({ limit: 4, nowMs: 10, leaseUntilMs: 20 })
        assert.deepStrictEqual(yield* one.renew([{ id: idOf(4), run: 1 }], 100), [])
        yield* two.cancel(idOf(1), 15)
        yield* one.release([{ id: idOf(2), run: 1 }])
        assert.strictEqual(yield* two.recover({ nowMs: 19, own: true }), 0)
        assert.strictEqual(yield* two.recover({ nowMs: 20, own: false }), 1)
        assert.strictEqual((yield* two.claim({ limit: 9, nowMs: 21, leaseUntilMs: 99 })).length, 2)
        const claims = [1, 2, 3, 4].map((index) => ({ id: idOf(index), run: 1 }))
        assert.deepStrictEqual(yield* one.renew(claims, 200), [idOf(1), idOf(2), idOf(3)])
        const ended = yield* one.end(claims.map((claim) => ({ ...claim, outcome: failed(1), nowMs: 30 })))
        assert.deepStrictEqual(ended, [false, false, false, true])
        assert.deepStrictEqual(yield* two.end([{ id: idOf(3), run: 2, outcome: completed(3), nowMs: 31 }]), [true])
      })
    )

    it.live("leaves a job as it ended when it is cancelled after that", () =>
      Effect.gen(function* () {
        const store = yield* single
        yield* store.create([specOf(1), specOf(2)], max)
        yield* store.claim({ limit: 1, ...claimOptions })
        yield* store.end([{ id: idOf(1), run: 1, outcome: completed(1), nowMs: 20 }])
        const before = yield* store.get(idOf(1))
        const late = Option.getOrThrow(yield* store.cancel(idOf(1), 30))
        assert.deepStrictEqual(late, { job: Option.getOrThrow(before), cancelled: false })
        assert.deepStrictEqual(yield* store.get(idOf(1)), before)
        assert.isTrue(Option.getOrThrow(yield* store.cancel(idOf(2), 30)).cancelled)
        const twice = Option.getOrThrow(yield* store.cancel(idOf(2), 40))
        assert.deepStrictEqual([twice.cancelled, twice.job.endedAtMs], [false, 30])
      })
    )

    it.live("takes back at the start what its name held, and no other's", () =>
      Effect.gen(function* () {
        const open = yield* fresh
        const two = yield* open("two")
        yield* Effect.scoped(
          Effect.gen(function* () {
            const one = yield* open("one")
            yield* one.create([specOf(1), specOf(2)], max)
            yield* one.claim({ limit: 1, ...claimOptions })
          })
        )
        yield* two.claim({ limit: 1, ...claimOptions })
        const next = yield* open("one")
        assert.strictEqual(yield* next.recover({ nowMs: 11, own: true }), 1)
        const [claim] = yield* next.claim({ limit: 2, ...claimOptions })
        assert.deepStrictEqual([claim?.job.id, claim?.run], [idOf(1), 2])
        assert.deepStrictEqual(yield* two.renew([{ id: idOf(2), run: 1 }], 50), [])
      })
    )

    it.live("calls a webhook that is due once per retry time, and keeps its job until it is done", () =>
      Effect.gen(function* () {
        const [one, two] = yield* pair
        yield* one.create([specOf(1, { webhookUrl: "https://example.test/" }), specOf(2)], max)
        const due = (store: Store, nowMs: number) => store.dueWebhooks({ nowMs, limit: 10, retryAtMs: nowMs + 5 })
        assert.deepStrictEqual(yield* due(one, 1e9), [])
        yield* Effect.forEach([1, 2], (index) => one.cancel(idOf(index), 20))
        assert.deepStrictEqual(yield* due(one, 19), [])
        const both = yield* Effect.all([due(one, 20), due(two, 20)], { concurrency: "unbounded" })
        assert.deepStrictEqual(
          both.flat().map(({ id }) => id),
          [idOf(1)]
        )
        assert.deepStrictEqual(yield* due(one, 24), [])
        assert.strictEqual((yield* due(one, 25)).length, 1)
        assert.strictEqual(yield* one.purge(1000), 1)
        yield* one.setWebhook(idOf(1), { url: "", status: "delivered", attempts: 2, nextAtMs: 30 })
        assert.deepStrictEqual(Option.getOrThrow(yield* two.get(idOf(1))).webhook, {
          url: "https://example.test/",
          status: "delivered",
          attempts: 2,
          nextAtMs: 30
        })
        assert.deepStrictEqual(yield* due(one, 100), [])
        assert.strictEqual(yield* one.purge(1000), 1)
      })
    )

    it.live("does nothing about nothing", () =>
      Effect.gen(function* () {
        const store = yield* single
        assert.deepStrictEqual(yield* store.create([], max), [])
        assert.deepStrictEqual(yield* store.claim({ limit: 5, ...claimOptions }), [])
        assert.deepStrictEqual(yield* store.end([]), [])
        assert.deepStrictEqual(yield* store.renew([], 1), [])
        yield* store.release([])
        assert.deepStrictEqual(yield* store.cancel(idOf(1), 1), Option.none())
        assert.deepStrictEqual(yield* store.get(idOf(1)), Option.none())
        yield* store.setWebhook(idOf(1), { url: "", status: "failed", attempts: 1, nextAtMs: 1 })
        assert.deepStrictEqual(yield* store.list({ owner: "nobody", limit: 5 }), [])
      })
    )

    it.live.prop(
      "does as the model does, whatever three instances do in whatever order",
      { steps: Scenario },
      ({ steps }) =>
        Effect.scoped(
          Effect.gen(function* () {
            const open = yield* fresh
            const stores = yield* Effect.forEach([0, 1, 2], (who) => open(`instance ${who}`))
            yield* play(stores, steps)
          })
        ),
      { arbitrary: { runs, ...listsUpTo(60) }, timeout: 120_000 }
    )
  })
}
