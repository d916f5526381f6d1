/**
 * Chance that a seed decides: the same seed and stream give the same numbers on every machine.
 *
 * The generator is xoshiro128** 1.1 (D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators", 2018;
 * prng.di.unimi.it). Its state is filled from the seed and the stream by the 32-bit finalizer of MurmurHash3
 * (A. Appleby, public domain), so that neighbouring streams have nothing in common. Effect's seeded `Random` is for
 * one sequence; here every request has a stream of its own, whatever order requests are worked on.
 */

const GOLDEN = 0x9e3779b9

/** A stream of numbers. Mutable: one owner. */
export class Prng {
  private a: number
  private b: number
  private c: number
  private d: number

  /** `seed` and `stream` are safe integers, 0 or more. */
  constructor(seed: number, stream: number) {
    let hash = mix(GOLDEN ^ low(seed))
    hash = mix((hash + GOLDEN) ^ high(seed))
    hash = mix((hash + GOLDEN) ^ low(stream))
    hash = mix((hash + GOLDEN) ^ high(stream))
    // The finalizer is a bijection: the four words differ, so the state is never all zero.
    this.a = mix(hash)
    this.b = mix(hash + GOLDEN)
    this.c = mix(hash + GOLDEN * 2)
    this.d = mix(hash + GOLDEN * 3)
  }

  /** The next integer from 0 to 2^32 - 1. */
  uint32(): number {
    const scaled = Math.imul(this.b, 5)
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9) >>> 0
    const shifted = this.b << 9
    this.c ^= this.a
    this.d ^= this.b
    this.b ^= this.c
    this.a ^= this.d
    this.c ^= shifted
    this.d = (this.d << 11) | (this.d >>> 21)
    return result
  }

  /** The next number, uniform over [0, 1). */
  uniform(): number {
    return this.uint32() / 2 ** 32
  }

  /** The next number of the standard normal distribution (Box-Muller; one of the pair is dropped). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform())
  }
}

const low = (value: number): number => value >>> 0
const high = (value: number): number => Math.floor(value / 2 ** 32)

function mix(word: number): number {
  let hash = word | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** The hash of a text: a safe integer. cyrb53 by bryc (public domain); `start` chains several texts. */
export function hashText(text: string, start = 0): number {
  let left = 0xdeadbeef ^ low(start)
  let right = 0x41c6ce57 ^ high(start)
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    left = Math.imul(left ^ unit, 2654435761)
    right = Math.imul(right ^ unit, 1597334677)
  }
  left = Math.imul(left ^ (left >>> 16), 2246822507) ^ Math.imul(right ^ (right >>> 13), 3266489909)
  right = Math.imul(right ^ (right >>> 16), 2246822507) ^ Math.imul(left ^ (left >>> 13), 3266489909)
  return 4294967296 * (2097151 & right) + (left >>> 0)
}
