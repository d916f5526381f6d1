/** Counts what the sandbox does, in bounded memory. Pure: times are passed in. */

import { SlidingWindow } from "../SlidingWindow.ts"
import type { SandboxAnswer } from "./Answer.ts"
import type { FaultName } from "./FailureMix.ts"
import type { SandboxStats } from "./SandboxStats.ts"
import { TokenWindow } from "./TokenWindow.ts"

const KEPT_SECONDS = 3600
const KEPT_TENTHS_MS = 300_000
const KEPT_MINUTES = 1440
const KEPT_KEYS = 1000

/** A mutable recorder: one writer, any number of readers of `snapshot`. Each arrival ends in exactly one of the ends. */
export class StatsRecorder {
  private received = 0
  private aborted = 0
  private cut = 0
  private inflight = 0
  private maxInflight = 0
  private rateLimited = 0
  private overloaded = 0
  private promptTokens = 0
  private completionTokens = 0
  private unknownPaths = 0
  private maxPerSlidingSecond = 0
  private firstArrivalMs: number | null = null
  private lastArrivalMs: number | null = null
  private readonly answered = new Map<number, number>()
  private readonly faults = new Map<FaultName, number>()
  private readonly perKey = new Map<string, number>()
  private readonly perSecond: Array<[second: number, count: number]> = []
  private readonly perTenth: Array<[startMs: number, count: number]> = []
  private readonly tokensPerMinute: Array<[startSecond: number, input: number, output: number]> = []
  private readonly lastSecond = new SlidingWindow(1000)
  private readonly lastMinute = new TokenWindow(60_000)

  /** A request's head came. `monotonicMs` never goes back, `unixMs` is for people, `key` is a label without secrets. */
  arrive(monotonicMs: number, unixMs: number, key: string): void {
    this.received += 1
    this.inflight += 1
    if (this.inflight > this.maxInflight) this.maxInflight = this.inflight
    this.firstArrivalMs ??= unixMs
    this.lastArrivalMs = unixMs
    const second = Math.floor(unixMs / 1000)
    const current = this.perSecond.at(-1)
    // A wall clock that is set back goes on counting in the second it was at, so that seconds stay unique and in order.
    if (current !== undefined && current[0] >= second) {
      current[1] += 1
    } else {
      this.perSecond.push([second, 1])
      if (this.perSecond.length > KEPT_SECONDS) this.perSecond.shift()
    }
    this.countTenth(unixMs)
    const inWindow = this.lastSecond.count(monotonicMs) + 1
    this.lastSecond.add(monotonicMs)
    if (inWindow > this.maxPerSlidingSecond) this.maxPerSlidingSecond = inWindow
    increment(this.perKey, this.perKey.has(key) || this.perKey.size < KEPT_KEYS ? key : "other")
  }

  /** End: the whole answer went out. */
  answer(status: number): void {
    this.inflight -= 1
    increment(this.answered, status)
  }

  /** End: the client went away. */
  abort(): void {
    this.inflight -= 1
    this.aborted += 1
  }

  /** End: the sandbox, told to be dead, cut the connection. */
  cutOff(): void {
    this.inflight -= 1
    this.cut += 1
  }

  /** End: the sandbox reset the connection. */
  reset(): void {
    this.inflight -= 1
  }

  /** A failure was made up. */
  fault(name: FaultName): void {
    increment(this.faults, name)
  }

  refuseByRate(): void {
    this.rateLimited += 1
  }

  refuseByConcurrency(): void {
    this.overloaded += 1
  }

  unknownPath(): void {
    this.unknownPaths += 1
  }

  /** A proper answer was sent; times as for `arrive`. */
  tokens({ promptTokens, completionTokens }: SandboxAnswer, monotonicMs: number, unixMs: number): void {
    this.promptTokens += promptTokens
    this.completionTokens += completionTokens
    this.lastMinute.add(monotonicMs, promptTokens, completionTokens)
    const start = Math.floor(unixMs / 60_000) * 60
    const current = this.tokensPerMinute.at(-1)
    // As with seconds: a wall clock that is set back goes on in the minute it was at.
    if (current !== undefined && current[0] >= start) {
      current[1] += promptTokens
      current[2] += completionTokens
    } else {
      this.tokensPerMinute.push([start, promptTokens, completionTokens])
      if (this.tokensPerMinute.length > KEPT_MINUTES) this.tokensPerMinute.shift()
    }
  }

  private countTenth(unixMs: number): void {
    const start = Math.floor(unixMs / 100) * 100
    const current = this.perTenth.at(-1)
    if (current !== undefined && current[0] >= start) {
      current[1] += 1
    } else {
      this.perTenth.push([start, 1])
      while (this.perTenth[0]![0] <= start - KEPT_TENTHS_MS) this.perTenth.shift()
    }
  }

  snapshot(): SandboxStats {
    return {
      received: this.received,
      answered: Object.fromEntries(this.answered),
      faults: Object.fromEntries(this.faults),
      aborted: this.aborted,
      cut: this.cut,
      inflight: this.inflight,
      maxInflight: this.maxInflight,
      rateLimited: this.rateLimited,
      overloaded: this.overloaded,
      perSecond: this.perSecond.map(([second, count]) => [second, count] as const),
      perTenth: this.perTenth.map(([start, count]) => [start, count] as const),
      maxPerSlidingSecond: this.maxPerSlidingSecond,
      perKey: Object.fromEntries(this.perKey),
      promptTokens: this.promptTokens,
      completionTokens: this.completionTokens,
      tokensPerMinute: this.tokensPerMinute.map(([start, input, output]) => [start, input, output] as const),
      maxTokensPerSlidingMinute: {
        input: this.lastMinute.maxInput,
        output: this.lastMinute.maxOutput,
        total: this.lastMinute.maxTotal
      },
      unknownPaths: this.unknownPaths,
      firstArrivalMs: this.firstArrivalMs,
      lastArrivalMs: this.lastArrivalMs
    }
  }
}

function increment<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
