/**
 * Keeps the best of some members while they change: a tournament tree, O(log n) for each change. Pure.
 *
 * Members are numbers from 0; `better` gives the better of two and must know -1 as worse than anybody.
 */
export class Tournament {
  private readonly better: (one: number, other: number) => number
  /** The leaves stand from `size` on; node n has the better of 2n and 2n + 1. -1 where there is nobody. */
  private readonly winners: Int32Array
  private readonly size: number
  /** The leaf of each member; 0 for those that are none. */
  private readonly leaves: Int32Array

  /** `members` are below `count`. */
  constructor(members: ArrayLike<number>, count: number, better: (one: number, other: number) => number) {
    this.better = better
    this.leaves = new Int32Array(count)
    this.size = 1
    while (this.size < members.length) this.size *= 2
    this.winners = new Int32Array(2 * this.size).fill(-1)
    for (let at = 0; at < members.length; at++) {
      this.winners[this.size + at] = members[at]!
      this.leaves[members[at]!] = this.size + at
    }
    for (let node = this.size - 1; node > 0; node--) this.play(node)
  }

  /** -1 when there are no members. */
  get winner(): number {
    return this.winners[1]!
  }

  /** The member has changed: its matches are played again, from its leaf up, as far as they can have another end. */
  changed(member: number): void {
    const leaf = this.leaves[member]!
    if (leaf === 0) return
    for (let node = leaf >> 1; node > 0; node >>= 1) {
      const before = this.winners[node]!
      this.play(node)
      if (before !== member && this.winners[node] === before) return
    }
  }

  private play(node: number): void {
    this.winners[node] = this.better(this.winners[2 * node]!, this.winners[2 * node + 1]!)
  }
}
