/** A list that stays sorted: cheap where what is added belongs at the end and what is taken stands at the start. */
export interface SortedList<A> {
  readonly items: Array<A>
  readonly compare: (a: A, b: A) => number
}

export const make = <A>(compare: (a: A, b: A) => number): SortedList<A> => ({ items: [], compare })

/** How many items stand at the start for which it is so; it must be so for none after the first for which it is not. */
export const countWhile = <A>({ items }: SortedList<A>, isSo: (item: A) => boolean): number => {
  let low = 0
  let high = items.length
  // The end first: that is where most of what comes belongs.
  if (high > 0 && isSo(items[high - 1]!)) return high
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isSo(items[middle]!)) low = middle + 1
    else high = middle
  }
  return low
}

const indexOf = <A>(list: SortedList<A>, item: A): number => countWhile(list, (other) => list.compare(other, item) < 0)

export const add = <A>(list: SortedList<A>, item: A): void => {
  const index = indexOf(list, item)
  if (index === list.items.length) list.items.push(item)
  else list.items.splice(index, 0, item)
}

/** Takes the item out, if it is in. No other item may be equal to it in order. */
export const remove = <A>(list: SortedList<A>, item: A): void => {
  const index = indexOf(list, item)
  if (list.items[index] === item) list.items.splice(index, 1)
}

/** Takes out all that are in the set, in one pass. */
export const removeAll = <A>({ items }: SortedList<A>, gone: ReadonlySet<A>): void => {
  let kept = 0
  for (const item of items) if (!gone.has(item)) items[kept++] = item
  items.length = kept
}
