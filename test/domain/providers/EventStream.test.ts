import { assert, describe, it } from "@effect/vitest"
import * as EventStream from "../../../src/domain/providers/EventStream.ts"

const framesOf = (...pieces: ReadonlyArray<string>): ReadonlyArray<EventStream.Frame> => {
  const splitter = EventStream.make()
  const frames = pieces.flatMap((piece) => splitter.push(new TextEncoder().encode(piece)))
  return [...frames, ...splitter.end()]
}
const event = (data: string, name = ""): EventStream.Frame => ({ _tag: "Event", name, data })
const foreign = (text: string): EventStream.Frame => ({ _tag: "Foreign", text })

describe("an event stream", () => {
  it("is cut where its empty lines are, whatever its lines end with", () => {
    for (const end of ["\n", "\r\n", "\r"]) {
      const text = ["data: a", "", "event: x", "data: b", "", ""].join(end)
      assert.deepStrictEqual(framesOf(text), [event("a"), event("b", "x")])
    }
  })

  it("may mix the ends of its lines", () => {
    assert.deepStrictEqual(framesOf("data: a\r\n\ndata: b\r\rdata: c\n\r\n"), [event("a"), event("b"), event("c")])
  })

  it("does not take a line feed after a carriage return for an empty line, even when they come apart", () => {
    assert.deepStrictEqual(framesOf("data: a\r", "\ndata: b\r", "", "\n\r", "\n"), [event("a\nb")])
  })

  it("gives an event at once, when the carriage return comes that ends it", () => {
    const splitter = EventStream.make()
    assert.deepStrictEqual(splitter.push(new TextEncoder().encode("data: a\r\r")), [event("a")])
  })

  it("joins the data lines of an event", () => {
    assert.deepStrictEqual(framesOf("data: {\ndata:  1\ndata\ndata:}\n\n"), [event("{\n 1\n\n}")])
  })

  it("takes one space from the beginning of a value", () => {
    assert.deepStrictEqual(framesOf("data:a\n\ndata:  b\n\ndata: c:d\n\n"), [event("a"), event(" b"), event("c:d")])
  })

  it("gives an event its name, and forgets it with the event", () => {
    assert.deepStrictEqual(framesOf("event: a\n\ndata: 1\n\nevent: b\ndata: 2\n\ndata: 3\n\n"), [
      event("1"),
      event("2", "b"),
      event("3")
    ])
  })

  it("ignores comments, identifiers, retry times and fields that it does not know", () => {
    assert.deepStrictEqual(framesOf(": hi\n:\nid: 7\nretry: 10\nretry: x\ndata: a\nfoo: b\nbar\n\n: bye\n"), [
      event("a")
    ])
  })

  it("gives the last event when the empty line after it is missing", () => {
    assert.deepStrictEqual(framesOf("data: a\n\ndata: b"), [event("a"), event("b")])
    assert.deepStrictEqual(framesOf("data: a\n"), [event("a")])
  })

  it("puts characters together that come in pieces, and shows a broken one", () => {
    const splitter = EventStream.make()
    const bytes = new TextEncoder().encode("data: 🐢\n\n")
    const frames = Array.from(bytes).flatMap((byte) => splitter.push(Uint8Array.of(byte)))
    assert.deepStrictEqual(frames, [event("🐢")])
    const broken = EventStream.make()
    assert.deepStrictEqual(broken.push(Uint8Array.of(...bytes.slice(0, 8))), [])
    assert.deepStrictEqual(broken.end(), [event("\ufffd")])
  })

  it("may go over into text that is no event", () => {
    const error = '{\n  "error": {\n    "code": 429,\n\n    "status": "X"\n  }\n}'
    assert.deepStrictEqual(framesOf(`data: a\n\n${error}\n`), [event("a"), foreign(error)])
    assert.deepStrictEqual(framesOf(`data: a\n${error}`), [event("a"), foreign(error)])
    assert.deepStrictEqual(framesOf(`[${error}]`), [foreign(`[${error}]`)])
  })

  it("may be none at all", () => {
    for (const text of ["<html>\n<p>data: x</p>", "Internal Server Error", "  {}", "null"]) {
      assert.deepStrictEqual(framesOf(text), [foreign(text)])
    }
    for (const text of ["", "\n", "\r\n\r\n", " \n"]) assert.deepStrictEqual(framesOf(text), [])
  })

  it("keeps a bounded part of a line, an event or a text that never ends", () => {
    const piece = new TextEncoder().encode("x".repeat(1024 * 1024))
    const kept = (start: string, between: string): number => {
      const splitter = EventStream.make()
      splitter.push(new TextEncoder().encode(start))
      for (let i = 0; i < 40; i++) {
        splitter.push(piece)
        splitter.push(new TextEncoder().encode(between))
      }
      return splitter.end().reduce((sum, frame) => sum + (frame._tag === "Event" ? frame.data : frame.text).length, 0)
    }
    for (const [start, between] of [
      ["data: ", ""],
      ["data: ", "\ndata: "],
      ["{", ""],
      ["{", "\n"]
    ] as const) {
      const length = kept(start, between)
      assert.isAbove(length, 0)
      assert.isAtMost(length, 2 * EventStream.LONGEST)
    }
  })
})
