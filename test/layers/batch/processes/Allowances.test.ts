import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Allowances } from "../../../../src/layers/batch/processes/Allowances.ts"
import { Spending } from "../../../../src/layers/genai/Spending.ts"
import { listsUpTo } from "../../../support/RandomLists.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** What happens to one of the processes: an answer comes, news of it reaches the parent, or it has nothing to do. */
const Step = Schema.Struct({
  who: between(0, 3),
  what: Schema.Literals(["send", "send", "answer", "answer", "hear", "idle"]),
  tokens: between(1, 40)
})

/** The rows of a process: those in flight take so much of one limit, and little of the other. */
const Rows = Schema.Struct({
  limit: Schema.Literals(["cost", "tokens"]),
  percent: between(1, 100),
  inflight: between(1, 8)
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
        step(last!, "answer", 5)
        hear(last!)
      }
      assert.isAtLeast(total(), budget)
    },
    { arbitrary: listsUpTo(400) }
  )

  it.prop(
    "let some process go on as long as there is room in both limits, whatever their rows take of each",
    [
      Schema.Struct({ tenths: between(1, 300), tokens: between(1, 300) }),
      Schema.Array(Rows).check(Schema.isMinLength(1), Schema.isMaxLength(5))
    ],
    ([limits, kinds]) => {
      // Tenths: sums of them are not exact, and the last bit must not hold up a run either.
      const budget = new Spending({ maxCost: limits.tenths / 10, maxTokensTotal: limits.tokens })
      const allowances = new Allowances<Spending>(budget.limits, kinds.length)
      const processes = kinds.map((rows) => ({ rows, spending: new Spending({}) }))
      const raiseAll = () => {
        for (const { spending } of processes) {
          if (allowances.raise(spending)) spending.allow(allowances.of(spending).upTo)
        }
      }
      for (const { spending } of processes) spending.allow(allowances.of(spending).upTo)
      raiseAll()
      while (!budget.isSpent) {
        const going = processes.filter(({ spending }) => !spending.isHeld)
        assert.isNotEmpty(going, JSON.stringify(budget.amounts))
        for (const { rows, spending } of going) {
          const much = rows.percent / 100 / rows.inflight
          const amounts =
            rows.limit === "cost"
              ? { cost: (limits.tenths / 10) * much, tokens: 1 }
              : { cost: 0.1, tokens: Math.ceil(limits.tokens * much) }
          for (let i = 0; i < rows.inflight; i++) spending.addAmounts(amounts)
        }
        for (const { spending } of going) {
          budget.addAmounts(allowances.spend(spending, spending.amounts))
          if (!budget.isSpent) raiseAll()
        }
      }
    },
    { arbitrary: listsUpTo(5) }
  )

  it("of one limit go to others while the other limit holds their process", () => {
    const allowances = new Allowances<string>({ cost: 10, tokens: 1000 }, 2)
    allowances.raise("a")
    allowances.raise("b")
    allowances.spend("a", { cost: 0.1, tokens: 820 })
    allowances.spend("b", { cost: 7.6, tokens: 10 })
    assert.isFalse(allowances.raise("a"), "b has the tokens")
    assert.isTrue(allowances.raise("b"), "a has given back the money")
    assert.isAbove(allowances.of("b").upTo.cost, 7.6)
    assert.deepStrictEqual(allowances.of("a").upTo, { cost: 0.1, tokens: 820 })
  })

  it("are not held up by the last bit of a sum", () => {
    const budget = new Spending({ maxCost: 0.9 })
    const allowances = new Allowances<string>(budget.limits, 1)
    for (let spent = 0; !budget.isSpent; spent += 0.1) {
      budget.addAmounts(allowances.spend("a", { cost: spent, tokens: 0 }))
      if (!budget.isSpent) allowances.raise("a")
      assert.isTrue(budget.isSpent || allowances.of("a").upTo.cost > spent, `at ${spent}`)
    }
  })

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
