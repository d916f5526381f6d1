import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { type Candidate, makeSelector, type Tier } from "../../../src/domain/dispatch/Selection.ts"

const Weights = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 }))).check(
  Schema.isBetweenLength(1, 8)
)

const idle = (weights: ReadonlyArray<number>): ReadonlyArray<Candidate> =>
  weights.map((weight) => ({ weight, load: 0, latencyMs: 0 }))

const all = (): Tier => 2
const never = (): number => {
  throw new Error("this policy does not roll dice")
}

const tally = (count: number, choices: number, choose: () => number): ReadonlyArray<number> => {
  const counts = new Array<number>(count).fill(0)
  for (let choice = 0; choice < choices; choice++) counts[choose()]! += 1
  return counts
}

describe("weighted", () => {
  it.prop("gives exact shares over every full turn, wherever it starts", { weights: Weights }, ({ weights }) => {
    const selector = makeSelector("weighted", idle(weights), never)
    const turn = weights.reduce((sum, weight) => sum + weight, 0)
    const choices = Array.from({ length: 3 * turn }, () => selector.select(all))
    for (let start = 0; start <= 2 * turn; start++) {
      const counts = new Array<number>(weights.length).fill(0)
      for (const choice of choices.slice(start, start + turn)) counts[choice]! += 1
      assert.deepStrictEqual(counts, [...weights])
    }
  })

  it("interleaves instead of sending runs", () => {
    const selector = makeSelector("weighted", idle([3, 1]), never)
    assert.deepStrictEqual(
      Array.from({ length: 8 }, () => selector.select(all)),
      [0, 0, 1, 0, 0, 0, 1, 0]
    )
  })

  it("makes up later for a candidate that was passed over", () => {
    const selector = makeSelector("weighted", idle([3, 1]), never)
    let first = 0
    for (let round = 0; round < 1000; round++) {
      // Every tenth choice avoids candidate 0, as a retry after its failure does.
      const choice = selector.select(round % 10 === 0 ? (index) => (index === 0 ? 1 : 2) : all)
      if (choice === 0) first++
    }
    assert.approximately(first, 750, 2)
  })

  it("does not make up for the time in which a candidate was not available", () => {
    const selector = makeSelector("weighted", idle([1, 1]), never)
    tally(2, 100, () => selector.select((index) => (index === 0 ? 0 : 2)))
    assert.deepStrictEqual(
      tally(2, 10, () => selector.select(all)),
      [5, 5]
    )
  })
})

describe("least-loaded", () => {
  it("takes the lowest load relative to weight", () => {
    const selector = makeSelector(
      "least-loaded",
      [
        { weight: 1, load: 3, latencyMs: 0 },
        { weight: 4, load: 8, latencyMs: 0 },
        { weight: 2, load: 5, latencyMs: 0 }
      ],
      never
    )
    assert.strictEqual(selector.select(all), 1)
  })

  it.prop("breaks ties in weighted rotation", { weights: Weights }, ({ weights }) => {
    const selector = makeSelector("least-loaded", idle(weights), never)
    const turn = weights.reduce((sum, weight) => sum + weight, 0)
    assert.deepStrictEqual(
      tally(weights.length, turn, () => selector.select(all)),
      [...weights]
    )
  })

  it("prefers a busier candidate to one that is to be avoided", () => {
    const selector = makeSelector(
      "least-loaded",
      [
        { weight: 1, load: 0, latencyMs: 0 },
        { weight: 1, load: 9, latencyMs: 0 }
      ],
      never
    )
    assert.strictEqual(
      selector.select((index) => (index === 0 ? 1 : 2)),
      1
    )
    assert.strictEqual(
      selector.select((index) => (index === 0 ? 1 : 0)),
      0
    )
  })
})

describe("weighted-random", () => {
  it("maps the random number onto the weights", () => {
    let next = 0
    const selector = makeSelector("weighted-random", idle([1, 2, 1]), () => next)
    const at = (value: number): number => {
      next = value
      return selector.select(all)
    }
    assert.deepStrictEqual([0, 0.24, 0.25, 0.74, 0.75, 0.999].map(at), [0, 0, 1, 1, 2, 2])
  })
})

describe("every policy", () => {
  it.each(["least-loaded", "weighted", "weighted-random", "p2c-ewma"] as const)(
    "%s chooses nobody when all are out",
    (policy) => {
      const selector = makeSelector(policy, idle([1, 2]), () => 0.5)
      assert.strictEqual(
        selector.select(() => 0),
        -1
      )
    }
  )

  it.prop(
    "chooses from the highest tier that is there",
    {
      policy: Schema.Literals(["least-loaded", "weighted", "weighted-random", "p2c-ewma"]),
      candidates: Schema.Array(
        Schema.Struct({
          weight: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
          load: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })),
          latencyMs: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })),
          tier: Schema.Literals([0, 1, 2, 3, 4])
        })
      ).check(Schema.isBetweenLength(1, 6)),
      random: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.999 }))
    },
    ({ policy, candidates, random }) => {
      const selector = makeSelector(policy, candidates, () => random)
      const best = Math.max(...candidates.map((candidate) => candidate.tier))
      for (let round = 0; round < 10; round++) {
        const choice = selector.select((index) => candidates[index]!.tier)
        if (best === 0) assert.strictEqual(choice, -1)
        else assert.strictEqual(candidates[choice]!.tier, best)
      }
    }
  )
})
