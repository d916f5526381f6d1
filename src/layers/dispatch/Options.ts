/** Checks the options of a dispatcher and fills in the defaults. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { InvalidOptions } from "../../domain/dispatch/DispatchError.ts"
import { OnUnavailable, Policy } from "../../domain/dispatch/Policy.ts"
import type {
  AffinityOptions,
  DispatcherOptions,
  RateLimits,
  UnitLimit,
  WorkerOptions
} from "../../services/Dispatcher.ts"

/** A worker's options, settled. */
export interface LaneSettings<Request, Response, Error> {
  readonly name: string
  readonly weight: number
  readonly concurrency: number
  readonly queueCapacity: number
  readonly priority: number
  readonly limits: RateLimits | undefined
  readonly limitsCount: "start" | "sent"
  readonly unitLimits: ReadonlyArray<UnitLimit<Request, Response, Error>>
}

/** The affinity's options, settled. */
export interface AffinitySettings {
  readonly ttl: Duration.Duration
  readonly sliding: boolean
  readonly capacity: number
  readonly onUnavailable: OnUnavailable
}

/** All options, settled. */
export interface Settings<Request, Response, Error> {
  readonly lanes: ReadonlyArray<LaneSettings<Request, Response, Error>>
  readonly policy: Policy
  readonly affinity: AffinitySettings | undefined
  readonly onFull: "wait" | "fail"
  readonly limits: RateLimits | undefined
  readonly limitsUsed: boolean
}

/** Fails with every problem at once, each with the option's path, its value and what it must be. */
export const settle = <Request, Response, Error>(
  options: DispatcherOptions<Request, Response, Error>
): Effect.Effect<Settings<Request, Response, Error>, InvalidOptions> => {
  const problems: Array<string> = []
  const check = (holds: boolean, path: string, value: unknown, must: string): void => {
    if (!holds) problems.push(`${path} is ${show(value)}: it must be ${must}`)
  }
  const checkLimits = (limits: RateLimits | undefined, path: string): void => {
    for (const name of ["requestsPerSecond", "requestsPerMinute"] as const) {
      const value = limits?.[name]
      check(value === undefined || isAbove0(value), `${path}.${name}`, value, "a number above 0")
    }
  }

  const settleLane = (worker: WorkerOptions<Request, Response, Error>, index: number) => {
    const lane: LaneSettings<Request, Response, Error> = {
      name: worker.name,
      weight: worker.weight ?? 1,
      concurrency: worker.concurrency ?? 256,
      queueCapacity: worker.queueCapacity ?? 1024,
      priority: worker.priority ?? 0,
      limits: worker.limits,
      limitsCount: worker.limitsCount ?? "start",
      unitLimits: worker.unitLimits ?? []
    }
    const path = `workers[${index}]`
    const first = options.workers.findIndex((other) => other.name === lane.name)
    check(lane.name !== "", `${path}.name`, lane.name, "a name")
    check(first === index, `${path}.name`, lane.name, `unique, but workers[${first}] has it too`)
    check(isAbove0(lane.weight), `${path}.weight`, lane.weight, "a number above 0")
    check(isCount(lane.concurrency, 1), `${path}.concurrency`, lane.concurrency, "a whole number, at least 1")
    check(isCount(lane.queueCapacity, 0), `${path}.queueCapacity`, lane.queueCapacity, "a whole number, at least 0")
    check(isCount(lane.priority, 0), `${path}.priority`, lane.priority, "a whole number, at least 0")
    check(isOneOf(["start", "sent"], lane.limitsCount), `${path}.limitsCount`, lane.limitsCount, '"start" or "sent"')
    checkLimits(lane.limits, `${path}.limits`)
    for (const [at, { perMinute }] of lane.unitLimits.entries()) {
      check(isAbove0(perMinute), `${path}.unitLimits[${at}].perMinute`, perMinute, "a number above 0")
    }
    return lane
  }

  const settleAffinity = (affinity: AffinityOptions): AffinitySettings => {
    const ttl = Duration.fromInput(affinity.ttl)
    const capacity = affinity.capacity ?? 100_000
    check(
      ttl._tag === "Some" && Duration.toMillis(ttl.value) > 0,
      "affinity.ttl",
      affinity.ttl,
      'a duration above 0, such as "5 minutes"'
    )
    check(isCount(capacity, 1), "affinity.capacity", capacity, "a whole number, at least 1")
    check(
      isOneOf(OnUnavailable.literals, affinity.onUnavailable),
      "affinity.onUnavailable",
      affinity.onUnavailable,
      '"wait" or "spill"'
    )
    return {
      ttl: ttl._tag === "Some" ? ttl.value : Duration.zero,
      sliding: affinity.sliding ?? false,
      capacity,
      onUnavailable: affinity.onUnavailable
    }
  }

  const settings: Settings<Request, Response, Error> = {
    lanes: options.workers.map(settleLane),
    policy: options.policy ?? "least-loaded",
    affinity: options.affinity === undefined ? undefined : settleAffinity(options.affinity),
    onFull: options.onFull ?? "wait",
    limitsUsed: options.limitsUsed ?? false,
    limits: options.limits
  }
  check(settings.lanes.length > 0, "workers", settings.lanes.length, "a list of at least one")
  check(isOneOf(Policy.literals, settings.policy), "policy", settings.policy, Policy.literals.map(show).join(" or "))
  check(isOneOf(["wait", "fail"], settings.onFull), "onFull", settings.onFull, '"wait" or "fail"')
  checkLimits(settings.limits, "limits")
  return problems.length === 0 ? Effect.succeed(settings) : Effect.fail(new InvalidOptions({ problems }))
}

/** The group of each lane by its priority, counted from 0 for the last resort: what `Selection` calls a group. */
export const priorityGroups = (lanes: ReadonlyArray<{ readonly priority: number }>): ReadonlyArray<number> => {
  const lastFirst = [...new Set(lanes.map((lane) => lane.priority))].sort((a, b) => b - a)
  return lanes.map((lane) => lastFirst.indexOf(lane.priority))
}

const isAbove0 = (value: number): boolean => Number.isFinite(value) && value > 0

/** Whether it is a whole number, at least `least`. */
export const isCount = (value: number, least: number): boolean => Number.isSafeInteger(value) && value >= least

const isOneOf = (known: ReadonlyArray<string>, value: string): boolean => known.includes(value)

const show = (value: unknown): string => (typeof value === "string" ? JSON.stringify(value) : String(value))
