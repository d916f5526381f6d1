/**
 * Which worker gets the next job: the policies, pure but for the rotation that they carry along.
 *
 * Measuring load is not their business: candidates are live views, kept by those who do the work.
 */
import type { Policy } from "./Policy.ts"

/** What a policy may know of a worker. */
export interface Candidate {
  /** Share relative to the others; above 0. */
  readonly weight: number
  /** Jobs in flight and queued, now. */
  readonly load: number
}

/** Not to be chosen; only if there is no better; as good as any. The highest tier that is there is chosen from. */
export type Tier = 0 | 1 | 2

/** Chooses among a fixed list of candidates. */
export interface Selector {
  /** The index of the chosen candidate, or -1 when all are in tier 0. */
  select(tier: (index: number) => Tier): number
}

/** `random` gives numbers from 0 to below 1; only `weighted-random` uses it. */
export const makeSelector = (policy: Policy, candidates: ReadonlyArray<Candidate>, random: () => number): Selector => {
  switch (policy) {
    case "least-loaded":
      return new LeastLoaded(candidates)
    case "weighted":
      return new Weighted(candidates)
    case "weighted-random":
      return new WeightedRandom(candidates, random)
  }
}

/**
 * Smooth weighted round robin (as in nginx): each candidate that takes part gains its weight, the one with the highest
 * sum is chosen and pays the total. Over any window in which the same candidates take part, shares are exact.
 */
class Rotation {
  private readonly sums: Float64Array
  private readonly candidates: ReadonlyArray<Candidate>

  constructor(candidates: ReadonlyArray<Candidate>) {
    this.candidates = candidates
    this.sums = new Float64Array(candidates.length)
  }

  /** Those with `takesPart` gain; the best of those with `mayWin` is chosen and pays. -1 when none may win. */
  next(takesPart: (index: number) => boolean, mayWin: (index: number) => boolean): number {
    const { candidates, sums } = this
    let winner = -1
    let total = 0
    for (let index = 0; index < candidates.length; index++) {
      if (!takesPart(index)) continue
      const weight = candidates[index]!.weight
      sums[index]! += weight
      total += weight
      if (mayWin(index) && (winner === -1 || sums[index]! > sums[winner]!)) winner = index
    }
    if (winner !== -1) sums[winner]! -= total
    return winner
  }
}

/** The lowest load relative to weight; ties in weighted rotation. */
class LeastLoaded implements Selector {
  private readonly candidates: ReadonlyArray<Candidate>
  private readonly rotation: Rotation

  constructor(candidates: ReadonlyArray<Candidate>) {
    this.candidates = candidates
    this.rotation = new Rotation(candidates)
  }

  select(tier: (index: number) => Tier): number {
    const { candidates } = this
    let best = -1
    let bestTier = 0
    let bestLoad = Number.POSITIVE_INFINITY
    let tied = false
    for (let index = 0; index < candidates.length; index++) {
      const own = tier(index)
      if (own === 0 || own < bestTier) continue
      const load = relativeLoad(candidates[index]!)
      if (own > bestTier || load < bestLoad) {
        best = index
        bestTier = own
        bestLoad = load
        tied = false
      } else if (load === bestLoad) {
        tied = true
      }
    }
    if (!tied) return best
    const isTied = (index: number): boolean => relativeLoad(candidates[index]!) === bestLoad && tier(index) === bestTier
    return this.rotation.next(isTied, isTied)
  }
}

const relativeLoad = (candidate: Candidate): number => candidate.load / candidate.weight

/**
 * Exact shares. A candidate in tier 1 takes part without winning while there is a tier 2, so that what it was passed
 * over for is made up for later, and shares stay exact in the long run.
 */
class Weighted implements Selector {
  private readonly count: number
  private readonly rotation: Rotation

  constructor(candidates: ReadonlyArray<Candidate>) {
    this.count = candidates.length
    this.rotation = new Rotation(candidates)
  }

  select(tier: (index: number) => Tier): number {
    const best = highestTier(this.count, tier)
    if (best === 0) return -1
    return this.rotation.next(
      (index) => tier(index) > 0,
      (index) => tier(index) === best
    )
  }
}

/** At random, by weight, each choice on its own. */
class WeightedRandom implements Selector {
  private readonly candidates: ReadonlyArray<Candidate>
  private readonly random: () => number

  constructor(candidates: ReadonlyArray<Candidate>, random: () => number) {
    this.candidates = candidates
    this.random = random
  }

  select(tier: (index: number) => Tier): number {
    const { candidates } = this
    const best = highestTier(candidates.length, tier)
    if (best === 0) return -1
    let total = 0
    for (let index = 0; index < candidates.length; index++) {
      if (tier(index) === best) total += candidates[index]!.weight
    }
    let rest = this.random() * total
    let last = -1
    for (let index = 0; index < candidates.length; index++) {
      if (tier(index) !== best) continue
      last = index
      rest -= candidates[index]!.weight
      if (rest < 0) break
    }
    return last
  }
}

const highestTier = (count: number, tier: (index: number) => Tier): Tier => {
  let best: Tier = 0
  for (let index = 0; index < count && best < 2; index++) {
    const own = tier(index)
    if (own > best) best = own
  }
  return best
}
