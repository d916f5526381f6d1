/** Makes ids of jobs: UUID version 7, RFC 9562, so that they sort by time of acceptance. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { JobId } from "./Job.ts"

/** How many values the field after the time has. */
const SEQUENCE = 2 ** 12

export interface JobIds {
  readonly next: Effect.Effect<JobId>
}

/**
 * Ids that rise, whatever the clock does: within a millisecond the field after the time counts on (method 1 of section
 * 6.2), and a clock that is set back is not followed. Ids of several makers sort by their clocks.
 */
export const make: Effect.Effect<JobIds> = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const below = (bound: number): number => Math.floor(random.nextDoubleUnsafe() * bound)
  let time = 0
  let sequence = 0

  const next = (): JobId => {
    const now = Math.floor(clock.currentTimeMillisUnsafe())
    if (now > time) {
      time = now
      // From the lower half, so that the count has room.
      sequence = below(SEQUENCE / 2)
    } else if (++sequence === SEQUENCE) {
      // The field is full: the next millisecond is borrowed.
      time++
      sequence = below(SEQUENCE / 2)
    }
    const timeText = hex(time, 12)
    // The variant is the two bits 10; 62 random bits follow, in two draws: a double has only 53.
    const high = hex(2 ** 31 + below(2 ** 30), 8)
    const low = hex(below(2 ** 32), 8)
    return JobId.make(
      `${timeText.slice(0, 8)}-${timeText.slice(8)}-7${hex(sequence, 3)}-${high.slice(0, 4)}-${high.slice(4)}${low}`
    )
  }
  return { next: Effect.sync(next) }
})

/** Whether it looks like one; the job may be forgotten. */
export const isJobId = (text: string): boolean => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")
