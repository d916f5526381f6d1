import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { SessionTable } from "../../../src/domain/dispatch/SessionTable.ts"

const Count = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** The same by the plainest means: a list in the order of use. */
class Plain {
  private readonly capacity: number
  private entries: Array<{ readonly session: string; readonly worker: number; readonly until: number }> = []

  constructor(capacity: number) {
    this.capacity = capacity
  }

  get(session: string, now: number): number {
    const entry = this.entries.find((entry) => entry.session === session)
    if (entry === undefined || entry.until <= now) return -1
    this.entries = [...this.entries.filter((other) => other !== entry), entry]
    return entry.worker
  }

  set(session: string, worker: number, until: number): void {
    const others = this.entries.filter((entry) => entry.session !== session)
    this.entries = [...others, { session, worker, until }].slice(-this.capacity)
  }
}

describe("SessionTable", () => {
  it.prop(
    "knows what a plain list in the order of use knows, and never more than its capacity",
    {
      capacity: Count(1, 200),
      steps: Schema.Array(
        Schema.Struct({ session: Count(0, 300), worker: Count(0, 9), lives: Count(1, 100), sets: Schema.Boolean })
      ).check(Schema.isBetweenLength(1, 600))
    },
    ({ capacity, steps }) => {
      const table = new SessionTable(capacity)
      const plain = new Plain(capacity)
      for (const [now, step] of steps.entries()) {
        const session = `s${step.session}`
        if (step.sets) {
          table.set(session, step.worker, now + step.lives)
          plain.set(session, step.worker, now + step.lives)
        } else {
          assert.strictEqual(table.get(session, now), plain.get(session, now))
        }
        assert.isAtMost(table.size, capacity)
      }
      for (let session = 0; session <= 300; session++) {
        assert.strictEqual(table.get(`s${session}`, steps.length), plain.get(`s${session}`, steps.length))
      }
    }
  )

  it("forgets the least recently used of 100,000", () => {
    const table = new SessionTable(100_000)
    for (let session = 0; session < 100_000; session++) table.set(`s${session}`, session % 7, 10)
    assert.strictEqual(table.get("s0", 0), 0)
    table.set("new", 3, 10)
    assert.deepStrictEqual(
      ["s0", "s1", "s2", "new"].map((session) => table.get(session, 0)),
      [0, -1, 2, 3]
    )
    assert.strictEqual(table.size, 100_000)
  })
})
