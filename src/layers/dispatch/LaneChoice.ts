/** Which lane a job is to go to: the policy, over what the job's session and options leave. */
import type { OnUnavailable } from "../../domain/dispatch/Policy.ts"
import { type Selector, type Tier, tierOf } from "../../domain/dispatch/Selection.ts"
import type { SubmitOptions } from "../../services/Dispatcher.ts"
import type { Affinity } from "./Affinity.ts"
import { Exclusions, type Remaining } from "./Exclusions.ts"
import type { Job } from "./Job.ts"

/** Which lanes a job may go to, and how gladly; see `Selection`. */
export type Tiers = (index: number) => Tier

/** What is looked at of a lane. */
export interface Candidate {
  readonly name: string
  readonly load: number
  readonly hasRoom: boolean
  /** Whether nobody is to wait for it who may go elsewhere. */
  readonly isClosedForLong: boolean
}

export interface LaneChoiceOptions {
  readonly lanes: ReadonlyArray<Candidate>
  readonly selector: Selector
  /** The priority group of each lane, the higher the better. */
  readonly groups: ReadonlyArray<number>
  /** The sessions, where there are any. */
  readonly affinity: Affinity | undefined
  /** What a job does when its session's lane has no room. */
  readonly onUnavailable: OnUnavailable | undefined
}

/** No lane is left by what a submit excludes. */
export const NOBODY = -2

export class LaneChoice<Request> {
  /** Any lane will do. */
  readonly anyLane: Tiers
  private readonly lanes: ReadonlyArray<Candidate>
  private readonly selector: Selector
  private readonly groups: ReadonlyArray<number>
  private readonly affinity: Affinity | undefined
  private readonly onUnavailable: OnUnavailable | undefined
  private readonly exclusions: Exclusions
  /** `anyLane`, of the lanes with room now. */
  private readonly anyOpenLane: Tiers

  constructor({ affinity, groups, lanes, onUnavailable, selector }: LaneChoiceOptions) {
    this.lanes = lanes
    this.selector = selector
    this.groups = groups
    this.affinity = affinity
    this.onUnavailable = onUnavailable
    this.exclusions = new Exclusions(lanes.map((lane) => lane.name))
    const tiers = groups.map((group) => tierOf(group, false))
    this.anyLane = (index) => tiers[index]!
    this.anyOpenLane = (index) => (lanes[index]!.hasRoom ? tiers[index]! : 0)
  }

  /** A lane's load or room is another. */
  onChange(index: number): void {
    const lane = this.lanes[index]!
    this.selector.index?.set(index, lane.load, lane.hasRoom)
  }

  /** The lane for a job that waited, given one that has room and that it may go to. */
  chooseAgain(job: Job<Request>, fallback: number): number {
    // The policy keeps the books for `weighted`; for a pinned job it has no choice.
    const chosen = job.pinned === undefined ? this.select(job.tier) : fallback
    return chosen === -1 ? fallback : chosen
  }

  /** The job's work begins on its lane, to which its session moves. */
  settle(job: Job<Request>): void {
    if (job.session !== undefined && job.lane !== job.favourite) this.affinity?.rebind(job.session, job.lane)
  }

  /** The job's lane is closed for long: any other that it may go to will do, to which its session then moves. */
  unpin(job: Job<Request>): void {
    if (job.pinned === undefined) return
    job.pinned = undefined
    job.tier = this.eligible(job.lanes, undefined)
  }

  /** The lane for a job with options: -1 when none has room, `NOBODY` when none may ever have it. */
  choose(job: Job<Request>, options: SubmitOptions | undefined): number {
    if (options === undefined) return this.best()
    const remaining = options.exclude?.size ? this.exclusions.remaining(options.exclude) : undefined
    if (remaining?.members.length === 0) return NOBODY
    job.lanes = remaining
    const { session, avoid } = options
    if (session !== undefined && this.affinity !== undefined) {
      return this.chooseBySession(job, options, remaining, session, this.affinity)
    }
    job.tier = this.eligible(remaining, avoid)
    return this.chooseAmong(job.tier, remaining, avoid)
  }

  private chooseBySession(
    job: Job<Request>,
    options: SubmitOptions,
    remaining: Remaining | undefined,
    session: string,
    affinity: Affinity
  ): number {
    const assign = remaining === undefined ? this.assign : () => this.assignAmong(remaining)
    const pinned = affinity.laneOf(session, assign)
    if (remaining === undefined || remaining.has[pinned] === 1) {
      return this.chooseInSession(job, options, remaining, session, pinned)
    }
    // Its worker is none for these jobs, say of another model: among the others the session has another one.
    const part = `${session}\u0000${remaining.tag}`
    return this.chooseInSession(job, options, remaining, part, affinity.laneOf(part, assign))
  }

  /**
   * The session's lane when it has room; else another, which the session then moves to, if it may spill or its lane is
   * closed for long.
   */
  private chooseInSession(
    job: Job<Request>,
    { avoid }: SubmitOptions,
    remaining: Remaining | undefined,
    session: string,
    pinned: number
  ): number {
    const lane = this.lanes[pinned]!
    if (this.onUnavailable === "wait" && !lane.isClosedForLong) {
      job.pinned = pinned
      job.session = session
      job.favourite = pinned
      return lane.hasRoom ? pinned : -1
    }
    const eligible = this.eligible(remaining, avoid)
    // This request avoids the session's worker; the session stays there.
    if (avoid?.has(lane.name)) {
      job.tier = eligible
      return this.chooseAmong(eligible, remaining, avoid)
    }
    const favourite = tierOf(this.lanes.length, false)
    job.tier = (index) => (index === pinned ? favourite : eligible(index))
    job.session = session
    job.favourite = pinned
    return lane.hasRoom ? pinned : this.chooseAmong(eligible, remaining, avoid)
  }

  private chooseAmong(tiers: Tiers, remaining: Remaining | undefined, avoid: ReadonlySet<string> | undefined): number {
    if (avoid?.size) return this.select(tiers)
    return remaining === undefined ? this.best() : this.bestOf(remaining, tiers)
  }

  /** The best lane with room of those that it may go to; -1 when there is none. */
  private select(tiers: Tiers): number {
    if (tiers === this.anyLane) return this.best()
    return this.selector.select((index) => (this.lanes[index]!.hasRoom ? tiers(index) : 0))
  }

  private best(): number {
    const { index } = this.selector
    if (index === undefined) return this.selector.select(this.anyOpenLane)
    const best = index.best()
    if (best !== -1) index.chose(best)
    return best
  }

  private bestOf(remaining: Remaining, tiers: Tiers): number {
    const { index } = this.selector
    if (index === undefined) return this.select(tiers)
    const best = index.bestOf(remaining)
    if (best !== -1) index.chose(best)
    return best
  }

  private readonly assign = (): number => this.assignAmong(undefined)

  /** The lane for a new session: one with room if there is any, else the one that a job would wait for. */
  private assignAmong(remaining: Remaining | undefined): number {
    const tiers = this.eligible(remaining, undefined)
    const best = this.chooseAmong(tiers, remaining, undefined)
    if (best !== -1) return best
    const soon = this.selector.select((index) => (this.lanes[index]!.isClosedForLong ? 0 : tiers(index)))
    return soon === -1 ? this.selector.select(tiers) : soon
  }

  private eligible(remaining: Remaining | undefined, avoid: ReadonlySet<string> | undefined): Tiers {
    if (!avoid?.size && remaining === undefined) return this.anyLane
    return (index) => {
      if (remaining !== undefined && remaining.has[index] === 0) return 0
      return tierOf(this.groups[index]!, avoid?.has(this.lanes[index]!.name) ?? false)
    }
  }
}
