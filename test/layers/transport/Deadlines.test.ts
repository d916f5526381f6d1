import { assert, describe, it } from "@effect/vitest"
import { Deadline, Deadlines } from "../../../src/layers/transport/Deadlines.ts"

class Telling extends Deadline {
  readonly onPassed: () => void

  constructor(onPassed: () => void) {
    super()
    this.onPassed = onPassed
  }
}

/** Starts a deadline and gives the time that it took to pass. */
const passing = (deadlines: Deadlines, limitMs: number) =>
  new Promise<number>((resolve) => {
    const startedAt = performance.now()
    deadlines.start(new Telling(() => resolve(performance.now() - startedAt)), limitMs)
  })

describe("Deadlines", () => {
  it("are never early", async () => {
    const deadlines = new Deadlines({ keepsProcess: false })
    const limits = [120, 40, 80, 1, 40]
    const took = await Promise.all(limits.map((limitMs) => passing(deadlines, limitMs)))
    for (const [i, ms] of took.entries()) assert.isAtLeast(ms, limits[i]!)
  })

  it("pass at the time that is told as the latest, if it is sooner than their own", async () => {
    const deadlines = new Deadlines({ keepsProcess: false })
    const order: Array<string> = []
    await new Promise<void>((resolve) => {
      const last = new Telling(() => resolve(void order.push("at 200")))
      const now = deadlines.start(last, 200)
      deadlines.start(new Telling(() => order.push("at 100")), 1_000, now + 100)
      deadlines.start(new Telling(() => order.push("after 50")), 50, now + 100)
    })
    assert.deepStrictEqual(order, ["after 50", "at 100", "at 200"])
  })

  it("pass in the order of their time, whatever the order of their start", async () => {
    const deadlines = new Deadlines({ keepsProcess: false })
    const order: Array<number> = []
    await Promise.all([300, 100, 200].map((limitMs) => passing(deadlines, limitMs).then(() => order.push(limitMs))))
    assert.deepStrictEqual(order, [100, 200, 300])
  })

  it("do not pass once stopped, and begin again when started again", async () => {
    const deadlines = new Deadlines({ keepsProcess: false })
    const passed: Array<string> = []
    const stopped = new Telling(() => passed.push("stopped"))
    const restarted = new Telling(() => passed.push("restarted"))
    deadlines.start(stopped, 50)
    deadlines.start(restarted, 50)
    deadlines.stop(stopped)
    deadlines.start(restarted, 200)
    await passing(deadlines, 100)
    assert.deepStrictEqual(passed, [])
    await passing(deadlines, 200)
    assert.deepStrictEqual(passed, ["restarted"])
  })

  it("work again after a time without any", async () => {
    const deadlines = new Deadlines({ keepsProcess: false })
    await passing(deadlines, 10)
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.isAtLeast(await passing(deadlines, 50), 50)
  })

  it("do not count the time in which the process stood still", async () => {
    const deadlines = new Deadlines({ keepsProcess: false })
    let hasPassed = false
    const deadline = new Telling(() => {
      hasPassed = true
    })
    deadlines.start(deadline, 400)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700)
    // The timers run before this, as they run before a socket is read.
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
    assert.isFalse(hasPassed)
    deadlines.stop(deadline)
  })
})
