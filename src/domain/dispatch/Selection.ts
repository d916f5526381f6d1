/**
 * Which worker gets the next job: the policies, pure but for the rotation that they carry along.
 *
 * Measuring load is not their business: candidates are live views, kept by those who do the work.
 */
import { LoadIndex } from "./LoadIndex.ts"
import type { Policy } from "./Policy.ts"

/** What a policy may know of a worker. */
export interface Candidate {
  /** Share relative to the others; above 0. */
  readonly weight: number
  /** Jobs in flight and queued, now. */
  readonly load: number
  /** Recent latency in milliseconds, now; 0 while unknown. Only `p2c-ewma` reads it. */
  readonly latencyMs: number
}

/**
 * How much a candidate is wanted. 0 is not to be chosen; otherwise the highest tier that is there is chosen from.
 *
 * Tiers come in pairs, one pair a priority group: the even one is as good as any of its group, the odd one below it is
 * for those that are to be avoided if there is another of the same group.
 */
export type Tier = number

/** The tier in a priority group; groups count from 0, the higher the better. */
export const tierOf = (group: number, avoided: boolean): Tier => 2 * group + (avoided ? 1 : 2)

const groupOf = (tier: Tier): number => (tier - 1) >> 1

/** Chooses among a fixed list of candidates. */
export interface Selector {
  /** The index of the chosen candidate, or -1 when all are in tier 0. */
  select(tier: (index: number) => Tier): number
  /**
   * For `least-loaded`: the same choice without looking at all, for those who tell it of each change of load or room.
   * Who chooses by it says so with `chose`.
   */
  readonly index?: LoadIndex | undefined
}

/** `groups` are the priority groups of the candidates; default: all in one. `random` gives numbers from 0 to below 1; `weighted-random` and `p2c-ewma` use it. */
export const makeSelector = (
  policy: Policy,
  candidates: ReadonlyArray<Candidate>,
  random: () => number,
  groups: ReadonlyArray<number> = candidates.map(() => 0)
): Selector => {
  switch (policy) {
    case "least-loaded":
      return new LeastLoaded(candidates, groups)
    case "weighted":
      return new Weighted(candidates)
    case "weighted-random":
      return new WeightedRandom(candidates, random)
    case "p2c-ewma":
      return new PowerOfTwo(candidates, random)
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

/** The lowest load relative to weight; ties in weighted rotation, whose books the index keeps. */
class LeastLoaded implements Selector {
  readonly index: LoadIndex
  private readonly candidates: ReadonlyArray<Candidate>

  constructor(candidates: ReadonlyArray<Candidate>, groups: ReadonlyArray<number>) {
    this.candidates = candidates
    this.index = new LoadIndex(
      candidates.map((candidate) => candidate.weight),
      groups
    )
  }

  select(tier: (index: number) => Tier): number {
    const { candidates } = this
    let best = -1
    let bestTier = 0
    let bestLoad = Number.POSITIVE_INFINITY
    for (let index = 0; index < candidates.length; index++) {
      const own = tier(index)
      if (own === 0 || own < bestTier) continue
      const load = relativeLoad(candidates[index]!)
      if (own === bestTier && (load > bestLoad || (load === bestLoad && !this.index.isDueBefore(index, best)))) continue
      best = index
      bestTier = own
      bestLoad = load
    }
    if (best !== -1) this.index.chose(best)
    return best
  }
}

const relativeLoad = (candidate: Candidate): number => candidate.load / candidate.weight

/**
 * Exact shares. A candidate that is avoided takes part without winning while there is another of its group, so that what
 * it was passed over for is made up for later, and shares stay exact in the long run.
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
    const group = groupOf(best)
    return this.rotation.next(
      (index) => groupOf(tier(index)) === group,
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

/**
 * Power of two choices (Mitzenmacher 2001) by load times peak-EWMA latency: nearly as good as looking at all, without
 * the herd that follows one best.
 */
class PowerOfTwo implements Selector {
  private readonly candidates: ReadonlyArray<Candidate>
  private readonly random: () => number
  private readonly eligible: Int32Array

  constructor(candidates: ReadonlyArray<Candidate>, random: () => number) {
    this.candidates = candidates
    this.random = random
    this.eligible = new Int32Array(candidates.length)
  }

  select(tier: (index: number) => Tier): number {
    const { candidates, eligible } = this
    let best = 0
    let count = 0
    for (let index = 0; index < candidates.length; index++) {
      const own = tier(index)
      if (own === 0 || own < best) continue
      if (own > best) count = 0
      best = own
      eligible[count++] = index
    }
    if (count === 0) return -1
    const first = Math.floor(this.random() * count)
    if (count === 1) return eligible[0]!
    const second = (first + 1 + Math.floor(this.random() * (count - 1))) % count
    const [one, other] = [eligible[first]!, eligible[second]!]
    return cost(candidates[other]!) < cost(candidates[one]!) ? other : one
  }
}

/** A latency of 0 is unknown: load alone decides, far below any that is known, so that it becomes known. */
const cost = ({ load, latencyMs, weight }: Candidate): number => ((load + 1) * Math.max(latencyMs, 1e-3)) / weight

const highestTier = (count: number, tier: (index: number) => Tier): Tier => {
  let best: Tier = 0
  for (let index = 0; index < count; index++) {
    const own = tier(index)
    if (own > best) best = own
  }
  return best
}
