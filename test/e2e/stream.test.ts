/** Streamed answers over real HTTP: many at once, given up half-way, from every kind of endpoint, from broken ones. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Redacted, Stream } from "effect"
import type { DispatcherConfig, EndpointConfig, EndpointKind } from "../../src/domain/config/DispatcherConfig.ts"
import type { SandboxStats } from "../../src/domain/sandbox/SandboxStats.ts"
import { type ChatEvent, DispatchedGenAiClient, GenAiClient, Http1Transport, SandboxServer } from "../../src/index.ts"
import type { Sandbox } from "../../src/services/Sandbox.ts"
import { config, endpoint } from "../support/Config.ts"

type Client = GenAiClient["Service"]

const request = { messages: [{ role: "user" as const, content: "hi" }] }

const withClient = <A, E, R>(settings: DispatcherConfig, use: (client: Client) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(GenAiClient, use).pipe(
    Effect.provide(DispatchedGenAiClient.layer(settings).pipe(Layer.provide(Http1Transport.layer)))
  )

const at = (sandbox: Sandbox["Service"], overrides: Partial<EndpointConfig> = {}): EndpointConfig =>
  endpoint({ name: "east", baseUrl: new URL(sandbox.url), ...overrides })

/** Waits until the sandbox says so; fails the test when it does not within 20 seconds. */
const until = (sandbox: Sandbox["Service"], holds: (stats: SandboxStats) => boolean) =>
  Effect.gen(function* () {
    while (!holds(yield* sandbox.stats)) yield* Effect.sleep("5 millis")
  }).pipe(Effect.timeout("20 seconds"))

const textOf = (events: ReadonlyArray<ChatEvent>): string =>
  events.map((event) => (event._tag === "TextDelta" ? event.text : "")).join("")

describe("1,000 streams at once", { timeout: 60_000 }, () => {
  const COUNT = 1_000

  it.live("hold a slot each until they end, and leave nothing behind", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ latency: "fixed:50ms" })
      yield* withClient(
        config([at(sandbox, { concurrency: COUNT })]),
        Effect.fnUntraced(function* (client) {
          const allBegun = Deferred.makeUnsafe<void>()
          let begun = 0
          // Every reader stops at its first event until all others have come as far.
          const read = Effect.suspend(() => {
            let isFirst = true
            return Stream.runCollect(
              Stream.tap(client.stream(request), () => {
                if (!isFirst) return Effect.void
                isFirst = false
                if (++begun === COUNT) Deferred.doneUnsafe(allBegun, Exit.void)
                return Deferred.await(allBegun)
              })
            )
          })
          const reading = yield* Effect.forkChild(
            Effect.forEach(Array.from({ length: COUNT }), () => read, { concurrency: "unbounded" })
          )
          yield* Deferred.await(allBegun)
          assert.strictEqual((yield* client.stats)[0]?.inflight, COUNT)

          for (const events of yield* Fiber.join(reading)) {
            assert.isNotEmpty(textOf(events))
            assert.strictEqual(events.at(-1)?._tag, "Finish")
          }
          const [stats] = yield* client.stats
          assert.deepInclude(stats, {
            sent: COUNT,
            succeeded: COUNT,
            aborted: 0,
            failures: {},
            inflight: 0,
            queueLen: 0
          })
          const seen = yield* sandbox.stats
          assert.deepInclude(seen, { received: COUNT, answered: { 200: COUNT }, aborted: 0, inflight: 0 })
          assert.strictEqual(stats?.outputTokens, seen.completionTokens)
        })
      )
    })
  )

  it.live("never take more slots than there are", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ latency: "uniform:1ms-20ms" })
      yield* withClient(
        config([at(sandbox, { concurrency: 50 })]),
        Effect.fnUntraced(function* (client) {
          yield* Effect.forEach(Array.from({ length: COUNT }), () => Stream.runDrain(client.stream(request)), {
            concurrency: "unbounded"
          })
          const seen = yield* sandbox.stats
          assert.deepStrictEqual(seen.answered, { 200: COUNT })
          assert.isAtMost(seen.maxInflight, 50)
          assert.deepInclude((yield* client.stats)[0], { succeeded: COUNT, inflight: 0, queueLen: 0 })
        })
      )
    })
  )
})

describe("a stream that nobody reads any more", () => {
  /** The first piece comes at once, the next never. */
  const endless = { latency: "fixed:0ms", chunkDelay: "1h" }

  it.live("is aborted at the endpoint when its readers are interrupted", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make(endless)
      yield* withClient(
        config([at(sandbox)]),
        Effect.fnUntraced(function* (client) {
          const allBegun = Deferred.makeUnsafe<void>()
          let begun = 0
          const readers = yield* Effect.forEach(Array.from({ length: 200 }), () =>
            Effect.forkChild(
              Stream.runForEach(client.stream(request), () =>
                Effect.sync(() => {
                  if (++begun === 200) Deferred.doneUnsafe(allBegun, Exit.void)
                })
              )
            )
          )
          yield* Deferred.await(allBegun)
          yield* Fiber.interruptAll(readers)
          yield* until(sandbox, ({ aborted }) => aborted === 200)
          assert.strictEqual((yield* sandbox.stats).inflight, 0)
          assert.deepInclude((yield* client.stats)[0], { sent: 200, aborted: 200, inflight: 0, queueLen: 0 })
        })
      )
    })
  )

  it.live("is aborted at the endpoint when its reader has enough", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make(endless)
      yield* withClient(
        config([at(sandbox)]),
        Effect.fnUntraced(function* (client) {
          yield* Stream.runDrain(Stream.take(client.stream(request), 1))
          yield* until(sandbox, ({ aborted, inflight }) => aborted === 1 && inflight === 0)
          assert.deepInclude((yield* client.stats)[0], { sent: 1, aborted: 1, inflight: 0 })
        })
      )
    })
  )

  it.live("is aborted at the endpoint when its deadline passes", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make(endless)
      yield* withClient(
        config([at(sandbox)]),
        Effect.fnUntraced(function* (client) {
          const error = yield* Effect.flip(Stream.runDrain(client.stream(request, { deadline: "300 millis" })))
          assert.strictEqual(error.reason._tag, "DeadlineExceeded")
          yield* until(sandbox, ({ aborted, inflight }) => aborted === 1 && inflight === 0)
          assert.deepInclude((yield* client.stats)[0], { sent: 1, aborted: 1, failures: {}, inflight: 0 })
        })
      )
    })
  )
})

describe("every kind of endpoint", () => {
  const paths: Record<Exclude<EndpointKind, "raw">, string> = {
    openai: "/v1",
    azure: "/openai/deployments/d?api-version=2024-10-21",
    gemini: "/v1beta",
    vertex: "/v1/projects/p/locations/l/publishers/google",
    anthropic: "",
    cloudflare: "/client/v4/accounts/a/ai"
  }
  const kinds: ReadonlyArray<EndpointKind> = ["openai", "azure", "gemini", "vertex", "anthropic", "cloudflare"]

  for (const kind of kinds) {
    it.live(`streams: ${kind}`, () =>
      Effect.gen(function* () {
        const sandbox = yield* SandboxServer.make({ seed: 5 })
        const baseUrl = new URL(`${sandbox.origin}${paths[kind as keyof typeof paths]}`)
        yield* withClient(
          config([at(sandbox, { kind, baseUrl, model: "some-model", apiKey: Redacted.make("key") })]),
          Effect.fnUntraced(function* (client) {
            const whole = yield* client.generate(request)
            yield* sandbox.reset
            const events = yield* Stream.runCollect(client.stream(request))
            assert.strictEqual(textOf(events), whole.text)
            assert.isAbove(events.filter(({ _tag }) => _tag === "TextDelta").length, 1)
            const finish = events.at(-1)
            assert.deepInclude(finish, { _tag: "Finish", finishReason: whole.finishReason })
            const usage = events.findLast((event) => event._tag === "UsageReport")
            assert.deepStrictEqual(usage?.usage.outputTokens, whole.usage?.outputTokens)
          })
        )
      })
    )
  }
})

describe("an endpoint that breaks", () => {
  const impatient = { connectMs: 5_000, firstByteMs: 300, idleMs: 300, totalMs: 10_000 }

  it.live("is left for another one while no event has been handed on", () =>
    Effect.gen(function* () {
      const hung = yield* SandboxServer.make({ failures: "stall=1" })
      const good = yield* SandboxServer.make()
      const endpoints = [at(hung, { timeouts: impatient }), at(good, { name: "west" })]
      yield* withClient(
        config(endpoints, { retry: { baseMs: 1, factor: 1, capMs: 1 } }),
        Effect.fnUntraced(function* (client) {
          const events = yield* Stream.runCollect(client.stream(request))
          assert.isNotEmpty(textOf(events))
          const [east, west] = yield* client.stats
          assert.deepStrictEqual([east?.failures, west?.succeeded], [{ TimedOut: 1 }, 1])
          yield* until(hung, ({ aborted }) => aborted === 1)
        })
      )
    })
  )

  for (const [fault, reason] of [
    ["stall-body", "TimedOut"],
    ["reset", "ConnectionFailed"],
    ["truncated", "InvalidAnswer"],
    ["stream-error", "ServerError"]
  ] as const) {
    // A machine that is busy elsewhere is no endpoint that stalls.
    const timeouts = { ...impatient, firstByteMs: 5_000, idleMs: fault === "stall-body" ? 300 : 5_000 }
    it.live(`ends the stream with an error in mid-answer: ${fault}`, () =>
      Effect.gen(function* () {
        const sandbox = yield* SandboxServer.make({ failures: `${fault}=1`, latency: "fixed:20ms" })
        const good = yield* SandboxServer.make()
        yield* withClient(
          config([at(sandbox, { timeouts }), at(good, { name: "west" })]),
          Effect.fnUntraced(function* (client) {
            const events: Array<ChatEvent> = []
            const error = yield* Effect.flip(
              Stream.runForEach(client.stream(request), (event) => Effect.sync(() => void events.push(event)))
            )
            assert.isNotEmpty(textOf(events))
            assert.notStrictEqual(events.at(-1)?._tag, "Finish")
            assert.deepInclude(error, { endpoint: "east", attempts: 1 })
            assert.strictEqual(error.reason._tag, reason)
            assert.strictEqual((yield* good.stats).received, 0)
            assert.deepInclude((yield* client.stats)[0], { sent: 1, failures: { [reason]: 1 }, inflight: 0 })
          })
        )
      })
    )
  }
})
