/** Collects the results of a child, to be sent to its parent in large pieces: lines together with the rows that they are of. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Scope } from "effect/Scope"
import type { LineWriter } from "../LineWriter.ts"

/** What was collected. */
export interface Collected {
  readonly numbers: Uint32Array
  readonly save: Buffer
  readonly errors: Buffer
}

export interface ResultCollector {
  readonly save: LineWriter
  readonly errors: LineWriter
  /** A row is settled, and its line, when it has one, was appended. */
  readonly settled: (number: number) => void
  /** Sends what there is. */
  readonly flush: () => void
}

export interface CollectorOptions {
  readonly send: (collected: Collected) => void
  /** Whether a piece ends with this row. */
  readonly isBoundary: (number: number) => boolean
}

/** So much is sent without waiting for more. */
const BATCH = 1024 * 1024
/**
 * How long a result waits for more to be sent with; the parent writes what it is sent at once. Longer than lines wait for a
 * file in one process, since every time a process is woken costs it as much as several rows.
 */
const INTERVAL = "40 millis"

/** Starts to collect, until the scope ends. */
export const make = ({ isBoundary, send }: CollectorOptions): Effect.Effect<ResultCollector, never, Scope> =>
  Effect.gen(function* () {
    const save = new Lines()
    const errors = new Lines()
    let numbers: Array<number> = []
    const some = Latch.makeUnsafe(false)
    const enough = Latch.makeUnsafe(false)

    const flush = (): void => {
      some.closeUnsafe()
      enough.closeUnsafe()
      if (numbers.length === 0) return
      const collected = { numbers: Uint32Array.from(numbers), save: save.take(), errors: errors.take() }
      numbers = []
      send(collected)
    }

    const settled = (number: number): void => {
      numbers.push(number)
      if (isBoundary(number)) {
        flush()
        return
      }
      some.openUnsafe()
      if (save.size + errors.size >= BATCH) enough.openUnsafe()
    }

    yield* Effect.forkScoped(
      Effect.forever(
        Effect.gen(function* () {
          yield* some.await
          yield* Effect.timeoutOption(enough.await, INTERVAL)
          flush()
        })
      )
    )
    return { save: save.writer, errors: errors.writer, settled, flush }
  })

class Lines {
  size = 0
  private lines: Array<string> = []

  readonly writer: LineWriter = {
    append: (line) => {
      this.lines.push(line)
      this.size += line.length + 1
    },
    // What is on its way to the parent is bounded by the rows that it gives.
    backlog: () => 0,
    failed: Effect.never,
    end: Effect.void
  }

  take(): Buffer {
    if (this.lines.length === 0) return Buffer.alloc(0)
    this.lines.push("")
    const taken = Buffer.from(this.lines.join("\n"))
    this.lines = []
    this.size = 0
    return taken
  }
}
