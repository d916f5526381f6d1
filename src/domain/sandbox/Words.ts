/** Reading what users type: names with a hint for the misspelled, durations with a unit. */
import * as Result from "effect/Result"

/** The longest delay of a JavaScript timer, about 24.8 days: the longest duration there is here. */
export const MAX_DURATION_MS = 2 ** 31 - 1

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds in a duration such as `250ms`, `1.5s`, `10m` or `1h`, or why it is none. */
export function parseDuration(text: string): Result.Result<number, string> {
  const match = /^(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h)$/.exec(text.trim())
  if (match === null) {
    return Result.fail(`"${text.trim()}" is no duration: write a number with a unit, such as 250ms, 5s, 10m or 1h`)
  }
  const millis = Number(match[1]) * UNITS[match[2]!]!
  return millis <= MAX_DURATION_MS
    ? Result.succeed(millis)
    : Result.fail(`"${text.trim()}" is longer than the longest duration, 596h`)
}

/** A duration in the words of `parseDuration`, in the largest unit that needs no fraction. */
export function formatDuration(millis: number): string {
  for (const unit of ["h", "m", "s"]) {
    const size = UNITS[unit]!
    if (millis >= size && millis % size === 0) return `${millis / size}${unit}`
  }
  return `${millis}ms`
}

/** `; did you mean "x"?` for the nearest of the known names, or nothing when none is near. */
export function didYouMean(word: string, known: ReadonlyArray<string>): string {
  let best: string | undefined
  // Further than half of the word is no misspelling.
  let bestDistance = Math.max(2, Math.ceil(word.length / 2)) + 1
  for (const name of known) {
    const distance = editDistance(word.toLowerCase(), name.toLowerCase())
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return best === undefined ? "" : `; did you mean "${best}"?`
}

/** Levenshtein distance, one row of the table at a time. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i++) {
    const next = [i]
    for (let j = 1; j <= right.length; j++) {
      const substitution = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[right.length]!
}
