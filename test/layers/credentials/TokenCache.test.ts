import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Redacted, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { ConnectionFailed, Unauthorized } from "../../../src/domain/genai/GenAiError.ts"
import * as TokenCache from "../../../src/layers/credentials/TokenCache.ts"
import { CredentialError } from "../../../src/services/Credentials.ts"
import { listsUpTo } from "../../support/RandomLists.ts"
import { withSettableClock } from "../../support/SettableClock.ts"
import { settle } from "../dispatch/Gates.ts"

const HOUR = 3_600_000
const MINUTE = 60_000

const unreachable = new CredentialError({ message: "down", reason: new ConnectionFailed({ code: "HTTP_503" }) })
const refused = new CredentialError({ message: "no", reason: new Unauthorized({ status: 403 }) })

/** Issues `token-1`, `token-2`, ..., unless told otherwise. */
class Issuer {
  asked = 0
  running = 0
  atOnce = 0
  lifetimeMs = HOUR
  /** Waited for before each answer. */
  gate: Effect.Effect<void> = Effect.void
  /** What the next calls fail with. */
  failures: Array<CredentialError> = []

  readonly issue = Effect.gen({ self: this }, function* () {
    const token = `token-${++this.asked}`
    this.atOnce = Math.max(this.atOnce, ++this.running)
    yield* Effect.ensuring(
      this.gate,
      Effect.sync(() => this.running--)
    )
    const failure = this.failures.shift()
    if (failure !== undefined) return yield* failure
    const now = yield* Clock.currentTimeMillis
    return { token: Redacted.make(token), expiresAtMs: now + this.lifetimeMs }
  })
}

const withCache = Effect.fnUntraced(function* (setUp: (issuer: Issuer) => void = () => {}) {
  const issuer = new Issuer()
  setUp(issuer)
  return { issuer, ...(yield* TokenCache.make(issuer.issue)) }
})

/** The same effect many times, at once. */
const many = <A, E>(count: number, effect: Effect.Effect<A, E>) =>
  Effect.all(
    Array.from({ length: count }, () => effect),
    { concurrency: "unbounded" }
  )

describe("the token cache", () => {
  it.effect("asks for nothing before a token is wanted, and once for all who want one", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { issuer, get } = yield* withCache((issuer) => {
        issuer.gate = Deferred.await(gate)
      })
      yield* settle
      assert.strictEqual(issuer.asked, 0)
      const waiters = yield* Effect.forkChild(many(1_000, get))
      yield* settle
      assert.strictEqual(issuer.asked, 1)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(new Set(yield* Fiber.join(waiters)), new Set(["token-1"]))
      assert.strictEqual(yield* get, "token-1")
      assert.strictEqual(issuer.asked, 1)
    })
  )

  it.effect("renews a token before its end, while everybody goes on with the old one", () =>
    Effect.gen(function* () {
      const { issuer, get } = yield* withCache()
      yield* get
      yield* TestClock.adjust(HOUR - TokenCache.RENEW_MS - 1)
      assert.strictEqual(yield* get, "token-1")
      yield* settle
      assert.strictEqual(issuer.asked, 1)

      const gate = yield* Deferred.make<void>()
      issuer.gate = Deferred.await(gate)
      yield* TestClock.adjust(1)
      const values = yield* many(1_000, get)
      assert.deepStrictEqual(new Set(values), new Set(["token-1"]))
      yield* settle
      assert.strictEqual(issuer.asked, 2)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.strictEqual(yield* get, "token-2")
      assert.strictEqual(issuer.asked, 2)
    })
  )

  it.effect("renews a short-lived token after half its life", () =>
    Effect.gen(function* () {
      const { issuer, get } = yield* withCache((issuer) => {
        issuer.lifetimeMs = 20_000
      })
      yield* get
      yield* TestClock.adjust(9_999)
      yield* Effect.andThen(get, settle)
      assert.strictEqual(issuer.asked, 1)
      yield* TestClock.adjust(1)
      yield* Effect.andThen(get, settle)
      assert.strictEqual(issuer.asked, 2)
      assert.strictEqual(yield* get, "token-2")
    })
  )

  it.effect("waits for a new token when the old one is at its end", () =>
    Effect.gen(function* () {
      const { get } = yield* withCache()
      yield* get
      yield* TestClock.adjust(HOUR - TokenCache.SPARE_MS)
      assert.strictEqual(yield* get, "token-2")
    })
  )

  it.effect("uses no token past its end when the wall clock is set back", () =>
    withSettableClock((set) =>
      Effect.gen(function* () {
        const { get } = yield* withCache()
        yield* get
        set(-HOUR)
        yield* TestClock.adjust(HOUR - TokenCache.SPARE_MS - 1)
        assert.strictEqual(yield* get, "token-1")
        yield* settle
        yield* TestClock.adjust(1)
        assert.strictEqual(yield* get, "token-2")
      })
    )
  )

  it.effect("uses none past its end after the machine was suspended, when only the wall clock has gone on", () =>
    withSettableClock((set) =>
      Effect.gen(function* () {
        const { get, issuer } = yield* withCache()
        yield* get
        set(HOUR)
        assert.strictEqual(yield* get, "token-2")
        yield* TestClock.adjust(HOUR - TokenCache.RENEW_MS - 1)
        assert.strictEqual(yield* get, "token-2")
        assert.strictEqual(issuer.asked, 2)
      })
    )
  )

  it.effect("tries again when the issuer cannot be reached", () =>
    Effect.gen(function* () {
      const { issuer, get } = yield* withCache((issuer) => {
        issuer.failures = [unreachable, unreachable]
      })
      const waiter = yield* Effect.forkChild(get)
      yield* settle
      assert.strictEqual(issuer.asked, 1)
      yield* TestClock.adjust(250)
      yield* settle
      assert.strictEqual(issuer.asked, 2)
      yield* TestClock.adjust(1_000)
      assert.strictEqual(yield* Fiber.join(waiter), "token-3")
    })
  )

  it.effect("fails all who wait when it stays away, and tries again for those who come a second later", () =>
    Effect.gen(function* () {
      const { issuer, get } = yield* withCache((issuer) => {
        issuer.failures = [unreachable, unreachable, unreachable]
      })
      const waiters = yield* Effect.forkChild(many(100, Effect.flip(get)))
      yield* settle
      yield* TestClock.adjust(1_250)
      assert.deepStrictEqual(new Set(yield* Fiber.join(waiters)), new Set([unreachable]))
      assert.strictEqual(yield* Effect.flip(get), unreachable)
      assert.strictEqual(issuer.asked, 3)
      yield* TestClock.adjust(TokenCache.FAILURE_MS.ConnectionFailed)
      assert.strictEqual(yield* get, "token-4")
    })
  )

  it.effect("does not insist when it is refused, and asks again half a minute later", () =>
    Effect.gen(function* () {
      const { issuer, get } = yield* withCache((issuer) => {
        issuer.failures = [refused]
      })
      assert.strictEqual(yield* Effect.flip(get), refused)
      yield* TestClock.adjust(TokenCache.FAILURE_MS.Unauthorized - 1)
      assert.strictEqual(yield* Effect.flip(get), refused)
      assert.strictEqual(issuer.asked, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* get, "token-2")
    })
  )

  it.effect("goes on with the old token while renewals fail", () =>
    Effect.gen(function* () {
      const { issuer, get } = yield* withCache()
      yield* get
      issuer.failures = [refused]
      yield* TestClock.adjust(HOUR - TokenCache.RENEW_MS)
      for (let i = 0; i < 10; i++) {
        assert.strictEqual(yield* get, "token-1")
        yield* settle
      }
      assert.strictEqual(issuer.asked, 2)
      yield* TestClock.adjust(TokenCache.FAILURE_MS.Unauthorized)
      yield* Effect.andThen(get, settle)
      assert.strictEqual(yield* get, "token-3")
    })
  )

  it.effect("gives up an issuer that never answers", () =>
    Effect.gen(function* () {
      const { issuer, get } = yield* withCache((issuer) => {
        issuer.gate = Effect.never
      })
      const waiter = yield* Effect.forkChild(Effect.flip(get))
      for (let i = 0; i < TokenCache.TRIES; i++) {
        yield* settle
        yield* TestClock.adjust(TokenCache.TRY_MS)
        yield* settle
        yield* TestClock.adjust(1_000)
      }
      const error = yield* Fiber.join(waiter)
      assert.deepInclude(error.reason, { _tag: "ConnectionFailed", code: "ETIMEDOUT" })
      assert.include(error.message, "30 s")
      assert.strictEqual(issuer.asked, TokenCache.TRIES)
    })
  )

  it.effect("goes on for the others when the one who asked first gives up", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { issuer, get } = yield* withCache((issuer) => {
        issuer.gate = Deferred.await(gate)
      })
      const first = yield* Effect.forkChild(get)
      const second = yield* Effect.forkChild(get)
      yield* settle
      yield* Fiber.interrupt(first)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(second), "token-1")
      assert.strictEqual(issuer.asked, 1)
    })
  )

  it.effect("ends its renewal with its scope, and leaves nobody waiting", () =>
    Effect.gen(function* () {
      const issuer = new Issuer()
      issuer.gate = Effect.never
      const scope = yield* Scope.make()
      const { get } = yield* Scope.provide(TokenCache.make(issuer.issue), scope)
      const waiter = yield* Effect.forkChild(get)
      yield* settle
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(waiter)))
      assert.strictEqual(issuer.running, 0)
      const late = yield* Effect.forkChild(get)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(late)))
    })
  )

  it.effect("replaces a token that an endpoint refuses, unless it is just a moment old or replaced already", () =>
    Effect.gen(function* () {
      const cache = yield* withCache()
      yield* cache.get
      assert.isFalse(cache.refused("token-1"))
      assert.strictEqual(yield* cache.get, "token-1")
      yield* TestClock.adjust(TokenCache.YOUNG_MS)
      assert.isTrue(cache.refused("token-0"))
      assert.strictEqual(yield* cache.get, "token-1")
      assert.isTrue(cache.refused("token-1"))
      assert.isTrue(cache.refused("token-1"))
      assert.strictEqual(yield* cache.get, "token-2")
    })
  )

  it.effect.prop(
    "never asks twice at once and never gives a token past its end, whatever happens",
    [
      Schema.Array(Schema.Literals(["get", "wait", "fail", "skip"])),
      Schema.Int.check(Schema.isBetween({ minimum: 1_000, maximum: 2 * HOUR }))
    ],
    ([steps, lifetimeMs]) =>
      Effect.gen(function* () {
        const { issuer, get } = yield* withCache((issuer) => {
          issuer.lifetimeMs = lifetimeMs
          issuer.gate = Effect.sleep(7)
        })
        const ends = new Map<string, number>()
        const asking = Effect.gen(function* () {
          const value = yield* get
          const now = yield* Clock.currentTimeMillis
          const end = ends.get(value) ?? now + lifetimeMs
          ends.set(value, end)
          assert.isBelow(now, end)
        }).pipe(Effect.catchTag("CredentialError", () => Effect.void))
        const waiters: Array<Fiber.Fiber<void>> = []
        for (const step of steps) {
          if (step === "get") waiters.push(...(yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(asking))))
          if (step === "fail") issuer.failures.push(unreachable)
          yield* TestClock.adjust(step === "skip" ? lifetimeMs / 3 : 5)
          yield* settle
        }
        yield* TestClock.adjust(MINUTE)
        yield* Effect.forEach(waiters, Fiber.join)
        assert.isAtMost(issuer.atOnce, 1)
      }),
    { arbitrary: listsUpTo(30) }
  )
})
