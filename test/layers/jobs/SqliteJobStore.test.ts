import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { make } from "../../../src/layers/jobs/SqliteJobStore.ts"
import { runChild } from "./ChildProcess.ts"
import { jobStoreSuite, type Written, writtenSuite } from "./jobStoreSuite.ts"
import { idOf, specOf } from "./StoreScenario.ts"
import { storeProcessSuite } from "./storeProcessSuite.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "jobs-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)
const target = Effect.map(folder, (path) => join(path, "in", "jobs.db"))

jobStoreSuite("SQLite", {
  fresh: Effect.map(target, (file) => (instance) => make({ file, instance, lock: false })),
  runs: 60
})

storeProcessSuite("SQLite", {
  kind: "sqlite",
  target,
  open: (file, instance) => make({ file, instance, lock: false })
})

writtenSuite(
  "SQLite",
  Effect.gen(function* () {
    const file = yield* target
    const store = yield* make({ file, instance: "one", lock: false })
    const other = yield* Effect.acquireRelease(
      Effect.sync(() => new DatabaseSync(file)),
      (database) => Effect.sync(() => database.close())
    )
    const write: Written["write"] = (id, { about, spec }) =>
      Effect.sync(() => {
        other.prepare("UPDATE requests SET spec = ? WHERE seq = (SELECT seq FROM jobs WHERE id = ?)").run(spec, id)
        if (about !== undefined) other.prepare("UPDATE jobs SET about = ? WHERE id = ?").run(about, id)
      })
    return { store, write }
  })
)

const opened = (file: string) => make({ file, instance: "one" })

describe("a file of jobs", () => {
  it.live("is one process's alone until that is killed", () =>
    Effect.gen(function* () {
      const file = yield* target
      const holder = yield* runChild({
        kind: "sqlite",
        target: file,
        instance: "child",
        mode: "hold",
        offset: 0,
        shared: false
      })
      yield* Effect.promise(() => holder.wrote(1))
      const error = yield* Effect.flip(opened(file))
      assert.strictEqual(
        error.message,
        `The jobs in ${file} are in use by another process (pid ${holder.pid}): end that one first, or name another file.`
      )
      assert.isFalse(error.isTransient)
      holder.kill()
      const { errors } = yield* Effect.promise(() => holder.ended)
      assert.strictEqual(errors, "", "nothing is said about SQLite being experimental")
      yield* opened(file)
    })
  )

  it.live("is one store's alone within a process, and free when that is closed", () =>
    Effect.gen(function* () {
      const file = yield* target
      const error = yield* Effect.scoped(Effect.andThen(opened(file), Effect.flip(opened(file))))
      assert.include(error.message, `pid ${process.pid}`)
      yield* opened(file)
    })
  )

  it.live("keeps its jobs from one opening to the next", () =>
    Effect.gen(function* () {
      const file = yield* target
      yield* Effect.scoped(
        Effect.flatMap(opened(file), (store) => store.create([specOf(1), specOf(2)], { maxPending: 9 }))
      )
      const store = yield* make({ file, instance: "two", durability: "full" })
      assert.deepStrictEqual(
        (yield* store.list({ limit: 9 })).map(({ id }) => id),
        [idOf(2), idOf(1)]
      )
    })
  )

  it.live("is refused, with a reason, when it is no database, or a later version's, or in a place that is a file", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const text = join(path, "text.db")
      writeFileSync(text, "Not a database at all, but long enough to be looked at. ".repeat(99))
      assert.include((yield* Effect.flip(opened(text))).message, "is not one of SQLite")

      const later = join(path, "later.db")
      yield* Effect.scoped(opened(later))
      const database = new DatabaseSync(later)
      database.exec("PRAGMA user_version = 99")
      database.close()
      assert.include((yield* Effect.flip(opened(later))).message, "later version")

      const error = yield* Effect.flip(opened(join(text, "jobs.db")))
      assert.include(error.message, join(text, "jobs.db"))

      const inner = join(path, "folder.db")
      mkdirSync(inner)
      assert.include((yield* Effect.flip(opened(inner))).message, `${inner} cannot be kept there: it is a folder.`)
    })
  )

  it.live(
    "is refused when it, its lock, what SQLite put beside it or its folder may not be written, by their names",
    () =>
      Effect.gen(function* () {
        const options = { kind: "sqlite", instance: "child", mode: "hold", offset: 0, shared: false } as const
        for (const ending of ["", "-shm", ".lock"]) {
          const file = yield* target
          yield* Effect.scoped(opened(file))
          writeFileSync(file + ending, "", { flag: "a" })
          chmodSync(file + ending, 0o444)
          const { ended } = yield* runChild({ ...options, target: file, isOrdinary: true })
          assert.include((yield* Effect.promise(() => ended)).errors, `change the permissions of ${file}${ending}.`)
        }
        const file = yield* target
        yield* Effect.scoped(opened(file))
        chmodSync(dirname(file), 0o555)
        const { ended } = yield* runChild({ ...options, target: file, isOrdinary: true })
        assert.include(
          (yield* Effect.promise(() => ended)).errors,
          `change the permissions of the folder ${dirname(file)}.`
        )
        chmodSync(dirname(file), 0o755)
      })
  )

  it.live("takes no jobs while it is away from its place, and what it has can be read", () =>
    Effect.gen(function* () {
      const file = yield* target
      const store = yield* opened(file)
      yield* store.create([specOf(1)], { maxPending: 9 })
      renameSync(file, `${file}.away`)
      const error = yield* Effect.flip(store.create([specOf(2)], { maxPending: 9 }))
      assert.include(error.message, `The jobs in ${file} are no longer there`)
      assert.isTrue(error.isTransient)
      writeFileSync(file, "another one")
      assert.include((yield* Effect.flip(store.check)).message, "removed or replaced")
      assert.strictEqual((yield* store.count).Pending, 1)
      renameSync(`${file}.away`, file)
      yield* store.check
      yield* store.create([specOf(2)], { maxPending: 9 })
      assert.strictEqual((yield* store.count).Pending, 2)
    })
  )

  it.live("is waited for while another process writes, and this one does what else it has to do meanwhile", () =>
    Effect.gen(function* () {
      const file = yield* target
      const store = yield* make({ file, instance: "one", lock: false })
      const other = new DatabaseSync(file)
      other.exec("BEGIN IMMEDIATE")
      const creating = yield* Effect.forkChild(store.create([specOf(1)], { maxPending: 9 }), {
        startImmediately: true
      })
      // Within this process: whoever stopped it to wait would wait in vain.
      yield* Effect.sleep("20 millis")
      assert.isUndefined(creating.pollUnsafe())
      other.exec("COMMIT")
      other.close()
      assert.strictEqual((yield* Fiber.join(creating))[0]?._tag, "Created")
    })
  )

  it.live("undoes a call that fails half way, and goes on", () =>
    Effect.gen(function* () {
      const file = yield* target
      const store = yield* make({ file, instance: "one", lock: false })
      const create = (index: number) => store.create([specOf(index)], { maxPending: 9 })
      yield* create(1)
      // The request is in by then: it must go again.
      const other = new DatabaseSync(file)
      other.exec("CREATE TRIGGER full BEFORE INSERT ON jobs BEGIN SELECT RAISE(FAIL, 'no room'); END")
      const error = yield* Effect.flip(create(2))
      assert.include(error.message, file)
      other.exec("DROP TRIGGER full")
      other.close()
      yield* create(3)
      assert.deepStrictEqual(
        (yield* store.list({ limit: 9 })).map(({ id }) => id),
        [idOf(3), idOf(1)]
      )
      assert.strictEqual((yield* store.count).Pending, 2)
    })
  )
})
