/**
 * What is known here of a job that runs or is followed. Followers do not get events pushed: each reads what is new since
 * it last looked, so that a slow one costs no memory and holds nobody up, and finds what it missed as one piece.
 */
import * as Effect from "effect/Effect"
import type { Job, JobId } from "../../domain/jobs/Job.ts"

export class JobWatch {
  /** As it was last known here. */
  job: Job | undefined = undefined
  /** Whether it runs in this process: then this is told of all that happens. */
  isLocal = false
  /** Counts the runs; the text is that of the last one. */
  run = 0
  pieces: Array<string> = []
  /** Those who need it. */
  users = 0
  /** Counts what happens, so that nothing is missed between a look and the wait for more. */
  changes = 0
  private readonly waiting = new Set<() => void>()
  private isWaking = false

  /** A run begins, from nothing. */
  begin(job: Job): void {
    this.job = job
    this.isLocal = true
    this.restart()
  }

  /** The run is made again. */
  restart(): void {
    this.run++
    this.pieces = []
    this.changed()
  }

  add(text: string): void {
    this.pieces.push(text)
    this.changed()
  }

  /** The run is over; `job` is what became of it. */
  end(job: Job | undefined): void {
    if (job !== undefined) this.job = job
    this.isLocal = false
    this.changed()
  }

  /** Wakes those who wait, without any news. */
  nudge(): void {
    this.changed()
  }

  /** Wakes those who wait, all from one shallow stack and once for all changes of a tick. */
  private changed(): void {
    this.changes++
    if (this.isWaking || this.waiting.size === 0) return
    this.isWaking = true
    queueMicrotask(() => {
      this.isWaking = false
      const woken = [...this.waiting]
      this.waiting.clear()
      for (const wake of woken) wake()
    })
  }

  /** Returns when `changes` is no longer what it was. */
  changeSince(changes: number): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (this.changes !== changes) return resume(Effect.void)
      const wake = () => resume(Effect.void)
      this.waiting.add(wake)
      return Effect.sync(() => this.waiting.delete(wake))
    })
  }
}

/** The jobs that anybody here needs to know of. */
export class JobWatches {
  private readonly watches = new Map<JobId, JobWatch>()
  private closed = false

  /** Whether jobs that do not run here will not run here any more: nobody is to wait for them. */
  get isClosed(): boolean {
    return this.closed
  }

  close(): void {
    this.closed = true
    for (const watch of this.watches.values()) watch.nudge()
  }

  /** Each `take` is followed by one `leave`. */
  take(id: JobId): JobWatch {
    const watch = this.watches.get(id) ?? new JobWatch()
    watch.users++
    this.watches.set(id, watch)
    return watch
  }

  leave(id: JobId, watch: JobWatch): void {
    watch.users--
    if (watch.users === 0) this.watches.delete(id)
  }

  get(id: JobId): JobWatch | undefined {
    return this.watches.get(id)
  }
}
