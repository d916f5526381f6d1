/** Who may use the service, how often, and for which models. */
import type * as Clock from "effect/Clock"
import * as Result from "effect/Result"
import type { ApiKeyConfig } from "../../domain/config/ServerConfig.ts"
import { KeyRates } from "../../domain/server/KeyRates.ts"
import { Problem } from "../../domain/server/Problem.ts"

/** Finds the API key that a credential is; in constant time for all that are none. */
export interface Keys {
  /** Whether there are none: then anybody may use the service. */
  readonly isEmpty: boolean
  readonly lookup: (credential: string) => ApiKeyConfig | undefined
}

/** Whoever makes a request. */
export interface Caller {
  /** The name of the API key, which owns the jobs; empty when the service asks for none. */
  readonly name: string
  /** Names that the caller may ask for; `undefined`: all. */
  readonly models: ReadonlySet<string> | undefined
}

const ANYBODY: Caller = { name: "", models: undefined }

/**
 * Asks for a request of a key that has a limit, where requests are counted for several processes: `done` is called once,
 * with the milliseconds until it may come again, or `undefined` when it may be made.
 */
export type AskForRequest = (key: string, done: (retryAfterMs: number | undefined) => void) => void

/** The API keys at the service's door. One for all of its routes: a key's rate is counted over all of them. */
export class Auth {
  private readonly keys: Keys
  private readonly clock: Clock.Clock
  private readonly rates = new KeyRates()
  private readonly ask: AskForRequest | undefined

  /** Without `ask` requests are counted here. */
  constructor(keys: Keys, clock: Clock.Clock, ask?: AskForRequest) {
    this.keys = keys
    this.clock = clock
    this.ask = ask
  }

  /** Whether a key is asked for. */
  get isRequired(): boolean {
    return !this.keys.isEmpty
  }

  /** Who it is. Takes nothing of the key's rate: for routes that cost nothing. */
  identify(credential: string | undefined): Result.Result<Caller, Problem> {
    if (this.keys.isEmpty) return Result.succeed(ANYBODY)
    return Result.map(this.known(credential), toCaller)
  }

  /**
   * Who it is, and that the key may make another request now: no minute, wherever it starts, holds more than its limit.
   * Requests that are refused do not count.
   */
  admit(credential: string | undefined): Result.Result<Caller, Problem> {
    if (this.keys.isEmpty) return Result.succeed(ANYBODY)
    const known = this.known(credential)
    if (Result.isFailure(known)) return Result.fail(known.failure)
    const { name, requestsPerMinute } = known.success
    if (requestsPerMinute !== undefined) {
      const retryAfterMs = this.rates.take(name, requestsPerMinute, this.now())
      if (retryAfterMs !== undefined) return Result.fail(tooOften(name, requestsPerMinute, retryAfterMs))
    }
    return Result.succeed(toCaller(known.success))
  }

  /** As `admit`, over all processes of the service: `done` is called once, at once unless others have to be asked. */
  admitted(credential: string | undefined, done: (caller: Result.Result<Caller, Problem>) => void): void {
    const { ask } = this
    const key = ask === undefined || this.keys.isEmpty ? undefined : Result.getOrUndefined(this.known(credential))
    const limit = key?.requestsPerMinute
    if (ask === undefined || key === undefined || limit === undefined) done(this.admit(credential))
    else {
      ask(key.name, (retryAfterMs) => {
        const mayNot = retryAfterMs !== undefined
        done(mayNot ? Result.fail(tooOften(key.name, limit, retryAfterMs)) : Result.succeed(toCaller(key)))
      })
    }
  }

  private known(credential: string | undefined): Result.Result<ApiKeyConfig, Problem> {
    if (credential === undefined || credential === "") return Result.fail(noKey)
    const key = this.keys.lookup(credential)
    return key === undefined ? Result.fail(wrongKey) : Result.succeed(key)
  }

  /** Never goes back, as the wall clock may. */
  private now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }
}

/** Why the caller may not ask for a model; `undefined` when it may. */
export const forbids = (caller: Caller, model: string): Problem | undefined =>
  caller.models === undefined || caller.models.has(model)
    ? undefined
    : new Problem({
        kind: "Forbidden",
        code: "model_not_allowed",
        field: "model",
        message: `The API key ${JSON.stringify(caller.name)} may not use this model; it may use ${[...caller.models].join(", ")}.`
      })

/** Whether the caller may be told of a model's name. */
export const mayName = ({ models }: Caller, model: string): boolean => models === undefined || models.has(model)

const toCaller = ({ name, models }: ApiKeyConfig): Caller => ({ name, models })

const noKey = new Problem({
  kind: "Unauthorized",
  code: "missing_api_key",
  message: "This service asks for an API key: send one as you would to the provider, such as Authorization: Bearer KEY."
})

const wrongKey = new Problem({
  kind: "Unauthorized",
  code: "invalid_api_key",
  message: "The API key is not known to this service: check it, or ask whoever runs the service for one."
})

const tooOften = (name: string, limit: number, retryAfterMs: number): Problem =>
  new Problem({
    kind: "RateLimited",
    code: "rate_limit_exceeded",
    retryAfterMs,
    message: `The API key ${JSON.stringify(name)} has made its ${limit} requests of this minute: wait a little.`
  })
