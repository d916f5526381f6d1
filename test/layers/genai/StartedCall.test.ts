import { assert, it } from "@effect/vitest"
import { Effect, Exit, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { DispatcherConfig } from "../../../src/domain/config/DispatcherConfig.ts"
import type { GenAiError } from "../../../src/domain/genai/GenAiError.ts"
import type { GenAiAnswer } from "../../../src/domain/genai/GenAiResponse.ts"
import { layer } from "../../../src/layers/genai/DispatchedGenAiClient.ts"
import {
  GenAiClient,
  type GenerateListener,
  type StartedGenerate,
  type StartGenerate
} from "../../../src/services/GenAiClient.ts"
import { config, endpoint } from "../../support/Config.ts"
import { settle } from "../dispatch/Gates.ts"
import { describeBothWays, describeWithoutFibers, FakeTransport, ok, status } from "./FakeTransport.ts"

const east = endpoint({ name: "east" })
const west = endpoint({ name: "west" })
const request = { messages: [{ role: "user" as const, content: "hi" }] }

type End = Exit.Exit<GenAiAnswer, GenAiError>

const listener = (ended: GenerateListener["ended"]): GenerateListener => ({ ended })

const withStart = <A, E>(
  settings: DispatcherConfig,
  transport: FakeTransport,
  use: (start: StartGenerate, client: GenAiClient["Service"]) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const client = yield* GenAiClient
    return yield* use(yield* client.starter!, client)
  }).pipe(Effect.provide(layer(settings).pipe(Layer.provide(transport.layer))))

/** In this very step. */
const giveUpNow = ({ interrupt }: StartedGenerate): void => {
  Effect.runFork(interrupt)
}

const nameOf = (end: End | undefined): string => {
  if (end === undefined) return "none"
  if (Exit.isSuccess(end)) return end.value.text
  const [reason] = end.cause.reasons
  return reason?._tag === "Fail" ? reason.error.reason._tag : String(reason?._tag)
}

describeBothWays("a request that is started", () => {
  it.effect("is answered once, by the same rules as any other", () =>
    withStart(
      config([east]),
      new FakeTransport((_, send) => (send === 1 ? status(500) : ok())),
      Effect.fnUntraced(function* (start, client) {
        const ends: Array<End> = []
        void start(
          request,
          undefined,
          listener((end) => ends.push(end))
        )
        yield* settle
        yield* TestClock.adjust("1 minute")
        yield* settle
        assert.deepStrictEqual(ends.map(nameOf), ["hello"])
        assert.deepInclude((yield* client.stats)[0]!, { sent: 2, succeeded: 1, retries: 1, inflight: 0 })
      })
    )
  )

  it.effect("is aborted when it is given up, and its slot is free", () =>
    withStart(
      config([endpoint({ name: "east", concurrency: 1 })]),
      new FakeTransport((_, send) => (send === 1 ? Effect.never : ok())),
      Effect.fnUntraced(function* (start, client) {
        const ends: Array<End> = []
        const { interrupt } = start(
          request,
          undefined,
          listener((end) => ends.push(end))
        )
        yield* settle
        assert.strictEqual((yield* client.stats)[0]!.inflight, 1)
        yield* interrupt
        yield* interrupt
        assert.deepStrictEqual(ends.map(nameOf), ["Interrupt"])
        assert.deepInclude((yield* client.stats)[0]!, { aborted: 1, inflight: 0 })
        assert.strictEqual((yield* client.generate(request)).text, "hello")
      })
    )
  )

  it.effect("that nobody can send ends by the defect, and holds nothing", () =>
    withStart(
      config([east]),
      new FakeTransport(() => ok()),
      Effect.fnUntraced(function* (start, client) {
        const ends: Array<End> = []
        void start(
          JSON.parse("{}"),
          undefined,
          listener((end) => ends.push(end))
        )
        yield* settle
        assert.deepStrictEqual(ends.map(nameOf), ["Die"])
        assert.isTrue(client.room?.has())
        assert.deepInclude((yield* client.stats)[0]!, { sent: 0, inflight: 0, queueLen: 0 })
        assert.isTrue(yield* client.drain({ timeout: 0 }), "nothing is under way")
      })
    )
  )

  it.effect("ends exactly once whatever comes first: answers, failures, deadlines, callers that give up", () => {
    const transport = new FakeTransport((_, send) =>
      send % 7 === 0
        ? Effect.never
        : Effect.andThen(Effect.sleep((send * 37) % 900), send % 3 === 0 ? status(500) : ok())
    )
    return withStart(
      config([east, west].map((one) => ({ ...one, concurrency: 8 }))),
      transport,
      Effect.fnUntraced(function* (start, client) {
        const ends: Array<Array<End>> = []
        const givesUp: Array<Effect.Effect<void>> = []
        for (let round = 0; round < 60; round++) {
          for (let i = 0; i < 5; i++) {
            const mine: Array<End> = []
            ends.push(mine)
            givesUp.push(
              start(
                request,
                { deadline: "20 seconds" },
                listener((end) => mine.push(end))
              ).interrupt
            )
          }
          // Of those under way, of those that have ended, and of those that have just begun.
          for (const giveUp of givesUp.filter((_, i) => (i * 31 + round) % 53 === 0)) yield* giveUp
          yield* settle
          yield* TestClock.adjust(100)
        }
        for (let second = 0; second < 60; second++) {
          yield* settle
          yield* TestClock.adjust("1 second")
        }
        assert.isTrue(ends.every((mine) => mine.length === 1))
        const kinds = new Set(ends.map(([end]) => nameOf(end)))
        assert.includeMembers([...kinds], ["hello", "Interrupt", "DeadlineExceeded"])
        const stats = yield* client.stats
        assert.strictEqual(
          stats.reduce((sum, { sent }) => sum + sent, 0),
          transport.sent.length
        )
        for (const one of stats) {
          const failed = Object.values(one.failures).reduce((sum, count) => sum + count, 0)
          assert.strictEqual(one.sent, one.succeeded + failed + one.aborted)
          assert.deepInclude(one, { inflight: 0, queueLen: 0 })
        }
        assert.isTrue(yield* client.drain({ timeout: 0 }))
      })
    )
  })
})

describeWithoutFibers("a request that is started and takes no fiber", () => {
  it.effect("ends once when it is given up from within its being sent", () =>
    withStart(
      config([endpoint({ name: "east", concurrency: 1 })]),
      new FakeTransport(() => ok()),
      Effect.fnUntraced(function* (start, client) {
        const ends: Array<End> = []
        void start(
          request,
          undefined,
          listener(() => {})
        )
        const waiting: StartedGenerate = start(
          request,
          { onSend: () => giveUpNow(waiting) },
          listener((end) => ends.push(end))
        )
        yield* settle
        assert.deepStrictEqual(ends.map(nameOf), ["Interrupt"])
        assert.deepInclude((yield* client.stats)[0]!, { sent: 2, succeeded: 1, aborted: 1, inflight: 0 })
        assert.strictEqual((yield* client.generate(request)).text, "hello")
        assert.isTrue(yield* client.drain({ timeout: 0 }), "nothing is under way")
      })
    )
  )
})
