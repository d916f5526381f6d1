/** Random doings of several instances, each answer compared with the model's. */
import { assert } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { isEnded, type Job, JobId, type JobOutcome, type JobSpec } from "../../../src/domain/jobs/Job.ts"
import type { JobStore } from "../../../src/services/JobStore.ts"
import { StoreModel } from "./StoreModel.ts"

type Store = JobStore["Service"]

const Count = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const Step = Schema.Struct({
  op: Schema.Literals([
    "create",
    "create",
    "create",
    "claim",
    "claim",
    "end",
    "end",
    "endAll",
    "renew",
    "release",
    "cancel",
    "recover",
    "restart",
    "purge",
    "due",
    "setWebhook",
    "again"
  ]),
  who: Count(0, 2),
  pick: Count(0, 1000),
  many: Count(1, 4),
  wait: Count(0, 3)
})

export const Scenario = Schema.Array(Step).check(Schema.isBetweenLength(15, 60))

const OWNERS = ["a", "b", ""]
const MAX_PENDING = 7
const LEASE_MS = 6

export const idOf = (index: number): JobId =>
  JobId.make(`0190a000-0000-7000-8000-${index.toString(16).padStart(12, "0")}`)

export const specOf = (index: number, more: Partial<JobSpec> = {}): JobSpec => ({
  id: idOf(index),
  owner: "a",
  request: { messages: [{ role: "user", content: `Question ${index} \u0000 \ud800 "é` }] },
  stream: false,
  requestHash: `hash ${index}`,
  createdAtMs: 1000 + index,
  ...more
})

export const completed = (index: number): JobOutcome => ({
  status: "Completed",
  result: {
    text: `Answer ${index} \u0000`,
    finish_reason: "stop",
    usage: { input_tokens: 1, output_tokens: 2 },
    endpoint: "e",
    attempts: 1,
    latency_ms: 1.5
  }
})

export const failed = (index: number): JobOutcome => ({
  status: "Failed",
  failure: { message: `No ${index}.`, reason: "Overloaded", endpoint: "e", attempts: 3 }
})

/** Plays the steps on the stores of three instances that share their jobs. */
export const play = (stores: ReadonlyArray<Store>, steps: typeof Scenario.Type) =>
  Effect.gen(function* () {
    const model = new StoreModel()
    const claims: Array<{ readonly id: JobId; readonly run: number }> = []
    const ends = new Map<JobId, Job>()
    let now = 1000
    let created = 0

    for (const { many, op, pick, wait, who } of steps) {
      now += wait
      const store = stores[who]!
      const holder = `instance ${who}`
      const claim = claims[pick % Math.max(1, claims.length)] ?? { id: idOf(pick), run: 1 }
      const some = claims.slice(pick % Math.max(1, claims.length)).slice(0, many)
      // Half of the time a job that was taken up: it may run, or have ended.
      const id = pick % 4 < 2 ? claim.id : idOf(pick % (created + 2))
      const outcome = pick % 2 === 0 ? completed(pick) : failed(pick)
      switch (op) {
        case "create": {
          const specs = Array.from({ length: many }, (_, at) => {
            // An id in five comes late: instances' clocks differ.
            created++
            const index = created
            const key = (pick + at) % 5
            return specOf(index % 5 === 0 ? 5000 - index : index, {
              owner: OWNERS[(pick + at) % 3]!,
              ...(key < 3 ? { idempotencyKey: `key ${key} \u0000`, requestHash: `hash ${pick % 2}` } : {}),
              ...(pick % 3 === 0 ? { webhookUrl: "https://example.test/hook", session: "s", model: "m" } : {})
            })
          })
          assert.deepStrictEqual(
            yield* store.create(specs, { maxPending: MAX_PENDING }),
            model.create(specs, MAX_PENDING)
          )
          break
        }
        case "again": {
          const known = model.get(id)
          const spec = specOf(pick % (created + 2), {
            owner: known?.owner ?? "a",
            requestHash: known?.requestHash ?? ""
          })
          assert.deepStrictEqual(
            yield* store.create([spec, spec], { maxPending: MAX_PENDING }),
            model.create([spec, spec], MAX_PENDING)
          )
          break
        }
        case "claim": {
          const got = yield* store.claim({ limit: many, nowMs: now, leaseUntilMs: now + LEASE_MS })
          assert.deepStrictEqual(got, model.claim(holder, many, now, now + LEASE_MS))
          claims.push(...got.map(({ job, run }) => ({ id: job.id, run })))
          break
        }
        case "end": {
          const [ended] = yield* store.end([{ ...claim, outcome, nowMs: now }])
          assert.strictEqual(ended, model.end(claim, outcome, now))
          break
        }
        case "endAll": {
          const all = [...some, ...some].map((each) => ({ ...each, outcome, nowMs: now }))
          assert.deepStrictEqual(
            yield* store.end(all),
            all.map((each) => model.end(each, each.outcome, each.nowMs))
          )
          break
        }
        case "renew":
          assert.deepStrictEqual(yield* store.renew(some, now + LEASE_MS), model.renew(some, now + LEASE_MS))
          break
        case "release":
          yield* store.release(some)
          model.release(some)
          break
        case "cancel":
          assert.deepStrictEqual(yield* store.cancel(id, now), Option.fromNullishOr(model.cancel(id, now)))
          break
        case "recover":
        case "restart": {
          const own = op === "restart"
          assert.strictEqual(yield* store.recover({ nowMs: now, own }), model.recover(holder, now, own))
          break
        }
        case "purge":
          assert.strictEqual(yield* store.purge(now - many), model.purge(now - many))
          break
        case "due":
          assert.deepStrictEqual(
            yield* store.dueWebhooks({ nowMs: now, limit: many, retryAtMs: now + 2 }),
            model.dueWebhooks(now, many, now + 2)
          )
          break
        case "setWebhook": {
          const webhook = {
            url: "https://example.test/hook",
            status: (["pending", "delivered", "failed"] as const)[pick % 3]!,
            attempts: many,
            nextAtMs: now + wait
          }
          yield* store.setWebhook(id, webhook)
          model.setWebhook(id, webhook)
          break
        }
      }
      yield* compare(store, model)
      keepEnds(model, ends)
    }
    yield* comparePages(stores[0]!, model)
  })

/** Everything that can be asked without a change is as in the model. */
const compare = (store: Store, model: StoreModel) =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* store.list({ limit: 1000 }), model.list({ limit: 1000 }))
    const counts = yield* store.count
    assert.deepStrictEqual(counts, model.count())
    assert.isAtMost(counts.Pending + counts.Running, MAX_PENDING)
  })

/** A job that has ended never changes again, but for its webhook, until it is forgotten: then another may have its id. */
const keepEnds = (model: StoreModel, ends: Map<JobId, Job>) => {
  const jobs = model.list({ limit: 1000 })
  const kept = new Set(jobs.map(({ id }) => id))
  for (const id of ends.keys()) if (!kept.has(id)) ends.delete(id)
  for (const job of jobs) {
    if (!isEnded(job.status)) continue
    const { webhook: _, ...end } = job
    assert.deepStrictEqual(ends.get(job.id) ?? end, end)
    ends.set(job.id, end)
  }
}

/** Pages of any length give each job once, by every filter. */
const comparePages = (store: Store, model: StoreModel) =>
  Effect.forEach([undefined, ...OWNERS], (owner) =>
    Effect.forEach([undefined, "Pending", "Completed", "Cancelled"] as const, (status) =>
      Effect.gen(function* () {
        const paged: Array<Job> = []
        while (true) {
          const page = yield* store.list({ owner, status, before: paged.at(-1)?.id, limit: 2 })
          paged.push(...page)
          if (page.length < 2) break
        }
        assert.deepStrictEqual(paged, model.list({ owner, status, limit: 1000 }))
        for (const job of paged) assert.deepStrictEqual(yield* store.get(job.id), Option.some(job))
      })
    )
  )
