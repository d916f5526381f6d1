import { readFileSync, writeFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, PlatformError } from "effect"
import { GenAiError, Overloaded } from "../../../src/domain/genai/GenAiError.ts"
import {
  accounted,
  clientOf,
  failure,
  folder,
  instant,
  question,
  range,
  readLines,
  rows,
  runToEnd,
  withRunner
} from "./Harness.ts"

const failing = () =>
  Effect.fail(new GenAiError({ message: "Busy.", reason: new Overloaded({ status: 503 }), attempts: 1 }))

const noSpace = PlatformError.systemError({
  _tag: "Unknown",
  module: "FileSystem",
  method: "write",
  cause: Object.assign(new Error("no space left on device"), { code: "ENOSPC" })
})

/** The real file system, but each write takes at most `atOnce` bytes, and a file at most `space`. */
const narrow = ({ atOnce, space }: { readonly atOnce: number; readonly space: number }) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (fs) => ({
      ...fs,
      open: (path, options) =>
        Effect.map(fs.open(path, options), (file): FileSystem.File => {
          let left = space
          return {
            [FileSystem.FileTypeId]: FileSystem.FileTypeId,
            stat: file.stat,
            sync: file.sync,
            seek: (offset, from) => file.seek(offset, from),
            read: (buffer, options) => file.read(buffer, options),
            readAlloc: (size, options) => file.readAlloc(size, options),
            truncate: (length) => file.truncate(length),
            writeAll: (buffer) => file.writeAll(buffer),
            write: (buffer) =>
              Effect.suspend(() => {
                if (left === 0) return Effect.fail(noSpace)
                const part = buffer.subarray(0, Math.min(atOnce, left))
                left -= part.length
                return file.write(part)
              })
          }
        })
    }))
  ).pipe(Layer.provideMerge(NodeServices.layer))

describe("a write that fails", () => {
  it.live("ends the run by a full disk, with what was answered in the other file", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(5))
      const client = clientOf((request) => (question(request) === "question 3" ? failing() : instant(request)))
      const error = yield* failure(withRunner(client)(runToEnd({ ...dir.options, errorsFile: "/dev/full" })))
      assert.deepInclude(error, { reason: "DiskFull", path: "/dev/full" })
      assert.include(error.message, "make room, then go on with --resume")
      assert.deepStrictEqual(
        readLines(dir.save).map((line) => line["index"]),
        [0, 1, 2, 4]
      )
    })
  )

  it.live("interrupts the calls whose answers could not be written", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(5))
      let interrupted = 0
      const client = clientOf((request) =>
        question(request) === "question 3"
          ? failing()
          : Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      )
      yield* failure(withRunner(client)(runToEnd({ ...dir.options, errorsFile: "/dev/full" })))
      assert.strictEqual(interrupted, 4)
    })
  )

  it.live("leaves only whole lines, and a resumed run completes the files", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(100))
      const full = narrow({ atOnce: 1000, space: 5000 })
      const error = yield* failure(runToEnd(dir.options).pipe(withRunner(clientOf(instant), full)))
      assert.strictEqual(error.reason, "DiskFull")
      const written = readLines(dir.save).length
      assert.isAbove(written, 5)
      assert.isAbove(readFileSync(dir.save).length, 4000)
      const report = yield* withRunner(clientOf(instant))(runToEnd({ ...dir.options, existing: "resume" }))
      assert.strictEqual(report.resumed, written)
      assert.deepStrictEqual(accounted(dir), range(100))
    })
  )

  it.live("is none when the system only takes a few bytes at a time", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(50))
      const slow = narrow({ atOnce: 7, space: 1_000_000 })
      yield* runToEnd(dir.options).pipe(withRunner(clientOf(instant), slow))
      assert.deepStrictEqual(accounted(dir), range(50))
    })
  )
})
