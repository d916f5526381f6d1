import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { LoadIndex, subsetOf } from "../../../src/domain/dispatch/LoadIndex.ts"
import { type Candidate, makeSelector, tierOf } from "../../../src/domain/dispatch/Selection.ts"
import { listsUpTo } from "../../support/RandomLists.ts"

const Count = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

interface Worker extends Candidate {
  load: number
  hasRoom: boolean
}

const Step = Schema.Struct({
  op: Schema.Literals(["choose", "choose", "choose", "among", "end", "room"]),
  worker: Count(0, 1_000),
  divisor: Count(2, 40)
})

describe("LoadIndex", () => {
  it.prop(
    "chooses as looking at all workers does, in any order of choices, ends, and room that comes and goes",
    {
      workers: Schema.Array(Schema.Struct({ weight: Count(1, 3), group: Count(0, 1) })).check(
        Schema.isBetweenLength(1, 80)
      ),
      steps: Schema.Array(Step).check(Schema.isBetweenLength(1, 200))
    },
    ({ workers, steps }) => {
      const groups = workers.map((worker) => worker.group)
      const now: ReadonlyArray<Worker> = workers.map(({ weight }) => ({ weight, load: 0, latencyMs: 0, hasRoom: true }))
      const never = (): number => assert.fail("this policy does not roll dice")
      const scan = makeSelector("least-loaded", now, never, groups)
      const index = new LoadIndex(
        workers.map((worker) => worker.weight),
        groups
      )
      for (const { op, worker, divisor } of steps) {
        const at = worker % now.length
        if (op === "choose" || op === "among") {
          const accept = (index: number): boolean => op === "choose" || (index + worker) % divisor !== 0
          const chosen = op === "choose" ? index.best() : index.bestOf(subsetOf(now.length, accept))
          const tier = (index: number) => (now[index]!.hasRoom && accept(index) ? tierOf(groups[index]!, false) : 0)
          assert.strictEqual(chosen, scan.select(tier))
          if (chosen === -1) continue
          index.chose(chosen)
          now[chosen]!.load++
          index.set(chosen, now[chosen]!.load, now[chosen]!.hasRoom)
        } else {
          if (op === "end") now[at]!.load = Math.max(0, now[at]!.load - 1)
          else now[at]!.hasRoom = !now[at]!.hasRoom
          index.set(at, now[at]!.load, now[at]!.hasRoom)
        }
      }
    },
    { arbitrary: listsUpTo(200) }
  )

  it("finds the few that a subset leaves, and the one among a thousand", () => {
    const index = new LoadIndex(
      Array.from({ length: 1_000 }, () => 1),
      Array.from({ length: 1_000 }, () => 0)
    )
    for (let worker = 0; worker < 1_000; worker++) index.set(worker, worker % 100, worker !== 900)
    assert.strictEqual(index.bestOf(subsetOf(1_000, (worker) => worker % 100 === 37 && worker > 500)), 537)
    assert.strictEqual(index.bestOf(subsetOf(1_000, (worker) => worker > 850 && worker % 100 < 99)), 901)
    assert.strictEqual(index.bestOf(subsetOf(1_000, (worker) => worker === 900)), -1)
    assert.strictEqual(index.bestOf(subsetOf(1_000, () => false)), -1)
  })

  it("keeps to the loads in every subset that is asked for again and again, however many there are", () => {
    const count = 200
    const index = new LoadIndex(
      Array.from({ length: count }, () => 1),
      Array.from({ length: count }, () => 0)
    )
    const loads = new Array<number>(count).fill(0)
    const subsets = Array.from({ length: 80 }, (_, at) => subsetOf(count, (worker) => (worker + at) % 4 === 0))
    for (let round = 0; round < 4_000; round++) {
      const subset = subsets[(round * 31) % subsets.length]!
      const chosen = index.bestOf(subset)
      assert.strictEqual(subset.has[chosen], 1)
      assert.strictEqual(loads[chosen], Math.min(...[...subset.members].map((worker) => loads[worker]!)))
      index.chose(chosen)
      loads[chosen]! += 1
      index.set(chosen, loads[chosen]!, true)
    }
  })

  const equals = (count: number): LoadIndex =>
    new LoadIndex(
      Array.from({ length: count }, () => 1),
      Array.from({ length: count }, () => 0)
    )

  it("keeps no order for the subsets of single requests and their few retries", () => {
    const index = equals(100)
    // The best of all is in none of the subsets: each has to be looked through.
    for (let worker = 1; worker < 100; worker++) index.set(worker, 1 + (worker % 7), true)
    for (let request = 0; request < 1_000; request++) {
      const subset = subsetOf(100, (worker) => worker !== 0 && worker !== request % 100)
      for (let attempt = 0; attempt < 4; attempt++) assert.notStrictEqual(index.bestOf(subset), 0)
    }
    assert.strictEqual(index.keptSubsets, 0)
  })

  it("keeps the order of subsets that are used on and on, and lets go of those that are not any more", () => {
    const index = equals(100)
    for (let worker = 1; worker < 100; worker++) index.set(worker, 1, true)
    const busy = subsetOf(100, (worker) => worker !== 0)
    const once = Array.from({ length: 100 }, (_, at) => subsetOf(100, (worker) => worker > 20 && worker !== at))
    const use = (subsets: ReadonlyArray<typeof busy>) => {
      for (let time = 0; time < 20; time++) for (const subset of subsets) index.bestOf(subset)
    }
    use([busy, ...once])
    assert.strictEqual(index.keptSubsets, 64)
    for (let change = 0; change < 10_000; change++) {
      index.set(1 + (change % 99), 1 + ((change * 31) % 50), true)
      if (change % 10 === 0) index.bestOf(busy)
    }
    assert.strictEqual(index.keptSubsets, 1)
    index.set(70, 0.5, true)
    for (const subset of [busy, ...once.slice(0, 70)]) assert.strictEqual(index.bestOf(subset), 70)
  })

  it("does not make up to a worker for the time in which it had no room", () => {
    const index = new LoadIndex([1, 1], [0, 0])
    const choose = (times: number): ReadonlyArray<number> => {
      const counts = [0, 0]
      for (let time = 0; time < times; time++) {
        const chosen = index.best()
        index.chose(chosen)
        counts[chosen]!++
      }
      return counts
    }
    index.set(0, 0, false)
    assert.deepStrictEqual(choose(1_000), [0, 1_000])
    index.set(0, 0, true)
    assert.approximately(choose(10)[0]!, 5, 1)
  })
})
