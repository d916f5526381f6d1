/** Requests that are wrong in any way, to all routes of a service that runs: it answers or hangs up, and goes on. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { dialectSamples, type Fuzzed, fuzzed, otherSamples } from "../support/Fuzz.ts"
import {
  connection,
  memoryOf,
  requestsInFlight,
  sandboxStats,
  send,
  serviceBefore,
  until,
  worker
} from "../support/Service.ts"

/** `FUZZ=10000 SEED=2 npx vitest run test/e2e/serve-fuzz.test.ts` for others, and more of them. */
const REQUESTS = Number(process.env["FUZZ"] ?? 1_000)
const SEED = Number(process.env["SEED"] ?? 11)

/** Sends the bytes and hangs up as one who has no more to say; what came until the service has hung up too. */
const exchange = (port: number, { bytes, isSlow, isWhole, kind }: Fuzzed) =>
  Effect.gen(function* () {
    const socket = yield* connection(port)
    let received = ""
    socket.setEncoding("latin1")
    socket.on("data", (text: string) => {
      received += text
    })
    const closed = Effect.callback<void>((resume) => {
      const done = () => resume(Effect.void)
      if (socket.closed) done()
      else socket.once("close", done)
    })
    const step = isSlow ? Math.max(1, Math.ceil(bytes.length / 20)) : bytes.length
    for (let at = 0; at < bytes.length && !socket.destroyed; at += step) {
      socket.write(bytes.subarray(at, at + step))
      if (isSlow) yield* Effect.sleep("5 millis")
    }
    // What sends less than it says, or asks to keep the connection, hangs up after a while as any client does.
    const answered = until(Effect.sync(() => /^HTTP\/1\.1 [2-5]\d\d [\s\S]*\r\n\r\n/.test(received)))
    yield* Effect.timeoutOption(Effect.raceFirst(closed, answered), isWhole ? "20 seconds" : "1 second")
    socket.end()
    yield* Effect.timeoutOrElse(closed, {
      duration: "20 seconds",
      orElse: () => Effect.die(new Error(`the connection hangs: ${kind}\n${bytes.toString("latin1").slice(0, 2_000)}`))
    })
    return received
  }).pipe(Effect.scoped)

describe(`${REQUESTS} requests that are wrong in some way, to all routes`, () => {
  it.live(
    "never get a 500, never break or hang the service, and leave nothing behind",
    () =>
      Effect.gen(function* () {
        const { sandbox, service } = yield* serviceBefore(["--answer-tokens", "8"], {
          endpoint: { model: "test-model", concurrency: 64 },
          config: { server: { maxBodySize: "64KiB" } }
        })
        const statuses: Record<string, number> = {}
        const requests = fuzzed([...dialectSamples, ...otherSamples], REQUESTS, SEED)
        yield* Effect.forEach(
          requests,
          (request) =>
            Effect.map(exchange(service.port, request), (received) => {
              const shown = `${request.kind}\n${request.bytes.toString("latin1").slice(0, 2_000)}\n---\n${received.slice(0, 2_000)}`
              for (const [, status = ""] of received.matchAll(/(?:^|\r\n)HTTP\/1\.1 (\d{3}) /g)) {
                statuses[status] = (statuses[status] ?? 0) + 1
                assert.notStrictEqual(status, "500", shown)
                assert.notStrictEqual(status, "502", shown)
              }
              if (request.isWhole) assert.match(received, /^HTTP\/1\.1 \d{3} /, shown)
            }),
          { concurrency: 32, discard: true }
        )
        yield* Effect.logInfo(`answers: ${JSON.stringify(statuses)}; ${Math.round(memoryOf(service) / 1024 / 1024)} MB`)
        assert.isAbove(statuses["200"] ?? 0, 0)
        assert.isAbove(statuses["400"] ?? 0, 0)
        const good = yield* send(`${service.url}/v1/chat/completions`, {
          body: { model: "test-model", messages: [{ role: "user", content: "Hello" }] }
        })
        assert.strictEqual(good.status, 200)
        yield* until(Effect.map(requestsInFlight(service), (inflight) => inflight === 0))
        yield* until(Effect.map(worker(service), ({ inflight, queue_len }) => inflight + queue_len === 0))
        assert.strictEqual((yield* sandboxStats(sandbox)).inflight, 0)
        service.child.kill("SIGTERM")
        const { code, stderr } = yield* service.finished
        assert.strictEqual(code, 0, stderr)
        assert.notMatch(stderr, /defect|ERROR|a bug/, stderr)
      }),
    120_000
  )
})
