import { PassThrough } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { chunkOf } from "../../../../src/domain/batch/RowChunk.ts"
import { NOTHING_DONE } from "../../../../src/domain/batch/Tally.ts"
import { type Frame, FrameReader, write } from "../../../../src/layers/batch/processes/Frames.ts"
import {
  type ChildMessage,
  childMessageOf,
  frameOf,
  type ParentMessage,
  parentMessageOf
} from "../../../../src/layers/batch/processes/Messages.ts"

/** What the frames are on the pipe. */
const bytesOf = (frames: ReadonlyArray<Frame>): Buffer => {
  const pipe = new PassThrough({ highWaterMark: 1024 * 1024 })
  for (const frame of frames) write(pipe, frame)
  return pipe.read() ?? Buffer.alloc(0)
}

const readAll = (pieces: Iterable<Buffer>): ReadonlyArray<Frame> => {
  const read: Array<Frame> = []
  const reader = new FrameReader((frame) => read.push(frame))
  // Each piece is memory of its own, as it is from a pipe: the reader may do with it what it likes.
  for (const piece of pieces) reader.push(new Uint8Array(piece))
  return read
}

const plain = ({ body: [first, second], head }: Frame) => ({
  head,
  body: [Buffer.from(first).toString("hex"), Buffer.from(second).toString("hex")]
})

describe("frames", () => {
  it.prop(
    "come out as they went in, whatever pieces they are cut into",
    {
      bodies: Schema.Array(Schema.Tuple([Schema.String, Schema.String])),
      cuts: Schema.Array(Schema.Literals([1, 2, 3, 5, 11, 12, 13, 64, 1000]))
    },
    ({ bodies, cuts }) => {
      const frames = bodies.map(
        ([first, second], number): Frame => ({
          head: { number, infinite: Number.POSITIVE_INFINITY, numbers: Uint32Array.of(number, 7) },
          body: [Buffer.from(first), Buffer.from(second)]
        })
      )
      const bytes = bytesOf(frames)
      const pieces: Array<Buffer> = []
      for (let at = 0; at < bytes.length; ) {
        const size = cuts[pieces.length % Math.max(1, cuts.length)] ?? 4096
        pieces.push(bytes.subarray(at, at + size))
        at += size
      }
      assert.deepStrictEqual(readAll(pieces).map(plain), frames.map(plain))
    }
  )

  it("are taken over whole or not at all", () => {
    const frame: Frame = { head: "results", body: [Buffer.from("saved\n"), Buffer.from("failed\n")] }
    const bytes = bytesOf([frame])
    for (let length = 0; length < bytes.length; length++)
      assert.deepStrictEqual(readAll([bytes.subarray(0, length)]), [])
    assert.strictEqual(readAll([bytes]).length, 1)
  })
})

describe("messages", () => {
  const throughPipe = (message: ParentMessage | ChildMessage): Frame => readAll([bytesOf([frameOf(message)])])[0]!

  it("that give rows arrive as they were sent", () => {
    const line = (index: number, text: string) => ({
      index,
      bytes: Buffer.from(text),
      oversized: index === 8,
      ended: true
    })
    const lines = chunkOf([line(7, "a row"), line(8, "and"), line(2 ** 40, "")], "openai")
    const message = parentMessageOf(throughPipe({ _tag: "Rows", lines }))
    assert.strictEqual(message?._tag, "Rows")
    if (message?._tag !== "Rows") return
    assert.deepStrictEqual(Buffer.from(message.lines.bytes).toString(), "a rowand")
    assert.deepStrictEqual([...message.lines.indexes], [7, 8, 2 ** 40])
    assert.deepStrictEqual([...message.lines.ends], [5, 8, 8])
    assert.deepStrictEqual(message.lines.oversized, [1])
    assert.strictEqual(message.lines.format, "openai")
  })

  it("that give results arrive as they were sent", () => {
    const message = childMessageOf(
      throughPipe({
        _tag: "Results",
        numbers: Uint32Array.of(3, 1),
        save: Buffer.from("saved\n"),
        errors: Buffer.from("failed\n"),
        spooled: undefined,
        tally: { ...NOTHING_DONE, saved: 1, failed: 1, failures: { Timeout: 1 } }
      })
    )
    assert.strictEqual(message?._tag, "Results")
    if (message?._tag !== "Results") return
    assert.deepStrictEqual([...message.numbers], [3, 1])
    assert.strictEqual(Buffer.from(message.save).toString(), "saved\n")
    assert.strictEqual(Buffer.from(message.errors).toString(), "failed\n")
    assert.deepStrictEqual(message.tally, { ...NOTHING_DONE, saved: 1, failed: 1, failures: { Timeout: 1 } })
  })

  it("of nobody we know are none", () => {
    assert.isUndefined(childMessageOf(throughPipe({ _tag: "End" })))
    assert.isUndefined(parentMessageOf(throughPipe({ _tag: "Ready" })))
  })
})
