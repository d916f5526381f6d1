/** Keeps one access token fresh for everybody who wants it. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { ConnectionFailed } from "../../domain/genai/GenAiError.ts"
import { SteadyTime } from "../../domain/SteadyTime.ts"
import { CredentialError, type RenewedCredential } from "../../services/Credentials.ts"

/** A token and when it ends. */
export interface AccessToken {
  readonly token: Redacted.Redacted<string>
  /** Unix time in milliseconds. */
  readonly expiresAtMs: number
}

/**
 * How long before its end a token is renewed: 3 min 45 s, or half of what it has left if that is less. Requests go on with
 * the old one meanwhile. Google's metadata server gives the same token until 4 min before its end, so earlier is no use.
 */
export const RENEW_MS = 225_000

/** How long before its end a token is not used any more: 10 s, or a quarter of what it has left if that is less. */
export const SPARE_MS = 10_000

/** How long a failure is remembered, so that thousands of requests do not ask again at once. */
export const FAILURE_MS = { ConnectionFailed: 1_000, Unauthorized: 30_000 }

/** A refused token that is younger is not renewed: the refusal then is not the token's fault. */
export const YOUNG_MS = 30_000

/** How often the issuer is tried in one renewal, when it cannot be reached or fails. */
export const TRIES = 3

/** Longest time for one try. */
export const TRY_MS = 30_000

/**
 * A source of the tokens that `issue` gives.
 *
 * At most one renewal runs at a time, however many wait for it. One that fails is tried again after 250 ms, then 1 s; while
 * the old token lasts nobody notices. The renewal belongs to the scope, not to the request that began it.
 */
export const make = Effect.fnUntraced(function* (
  issue: Effect.Effect<AccessToken, CredentialError>
): Effect.fn.Return<RenewedCredential, never, Scope.Scope> {
  const cache = new TokenCache(issue, yield* Clock.Clock, yield* Scope.Scope)
  return { _tag: "Renewed", get: cache.get, refused: (credential) => cache.refused(credential) }
})

interface Kept {
  readonly value: string
  /** What `get` gives, made once. */
  readonly ready: Effect.Effect<string>
  /** When it came, by the steady time and in Unix milliseconds. */
  readonly receivedAt: number
  readonly receivedWallMs: number
  /** The ages at which it is renewed, and not used any more. */
  readonly renewMs: number
  readonly usableMs: number
}

class TokenCache {
  private readonly renewal: Effect.Effect<AccessToken, CredentialError>
  private readonly time: SteadyTime
  private readonly scope: Scope.Scope
  private kept: Kept | undefined = undefined
  /** Present while a renewal runs. */
  private pending: Deferred.Deferred<string, CredentialError> | undefined = undefined
  private failure: { readonly error: CredentialError; readonly until: number } | undefined = undefined

  constructor(issue: Effect.Effect<AccessToken, CredentialError>, clock: Clock.Clock, scope: Scope.Scope) {
    this.renewal = Effect.retry(Effect.timeoutOrElse(issue, { duration: TRY_MS, orElse: () => Effect.fail(tooLate) }), {
      schedule: Schedule.exponential(250, 4),
      times: TRIES - 1,
      while: ({ reason }) => reason._tag === "ConnectionFailed"
    })
    this.time = new SteadyTime(clock)
    this.scope = scope
  }

  readonly get: Effect.Effect<string, CredentialError> = Effect.suspend(() => {
    const { kept } = this
    if (kept === undefined) return Effect.flatten(this.renew)
    const ageMs = this.ageOf(kept)
    if (ageMs >= kept.usableMs) return Effect.flatten(this.renew)
    return ageMs < kept.renewMs ? kept.ready : Effect.andThen(this.renew, kept.ready)
  })

  refused(credential: string): boolean {
    const { kept } = this
    if (kept === undefined || kept.value !== credential) return true
    if (this.ageOf(kept) < YOUNG_MS) return false
    this.kept = undefined
    return true
  }

  /**
   * Begins a renewal unless one runs, or one has just failed, and gives what it will come to. Not to be interrupted, so that
   * `pending` is never left behind without a fiber that ends it.
   */
  private readonly renew: Effect.Effect<Effect.Effect<string, CredentialError>> = Effect.uninterruptible(
    Effect.suspend(() => {
      if (this.pending !== undefined) return Effect.succeed(Deferred.await(this.pending))
      const { failure } = this
      if (failure !== undefined && this.time.now() < failure.until) {
        return Effect.succeed(Effect.fail(failure.error))
      }
      const pending = Deferred.makeUnsafe<string, CredentialError>()
      this.pending = pending
      return Effect.map(Effect.forkIn(Effect.interruptible(this.renewal), this.scope), (fiber) => {
        // Unlike `onExit`, this hears also of a fiber that never starts since the scope is closed.
        fiber.addObserver((exit) => this.settle(pending, exit))
        return Deferred.await(pending)
      })
    })
  )

  private settle(pending: Deferred.Deferred<string, CredentialError>, exit: Exit.Exit<AccessToken, CredentialError>) {
    this.pending = undefined
    const error = Exit.findErrorOption(exit)
    if (Option.isSome(error)) this.remember(error.value)
    Deferred.doneUnsafe(
      pending,
      Exit.map(exit, (token) => this.keep(token))
    )
  }

  private keep({ token, expiresAtMs }: AccessToken): string {
    const now = this.time.now()
    const wallMs = this.time.wallOf(now)
    const left = Math.max(0, expiresAtMs - wallMs)
    const value = Redacted.value(token)
    this.failure = undefined
    this.kept = {
      value,
      ready: Effect.succeed(value),
      receivedAt: now,
      receivedWallMs: wallMs,
      renewMs: left - Math.min(RENEW_MS, left / 2),
      usableMs: left - Math.min(SPARE_MS, left / 4)
    }
    return value
  }

  /**
   * The longer of what the two clocks say: the steady time may stand still while the machine is suspended, the wall clock may
   * be set back. A token that is renewed too early since it was set forward costs one renewal; one that is used past its end, requests.
   */
  private ageOf({ receivedAt, receivedWallMs }: Kept): number {
    const now = this.time.now()
    return Math.max(now - receivedAt, this.time.wallOf(now) - receivedWallMs)
  }

  private remember(error: CredentialError): void {
    this.failure = { error, until: this.time.now() + FAILURE_MS[error.reason._tag] }
  }
}

const tooLate = new CredentialError({
  message: `no access token came within ${TRY_MS / 1000} s: can this machine reach the token endpoint?`,
  reason: new ConnectionFailed({ code: "ETIMEDOUT" })
})
