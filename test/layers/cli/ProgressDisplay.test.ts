import { stripVTControlCharacters } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { DisplayMode } from "../../../src/layers/cli/ProgressDisplay.ts"
import * as ProgressDisplay from "../../../src/layers/cli/ProgressDisplay.ts"
import { endpoint, rows } from "../../domain/report/Fixtures.ts"
import { capture } from "./Harness.ts"

/** A display over a run that does 100 rows a second, after 50 of an earlier run. */
const show = Effect.fnUntraced(function* (mode: DisplayMode, screen?: { width?: number; height?: number }) {
  const stream = capture({ terminal: mode === "live", ...screen })
  const scope = yield* Scope.make()
  const done = Effect.clockWith((clock) => Effect.map(clock.currentTimeMillis, (ms) => Math.floor(ms / 10)))
  const display = yield* ProgressDisplay.show(mode, stream, {
    title: "p.jsonl",
    rows: Effect.map(done, (saved) => rows({ total: 1050, saved: saved + 50, resumed: 50 })),
    stats: Effect.map(done, (sent) => [
      endpoint("east", { sent, succeeded: sent, outputTokens: sent * 10, inflight: 7 })
    ])
  }).pipe(Scope.provide(scope))
  return { display, stream, close: Scope.close(scope, Exit.void) }
})

describe("plain progress", () => {
  it.effect("says a line after one second and then every two, until the run ends", () =>
    Effect.gen(function* () {
      const { close, stream } = yield* show("plain")
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(stream.take(), "")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(
        stream.take(),
        "1.0s  150/1,050 (14.2%)  ok 150  failed 0  retried 0  in flight 7  100 req/s  1K tok/s  ETA 0:09\n"
      )
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(
        stream
          .take()
          .split("\n")
          .map((line) => line.slice(0, 16)),
        ["3.0s  350/1,050 ", "5.0s  550/1,050 ", ""]
      )
      yield* close
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(stream.take(), "")
    })
  )

  it.effect("says that the run is stopping, and shows it from then on", () =>
    Effect.gen(function* () {
      const { close, display, stream } = yield* show("plain")
      yield* display.stopping("stopping: 7 in flight")
      assert.strictEqual(stream.take(), "stopping: 7 in flight\n")
      yield* TestClock.adjust("1 second")
      assert.match(stream.take(), / stopping\n$/)
      yield* close
    })
  )
})

describe("JSON progress", () => {
  it.effect("is one object per second and line", () =>
    Effect.gen(function* () {
      const { close, display, stream } = yield* show("json")
      yield* TestClock.adjust("2 seconds")
      yield* display.stopping("stopping")
      const objects = stream
        .take()
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line))
      assert.deepStrictEqual(
        objects.map(({ done, message, requests_per_second, type }) => ({ type, done, requests_per_second, message })),
        [
          { type: "progress", done: 150, requests_per_second: 100, message: undefined },
          { type: "progress", done: 250, requests_per_second: 100, message: undefined },
          { type: "stopping", done: undefined, requests_per_second: undefined, message: "stopping" }
        ]
      )
      yield* close
    })
  )
})

describe("no progress", () => {
  it.effect("still says that the run is stopping", () =>
    Effect.gen(function* () {
      const { close, display, stream } = yield* show("none")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(stream.take(), "")
      yield* display.stopping("stopping: 7 in flight")
      assert.strictEqual(stream.take(), "stopping: 7 in flight\n")
      yield* close
    })
  )
})

describe("live progress", () => {
  it.effect("draws at once and then eight times a second, over what it drew before", () =>
    Effect.gen(function* () {
      const { close, stream } = yield* show("live")
      yield* TestClock.adjust(0)
      const first = stream.take()
      assert.isTrue(first.startsWith("<hide>\rp.jsonl  "), first)
      assert.strictEqual(first.split("\n").length - 1, 6)
      yield* TestClock.adjust("125 millis")
      const second = stream.take()
      assert.isTrue(second.startsWith("\r\x1b[6Ap.jsonl  "), second)
      assert.include(second, "ok 62")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(stream.take().split("p.jsonl").length - 1, 8)
      yield* close
    })
  )

  it.effect("wipes itself and shows the cursor at the end, however it ends", () =>
    Effect.gen(function* () {
      const { close, stream } = yield* show("live")
      yield* TestClock.adjust(0)
      stream.take()
      yield* close
      assert.strictEqual(stream.take(), "\r\x1b[6A\x1b[J<show>")
    })
  )

  it.effect("says a sentence above the display and draws it anew below", () =>
    Effect.gen(function* () {
      const { close, display, stream } = yield* show("live")
      yield* TestClock.adjust(0)
      stream.take()
      yield* display.stopping("stopping: 7 in flight")
      const text = stream.take()
      assert.isTrue(text.startsWith("\r\x1b[6Astopping: 7 in flight\x1b[K\np.jsonl"), text)
      assert.include(text, "elapsed 0:00   stopping\x1b[K\n")
      yield* close
    })
  )

  it.effect("finds back to its first line after the terminal was made narrower", () =>
    Effect.gen(function* () {
      const screen = { width: 80, height: 24 }
      const stream = { ...capture({ terminal: true }), size: Effect.sync(() => ({ ...screen })) }
      const scope = yield* Scope.make()
      yield* ProgressDisplay.show("live", stream, {
        title: "p.jsonl",
        rows: Effect.succeed(rows({ total: 100, saved: 50 })),
        stats: Effect.succeed([endpoint("east")])
      }).pipe(Scope.provide(scope))
      yield* TestClock.adjust(0)
      const drawn = stripVTControlCharacters(stream.take().replace("<hide>\r", "")).split("\n").slice(0, -1)
      screen.width = 20
      yield* TestClock.adjust("125 millis")
      const rowsOnScreen = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 20)), 0)
      assert.isAbove(rowsOnScreen, drawn.length)
      assert.isTrue(stream.take().startsWith(`\r\x1b[${rowsOnScreen}A`))
      yield* Scope.close(scope, Exit.void)
    })
  )
})
