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

  get(session: string, now: number, renewedUntil?: number): number {
    const entry = this.entries.find((entry) => entry.session === session)
    if (entry === undefined || entry.until <= now) return -1
    this.set(session, entry.worker, renewedUntil ?? entry.until)
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
      capacity: Count(1, 100),
      steps: Schema.Array(
        Schema.Struct({
          session: Count(0, 150),
          worker: Count(0, 9),
          lives: Count(1, 100),
          does: Schema.Literals(["set", "get", "renew"])
        })
      ).check(Schema.isBetweenLength(300, 600))
    },
    ({ capacity, steps }) => {
      const table = new SessionTable(capacity, [1, 2])
      const plain = new Plain(capacity)
      for (const [now, step] of steps.entries()) {
        const session = `s${step.session}`
        const until = now + step.lives
        if (step.does === "set") {
          table.set(session, step.worker, until)
          plain.set(session, step.worker, until)
        } else {
          const renewed = step.does === "renew" ? until : undefined
          assert.strictEqual(table.get(session, now, renewed), plain.get(session, now, renewed))
        }
        assert.isAtMost(table.size, capacity)
      }
      for (let session = 0; session <= 150; session++) {
        assert.strictEqual(table.get(`s${session}`, steps.length), plain.get(`s${session}`, steps.length))
      }
    }
  )

  it("finds what it should while 50,000 sessions come and go, under any key", () => {
    for (const key of [
      [1, 2],
      [-1, 0],
      [0xffff_ffff, 0x8000_0000]
    ] as const) {
      const table = new SessionTable(1_000, key)
      let missed = 0
      for (let session = 0; session < 50_000; session++) {
        table.set(`s${session}`, session % 7, 10)
        // One of the latest 500, in no order.
        const known = Math.max(0, session - ((session * 31) % 500))
        if (table.get(`s${known}`, 0) !== known % 7) missed++
      }
      assert.deepStrictEqual([missed, table.size], [0, 1_000])
    }
  })

  it("forgets the least recently used of 100,000", () => {
    const table = new SessionTable(100_000, [1, 2])
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
