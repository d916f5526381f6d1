import { assert, describe, it } from "@effect/vitest"
import { NameHash } from "../../../src/domain/dispatch/NameHash.ts"

const bitsOf = (hash: NameHash, name: string): bigint => {
  hash.of(name)
  return (BigInt(hash.high >>> 0) << 32n) | BigInt(hash.low >>> 0)
}

describe("NameHash", () => {
  // The authors' test: the key is 00 01 .. 07, a message of n bytes is 00 01 .. n - 1. With one and three rounds; the code
  // that made these also makes the published ones for two and four.
  it.each([
    [0, 0x2af7_2023_21d0_a576n],
    [2, 0x32d7_3c5d_e11f_ee78n],
    [4, 0x05ae_8c71_a0db_24ebn],
    [6, 0x02d6_f54d_c6e0_65afn],
    [14, 0x6b82_ec92_ca15_a97dn],
    [62, 0x1657_deb2_e33a_df7cn]
  ])("is HalfSipHash-1-3 of %d bytes", (bytes, bits) => {
    const hash = new NameHash([0x03020100, 0x07060504])
    const units = Array.from({ length: bytes / 2 }, (_, at) => (2 * at) | ((2 * at + 1) << 8))
    assert.strictEqual(bitsOf(hash, String.fromCharCode(...units)), bits)
  })

  it("tells names apart that differ in length, order, or the high byte of a character", () => {
    const hash = new NameHash([1, 2])
    const names = ["", "\u0000", "\u0000\u0000", "a", "aa", "ab", "ba", "\u0161", "\u0100a", "a\u0100", "x".repeat(127)]
    // 127 characters are 254 bytes; 128 characters more are 256 bytes more, which the length that is hashed cannot tell.
    names.push("x".repeat(255))
    assert.strictEqual(new Set(names.map((name) => bitsOf(hash, name))).size, names.length)
  })

  it("is another under another key", () => {
    assert.notStrictEqual(bitsOf(new NameHash([1, 2]), "a"), bitsOf(new NameHash([1, 3]), "a"))
    assert.notStrictEqual(bitsOf(new NameHash([1, 2]), "a"), bitsOf(new NameHash([2, 2]), "a"))
  })

  it("spreads names that count up over all bits", () => {
    const hash = new NameHash([1, 2])
    const ones = new Int32Array(64)
    const all = new Set<bigint>()
    const count = 20_000
    for (let name = 0; name < count; name++) {
      const bits = bitsOf(hash, `session-${name}`)
      all.add(bits)
      for (let bit = 0; bit < 64; bit++) ones[bit]! += Number((bits >> BigInt(bit)) & 1n)
    }
    assert.strictEqual(all.size, count)
    // Six standard deviations of a fair coin.
    for (const one of ones) assert.approximately(one, count / 2, 3 * Math.sqrt(count))
  })
})
