import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import type { DispatcherConfig } from "../../../src/domain/config/DispatcherConfig.ts"
import { split } from "../../../src/domain/config/ProcessShares.ts"
import { Pacer } from "../../../src/domain/dispatch/Pacer.ts"
import { config, endpoint } from "../../support/Config.ts"
import { listsUpTo } from "../../support/RandomLists.ts"

const sharesOf = (whole: DispatcherConfig, processes: number) => {
  const shares = split(whole, processes)
  assert.isTrue(Result.isSuccess(shares), "cannot be split")
  return Result.getOrThrow(shares)
}

const problemsOf = (whole: DispatcherConfig, processes: number) => {
  const shares = split(whole, processes)
  assert.isTrue(Result.isFailure(shares), "can be split")
  return Result.isFailure(shares) ? shares.failure : []
}

const sum = (values: ReadonlyArray<number | undefined>) => values.reduce<number>((total, value) => total + value!, 0)

const Processes = Schema.Int.check(Schema.isBetween({ minimum: 2, maximum: 16 }))
const Limit = Schema.Int.check(Schema.isBetween({ minimum: 16, maximum: 100_000 }))

describe("ProcessShares", () => {
  it.prop(
    "shares add up to the limits, and none is larger than another by more than one",
    [Processes, Limit, Limit],
    ([processes, rate, concurrency]) => {
      const east = endpoint({
        name: "east",
        concurrency,
        limits: { requestsPerSecond: rate, requestsPerMinute: 60 * rate, tokensPerMinute: 1000 * rate }
      })
      const shares = sharesOf(config([east], { maxRequestsPerSecond: rate }), processes)
      assert.strictEqual(shares.length, processes)
      const totals: ReadonlyArray<readonly [number, (share: DispatcherConfig) => number | undefined]> = [
        [rate, (share) => share.maxRequestsPerSecond],
        [concurrency, (share) => share.endpoints[0]!.concurrency],
        [rate, (share) => share.endpoints[0]!.limits.requestsPerSecond],
        [60 * rate, (share) => share.endpoints[0]!.limits.requestsPerMinute]
      ]
      for (const [total, valueOf] of totals) {
        const values = shares.map((share) => valueOf(share)!)
        assert.strictEqual(sum(values), total)
        assert.isTrue(values.every((value) => Number.isInteger(value) && value >= 1))
        assert.isAtMost(Math.max(...values) - Math.min(...values), 1)
      }
      assert.closeTo(sum(shares.map((share) => share.endpoints[0]!.limits.tokensPerMinute)), 1000 * rate, 1e-6)
    }
  )

  it.prop(
    "processes that each pace their part never send more in any second than the limit, whatever the order and the delays",
    [
      Schema.Int.check(Schema.isBetween({ minimum: 2, maximum: 6 })),
      Schema.Int.check(Schema.isBetween({ minimum: 6, maximum: 60 })),
      Schema.Array(
        Schema.Struct({
          who: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })),
          // How late the process looks, or how long all of them pause.
          lateMs: Schema.Literals([0, 0, 0, 0.1, 1, 7, 40, 300, 1100])
        })
      ).check(Schema.isMinLength(1), Schema.isMaxLength(300))
    ],
    ([processes, rate, schedule]) => {
      const shares = sharesOf(config([endpoint({ name: "east" })], { maxRequestsPerSecond: rate }), processes)
      const pacers = shares.map((share) => new Pacer(share.maxRequestsPerSecond!, 1_000))
      const sentAt: Array<number> = []
      let now = 1_000
      const trySend = (pacer: Pacer): void => {
        if (pacer.delay(now) > 0) return
        pacer.take(now)
        pacer.happened(now)
        sentAt.push(now)
      }
      for (const { lateMs, who } of schedule) {
        // Some time passes, at most until the next of all may send; then one sends all that it may, before the others.
        const wait = Math.min(...pacers.map((pacer) => pacer.delay(now)))
        now += wait + lateMs
        for (const pacer of [pacers[who % processes]!, ...pacers])
          for (let again = 0; again < 3; again++) trySend(pacer)
      }
      assert.isAbove(sentAt.length, 0)
      let first = 0
      for (const [index, at] of sentAt.entries()) {
        // A window is open at its end.
        while (sentAt[first]! <= at - 1_000 + 1e-6) first += 1
        assert.isAtMost(index - first + 1, rate)
      }
    },
    { arbitrary: listsUpTo(300) }
  )

  it("one process has everything as it is", () => {
    const whole = config([endpoint({ name: "east", concurrency: 1 })], { maxRequestsPerSecond: 0.5 })
    assert.deepStrictEqual(sharesOf(whole, 1), [whole])
  })

  it("keeps the fraction of a limit", () => {
    const shares = sharesOf(config([endpoint({ name: "east" })], { maxRequestsPerSecond: 10.5 }), 2)
    assert.deepStrictEqual(
      shares.map((share) => share.maxRequestsPerSecond),
      [5.5, 5]
    )
  })

  it("names every limit that is too small, with the number of processes that it allows", () => {
    const east = endpoint({ name: "east", concurrency: 3, limits: { requestsPerSecond: 2 } })
    assert.deepStrictEqual(problemsOf(config([east], { maxRequestsPerSecond: 0.5 }), 4), [
      { path: "maxRequestsPerSecond", message: "0.5 cannot be shared by 4 processes: use --processes 1" },
      { path: "endpoints[0].concurrency", message: "3 cannot be shared by 4 processes: use --processes 3 or fewer" },
      {
        path: "endpoints[0].limits.requestsPerSecond",
        message: "2 cannot be shared by 4 processes: use --processes 2 or fewer"
      }
    ])
  })

  it("names every token limit of which a share is less than an answer may take", () => {
    const limits = { tokensPerMinute: 60_000, inputTokensPerMinute: 1_000, outputTokensPerMinute: 8_000 }
    const whole = config([
      endpoint({ name: "east" }),
      endpoint({ name: "west", limits, parameters: { max_tokens: 4_096 } })
    ])
    assert.deepStrictEqual(problemsOf(whole, 16), [
      {
        path: "endpoints[1].limits.tokensPerMinute",
        message:
          "60000 shared by 16 processes is less for each than one answer of up to 4096 tokens (by the endpoint's parameters): use --processes 14 or fewer, or shorter answers"
      },
      {
        path: "endpoints[1].limits.outputTokensPerMinute",
        message:
          "8000 shared by 16 processes is less for each than one answer of up to 4096 tokens (by the endpoint's parameters): use --processes 1, or shorter answers"
      }
    ])
    assert.deepStrictEqual(
      problemsOf(whole, 14).map(({ path }) => path),
      ["endpoints[1].limits.outputTokensPerMinute"]
    )
    assert.deepStrictEqual(sharesOf(whole, 1), [whole])
  })

  it("does not split what has sessions", () => {
    const affinity = { ttlMs: 1000, sliding: false, capacity: 10, onUnavailable: "spill" } as const
    const [problem] = problemsOf(config([endpoint({ name: "east" })], { affinity }), 2)
    assert.strictEqual(problem?.path, "affinity")
  })
})
