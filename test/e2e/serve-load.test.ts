/** Many clients that stream at once: all get all of it, and the service's memory does not grow with time. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import {
  bytesOf,
  connection,
  memoryOf,
  type Running,
  requestsInFlight,
  sandboxStats,
  startSandbox,
  startService,
  until,
  worker
} from "../support/Service.ts"
import { temporaryFolder } from "../support/TemporaryFolder.ts"

/** `FULL_SIZE=1 npx vitest run test/e2e/serve-load.test.ts`: 1,000 clients at 20 events a second for 30 s. */
const FULL_SIZE = process.env["FULL_SIZE"] !== undefined
const CLIENTS = Number(process.env["CLIENTS"] ?? (FULL_SIZE ? 1_000 : 50))
const EVENTS = FULL_SIZE ? 600 : 60
/** What all of them get in the first 5 s. */
const FIRST_EVENTS = CLIENTS * 100
const MEGABYTE = 1024 * 1024

const EVENT = "data: "
const LAST = "data: [DONE]\n\n"

/** Streams one answer and counts its events as they come, without keeping them. */
const client = (port: number, onEvent: () => void) =>
  Effect.gen(function* () {
    const socket = yield* connection(port)
    const body = { model: "m", stream: true, messages: [{ role: "user", content: "Hello" }] }
    return yield* Effect.callback<{ readonly events: number; readonly head: string; readonly end: string }>(
      (resume) => {
        let events = 0
        let head = ""
        let end = ""
        socket.setEncoding("latin1")
        socket.on("data", (chunk: string) => {
          if (head === "") head = chunk.slice(0, 12)
          // An event's first letters may be parted: what is left of the chunk before goes with this one.
          const seen = end.slice(-(EVENT.length - 1)) + chunk
          for (let at = seen.indexOf(EVENT); at >= 0; at = seen.indexOf(EVENT, at + 1)) {
            events++
            onEvent()
          }
          end = (end + chunk).slice(-100)
        })
        socket.once("close", () => resume(Effect.succeed({ events, head, end })))
        socket.write(bytesOf("/v1/chat/completions", body, ["connection: close"]))
      }
    )
  }).pipe(Effect.scoped)

const megabytesOf = (service: Running): number => Math.round(memoryOf(service) / MEGABYTE)

describe(`${CLIENTS} clients that stream at 20 events a second each`, () => {
  it.live(
    "get all of their answers, while memory stays flat",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const sandbox = yield* startSandbox([
          ...["--stream-chunks", String(EVENTS), "--chunk-delay", "50ms"],
          ...["--answer-tokens", String(EVENTS * 8)]
        ])
        const service = yield* startService({
          folder,
          sandbox: sandbox.url,
          endpoint: { concurrency: Math.max(1_000, CLIENTS) }
        })
        let events = 0
        /** In megabytes, each second: before and after so many events as all get in the first 5 s. */
        const early: Array<number> = []
        const late: Array<number> = []
        const sample = () => (events < FIRST_EVENTS ? early : late).push(megabytesOf(service))
        yield* Effect.forkScoped(Effect.forever(Effect.delay(Effect.sync(sample), "1 second")))
        const startedAt = yield* Clock.currentTimeMillis
        const stream = client(service.port, () => {
          events++
        })
        const answers = yield* Effect.all(
          Array.from({ length: CLIENTS }, () => stream),
          { concurrency: "unbounded" }
        )
        sample()
        const seconds = ((yield* Clock.currentTimeMillis) - startedAt) / 1_000
        yield* Effect.logInfo(
          `${CLIENTS} clients, ${events} events in ${seconds.toFixed(1)} s; MB in each second: ` +
            `${early.join(" ")}, and after the first 5: ${late.join(" ")}`
        )
        for (const { end, events, head } of answers) {
          assert.strictEqual(head, "HTTP/1.1 200")
          assert.include(end, LAST)
          assert.isAtLeast(events, EVENTS)
        }
        assert.strictEqual(new Set(answers.map(({ events }) => events)).size <= 2, true, "all had as many events")
        if (FULL_SIZE) assert.isAtMost(Math.max(...late), late[0]! * 1.1 + 10)
        yield* until(Effect.map(worker(service), ({ inflight, queue_len }) => inflight + queue_len === 0))
        yield* until(Effect.map(requestsInFlight(service), (inflight) => inflight === 0))
        const stats = yield* sandboxStats(sandbox)
        assert.deepInclude(stats, { received: CLIENTS, aborted: 0 })
      }),
    180_000
  )
})
