/**
 * Finds the least loaded of many workers without looking at all: a tournament tree, O(log n) per change of a load and O(1)
 * per choice. Pure.
 *
 * The order of the workers: the best priority group with room; in it the lowest load relative to weight; among equals the
 * earliest due time, which is weighted rotation: a worker's k-th choice is due at (k - 1/2) / weight, as in weighted fair
 * queueing. So equals are chosen in exact shares. A worker that was not among the equals for a while is not made up to for
 * it: its due time starts from where the rotation is.
 */
import { Tournament } from "./Tournament.ts"

/** Where a subset of the workers is chosen from; made once for each set, see `subsetOf`. */
export interface Subset {
  /** By index: 1 when the worker may be chosen. */
  readonly has: Uint8Array
  /** The indices of those that may be chosen, ascending. */
  readonly members: Int32Array
}

export const subsetOf = (count: number, accept: (index: number) => boolean): Subset => {
  const members = Int32Array.from(Array.from({ length: count }, (_, index) => index).filter(accept))
  const has = new Uint8Array(count)
  for (const index of members) has[index] = 1
  return { has, members }
}

/** Up to so many members of a subset are looked at one by one. */
const FEW = 16

/** Most subsets that are kept in order, each at the cost of the changes of its members; the others are looked through. */
const MOST_SUBSETS = 64

/** A subset is kept from this use on: a set that a caller makes for one request and its retries never gets there. */
const USES_BEFORE_KEPT = 8

/** A subset that was not used for so many changes of loads costs more than it spares, and is dropped. */
const MOST_IDLE_CHANGES = 4_096

interface Kept {
  readonly tournament: Tournament
  /** The count of changes at its latest use. */
  usedAt: number
}

export class LoadIndex {
  private readonly weights: Float64Array
  private readonly groups: Int32Array
  /** Relative to weight; `Infinity` for a worker without room. */
  private readonly loads: Float64Array
  private readonly due: Float64Array
  /** Due time of the latest choice: where the rotation is. */
  private time = 0
  private readonly all: Tournament
  /** How often the subsets that are not kept were used. */
  private readonly uses = new WeakMap<Subset, number>()
  private readonly kept = new Map<Subset, Kept>()
  /** Changes of loads while subsets are kept: the time by which they go idle. */
  private changes = 0

  /** Groups count from 0, the higher the better. All start without load and with room. */
  constructor(weights: ReadonlyArray<number>, groups: ReadonlyArray<number>) {
    const count = weights.length
    this.weights = Float64Array.from(weights)
    this.groups = Int32Array.from(groups)
    this.loads = new Float64Array(count)
    this.due = this.weights.map((weight) => 0.5 / weight)
    this.all = new Tournament(
      weights.map((_, index) => index),
      count,
      this.better
    )
  }

  /** The worker has so much load now, and room or none. */
  set(index: number, load: number, hasRoom: boolean): void {
    const relative = hasRoom ? load / this.weights[index]! : Number.POSITIVE_INFINITY
    if (relative === this.loads[index]) return
    this.loads[index] = relative
    this.changed(index)
  }

  /** The worker was chosen: its next turn among equals is due later. */
  chose(index: number): void {
    const due = Math.max(this.due[index]!, this.time)
    this.time = due
    this.due[index] = due + 1 / this.weights[index]!
    this.changed(index)
  }

  /** Whether the rotation prefers one to the other among equals. */
  isDueBefore(one: number, other: number): boolean {
    return this.due[one]! < this.due[other]!
  }

  /** How many subsets are kept in order, each at the cost of the changes of its members. */
  get keptSubsets(): number {
    return this.kept.size
  }

  /** The best worker with room, -1 when there is none. */
  best(): number {
    const { winner } = this.all
    return winner !== -1 && this.hasRoom(winner) ? winner : -1
  }

  /** The best worker of the subset with room, -1 when there is none. */
  bestOf(subset: Subset): number {
    const winner = this.best()
    if (winner === -1 || subset.has[winner] === 1) return winner
    const found = this.bestMember(subset)
    return found !== -1 && this.hasRoom(found) ? found : -1
  }

  private bestMember(subset: Subset): number {
    if (subset.members.length <= FEW) return this.scan(subset.members)
    const kept = this.kept.get(subset)
    if (kept !== undefined) {
      kept.usedAt = this.changes
      return kept.tournament.winner
    }
    const uses = (this.uses.get(subset) ?? 0) + 1
    this.uses.set(subset, uses)
    return uses < USES_BEFORE_KEPT ? this.scan(subset.members) : this.keep(subset).winner
  }

  /** Keeps the subset in order from now on; the one that was used longest ago makes place. */
  private keep(subset: Subset): Tournament {
    if (this.kept.size === MOST_SUBSETS) {
      const [oldest] = [...this.kept].sort(([, a], [, b]) => a.usedAt - b.usedAt)
      if (oldest !== undefined) this.kept.delete(oldest[0])
    }
    const tournament = new Tournament(subset.members, this.weights.length, this.better)
    this.kept.set(subset, { tournament, usedAt: this.changes })
    // Once dropped, it begins anew.
    this.uses.delete(subset)
    return tournament
  }

  private hasRoom(index: number): boolean {
    return this.loads[index] !== Number.POSITIVE_INFINITY
  }

  private scan(members: Int32Array): number {
    let best = -1
    for (let at = 0; at < members.length; at++) best = this.better(best, members[at]!)
    return best
  }

  /** The better of two; -1 is worse than anybody. The lower index when there is nothing between them. */
  private readonly better = (one: number, other: number): number => {
    if (one === -1 || other === -1) return one === -1 ? other : one
    const { loads, groups, due } = this
    const load = loads[one]!
    const otherLoad = loads[other]!
    if (load === Number.POSITIVE_INFINITY || otherLoad === Number.POSITIVE_INFINITY) {
      return load <= otherLoad ? one : other
    }
    if (groups[one] !== groups[other]) return groups[one]! > groups[other]! ? one : other
    if (load !== otherLoad) return load < otherLoad ? one : other
    if (due[one] !== due[other]) return due[one]! < due[other]! ? one : other
    return Math.min(one, other)
  }

  private changed(index: number): void {
    this.all.changed(index)
    if (this.kept.size === 0) return
    this.changes++
    for (const [subset, { tournament, usedAt }] of this.kept) {
      if (this.changes - usedAt > MOST_IDLE_CHANGES) this.kept.delete(subset)
      else tournament.changed(index)
    }
  }
}
