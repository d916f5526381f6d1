import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, constants, openSync, readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { text } from "node:stream/consumers"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as RequestLog from "../../../src/layers/telemetry/RequestLog.ts"
import { record } from "../../support/Records.ts"
import { temporaryFolder } from "../../support/TemporaryFolder.ts"

/** A file that is open for writing, and what stands in it. */
const file = Effect.gen(function* () {
  const path = (yield* temporaryFolder)("log")
  const fd = yield* opened(path, "w")
  return { fd, read: () => readFileSync(path, "utf8") }
})

const opened = (path: string, flags: number | "w") =>
  Effect.acquireRelease(
    Effect.sync(() => openSync(path, flags)),
    (fd) => Effect.sync(() => closeSync(fd))
  )

const idsIn = (content: string): ReadonlyArray<string> => {
  assert.isTrue(content === "" || content.endsWith("\n"))
  return content
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line).id)
}

const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `r-${from + i}`)

/** Lets writes that the system does in the background come back. */
const until = (condition: () => boolean) =>
  Effect.promise(async () => {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve))
  })

describe("the log of requests", () => {
  it.effect("writes the lines that have come within 100 ms, whole and in order", () =>
    Effect.gen(function* () {
      const { fd, read } = yield* file
      const log = yield* RequestLog.make({ format: "json", fd })
      for (const id of ids(0, 3)) log.write(record({ id }))
      yield* TestClock.adjust(99)
      assert.strictEqual(read(), "")
      yield* TestClock.adjust(1)
      yield* until(() => read() !== "")
      assert.deepStrictEqual(idsIn(read()), ids(0, 3))
      log.write(record({ id: "r-3" }))
      yield* TestClock.adjust(100)
      yield* until(() => read().split("\n").length > 4)
    })
  )

  it.effect("does not wait when there are many", () =>
    Effect.gen(function* () {
      const { fd, read } = yield* file
      const log = yield* RequestLog.make({ format: "json", fd })
      for (const id of ids(0, 1_000)) log.write(record({ id }))
      // Read in the middle of a write, the last line may be a part of one.
      yield* until(() => read().split("\n").length > 1_000)
      assert.deepStrictEqual(idsIn(read()), ids(0, 1_000))
    })
  )

  it.effect("writes what waits when its scope closes", () =>
    Effect.gen(function* () {
      const { fd, read } = yield* file
      yield* Effect.scoped(
        Effect.map(RequestLog.make({ format: "json", fd }), (log) => {
          for (const id of ids(0, 5)) log.write(record({ id }))
        })
      )
      assert.deepStrictEqual(idsIn(read()), ids(0, 5))
    })
  )

  it.effect("writes nothing when none is wanted, and text when that is", () =>
    Effect.gen(function* () {
      const { fd, read } = yield* file
      yield* Effect.scoped(
        Effect.gen(function* () {
          const none = yield* RequestLog.make({ format: "none", fd })
          const lines = yield* RequestLog.make({ format: "text", fd })
          none.write(record({ id: "unseen" }))
          lines.write(record({ id: "seen" }))
        })
      )
      assert.match(read(), /^time=\S+ id=seen method=POST .*\n$/)
    })
  )

  it.live("drops lines, and says how many, when they cannot be written", () =>
    Effect.gen(function* () {
      const readOnly = openSync("/dev/null", "r")
      const log = yield* RequestLog.make({ format: "json", fd: readOnly })
      for (const id of ids(0, 7)) log.write(record({ id }))
      yield* until(() => log.dropped() > 0)
      assert.strictEqual(log.dropped(), 7)
      log.write(record())
      assert.strictEqual(log.dropped(), 8, "and does not try again")
      closeSync(readOnly)
    })
  )

  const script = (then: string) => `
    import * as Effect from "effect/Effect"
    import * as Scope from "effect/Scope"
    import { make } from "${new URL("../../../src/layers/telemetry/RequestLog.ts", import.meta.url)}"
    import { record } from "${new URL("../../support/Records.ts", import.meta.url)}"
    const log = await Effect.runPromise(Scope.provide(make({ format: "json" }), Scope.makeUnsafe()))
    ${then}`

  const start = (then: string) =>
    spawn(process.execPath, ["--input-type=module", "-e", script(then)], { stdio: ["pipe", "pipe", "pipe"] })

  it.live("writes what waits when the process exits without closing anything", () =>
    Effect.promise(async () => {
      const child = start(`for (let i = 0; i < 20; i++) log.write(record({ id: "r-" + i })); process.exit(0)`)
      const [errors] = await Promise.all([text(child.stderr), once(child, "close")])
      assert.deepStrictEqual(idsIn(errors), ids(0, 20))
    })
  )

  it.live("stands in nobody's way when the log is not read: lines are dropped, and the process ends", () =>
    Effect.gen(function* () {
      const pipe = (yield* temporaryFolder)("pipe")
      execFileSync("mkfifo", [pipe])
      const unread = yield* opened(pipe, constants.O_RDWR | constants.O_NONBLOCK)
      yield* Effect.promise(async () => {
        // Three times what a pipe and the log together hold.
        const child = spawn(
          process.execPath,
          [
            "--input-type=module",
            "-e",
            script(`
              let i = 0
              const more = () => {
                for (let n = 0; n < 4_000; n++) log.write(record({ id: "r-" + i++ }))
                if (i < 100_000) return setImmediate(more)
                console.log("dropped some:", log.dropped() > 0)
                process.exit(3)
              }
              more()`)
          ],
          { stdio: ["ignore", "pipe", unread] }
        )
        const [out, [code]] = await Promise.all([text(child.stdout!), once(child, "close")])
        assert.deepStrictEqual([out, code], ["dropped some: true\n", 3])
      })
    })
  )

  it.live("is not disturbed by a reader that goes away", () =>
    Effect.promise(async () => {
      const child = start(`
        log.write(record({ id: "r-0" }))
        process.stdin.on("end", () => {
          const more = () => {
            log.write(record())
            if (log.dropped() < 3) return setImmediate(more)
            console.log("alive")
            process.exit(3)
          }
          more()
        }).resume()`)
      await once(createInterface(child.stderr), "line")
      child.stderr.destroy()
      child.stdin.end()
      const [out, [code]] = await Promise.all([text(child.stdout), once(child, "close")])
      assert.deepStrictEqual([out, code], ["alive\n", 3])
    })
  )
})
