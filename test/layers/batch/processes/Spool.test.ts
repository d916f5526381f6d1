import { closeSync, readdirSync, writeSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Spool from "../../../../src/layers/batch/processes/Spool.ts"
import { temporaryFolder } from "../../../support/TemporaryFolder.ts"

const opened = Effect.acquireRelease(
  Effect.sync(() => {
    const fd = Spool.open()
    assert.isDefined(fd)
    return fd
  }),
  (fd) => Effect.sync(() => closeSync(fd))
)

/** Bytes that tell which part they are of. */
const part = (size: number, seed: number): Buffer => Buffer.alloc(size, `${seed}-`)

describe("a spool", () => {
  it.effect.prop(
    "gives back what was written, as often as it goes round, and refuses what would write over what is not read",
    { sizes: Schema.Array(Schema.Int), lag: Schema.Int },
    ({ lag, sizes }) =>
      Effect.scoped(
        Effect.gen(function* () {
          const fd = yield* opened
          const writer = new Spool.SpoolWriter(fd)
          const reader = new Spool.SpoolReader(fd, (upTo) => writer.free(upTo))
          const waiting: Array<{ readonly at: number; readonly parts: ReadonlyArray<Buffer> }> = []
          const readOne = () => {
            const { at, parts } = waiting.shift()!
            const lengths = parts.map(({ length }) => length)
            assert.isTrue(reader.take(at, lengths)?.every((read, index) => read.equals(parts[index]!)))
          }
          let refused = 0
          for (let round = 0; round < 12; round++) {
            const sized = (at: number) =>
              Math.abs((sizes[(round + at) % Math.max(1, sizes.length)] ?? 1) * 7919) % 900_000
            const parts = [part(1 + sized(0), round), part(sized(1), round + 50)]
            const at = writer.write(parts)
            if (at === undefined) refused += 1
            else waiting.push({ at, parts })
            if (waiting.length > Math.abs(lag % 4) || at === undefined) readOne()
          }
          while (waiting.length > 0) readOne()
          assert.isBelow(refused, 12)
        })
      )
  )

  it.effect("has no room for more than it holds, until some of it was read", () =>
    Effect.gen(function* () {
      const fd = yield* opened
      const writer = new Spool.SpoolWriter(fd)
      const half = Spool.SPOOL_BYTES / 2
      assert.strictEqual(writer.write([part(half, 1)]), 0)
      assert.strictEqual(writer.write([part(half, 2)]), half)
      assert.isUndefined(writer.write([part(1, 3)]))
      writer.free(half)
      assert.strictEqual(writer.write([part(1, 3)]), 2 * half)
      assert.isUndefined(writer.write([part(Spool.SPOOL_BYTES + 1, 4)]))
    })
  )

  it.effect("does not give what is not there", () =>
    Effect.gen(function* () {
      const fd = yield* opened
      const reader = new Spool.SpoolReader(fd, () => {})
      writeSync(fd, "four")
      assert.isUndefined(reader.take(0, [4, 1]))
      assert.deepStrictEqual(reader.take(0, [4]), [Buffer.from("four")])
    })
  )

  it.effect("has no name, and is not there when it cannot be made", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const fd = Spool.open(folder())
      assert.isDefined(fd)
      closeSync(fd)
      assert.deepStrictEqual(readdirSync(folder()), [])
      assert.isUndefined(Spool.open(folder("no such folder")))
    })
  )
})
