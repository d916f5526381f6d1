import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { dialectSamples, type Fuzzed, fuzzed } from "../../support/Fuzz.ts"
import { ask, rawConnection, start } from "./harness.ts"

describe("a thousand requests that are wrong in some way", () => {
  it.live(
    "get an answer that is no failure of the service, or none when they never end",
    () =>
      Effect.gen(function* () {
        const timeouts = { headersMs: 300, requestMs: 500, checkMs: 50 }
        const { chat, port, records, service, until } = yield* start({}, { timeouts })
        const one = ({ bytes, isWhole }: Fuzzed) =>
          Effect.gen(function* () {
            const connection = yield* rawConnection(port)
            yield* connection.send(bytes)
            // What is damaged may ask to keep its connection.
            const answer = yield* Effect.raceFirst(connection.closed, connection.until(/^HTTP\/1\.1 \d{3} .*\r\n\r\n/s))
            const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0)
            assert.notStrictEqual(status, 500, `${bytes.toString("latin1")}\n${answer}`)
            if (isWhole) assert.isAtLeast(status, 200, `${bytes.toString("latin1")}\n${answer}`)
          }).pipe(Effect.scoped)
        yield* Effect.forEach(fuzzed(dialectSamples, 1_000, 7), one, { concurrency: 32, discard: true })
        yield* until(service.inflight, (inflight) => inflight === 0)
        assert.deepEqual(
          records.filter(({ problem }) => problem === "Internal"),
          []
        )
        assert.strictEqual((yield* chat(ask("Hello"))).status, 200)
      }),
    60_000
  )
})
