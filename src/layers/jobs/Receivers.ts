/** Whose turn it is to be told by webhook: a receiver that does not answer keeps only itself waiting. */
import type { JobId } from "../../domain/jobs/Job.ts"

export interface ReceiversOptions {
  /** Most deliveries under way to one receiver. */
  readonly mostToOne: number
  /** Most deliveries under way. */
  readonly most: number
  /** Most jobs that wait for their turn at one receiver. */
  readonly mostWaiting: number
  /** How long a job may wait for its turn: after that the store gives it again. */
  readonly patienceMs: number
}

/** By its id only: an answer may be long. */
interface Waiting {
  readonly id: JobId
  readonly sinceMs: number
}

/** A host and port that is called. */
interface Receiver {
  underWay: number
  /** The last delivery had no answer in time: one at a time is tried until one has. */
  isSilent: boolean
  waiting: Array<Waiting>
}

export class Receivers {
  private readonly options: ReceiversOptions
  private readonly byOrigin = new Map<string, Receiver>()
  private underWay = 0

  constructor(options: ReceiversOptions) {
    this.options = options
  }

  /** Whether there is no use in taking up more. */
  get isFull(): boolean {
    return this.underWay >= this.options.most
  }

  /** Whether the job's delivery is to begin now. If not it waits here for its turn, or is left for the store to give again. */
  take(origin: string, id: JobId, nowMs: number): boolean {
    const receiver = this.byOrigin.get(origin) ?? { underWay: 0, isSilent: false, waiting: [] }
    this.byOrigin.set(origin, receiver)
    if (this.hasRoom(receiver)) {
      this.begin(receiver)
      return true
    }
    const mayWait = !receiver.isSilent && receiver.waiting.length < this.options.mostWaiting
    if (mayWait) receiver.waiting.push({ id, sinceMs: nowMs })
    return false
  }

  /** A delivery is over; gives the jobs of this receiver whose deliveries are to begin now. */
  leave(origin: string, isSilent: boolean, nowMs: number): ReadonlyArray<JobId> {
    const receiver = this.byOrigin.get(origin)
    if (receiver === undefined) return []
    receiver.underWay--
    this.underWay--
    receiver.isSilent = isSilent
    const next: Array<JobId> = []
    if (isSilent) receiver.waiting = []
    while (receiver.waiting.length > 0 && this.hasRoom(receiver)) {
      const { id, sinceMs } = receiver.waiting.shift()!
      if (nowMs - sinceMs >= this.options.patienceMs) continue
      next.push(id)
      this.begin(receiver)
    }
    if (receiver.underWay === 0 && receiver.waiting.length === 0) this.byOrigin.delete(origin)
    return next
  }

  private hasRoom({ isSilent, underWay }: Receiver): boolean {
    return underWay < (isSilent ? 1 : this.options.mostToOne) && this.underWay < this.options.most
  }

  private begin(receiver: Receiver): void {
    receiver.underWay++
    this.underWay++
  }
}
