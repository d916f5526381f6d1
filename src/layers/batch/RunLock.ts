/** Keeps two runs from writing the same result files. */
import { readFileSync } from "node:fs"
import { hostname } from "node:os"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Scope } from "effect/Scope"
import { BatchError } from "../../services/BatchRunner.ts"
import type { OutputFile } from "./BatchPaths.ts"
import { errorCode, outputError } from "./FileErrors.ts"

/** What a lock file says about the process that made it. */
const Holder = Schema.Struct({
  pid: Schema.Int,
  host: Schema.String,
  /** When the process started, Unix time in milliseconds: tells it from a later one with the same pid. */
  started: Schema.Finite
})
type Holder = typeof Holder.Type

const decodeHolder = Schema.decodeUnknownOption(Schema.fromJsonString(Holder))

const self: Holder = { pid: process.pid, host: hostname(), started: Math.round(performance.timeOrigin) }

/**
 * Holds a file for this run until the scope closes: a lock file beside it, made so that only one can.
 *
 * A lock whose process is gone is taken over. One of another machine cannot be looked at: it counts as held.
 */
export const acquire = (file: OutputFile): Effect.Effect<void, BatchError, FileSystem.FileSystem | Scope> => {
  const lock = `${file.target}.lock`
  return Effect.asVoid(
    Effect.acquireRelease(take(file, lock, 0), () =>
      Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.ignore(fs.remove(lock)))
    )
  )
}

const MAX_TRIES = 5

const take = (file: OutputFile, lock: string, tries: number): Effect.Effect<void, BatchError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const made = yield* Effect.result(fs.writeFileString(lock, JSON.stringify(self), { flag: "wx" }))
    if (made._tag === "Success") return
    if (errorCode(made.failure) !== "EEXIST") return yield* outputError(lock)(made.failure)
    const text = yield* Effect.option(fs.readFileString(lock))
    if (Option.isSome(text)) {
      const holder = yield* readHolder(fs, lock, text.value)
      if (tries === MAX_TRIES || (Option.isSome(holder) && isLive(holder.value))) {
        return yield* heldBy(file, lock, holder)
      }
      yield* removeStale(fs, lock, text.value)
    }
    return yield* take(file, lock, tries + 1)
  })

const GRACE = "50 millis"

/** Who holds the lock. Its maker may not have written it yet: a second look tells that from a maker that was killed. */
const readHolder = (fs: FileSystem.FileSystem, lock: string, text: string) =>
  Effect.gen(function* () {
    const holder = decodeHolder(text)
    if (Option.isSome(holder)) return holder
    yield* Effect.sleep(GRACE)
    return Option.flatMap(yield* Effect.option(fs.readFileString(lock)), decodeHolder)
  })

/**
 * Removes a lock that nobody holds. Two runs may find the same one: it is moved aside first, and put back when it turns
 * out to be the new lock of the other run.
 */
const removeStale = (fs: FileSystem.FileSystem, lock: string, text: string) =>
  Effect.gen(function* () {
    const aside = `${lock}.${process.pid}.${self.started}`
    yield* fs.rename(lock, aside)
    if ((yield* fs.readFileString(aside)) === text) yield* fs.remove(aside)
    else yield* fs.rename(aside, lock)
  }).pipe(Effect.ignore)

const isLive = (holder: Holder): boolean => {
  if (holder.host !== self.host) return true
  if (holder.pid === self.pid) return holder.started === self.started
  try {
    process.kill(holder.pid, 0)
    return !isZombie(holder.pid)
  } catch (error) {
    // Any other refusal means that the process is there and belongs to somebody else.
    return !(error instanceof Error && "code" in error && error.code === "ESRCH")
  }
}

/**
 * Whether it has ended, and its parent has not looked how: in a container whose first process looks after none, one that was
 * killed stays so for good. Only Linux says it here; elsewhere it counts as alive.
 */
const isZombie = (pid: number): boolean => {
  try {
    // Its name, in parentheses, may have any character in it; the state comes after that (man 5 proc).
    const [state] = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1) ?? ""
    return state === "Z"
  } catch {
    return false
  }
}

const heldBy = (file: OutputFile, lock: string, holder: Option.Option<Holder>): BatchError => {
  const who = Option.match(holder, {
    onNone: () => "another run",
    onSome: ({ host, pid }) => (host === self.host ? `another run (pid ${pid})` : `a run on ${host} (pid ${pid})`)
  })
  return new BatchError({
    reason: "OutputBusy",
    path: file.path,
    message: `${file.path} is being written by ${who}: wait for its end, or delete ${lock} if there is no such run.`
  })
}
