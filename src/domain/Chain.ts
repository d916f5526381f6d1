/** A list through its members themselves: one is put in or taken out anywhere at the same cost, and nothing is made for it. */

/** What can be in one chain at a time. */
export interface Chained<A> {
  /** For the chain to set. */
  previous: A | undefined
  next: A | undefined
}

export class Chain<A extends Chained<A>> {
  first: A | undefined = undefined
  last: A | undefined = undefined

  append(member: A): void {
    this.insert(member, this.last, undefined)
  }

  /** Puts a member between two neighbours; `undefined`: there is none on that side. */
  insert(member: A, previous: A | undefined, next: A | undefined): void {
    member.previous = previous
    member.next = next
    if (previous === undefined) this.first = member
    else previous.next = member
    if (next === undefined) this.last = member
    else next.previous = member
  }

  /** Takes a member out. It has no neighbours then: what is gone must not keep what came after it in memory. */
  remove(member: A): void {
    const { previous, next } = member
    if (previous === undefined) this.first = next
    else previous.next = next
    if (next === undefined) this.last = previous
    else next.previous = previous
    member.previous = undefined
    member.next = undefined
  }
}
