/**
 * Finds the least loaded of many workers without looking at all: a tournament tree, O(log n) per change of a load and O(1)
 * per choice. Pure.
 *
 * The order of the workers: the best priority group with room; in it the lowest load relative to weight; among equals the
 * earliest due time, which is weighted rotation: a worker's k-th choice is due at (k - 1/2) / weight, as in weighted fair
 * queueing. So equals are chosen in exact shares. A worker that was not among the equals for a while is not made up to for
 * it: its due time starts from where the rotation is.
 */

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

/** Up to so many members of a subset are looked at one by one: quicker than to search the tree. */
const FEW = 32

export class LoadIndex {
  private readonly weights: Float64Array
  private readonly groups: Int32Array
  /** Relative to weight; `Infinity` for a worker without room. */
  private readonly loads: Float64Array
  private readonly due: Float64Array
  /** Due time of the latest choice: where the rotation is. */
  private time = 0
  /** The leaves stand from `size` on; node n has the better of 2n and 2n + 1. -1 where there is nobody. */
  private readonly winners: Int32Array
  private readonly size: number

  /** Groups count from 0, the higher the better. All start without load and with room. */
  constructor(weights: ReadonlyArray<number>, groups: ReadonlyArray<number>) {
    const count = weights.length
    this.weights = Float64Array.from(weights)
    this.groups = Int32Array.from(groups)
    this.loads = new Float64Array(count)
    this.due = this.weights.map((weight) => 0.5 / weight)
    this.size = 1
    while (this.size < count) this.size *= 2
    this.winners = new Int32Array(2 * this.size).fill(-1)
    for (let index = 0; index < count; index++) this.winners[this.size + index] = index
    for (let node = this.size - 1; node > 0; node--) this.play(node)
  }

  /** The worker has so much load now, and room or none. */
  set(index: number, load: number, hasRoom: boolean): void {
    const relative = hasRoom ? load / this.weights[index]! : Number.POSITIVE_INFINITY
    if (relative === this.loads[index]) return
    this.loads[index] = relative
    this.replay(index)
  }

  /** The worker was chosen: its next turn among equals is due later. */
  chose(index: number): void {
    const due = Math.max(this.due[index]!, this.time)
    this.time = due
    this.due[index] = due + 1 / this.weights[index]!
    this.replay(index)
  }

  /** Whether the rotation prefers one to the other among equals. */
  isDueBefore(one: number, other: number): boolean {
    return this.due[one]! < this.due[other]!
  }

  /** The best worker with room, -1 when there is none. */
  best(): number {
    const winner = this.winners[1]!
    return winner !== -1 && this.hasRoom(winner) ? winner : -1
  }

  /** The best worker of the subset with room, -1 when there is none. */
  bestOf(subset: Subset): number {
    const winner = this.best()
    if (winner === -1 || subset.has[winner] === 1) return winner
    const found = subset.members.length <= FEW ? this.scan(subset.members) : this.search(1, subset.has, -1)
    return found !== -1 && this.hasRoom(found) ? found : -1
  }

  private hasRoom(index: number): boolean {
    return this.loads[index] !== Number.POSITIVE_INFINITY
  }

  private scan(members: Int32Array): number {
    let best = -1
    for (let at = 0; at < members.length; at++) best = this.better(best, members[at]!)
    return best
  }

  /** Only what could beat the best so far is looked into. */
  private search(node: number, has: Uint8Array, best: number): number {
    const winner = this.winners[node]!
    if (winner === -1 || this.better(best, winner) !== winner) return best
    if (has[winner] === 1) return winner
    if (node >= this.size) return best
    return this.search(2 * node + 1, has, this.search(2 * node, has, best))
  }

  /** The better of two; -1 is worse than anybody. The lower index when there is nothing between them. */
  private better(one: number, other: number): number {
    if (one === -1 || other === -1) return one === -1 ? other : one
    const { loads, groups, due } = this
    const [load, otherLoad] = [loads[one]!, loads[other]!]
    if (load === Number.POSITIVE_INFINITY || otherLoad === Number.POSITIVE_INFINITY) {
      return load <= otherLoad ? one : other
    }
    if (groups[one] !== groups[other]) return groups[one]! > groups[other]! ? one : other
    if (load !== otherLoad) return load < otherLoad ? one : other
    if (due[one] !== due[other]) return due[one]! < due[other]! ? one : other
    return Math.min(one, other)
  }

  private play(node: number): void {
    this.winners[node] = this.better(this.winners[2 * node]!, this.winners[2 * node + 1]!)
  }

  /** Plays the matches of a worker again, from its leaf up, as far as they can have another end. */
  private replay(index: number): void {
    for (let node = (this.size + index) >> 1; node > 0; node >>= 1) {
      const before = this.winners[node]!
      this.play(node)
      if (before !== index && this.winners[node] === before) return
    }
  }
}
