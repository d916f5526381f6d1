/** How rows fall to endpoints by weight. */

/** Splits `rows` in proportion to the weights; the parts add up to `rows` exactly (largest remainder method). */
export const shares = (rows: number, weights: ReadonlyArray<number>): ReadonlyArray<number> => {
  const sum = weights.reduce((total, weight) => total + weight, 0)
  if (sum <= 0) return weights.map(() => 0)
  const exact = weights.map((weight) => (rows * weight) / sum)
  const parts = exact.map(Math.floor)
  const left = rows - parts.reduce((total, part) => total + part, 0)
  exact
    .map((share, index) => ({ index, remainder: share - Math.floor(share) }))
    .sort((a, b) => b.remainder - a.remainder || a.index - b.index)
    .slice(0, left)
    .forEach(({ index }) => {
      parts[index]! += 1
    })
  return parts
}
