/**
 * 64 bits for a name, under a key: HalfSipHash-1-3 (Aumasson and Bernstein, https://github.com/veorq/SipHash), which hash
 * tables of Linux use too, over the name's UTF-16 code units with the low byte first. Pure.
 *
 * Who does not know the key cannot find names that share their bits, so nobody can crowd a table by the names that he chooses.
 */
export class NameHash {
  /** Of the latest name, as signed 32-bit numbers: two fields, so that nothing is allocated. */
  low = 0
  high = 0
  private readonly key0: number
  private readonly key1: number

  constructor([key0, key1]: readonly [number, number]) {
    this.key0 = key0 | 0
    this.key1 = key1 | 0
  }

  /**
   * Sets `low` and `high`. The ten lines of a round stand here three times: a function would have to give four numbers
   * back, and with one loop that asks where it is a whole look-up took a third longer.
   */
  of(name: string): void {
    const { key0, key1 } = this
    const { length } = name
    let v0 = key0
    let v1 = key1 ^ 0xee
    let v2 = key0 ^ 0x6c796765
    let v3 = key1 ^ 0x74656462
    const even = length - (length & 1)
    for (let at = 0; at < even; at += 2) {
      const word = name.charCodeAt(at) | (name.charCodeAt(at + 1) << 16)
      v3 ^= word
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= word
    }
    // The last word: the length in bytes, and what is left.
    const word = (length << 25) | (even < length ? name.charCodeAt(even) : 0)
    v3 ^= word
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= word
    v2 ^= 0xee
    for (let half = 0; half < 2; half++) {
      for (let round = 0; round < 3; round++) {
        v0 = (v0 + v1) | 0
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
        v0 = (v0 << 16) | (v0 >>> 16)
        v2 = (v2 + v3) | 0
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
        v0 = (v0 + v3) | 0
        v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
        v2 = (v2 + v1) | 0
        v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
        v2 = (v2 << 16) | (v2 >>> 16)
      }
      if (half === 0) {
        this.low = v1 ^ v3
        v1 ^= 0xdd
      }
    }
    this.high = v1 ^ v3
  }
}
