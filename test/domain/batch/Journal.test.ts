import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Journal, type ResultFile } from "../../../src/domain/batch/Journal.ts"

const hashOf = (index: number) => (index * 2654435761).toString(16).padStart(16, "0").slice(-16)

describe("Journal", () => {
  it("knows which file has a row, and counts", () => {
    const journal = new Journal()
    assert.strictEqual(journal.highest, -1)
    assert.isUndefined(journal.add(3, "00000003aaaaaaaa", "save"))
    assert.isUndefined(journal.add(70_000, "00000007aaaaaaaa", "errors"))
    assert.strictEqual(journal.where(3), "save")
    assert.strictEqual(journal.where(70_000), "errors")
    assert.isUndefined(journal.where(4))
    assert.deepInclude(journal, { saved: 1, failed: 1, highest: 70_000, size: 2 })
  })

  it("tells of a row that comes twice, and changes nothing by it", () => {
    const journal = new Journal()
    journal.add(3, "00000003aaaaaaaa", "save")
    assert.strictEqual(journal.add(3, "00000004aaaaaaaa", "errors"), "save")
    assert.strictEqual(journal.where(3), "save")
    assert.isFalse(journal.differs(3, "00000003aaaaaaaa"))
    assert.strictEqual(journal.size, 1)
  })

  it("tells a changed line by its hash, of done rows only", () => {
    const journal = new Journal()
    journal.add(3, "fffffff3aaaaaaaa", "save")
    assert.isTrue(journal.differs(3, "fffffff4aaaaaaaa"))
    assert.isFalse(journal.differs(4, "fffffff4aaaaaaaa"))
  })

  it.prop(
    "is a map from row to file, in any order",
    {
      rows: Schema.Array(
        Schema.Tuple([Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 50_000 })), Schema.Boolean])
      )
    },
    ({ rows }) => {
      const journal = new Journal()
      const model = new Map<number, ResultFile>()
      for (const [index, ok] of rows) {
        const file = ok ? "save" : "errors"
        assert.strictEqual(journal.add(index, hashOf(index), file), model.get(index))
        if (!model.has(index)) model.set(index, file)
      }
      assert.strictEqual(journal.size, model.size)
      assert.strictEqual(journal.highest, Math.max(-1, ...model.keys()))
      for (const [index, file] of model) {
        assert.strictEqual(journal.where(index), file)
        assert.isFalse(journal.differs(index, hashOf(index)))
      }
    }
  )

  it("takes 5 bytes a row: 10,000,000 rows stay below 60 MB", () => {
    const before = process.memoryUsage().arrayBuffers
    const journal = new Journal()
    for (let index = 0; index < 10_000_000; index++) journal.add(index, "0123456789abcdef", "save")
    const used = process.memoryUsage().arrayBuffers - before
    assert.strictEqual(journal.size, 10_000_000)
    assert.isBelow(used, 60_000_000)
  })
})
