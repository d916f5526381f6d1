import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Allowances } from "../../../../src/layers/batch/processes/Allowances.ts"
import { listsUpTo } from "../../../support/RandomLists.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** What happens to one of the processes: an answer comes, news of it reaches the parent, or it has nothing to do. */
const Step = Schema.Struct({
  who: between(0, 3),
  what: Schema.Literals(["send", "send", "answer", "answer", "hear", "idle"]),
  tokens: between(1, 40)
})

const CONCURRENCY = 3

/** A process as it is; its parent knows what it last heard. */
class Process {
  inflight = 0
  spent = 0
  upTo = 0
  isIdle = false
}

describe("the allowances of processes", () => {
  it.prop(
    "never let more be spent than the budget and what is in flight, whatever comes when; and all of it is spent in the end",
    [between(1, 2000), Schema.Array(Step).check(Schema.isMinLength(1), Schema.isMaxLength(400))],
    ([budget, steps]) => {
      const processes = Array.from({ length: 4 }, () => new Process())
      const allowances = new Allowances<Process>({ cost: Number.POSITIVE_INFINITY, tokens: budget }, processes.length)
      const raiseAll = () => {
        for (const process of processes.filter(({ isIdle }) => !isIdle)) {
          allowances.raise(process)
          process.upTo = allowances.of(process).upTo.tokens
        }
      }
      const hear = (process: Process) => {
        allowances.spend(process, { cost: 0, tokens: process.spent })
        raiseAll()
      }
      const total = () => processes.reduce((sum, { spent }) => sum + spent, 0)
      const step = (process: Process, what: (typeof Step.Type)["what"], tokens: number) => {
        if (what === "send" && process.isIdle) {
          process.isIdle = false
          raiseAll()
        }
        if (what === "send" && process.inflight < CONCURRENCY && process.spent < process.upTo) process.inflight++
        else if (what === "answer" && process.inflight > 0) {
          process.inflight--
          process.spent += tokens
        } else if (what === "hear") hear(process)
        else if (what === "idle" && process.inflight === 0) {
          hear(process)
          process.isIdle = true
          allowances.release(process)
          raiseAll()
        }
        assert.isAtMost(total(), budget + processes.length * CONCURRENCY * 40)
      }
      raiseAll()
      for (const { tokens, what, who } of steps) step(processes[who]!, what, tokens)
      // One has all the rows that are left: the others do not keep what they do not need.
      const [last, ...others] = processes
      for (const other of others) {
        while (other.inflight > 0) step(other, "answer", 1)
        step(other, "idle", 1)
      }
      for (let round = 0; total() < budget && round < 10_000; round++) {
        step(last!, "send", 1)
        step(last!, "answer", 1)
        hear(last!)
      }
      assert.isAtLeast(total(), budget)
    },
    { arbitrary: listsUpTo(400) }
  )

  it("hold for cost and tokens at once; what has no limit is not limited", () => {
    const allowances = new Allowances<string>({ cost: 1, tokens: Number.POSITIVE_INFINITY }, 2)
    assert.deepStrictEqual(allowances.of("a").upTo, { cost: 0, tokens: Number.POSITIVE_INFINITY })
    assert.isTrue(allowances.raise("a"))
    assert.deepStrictEqual(allowances.of("a").upTo, { cost: 0.25, tokens: Number.POSITIVE_INFINITY })
    assert.isFalse(allowances.raise("a"), "it has enough")
    assert.deepStrictEqual(allowances.spend("a", { cost: 0.25, tokens: 7 }), { cost: 0.25, tokens: 7 })
    assert.deepStrictEqual(allowances.spend("a", { cost: 1, tokens: 9 }), { cost: 0.75, tokens: 2 })
    assert.isFalse(allowances.raise("a"), "nothing is left")
    assert.isFalse(new Allowances({ cost: Number.POSITIVE_INFINITY, tokens: Number.POSITIVE_INFINITY }, 2).isLimited)
  })
})
