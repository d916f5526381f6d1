import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { tierOf } from "../../../src/domain/dispatch/Selection.ts"
import { Exclusions } from "../../../src/layers/dispatch/Exclusions.ts"
import { Job } from "../../../src/layers/dispatch/Job.ts"
import { WaitingLines } from "../../../src/layers/dispatch/WaitingLines.ts"
import { listsUpTo } from "../../support/RandomLists.ts"

const LANES = 4
const NAMES = Array.from({ length: LANES }, (_, index) => `w${index}`)

const Count = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))

const Step = Schema.Struct({
  op: Schema.Literals(["add", "add", "add", "take", "take", "restore", "giveUp", "takePinned"]),
  /** `any`: whoever comes; `pinned`: one lane by session; `some`: without the lanes of `mask`. */
  kind: Schema.Literals(["any", "pinned", "some", "some"]),
  lane: Count(LANES - 1),
  mask: Count(2 ** LANES - 2),
  pick: Count(1_000)
})

const makeJob = (order: number): Job<number> => {
  const job = new Job(order, () => tierOf(0, false))
  job.order = order
  return job
}

const mayTake = (lane: number, job: Job<number>): boolean =>
  job.pinned === undefined ? job.lanes === undefined || job.lanes.has[lane] === 1 : job.pinned === lane

describe("waiting lines", () => {
  it.prop(
    "give each lane the oldest job that it may take, whoever comes, goes, or comes back",
    { steps: Schema.Array(Step).check(Schema.isBetweenLength(1, 200)) },
    ({ steps }) => {
      const exclusions = new Exclusions(NAMES)
      const lines = new WaitingLines<number>(LANES)
      let waiting: Array<Job<number>> = []
      let taken: Array<Job<number>> = []
      for (const [order, { op, kind, lane, mask, pick }] of steps.entries()) {
        if (op === "add") {
          const job = makeJob(order)
          if (kind === "pinned") job.pinned = lane
          // A set of its own for each job, as from callers that make one for each request.
          if (kind === "some") job.lanes = exclusions.remaining(new Set(NAMES.filter((_, at) => (mask >> at) & 1)))
          lines.add(job)
          waiting.push(job)
        } else if (op === "takePinned") {
          const pinned = waiting.filter((job) => job.pinned === lane)
          assert.deepStrictEqual(lines.takePinned(lane), pinned)
          waiting = waiting.filter((job) => !pinned.includes(job))
          taken.push(...pinned)
        } else if (op === "restore") {
          // As a queue gives them: not always by age.
          const back = taken.filter((_, at) => (at + pick) % 3 !== 0).reverse()
          taken = taken.filter((job) => !back.includes(job))
          lines.restore(back)
          waiting.push(...back)
        } else {
          const job = op === "take" ? lines.next(lane) : waiting[pick % Math.max(1, waiting.length)]
          if (job === undefined) continue
          lines.remove(job)
          waiting = waiting.filter((other) => other !== job)
          if (op === "take") taken.push(job)
          lines.remove(job)
        }
        waiting.sort((a, b) => a.order - b.order)
        assert.strictEqual(lines.size, waiting.length)
        for (let index = 0; index < LANES; index++) {
          assert.strictEqual(lines.next(index)?.order, waiting.find((job) => mayTake(index, job))?.order)
        }
        const some = [...new Set([lane, pick % LANES])]
        assert.strictEqual(
          lines.countFor(some),
          waiting.filter((job) => some.some((index) => mayTake(index, job))).length
        )
      }
      const orders = lines.all().map((job) => job.order)
      assert.deepStrictEqual(
        orders.sort((a, b) => a - b),
        waiting.map((job) => job.order)
      )
    },
    { arbitrary: listsUpTo(200) }
  )

  it("cost a lane no look at the jobs that wait for another", () => {
    let looks = 0
    class Watched extends Job<number> {
      constructor(order: number) {
        super(order, () => {
          looks++
          return 1
        })
        Object.defineProperty(this, "order", {
          get: () => {
            looks++
            return order
          }
        })
      }
    }
    const exclusions = new Exclusions(NAMES)
    const lines = new WaitingLines<number>(LANES)
    for (let order = 0; order < 5_000; order++) {
      const job = new Watched(order)
      job.lanes = exclusions.remaining(new Set(order === 4_999 ? ["w0"] : ["w1"]))
      lines.add(job)
    }
    looks = 0
    assert.strictEqual(lines.next(1)?.request, 4_999)
    assert.strictEqual(lines.next(0)?.request, 0)
    assert.isAtMost(looks, 8)
  })
})
