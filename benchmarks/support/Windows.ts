/** How many of some times, in order, there are in windows of a length, wherever these start. */

/** The fullest: how many, and the time at which it starts. */
export const fullest = (
  times: ReadonlyArray<number>,
  windowMs: number
): { readonly count: number; readonly from: number } => {
  let first = 0
  let count = 0
  let from = Number.NaN
  for (let last = 0; last < times.length; last++) {
    while (times[last]! - times[first]! >= windowMs) first++
    if (last - first + 1 > count) {
      count = last - first + 1
      from = times[first]!
    }
  }
  return { count, from }
}

/** Of the windows that end before the last time does. */
export const leastWithin = (times: ReadonlyArray<number>, windowMs: number): number => {
  let next = 0
  let least = times.length
  for (let first = 0; first < times.length; first++) {
    while (next < times.length && times[next]! - times[first]! <= windowMs) next++
    if (next === times.length) break
    // The emptiest windows start right after a time.
    least = Math.min(least, next - first - 1)
  }
  return least
}
