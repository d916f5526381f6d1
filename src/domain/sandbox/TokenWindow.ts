/** The most tokens in any so many milliseconds. Exact to the millisecond, memory for the busy milliseconds only. */
export class TokenWindow {
  private readonly windowMs: number
  /** What the window holds, a queue from `head`: one entry a millisecond in which there were tokens. */
  private entries: Array<{ readonly at: number; input: number; output: number }> = []
  private head = 0
  private input = 0
  private output = 0
  maxInput = 0
  maxOutput = 0
  /** The most of both together. */
  maxTotal = 0

  constructor(windowMs: number) {
    this.windowMs = windowMs
  }

  /** Counts tokens at `now`, milliseconds of a clock that never goes back; what is `windowMs` old has left. */
  add(now: number, input: number, output: number): void {
    const at = Math.floor(now)
    this.forget(at)
    const last = this.entries.at(-1)
    if (last !== undefined && last.at === at) {
      last.input += input
      last.output += output
    } else {
      this.entries.push({ at, input, output })
    }
    this.input += input
    this.output += output
    this.maxInput = Math.max(this.maxInput, this.input)
    this.maxOutput = Math.max(this.maxOutput, this.output)
    this.maxTotal = Math.max(this.maxTotal, this.input + this.output)
  }

  private forget(at: number): void {
    for (; this.head < this.entries.length; this.head++) {
      const oldest = this.entries[this.head]!
      if (oldest.at + this.windowMs > at) break
      this.input -= oldest.input
      this.output -= oldest.output
    }
    // Compacted when half of the array is behind, so that each entry is moved once on average.
    if (this.head > 1024 && this.head * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.head)
      this.head = 0
    }
  }
}
