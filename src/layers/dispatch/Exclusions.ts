/** What is left of the lanes for submits that exclude some; worked out once for each set that is passed. */
import { type Subset, subsetOf } from "../../domain/dispatch/LoadIndex.ts"

/** The lanes that a set of excluded names leaves. */
export class Remaining implements Subset {
  readonly has: Subset["has"]
  readonly members: Subset["members"]
  /** Of the set it was made for: a set that has grown or shrunk since is read again. */
  readonly excluded: number
  private knownTag: string | undefined = undefined

  constructor({ has, members }: Subset, excluded: number) {
    this.has = has
    this.members = members
    this.excluded = excluded
  }

  /** Says which lanes these are: the same for all sets that leave the same. */
  get tag(): string {
    this.knownTag ??= this.members.join()
    return this.knownTag
  }
}

export class Exclusions {
  private readonly names: ReadonlyArray<string>
  /** Callers that exclude by a rule pass the same set each time: then this is one look-up, however many lanes there are. */
  private readonly known = new WeakMap<ReadonlySet<string>, Remaining>()

  constructor(names: ReadonlyArray<string>) {
    this.names = names
  }

  remaining(exclude: ReadonlySet<string>): Remaining {
    const known = this.known.get(exclude)
    if (known !== undefined && known.excluded === exclude.size) return known
    const subset = subsetOf(this.names.length, (index) => !exclude.has(this.names[index]!))
    const remaining = new Remaining(subset, exclude.size)
    this.known.set(exclude, remaining)
    return remaining
  }
}
