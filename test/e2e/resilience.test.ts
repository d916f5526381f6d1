/** How a client behaves when endpoints do not: over real HTTP, against servers that are taken down. */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, Redacted } from "effect"
import type { DispatcherConfig } from "../../src/domain/config/DispatcherConfig.ts"
import type { GenAiError } from "../../src/domain/genai/GenAiError.ts"
import type { GenAiAnswer } from "../../src/domain/genai/GenAiResponse.ts"
import { DispatchedGenAiClient, GenAiClient, Http1Transport, SandboxServer } from "../../src/index.ts"
import { config, endpoint } from "../support/Config.ts"

/** `FULL_SIZE=1`: as the requirements have it, some 30 seconds; else a small version of the same. */
const OUTAGE =
  process.env["FULL_SIZE"] === undefined
    ? { rows: 6_000, concurrency: 16, latency: "uniform:20ms-60ms", down: "3s", openMs: 1_000, probes: 4 }
    : { rows: 20_000, concurrency: 64, latency: "uniform:50ms-250ms", down: "10s", openMs: 5_000, probes: 3 }

const withClient = <A, E, R>(
  settings: DispatcherConfig,
  use: (client: GenAiClient["Service"]) => Effect.Effect<A, E, R>
) =>
  Effect.flatMap(GenAiClient, use).pipe(
    Effect.provide(DispatchedGenAiClient.layer(settings).pipe(Layer.provide(Http1Transport.layer)))
  )

/** Asks so many questions at once, `atOnce` at a time; all answers, in order. */
const ask = (
  client: GenAiClient["Service"],
  count: number,
  atOnce: number
): Effect.Effect<ReadonlyArray<GenAiAnswer>, GenAiError> =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => index),
    (index) => client.generate({ messages: [{ role: "user", content: `question ${index}` }] }),
    { concurrency: atOnce }
  )

/** Waits until something holds; fails the test when it does not within 20 seconds. */
const until = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  Effect.gen(function* () {
    while (!(yield* condition)) yield* Effect.sleep("5 millis")
  }).pipe(Effect.timeout("20 seconds"))

/** Collects what is logged, as text. */
const makeLog = () => {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
    lines.push(`${logLevel} ${String(message)}`)
  })
  return { lines, layer: Logger.layer([logger]) }
}

/** A server of one's own making; it remembers when each request came. */
const serve = (answer: (response: ServerResponse, arrival: number) => void) =>
  Effect.gen(function* () {
    const arrivals: Array<number> = []
    const server = createServer((incoming, response) => {
      incoming.resume().once("end", () => {
        arrivals.push(performance.now())
        answer(response, arrivals.length)
      })
    })
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const { port } = server.address() as AddressInfo
    return { url: new URL(`http://127.0.0.1:${port}/v1`), arrivals }
  })

const ANSWER = JSON.stringify({
  choices: [{ message: { role: "assistant", content: "hello" }, finish_reason: "stop" }]
})

const answerWell = (response: ServerResponse): void => {
  response.setHeader("content-type", "application/json")
  response.end(ANSWER)
}

describe("an endpoint that dies in the middle of a run and comes back", () => {
  it.live(
    "costs no row and few sends, and has its share again afterwards",
    () =>
      Effect.gen(function* () {
        const { rows, concurrency, latency, down, openMs, probes } = OUTAGE
        const names = ["east", "north", "west"]
        const sandboxes = yield* Effect.forEach(names, (_, index) => SandboxServer.make({ latency, seed: index + 1 }))
        const endpoints = names.map((name, index) =>
          endpoint({
            name,
            baseUrl: new URL(sandboxes[index]!.url),
            concurrency,
            breaker: { failures: 5, windowMs: 30_000, openMs }
          })
        )
        yield* withClient(
          config(endpoints),
          Effect.fnUntraced(function* (client) {
            const sent = Effect.map(client.stats, (all) => all.map((one) => one.sent))
            const total = Effect.map(sent, (counts) => counts.reduce((sum, count) => sum + count))
            const run = yield* Effect.forkChild(ask(client, rows, 3 * concurrency))
            yield* until(Effect.map(total, (count) => count > rows / 4))

            yield* sandboxes[1]!.control({ mode: "dead", for: down })
            yield* Effect.sleep("1 second")
            const before = yield* sent
            yield* until(Effect.map(total, (count) => count > before[0]! + before[1]! + before[2]! + rows / 10))
            const during = yield* sent
            assert.isAtMost(during[1]! - before[1]!, probes, "only probes are sent to it")
            for (const other of [0, 2]) {
              assert.isAbove(during[other]! - before[other]!, rows / 25, "the others have its share")
            }

            const answers = yield* Fiber.join(run)
            assert.strictEqual(answers.length, rows, "no row fails")
            assert.isAtMost(yield* total, rows * 1.03, "the outage costs few sends")
            const after = (yield* sent)[1]! - during[1]!
            assert.isAbove(after, concurrency, "it has come back")
          })
        )
      }),
    120_000
  )

  it.live("is waited for when there is no other", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ latency: "fixed:5ms" })
      const only = endpoint({
        name: "only",
        baseUrl: new URL(sandbox.url),
        concurrency: 8,
        breaker: { failures: 3, windowMs: 30_000, openMs: 300 }
      })
      yield* withClient(
        config([only], { retry: { baseMs: 10, factor: 2, capMs: 100 } }),
        Effect.fnUntraced(function* (client) {
          yield* sandbox.control({ mode: "dead", for: "1s" })
          const answers = yield* ask(client, 50, 50)
          assert.strictEqual(answers.length, 50)
          assert.isAtMost((yield* client.stats)[0]!.sent, 50 + 8 + 3 + 10, "it was not sent to while it was dead")
        })
      )
    })
  )
})

describe("a pause that all endpoints ask for at once", () => {
  it.live("is kept to: nothing is sent, and then all rows succeed", () =>
    Effect.gen(function* () {
      let limitedFrom = Number.POSITIVE_INFINITY
      const limitedUntil = () => limitedFrom + 1_000
      const answer = (response: ServerResponse): void => {
        const now = performance.now()
        if (now < limitedFrom || now > limitedUntil()) return void setTimeout(() => answerWell(response), 5)
        response.writeHead(429, { "retry-after": "3", "content-type": "application/json" })
        response.end('{"error":{"message":"slow down","code":"rate_limit_exceeded"}}')
      }
      const servers = yield* Effect.forEach(["east", "west"], (name) =>
        Effect.map(serve(answer), (server) => ({ name, server }))
      )
      const endpoints = servers.map(({ name, server }) => endpoint({ name, baseUrl: server.url, concurrency: 10 }))
      yield* withClient(
        config(endpoints),
        Effect.fnUntraced(function* (client) {
          const run = yield* Effect.forkChild(ask(client, 2_000, 100))
          yield* until(Effect.sync(() => servers.every(({ server }) => server.arrivals.length > 100)))
          limitedFrom = performance.now()
          const answers = yield* Fiber.join(run)
          assert.strictEqual(answers.length, 2_000, "all rows succeed")
          for (const { name, server } of servers) {
            const first = server.arrivals.findIndex((time) => time >= limitedFrom)
            const refusedAt = server.arrivals[first]!
            const within = server.arrivals.filter((time) => time > refusedAt && time < refusedAt + 3_000)
            assert.isAtMost(within.length, 9, `${name}: no more than what was in flight already`)
            assert.isEmpty(
              within.filter((time) => time > refusedAt + 1_000),
              `${name}: nothing is sent in the pause`
            )
          }
        })
      )
    })
  )
})

describe("a dead key", () => {
  const key = (text: string) => Redacted.make(text)

  it.live("takes its endpoint out after the first answers, is said once, and costs no row", () =>
    Effect.gen(function* () {
      const log = makeLog()
      const sandbox = yield* SandboxServer.make({ latency: "fixed:5ms", apiKeys: [key("good")] })
      const baseUrl = new URL(sandbox.url)
      const dead = endpoint({ name: "dead", baseUrl, apiKey: key("sk-dead-and-secret"), concurrency: 4 })
      const good = endpoint({ name: "good", baseUrl, apiKey: key("good"), concurrency: 16 })
      yield* withClient(
        config([dead, good]),
        Effect.fnUntraced(function* (client) {
          const answers = yield* ask(client, 500, 50)
          assert.isTrue(answers.every((answer) => answer.endpoint === "good"))
          const [stats] = yield* client.stats
          assert.deepStrictEqual(stats!.failures, { Unauthorized: stats!.sent })
          assert.isAtMost(stats!.sent, 4, "only what was in flight until the first answer")
        })
      ).pipe(Effect.provide(log.layer))
      const said = log.lines.filter((line) => line.includes('"dead"'))
      assert.strictEqual(said.length, 1, log.lines.join("\n"))
      assert.match(said[0]!, /^Error endpoint "dead" gets no more requests/)
      assert.notInclude(log.lines.join("\n"), "sk-dead-and-secret")
    })
  )

  it.live("that is the only one fails all requests at once, those that wait too, with the reason", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ latency: "fixed:5ms", apiKeys: [key("good")] })
      const dead = endpoint({
        name: "dead",
        baseUrl: new URL(sandbox.url),
        apiKey: key("x"),
        concurrency: 2,
        queueCapacity: 3
      })
      yield* withClient(
        config([dead]),
        Effect.fnUntraced(function* (client) {
          const errors = yield* Effect.forEach(
            Array.from({ length: 50 }),
            () => Effect.flip(client.generate({ messages: [{ role: "user", content: "hi" }] })),
            { concurrency: 50 }
          )
          for (const error of errors) assert.strictEqual(error.reason._tag, "Unauthorized", error.message)
          assert.isAtMost((yield* client.stats)[0]!.sent, 2)
        })
      )
    })
  )
})

describe("a hung upstream", () => {
  const timeouts = { connectMs: 2_000, firstByteMs: 300, idleMs: 300, totalMs: 5_000 }
  const hanging: ReadonlyArray<readonly [string, string, (response: ServerResponse) => void]> = [
    ["that takes requests and never answers", "firstByte", () => {}],
    [
      "that stalls in the middle of its answer",
      "idle",
      (response) => {
        response.setHeader("content-type", "application/json")
        response.write(ANSWER.slice(0, 20))
      }
    ]
  ]
  for (const [what, phase, hang] of hanging) {
    it.live(`${what} is left after its timeout, and the rows succeed elsewhere`, () =>
      Effect.gen(function* () {
        const hung = yield* serve(hang)
        const well = yield* serve(answerWell)
        const settings = config(
          [
            endpoint({
              name: "hung",
              baseUrl: hung.url,
              timeouts,
              concurrency: 4,
              breaker: { failures: 4, windowMs: 9_000, openMs: 60_000 }
            }),
            endpoint({ name: "well", baseUrl: well.url, timeouts })
          ],
          { policy: "weighted", retry: { baseMs: 10, factor: 2, capMs: 100 } }
        )
        yield* withClient(
          settings,
          Effect.fnUntraced(function* (client) {
            const answers = yield* ask(client, 40, 20)
            assert.isTrue(answers.every((answer) => answer.endpoint === "well"))
            const [stats] = yield* client.stats
            assert.deepStrictEqual(stats!.failures, { TimedOut: stats!.sent }, phase)
            assert.isAtMost(hung.arrivals.length, 8, "and it is sent to no more")
          })
        )
      })
    )
  }
})
