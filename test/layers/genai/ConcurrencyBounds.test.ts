import { assert, describe, it } from "@effect/vitest"
import { concurrencyBounds } from "../../../src/layers/genai/ConcurrencyBounds.ts"
import { localPorts, openFiles, systemLimits } from "../../../src/layers/genai/SystemLimits.ts"

const auto = { autoConcurrency: true, concurrency: 32_768 }
const fixed = { autoConcurrency: false, concurrency: 50_000 }
const all = { connections: 1_000, explanation: "open files" }
const each = { connections: 28_000, explanation: "local ports" }

describe("how far concurrency may grow on a machine", () => {
  it("leaves alone what the user has set", () => {
    assert.deepStrictEqual(
      concurrencyBounds([fixed], () => ({ all, each })),
      [{ concurrency: 50_000, heldBy: undefined }]
    )
  })

  it("shares the open files that are left, and says what holds it", () => {
    const bounds = concurrencyBounds([auto, { autoConcurrency: false, concurrency: 400 }, auto], () => ({ all, each }))
    assert.deepStrictEqual(bounds, [
      { concurrency: 300, heldBy: "open files" },
      { concurrency: 400, heldBy: undefined },
      { concurrency: 300, heldBy: "open files" }
    ])
  })

  it("is at most the number of local ports, for each endpoint", () => {
    const bounds = concurrencyBounds([auto], () => ({ all: undefined, each }))
    assert.deepStrictEqual(bounds, [{ concurrency: 28_000, heldBy: "local ports" }])
  })

  it("shares the local ports, but not the open files, with the other processes of the machine", () => {
    const limits = () => ({ all: { connections: 20_000, explanation: "open files" }, each })
    assert.deepStrictEqual(concurrencyBounds([auto], limits, 2), [{ concurrency: 14_000, heldBy: "local ports" }])
    assert.deepStrictEqual(concurrencyBounds([auto], limits), [{ concurrency: 20_000, heldBy: "open files" }])
  })

  it("is the config's where the machine tells no limit, and never nothing", () => {
    assert.deepStrictEqual(
      concurrencyBounds([auto], () => ({ all: undefined, each: undefined })),
      [{ concurrency: 32_768, heldBy: undefined }]
    )
    assert.strictEqual(concurrencyBounds([auto, fixed], () => ({ all, each }))[0]?.concurrency, 1)
  })

  it("reads the limits as Linux tells them", () => {
    const files = openFiles("Limit  Soft Limit  Hard Limit  Units\nMax open files            1024    524288    files\n")
    assert.strictEqual(files?.connections, 768)
    assert.include(files?.explanation, "ulimit -n 65536")
    assert.strictEqual(openFiles("Max open files            unlimited   unlimited   files"), undefined)
    assert.strictEqual(localPorts("32768\t60999\n")?.connections, 28_232)
    assert.strictEqual(localPorts(""), undefined)
  })

  it.runIf(process.platform === "linux")("finds the limits of this machine", () => {
    assert.isAbove(systemLimits().each?.connections ?? 0, 0)
  })
})
