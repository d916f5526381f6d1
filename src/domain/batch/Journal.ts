/**
 * Which rows are done, as the result files tell it.
 *
 * Five bytes or less per row, in pages that are only there for rows that are: 10,000,000 rows take 43 MB.
 */

/** The two result files. */
export type ResultFile = "save" | "errors"

const PAGE_BITS = 14
const PAGE = 1 << PAGE_BITS
const FREE = 0
const SAVED = 1
const FAILED = 2

interface Page {
  readonly state: Uint8Array
  /** The first 32 bits of each row's hash: enough to notice a changed row, at half the memory. */
  readonly hashes: Uint32Array
}

/** A set of row numbers with the hash of each row's line. */
export class Journal {
  /** Rows in the save file. */
  saved = 0
  /** Rows in the errors file. */
  failed = 0
  /** The highest row number; -1 when there is none. */
  highest = -1

  private readonly pages = new Map<number, Page>()

  /** Rows that are done. */
  get size(): number {
    return this.saved + this.failed
  }

  /** The file that has the row, or `undefined` when it is not done. */
  where(index: number): ResultFile | undefined {
    const page = this.pages.get(Math.floor(index / PAGE))
    const state = page === undefined ? FREE : page.state[index % PAGE]
    return state === SAVED ? "save" : state === FAILED ? "errors" : undefined
  }

  /** Adds a row; returns the file that has it already, when there is one, and then changes nothing. */
  add(index: number, hash: string, file: ResultFile): ResultFile | undefined {
    const known = this.where(index)
    if (known !== undefined) return known
    const number = Math.floor(index / PAGE)
    let page = this.pages.get(number)
    if (page === undefined) {
      page = { state: new Uint8Array(PAGE), hashes: new Uint32Array(PAGE) }
      this.pages.set(number, page)
    }
    page.state[index % PAGE] = file === "save" ? SAVED : FAILED
    page.hashes[index % PAGE] = short(hash)
    if (file === "save") this.saved += 1
    else this.failed += 1
    if (index > this.highest) this.highest = index
    return undefined
  }

  /** Whether the row is done and its line was another one then. */
  differs(index: number, hash: string): boolean {
    if (this.where(index) === undefined) return false
    return this.pages.get(Math.floor(index / PAGE))?.hashes[index % PAGE] !== short(hash)
  }
}

function short(hash: string): number {
  return Number.parseInt(hash.slice(0, 8), 16)
}
