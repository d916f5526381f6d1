import { assert, describe, it } from "@effect/vitest"
import type { RawLine } from "../../../../src/domain/batch/LineSplitter.ts"
import { chunkOf, lineAt, RowChunk } from "../../../../src/domain/batch/RowChunk.ts"
import { Hand, MOST_AHEAD, neediest } from "../../../../src/layers/batch/processes/Dealer.ts"

const line = (index: number): RawLine => ({ index, bytes: Buffer.from(`row ${index}`), oversized: false, ended: true })

let sequence = 0
const chunk = (from: number, rows: number) =>
  new RowChunk(
    sequence++,
    chunkOf(
      Array.from({ length: rows }, (_, at) => line(from + at)),
      undefined
    )
  )

/** Gives rows until there is enough; tells how many that were. */
const fill = (hand: Hand): number => {
  let given = 0
  while (hand.hasRoom) {
    hand.give(chunk(given, hand.portion))
    given += hand.portion
  }
  return given
}

describe("the rows of a process", () => {
  it("are few at first, more as it takes them faster, and few again when it is slow", () => {
    const hand = new Hand()
    let given = fill(hand)
    assert.isAtMost(given, 32)
    let now = 0
    for (let round = 0; round < 20; round++) {
      now += 10
      hand.take(given, now)
      given += fill(hand)
    }
    assert.isAbove(hand.waiting, MOST_AHEAD / 4)
    assert.isAtMost(hand.waiting, 1.5 * MOST_AHEAD)
    let taken = given - hand.waiting
    for (let round = 0; round < 10; round++) {
      now += 100
      taken += 1
      hand.take(taken, now)
    }
    assert.isAtMost(hand.portion, 16)
    assert.isFalse(hand.hasRoom)
  })

  it("are settled in any order, and those that are not can be taken back in the order of the input", () => {
    const hand = new Hand()
    const chunks = [chunk(0, 3), chunk(10, 1), chunk(20, 4)]
    for (const one of chunks) hand.give(one)
    assert.strictEqual(hand.settle(3), chunks[1])
    assert.strictEqual(hand.settle(7), chunks[2])
    assert.strictEqual(hand.settle(0), chunks[0])
    assert.strictEqual(hand.settle(5), chunks[2])
    assert.throws(() => hand.settle(3), /not under way|not open/)
    assert.throws(() => hand.settle(8), /not under way|not open/)
    const rests = hand.giveUp()
    assert.deepStrictEqual(
      rests.map((rest) => Array.from({ length: rest.rows }, (_, position) => lineAt(rest.all, position).index)),
      [
        [1, 2],
        [20, 22]
      ]
    )
    assert.strictEqual(hand.bytes, 0)
  })

  it("go to the one with the fewest, among those that have room", () => {
    const [busy, idle, full] = [new Hand(), new Hand(), new Hand()]
    fill(full)
    busy.give(chunk(0, 4))
    assert.strictEqual(neediest([{ hand: full }, { hand: busy }, { hand: idle }])?.hand, idle)
    assert.strictEqual(neediest([{ hand: full }, { hand: busy }])?.hand, busy)
    assert.isUndefined(neediest([{ hand: full }]))
  })

  it("are never more than a megabyte ahead, unless there is only one chunk", () => {
    const hand = new Hand()
    const large = { index: 0, bytes: Buffer.alloc(2 * 1024 * 1024), oversized: false, ended: true }
    hand.give(new RowChunk(0, chunkOf([large], undefined)))
    assert.isFalse(hand.hasRoom)
    hand.take(1, 0)
    assert.isTrue(hand.hasRoom)
  })
})
