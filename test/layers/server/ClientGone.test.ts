import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import type { ChatEvent } from "../../../src/domain/genai/ChatEvent.ts"
import { ask, fakeClient, rawChat, rawConnection, serve, start } from "./harness.ts"

const body = JSON.stringify(ask("Hello"))
const streamed = JSON.stringify(ask("Hello", { stream: true }))

describe("a client that goes", () => {
  it.live("while it waits for its answer: the request is aborted at the endpoint and the slot is free", () =>
    Effect.gen(function* () {
      const { client, port, records, sandbox, service, until } = yield* start({ latency: "fixed:60s" })
      for (const text of [body, streamed]) {
        const connection = yield* rawConnection(port)
        yield* connection.send(rawChat(text))
        yield* until(sandbox.stats, (stats) => stats.inflight === 1)
        connection.socket.destroy()
        yield* until(sandbox.stats, (stats) => stats.inflight === 0)
      }
      assert.strictEqual((yield* sandbox.stats).aborted, 2)
      yield* until(service.inflight, (inflight) => inflight === 0)
      const [stats] = yield* client.stats
      assert.deepInclude(stats, { inflight: 0, queueLen: 0, sent: 2, aborted: 2 })
      assert.deepEqual(
        records.map(({ isAborted, status }) => [status, isAborted]),
        [
          [499, true],
          [499, true]
        ]
      )
    })
  )

  it.live("in the middle of a stream: the same, and the record says that it had begun", () =>
    Effect.gen(function* () {
      const { client, port, records, sandbox, service, until } = yield* start({
        chunkDelay: "20ms",
        streamChunks: 1000
      })
      const connection = yield* rawConnection(port)
      yield* connection.send(rawChat(streamed))
      yield* connection.until(/data: .*data: .*data: /s)
      connection.socket.resetAndDestroy()
      yield* until(sandbox.stats, (stats) => stats.aborted === 1)
      yield* until(service.inflight, (inflight) => inflight === 0)
      assert.deepInclude((yield* client.stats)[0], { inflight: 0, aborted: 1 })
      assert.deepInclude(records[0], { status: 200, isAborted: true, endpoint: "east" })
    })
  )

  it.live("while its request is queued: nothing is sent for it", () =>
    Effect.gen(function* () {
      const { client, port, sandbox, service, until } = yield* start(
        { latency: "fixed:60s" },
        { endpoint: { concurrency: 1 } }
      )
      const first = yield* rawConnection(port)
      yield* first.send(rawChat(body))
      yield* until(sandbox.stats, (stats) => stats.inflight === 1)
      const second = yield* rawConnection(port)
      yield* second.send(rawChat(body))
      yield* until(client.stats, ([stats]) => stats?.queueLen === 1)
      second.socket.destroy()
      yield* until(client.stats, ([stats]) => stats?.queueLen === 0)
      yield* until(service.inflight, (inflight) => inflight === 1)
      first.socket.destroy()
      yield* until(service.inflight, (inflight) => inflight === 0)
      assert.strictEqual((yield* sandbox.stats).received, 1)
    })
  )

  it.live("while it sends its body: nothing is left of it", () =>
    Effect.gen(function* () {
      const { port, records, sandbox, service, until } = yield* start()
      const connection = yield* rawConnection(port)
      yield* connection.send(rawChat(body).slice(0, -10))
      yield* until(service.inflight, (inflight) => inflight === 1)
      connection.socket.destroy()
      yield* until(service.inflight, (inflight) => inflight === 0)
      assert.deepInclude(records[0], { status: 499, isAborted: true })
      assert.strictEqual((yield* sandbox.stats).received, 0)
    })
  )

  it.live("with requests behind it on the same connection: all of them", () =>
    Effect.gen(function* () {
      const { port, sandbox, service, until } = yield* start({ latency: "fixed:60s" })
      const connection = yield* rawConnection(port)
      yield* connection.send(rawChat(body) + rawChat(streamed) + rawChat(body))
      yield* until(sandbox.stats, (stats) => stats.inflight === 3)
      connection.socket.destroy()
      yield* until(sandbox.stats, (stats) => stats.aborted === 3)
      yield* until(service.inflight, (inflight) => inflight === 0)
    })
  )

  it.live("as one of many: of 200 that go in mid-answer nothing is left", () =>
    Effect.gen(function* () {
      const { client, port, sandbox, service, until } = yield* start({ chunkDelay: "50ms", streamChunks: 1000 })
      const connections = yield* Effect.forEach(
        Array.from({ length: 200 }),
        () => Effect.tap(rawConnection(port), (connection) => connection.send(rawChat(streamed))),
        { concurrency: 50 }
      )
      yield* Effect.forEach(connections, (connection) => connection.until(/data: /), { concurrency: "unbounded" })
      for (const { socket } of connections) socket.destroy()
      yield* until(sandbox.stats, (stats) => stats.aborted === 200)
      yield* until(service.inflight, (inflight) => inflight === 0)
      assert.deepInclude((yield* client.stats)[0], { inflight: 0, queueLen: 0, aborted: 200 })
    })
  )
})

describe("a client that does not read", () => {
  it.live("holds back the endpoint, and gets everything when it reads again", () =>
    Effect.gen(function* () {
      const piece = "x".repeat(10_000)
      const pieces = 5_000
      let pulled = 0
      const events = Stream.fromIterable<ChatEvent>(
        (function* (): Generator<ChatEvent> {
          for (let index = 0; index < pieces; index++) {
            pulled += 1
            yield { _tag: "TextDelta", text: piece }
          }
          yield { _tag: "Finish", finishReason: "stop", model: "m" }
        })(),
        { chunkSize: 1 }
      )
      const { port, service, until } = yield* serve(fakeClient({ stream: () => events }))
      const connection = yield* rawConnection(port)
      connection.socket.pause()
      yield* connection.send(rawChat(streamed, ["connection: close"]))
      // When nothing has been pulled for a while, the way is full.
      let before = -1
      yield* Effect.repeat(
        Effect.andThen(
          Effect.sleep("100 millis"),
          Effect.sync(() => {
            const isStill = pulled > 0 && pulled === before
            before = pulled
            return isStill
          })
        ),
        { until: (isStill) => isStill }
      )
      assert.isBelow(pulled, pieces / 2)
      assert.strictEqual(yield* service.inflight, 1)
      connection.socket.resume()
      const received = yield* connection.closed
      assert.include(received.slice(-100), "[DONE]")
      assert.isAbove(received.length, pieces * piece.length)
      assert.strictEqual(pulled, pieces)
      yield* until(service.inflight, (inflight) => inflight === 0)
    })
  )

  it.live("and goes: what was held back is dropped", () =>
    Effect.gen(function* () {
      const piece: ChatEvent = { _tag: "TextDelta", text: "x".repeat(100_000) }
      const events = Stream.forever(Stream.make(piece))
      let closed = 0
      const stream = Stream.ensuring(
        events,
        Effect.sync(() => {
          closed += 1
        })
      )
      const { port, service, until } = yield* serve(fakeClient({ stream: () => stream }))
      const connection = yield* rawConnection(port)
      yield* connection.send(rawChat(streamed))
      yield* connection.until(/data: /)
      connection.socket.pause()
      connection.socket.resetAndDestroy()
      yield* until(service.inflight, (inflight) => inflight === 0)
      assert.strictEqual(closed, 1)
    })
  )
})
