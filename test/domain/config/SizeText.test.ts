import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { formatSize, parseSize } from "../../../src/domain/config/SizeText.ts"

describe("sizes", () => {
  for (const [text, bytes] of [
    ["0b", 0],
    ["1024b", 1024],
    ["1KiB", 1024],
    ["1.5 kib", 1536],
    [" 10MiB ", 10_485_760],
    [".5mib", 524_288]
  ] as const) {
    it(`reads ${JSON.stringify(text)}`, () => {
      assert.deepStrictEqual(parseSize(text), Result.succeed(bytes))
    })
  }

  for (const [text, message] of [
    ["", '"" is not a size; write a number and a unit, such as 512KiB or 10MiB'],
    ["-1MiB", '"-1MiB" is not a size; write a number and a unit, such as 512KiB or 10MiB'],
    ["10", "10 has no unit; write 10b, 10KiB or 10MiB"],
    ["10k", '"10k" is not a size; did you mean 10KiB?'],
    ["10mb", '"10mb" is not a size; did you mean 10MiB?'],
    ["10GiB", '"10GiB" is not a size; its unit must be b, KiB or MiB']
  ] as const) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.deepStrictEqual(parseSize(text), Result.fail(message))
    })
  }

  it("writes what it reads, in the largest unit without a fraction", () => {
    for (const text of ["0b", "1b", "1023b", "1KiB", "1025b", "1536KiB", "10MiB"]) {
      assert.deepStrictEqual(Result.map(parseSize(text), formatSize), Result.succeed(text))
    }
  })
})
