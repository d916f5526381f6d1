/** The jobs that run in this process. */
import type * as Fiber from "effect/Fiber"
import type { Job, JobId } from "../../domain/jobs/Job.ts"
import type { Claim } from "../../services/JobStore.ts"
import type { JobWatch, JobWatches } from "./JobWatch.ts"

/** What stores know a claim by. */
export type Held = Pick<Claim, "run"> & { readonly id: JobId }

export const held = ({ job, run }: Pick<Claim, "job" | "run">): Held => ({ id: job.id, run })

/** A job that runs here. */
export interface Running {
  readonly claim: Claim
  readonly watch: JobWatch
  fiber: Fiber.Fiber<void> | undefined
  /** It was cancelled or taken over: what it does no longer counts. */
  isLost: boolean
}

export class RunningJobs {
  private readonly watches: JobWatches
  private readonly byId = new Map<JobId, Running>()

  constructor(watches: JobWatches) {
    this.watches = watches
  }

  get size(): number {
    return this.byId.size
  }

  get all(): ReadonlyArray<Running> {
    return [...this.byId.values()]
  }

  add(claim: Claim): Running {
    const { job } = claim
    const before = this.byId.get(job.id)
    // Its lease had ended, and it came back to where it still runs.
    if (before !== undefined) this.lose(before)
    const running: Running = { claim, watch: this.watches.take(job.id), fiber: undefined, isLost: false }
    this.byId.set(job.id, running)
    running.watch.begin(job)
    return running
  }

  /** Its run is over; who follows it has been told what became of it, unless it was lost. */
  remove(running: Running): void {
    const { claim, watch } = running
    const { id } = claim.job
    if (running.isLost) this.tell(running, undefined)
    this.watches.leave(id, watch)
    if (this.byId.get(id) === running) this.byId.delete(id)
  }

  /** What became of the run. A later run of the same job, which has its watch now, is told nothing by this one. */
  tell(running: Running, job: Job | undefined): void {
    if (this.byId.get(running.claim.job.id) === running) running.watch.end(job)
  }

  /** The job was cancelled. */
  cancel(job: Job): void {
    this.watches.get(job.id)?.end(job)
    const running = this.byId.get(job.id)
    if (running !== undefined) this.lose(running)
  }

  /** What this instance holds. */
  get claims(): ReadonlyArray<Held> {
    return this.all.filter(({ isLost }) => !isLost).map(({ claim }) => held(claim))
  }

  /** The claims are no longer this instance's; not those that were claimed again meanwhile. */
  loseClaims(claims: ReadonlyArray<Held>): void {
    for (const { id, run } of claims) {
      const running = this.byId.get(id)
      if (running?.claim.run === run) this.lose(running)
    }
  }

  private lose(running: Running): void {
    running.isLost = true
    running.fiber?.interruptUnsafe()
  }
}
