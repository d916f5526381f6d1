import { fork, spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import type { WireResponse } from "../../../src/domain/providers/Wire.ts"
import { Shared } from "../../../src/layers/transport/Call.ts"
import * as Http1Transport from "../../../src/layers/transport/Http1Transport.ts"
import { WholeCall } from "../../../src/layers/transport/WholeCall.ts"
import { Transport, type TransportError } from "../../../src/services/Transport.ts"
import { conformance, request, send, type Traits } from "./conformance.ts"
import { httpServer, tcpServer } from "./servers.ts"
import { streamingConformance } from "./streaming.ts"

const traits: Traits = {
  layer: Http1Transport.layer,
  smallBodies: Http1Transport.layerOptions({ maxBodyBytes: 1_000 }),
  connecting: "connect",
  abortsConnecting: true
}
conformance("Http1Transport", traits)
streamingConformance("Http1Transport", traits)

describe("Http1Transport", () => {
  it.live("keeps the last value of a repeated header", () =>
    Effect.gen(function* () {
      const server = yield* httpServer((_, response) => {
        response.appendHeader("x-part", "first").appendHeader("x-part", "last").appendHeader("x-once", "once").end()
      })
      const { headers } = yield* send(request(server.origin))
      assert.deepStrictEqual([headers["x-part"], headers["x-once"]], ["last", "once"])
    }).pipe(Effect.provide(Http1Transport.layer))
  )

  for (const [how, close] of [
    ["closed", "end"],
    ["reset", "resetAndDestroy"]
  ] as const) {
    it.live(`goes on with a new connection when the endpoint has ${how} the one that was kept`, () =>
      Effect.gen(function* () {
        const server = yield* httpServer((_, response) => void response.end("ok"))
        for (let i = 1; i <= 3; i++) {
          assert.strictEqual((yield* send(request(server.origin))).body, "ok")
          assert.strictEqual(server.accepted(), i)
          // In a timer, so that the end of the connection is on its way when the next request is sent, but not yet seen.
          yield* Effect.sleep(1)
          for (const socket of server.open) socket[close]()
        }
      }).pipe(Effect.provide(Http1Transport.layer))
    )
  }

  it.live("keeps nothing of the connection that broke when its request is sent again", () =>
    Effect.gen(function* () {
      const server = yield* httpServer((_, response) => void response.end("ok"))
      const shared = new Shared({ maxBodyBytes: 1_000, keepAliveMs: 4_000 })
      yield* Effect.addFinalizer(() => Effect.promise(() => shared.close()))
      for (let i = 1; i <= 5; i++) {
        assert.strictEqual((yield* sendOver(shared, server.origin)).body, "ok")
        assert.deepStrictEqual([server.accepted(), shared.connections.size], [i, 1])
        yield* Effect.sleep(1)
        for (const socket of server.open) socket.resetAndDestroy()
      }
    })
  )

  it.live("closes a connection that is not used any more", () =>
    Effect.gen(function* () {
      // Without a `keep-alive` hint, which would count more than the option.
      const server = yield* tcpServer((socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"))
      yield* send(request(server.origin))
      yield* server.allClosed
    }).pipe(Effect.provide(Http1Transport.layerOptions({ keepAliveMs: 50 })))
  )

  it.live("keeps no connection for longer because the process stood still", () =>
    Effect.gen(function* () {
      // It never closes a connection itself.
      const server = yield* tcpServer((socket) => {
        socket.on("data", () => socket.write(OK)).write(OK)
      })
      yield* send(request(server.origin))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_200)
      yield* send(request(server.origin))
      assert.strictEqual(server.accepted(), 2)
    }).pipe(Effect.provide(Http1Transport.layerOptions({ keepAliveMs: 1_000 })))
  )

  it.live("takes an origin for what it is, and shows no password of one", () =>
    Effect.gen(function* () {
      const server = yield* httpServer((received, response) => void response.end(received.headers.host))
      const host = server.origin.slice("http://".length)
      assert.strictEqual((yield* send(request(`HTTP://${host}/`))).body, host)
      for (const origin of [
        `${server.origin}/v1`,
        `http://me:s3cr3t@${host}`,
        "http://127.0.0.1:99999",
        "ftp://127.0.0.1"
      ]) {
        const error = yield* Effect.flip(send(request(origin)))
        assert.strictEqual(error.code, "INVALID_REQUEST", origin)
        assert.notInclude(error.message, "s3cr3t")
      }
    }).pipe(Effect.provide(Http1Transport.layer))
  )

  it.live("fails what is in flight and closes all connections with its scope", () =>
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<void>()
      const silent = yield* tcpServer(() => Deferred.doneUnsafe(arrived, Exit.void))
      const answering = yield* httpServer((_, response) => void response.end("ok"))
      const scope = yield* Scope.make()
      const transport = yield* Scope.provide(Http1Transport.make(), scope)

      yield* transport.send(request(answering.origin))
      const inFlight = yield* Effect.forkChild(Effect.flip(transport.send(request(silent.origin))))
      yield* Deferred.await(arrived)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(inFlight)).code, "CLOSED")
      yield* silent.allClosed
      yield* answering.allClosed

      const late = yield* Effect.flip(transport.send(request(answering.origin)))
      assert.deepStrictEqual([late.phase, late.code], ["connection", "CLOSED"])
    })
  )

  it.live("says what is wrong with a request that cannot be sent, without its values", () =>
    Effect.gen(function* () {
      const server = yield* httpServer((_, response) => void response.end("ok"))
      const key = yield* Effect.flip(send(request(server.origin, { headers: ["x-key", "s3cr3t\n"] })))
      assert.strictEqual(key.code, "INVALID_REQUEST")
      assert.include(key.message, "invalid x-key header")
      assert.notInclude(key.message, "s3cr3t")
      const origin = yield* Effect.flip(send(request("ftp://127.0.0.1")))
      assert.strictEqual(origin.code, "INVALID_REQUEST")
      assert.strictEqual((yield* send(request(server.origin))).body, "ok")
    }).pipe(Effect.provide(Http1Transport.layer))
  )

  it.live("keeps the process alive while a request is under way, and not for connections that are kept", () =>
    Effect.gen(function* () {
      const server = yield* httpServer((_, response) => void setTimeout(() => response.end("late"), 500))
      const program = fileURLToPath(new URL("./sendOnce.ts", import.meta.url))
      const child = spawn(process.execPath, [program, server.origin], { stdio: ["ignore", "pipe", "inherit"] })
      const said: Array<Buffer> = []
      child.stdout.on("data", (chunk: Buffer) => said.push(chunk))
      const [code] = yield* Effect.promise(() => once(child, "close"))
      assert.deepStrictEqual([code, Buffer.concat(said).toString()], [0, "late\n"])
      assert.strictEqual(server.accepted(), 1)
    })
  )

  for (const way of ["send", "open"] as const) {
    it.live(`keeps nothing of a request's body while the answer is awaited (${way})`, () =>
      Effect.gen(function* () {
        const server = yield* tcpServer(() => {})
        const transport = yield* Transport
        const before = heapBytes()
        let left = BODIES
        const allSent = yield* Deferred.make<void>()
        const sent = () => {
          if (--left === 0) Deferred.doneUnsafe(allSent, Exit.void)
        }
        for (let i = 0; i < BODIES; i++) {
          const awaited = Effect.suspend<unknown, TransportError, Scope.Scope>(() =>
            transport[way](request(server.origin, { body: String(i).padEnd(BODY_BYTES, "x") }), { sent })
          )
          yield* Effect.forkScoped(awaited)
        }
        yield* Deferred.await(allSent)
        assert.isBelow(heapBytes() - before, (BODIES * BODY_BYTES) / 2)
      }).pipe(Effect.provide(Http1Transport.layer), Effect.scoped)
    )
  }

  it.live(
    "stands 10,000 answers one after the other, and 10,000 immediate failures",
    () =>
      Effect.gen(function* () {
        const server = yield* httpServer((_, response) => void response.end("ok"))
        yield* Effect.repeat(send(request(server.origin)), { times: 9_999 })
        assert.strictEqual(server.accepted(), 1)
        const failing = Effect.flip(send(request("ftp://127.0.0.1")))
        for (let i = 0; i < 10_000; i++) yield* failing
      }).pipe(Effect.provide(Http1Transport.layer)),
    60_000
  )

  it.live(
    "stands thousands of requests in flight that are all answered at once",
    () =>
      Effect.gen(function* () {
        const server = yield* holdingServer(IN_FLIGHT)
        const answers = yield* Effect.forEach(
          Array.from({ length: IN_FLIGHT }, (_, i) => String(i)),
          (body) =>
            send(request(server, { body, timeouts: { connectMs: 60_000, firstByteMs: 60_000, totalMs: 60_000 } })),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          answers.map((answer) => answer.body),
          Array.from({ length: IN_FLIGHT }, (_, i) => String(i))
        )
      }).pipe(Effect.provide(Http1Transport.layer)),
    60_000
  )
})

/** What is reachable. */
const heapBytes = (): number => {
  setFlagsFromString("--expose-gc")
  runInNewContext("gc")()
  return process.memoryUsage().heapUsed
}
const BODIES = 16
const BODY_BYTES = 4 * 1024 * 1024

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

/** Sends a request over connections that the test can see. */
const sendOver = (shared: Shared, origin: string): Effect.Effect<WireResponse, TransportError> =>
  Effect.callback((resume) => new WholeCall(shared, request(origin), { ended: resume }, undefined).start())

/** As many as this machine allows sockets for, up to 10,000. */
const IN_FLIGHT = Math.min(10_000, openFilesLimit() - 500)

function openFilesLimit(): number {
  const report: unknown = process.report.getReport()
  const limit = /"open_files":\s*\{\s*"soft":\s*"?(\w+)/.exec(JSON.stringify(report))?.[1]
  return limit === undefined || limit === "unlimited" ? Number.POSITIVE_INFINITY : Number(limit)
}

/** A server in a process of its own that answers when so many requests are there, each with its own body. */
const holdingServer = (count: number) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const child = fork(new URL("./holdingServer.ts", import.meta.url), [String(count)])
        const [origin] = await once(child, "message")
        return { child, origin: String(origin) }
      }),
      ({ child }) =>
        Effect.promise(async () => {
          const exited = once(child, "exit")
          child.kill("SIGKILL")
          await exited
        })
    ),
    ({ origin }) => origin
  )
