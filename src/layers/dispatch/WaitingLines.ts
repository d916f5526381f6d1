/**
 * Jobs that wait for room, in one line for each set of lanes that may take them.
 *
 * So a lane finds the oldest job that it may take by looking at the heads of the lines, and those who wait for a lane
 * that is closed cost the others nothing, however many they are. Lines are chained through the jobs: a `Set` that is
 * taken from at its front steps over what was there each time.
 */
import { Chain } from "../../domain/Chain.ts"
import type { Remaining } from "./Exclusions.ts"
import type { Job } from "./Job.ts"

/** Whether the lane may take the job, with room or without. */
export const mayGoTo = <Request>(job: Job<Request>, lane: number): boolean =>
  job.pinned === undefined ? job.lanes === undefined || job.lanes.has[lane] === 1 : job.pinned === lane

/** One line, oldest first by `order`. */
export class WaitingLine<Request> {
  size = 0
  private readonly jobs = new Chain<Job<Request>>()

  /** The oldest. */
  get head(): Job<Request> | undefined {
    return this.jobs.first
  }

  /** Puts the job where its `order` says, looking from the end. */
  addFromEnd(job: Job<Request>): void {
    let before = this.jobs.last
    while (before !== undefined && before.order > job.order) before = before.previous
    this.put(job, before, before === undefined ? this.head : before.next)
  }

  /** Puts the job where its `order` says, looking from the front. */
  addFromFront(job: Job<Request>): void {
    let after = this.head
    while (after !== undefined && after.order < job.order) after = after.next
    this.put(job, after === undefined ? this.jobs.last : after.previous, after)
  }

  remove(job: Job<Request>): void {
    this.jobs.remove(job)
    job.line = undefined
    this.size--
  }

  private put(job: Job<Request>, previous: Job<Request> | undefined, next: Job<Request> | undefined): void {
    this.jobs.insert(job, previous, next)
    job.line = this
    this.size++
  }
}

interface SharedLine<Request> {
  readonly lanes: Remaining
  readonly line: WaitingLine<Request>
}

export class WaitingLines<Request> {
  /** Jobs that any lane may take. */
  private readonly any = new WaitingLine<Request>()
  /** By lane: jobs that are pinned to it. */
  private readonly pinned: ReadonlyArray<WaitingLine<Request>>
  /** By their lanes: jobs that some lanes may take. Only lines with somebody in them. */
  private readonly some = new Map<string, SharedLine<Request>>()
  /** Sets of the same lanes share a line, also when each submit makes a set of its own. */
  private readonly keys = new WeakMap<Remaining, string>()
  private count = 0

  /** For so many lanes. */
  constructor(lanes: number) {
    this.pinned = Array.from({ length: lanes }, () => new WaitingLine<Request>())
  }

  get size(): number {
    return this.count
  }

  /** The job waits from now on, behind those that are older. */
  add(job: Job<Request>): void {
    this.count++
    this.lineOf(job).addFromEnd(job)
  }

  /** Jobs that had been on their way wait again, ahead of those that are younger. */
  restore(jobs: ReadonlyArray<Job<Request>>): void {
    this.count += jobs.length
    // The youngest first: then each stands at the front of its line, or near it.
    for (const job of [...jobs].sort((a, b) => b.order - a.order)) this.lineOf(job).addFromFront(job)
  }

  /** The job waits no more; nothing when it did not. */
  remove(job: Job<Request>): void {
    const { line } = job
    if (line === undefined) return
    line.remove(job)
    this.count--
    if (line.size === 0 && job.pinned === undefined && job.lanes !== undefined) this.some.delete(this.keyOf(job.lanes))
  }

  /** The jobs that are pinned to the lane, which wait no more. */
  takePinned(lane: number): ReadonlyArray<Job<Request>> {
    const line = this.pinned[lane]!
    const jobs: Array<Job<Request>> = []
    for (let job = line.head; job !== undefined; job = line.head) {
      jobs.push(job)
      this.remove(job)
    }
    return jobs
  }

  /** The oldest job that the lane may take. */
  next(lane: number): Job<Request> | undefined {
    if (this.count === 0) return undefined
    let oldest = older(this.any.head, this.pinned[lane]!.head)
    for (const { lanes, line } of this.some.values()) {
      if (lanes.has[lane] === 1) oldest = older(oldest, line.head)
    }
    return oldest
  }

  /** How many jobs wait that at least one of the lanes may take. */
  countFor(lanes: ReadonlyArray<number>): number {
    let count = this.any.size
    for (const lane of lanes) count += this.pinned[lane]!.size
    for (const { lanes: own, line } of this.some.values()) {
      if (lanes.some((lane) => own.has[lane] === 1)) count += line.size
    }
    return count
  }

  /** All jobs, line by line. */
  all(): ReadonlyArray<Job<Request>> {
    const jobs: Array<Job<Request>> = []
    for (const line of [this.any, ...this.pinned, ...Array.from(this.some.values(), ({ line }) => line)]) {
      for (let job = line.head; job !== undefined; job = job.next) jobs.push(job)
    }
    return jobs
  }

  private lineOf(job: Job<Request>): WaitingLine<Request> {
    if (job.pinned !== undefined) return this.pinned[job.pinned]!
    if (job.lanes === undefined) return this.any
    const key = this.keyOf(job.lanes)
    const known = this.some.get(key)
    if (known !== undefined) return known.line
    const line = new WaitingLine<Request>()
    this.some.set(key, { lanes: job.lanes, line })
    return line
  }

  private keyOf(lanes: Remaining): string {
    let key = this.keys.get(lanes)
    if (key === undefined) {
      key = lanes.members.join()
      this.keys.set(lanes, key)
    }
    return key
  }
}

const older = <Request>(one: Job<Request> | undefined, other: Job<Request> | undefined): Job<Request> | undefined => {
  if (one === undefined || other === undefined) return one ?? other
  return one.order < other.order ? one : other
}
