/** "Did you mean ...?": the known name nearest to a mistyped one. */

/**
 * The Damerau-Levenshtein distance between two words (optimal string alignment): how many letters must be inserted,
 * removed, replaced, or swapped with their neighbour to make one of the other.
 */
export const editDistance = (from: string, to: string): number => {
  let beforePrevious: Array<number> = []
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      let best = Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + (same ? 0 : 1))
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        best = Math.min(best, beforePrevious[column - 2]! + 1)
      }
      current.push(best)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[to.length]!
}

/** Case and separators are how people spell a name, not what they mean: `base_url` is `baseUrl`. */
const fold = (name: string): string => name.toLowerCase().replace(/[-_\s]/g, "")

/** Names longer than this are no typos: spares the quadratic distance of absurd input. */
const longestTypo = 64

/**
 * The known name that was probably meant, or `undefined` when none is near.
 *
 * Near is at most one edit in three letters of the longer name, upper and lower case, `-` and `_` not counted. Of equally
 * near names the first wins.
 */
export const nearest = (name: string, known: Iterable<string>): string | undefined => {
  if (name.length > longestTypo) return undefined
  const wanted = fold(name)
  if (wanted === "") return undefined
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    const folded = fold(candidate)
    const allowed = Math.floor(Math.max(wanted.length, folded.length) / 3)
    const distance = editDistance(wanted, folded)
    if (distance <= allowed && distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}
