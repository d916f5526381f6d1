/** Which files a run works on: looked up before any of them is touched. */
import * as NodePath from "node:path"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import { BatchError, type BatchOptions } from "../../services/BatchRunner.ts"
import {
  errorCode,
  inputError,
  inputIsDirectory,
  inputName,
  missingFolder,
  outputError,
  outputName
} from "./FileErrors.ts"
import * as FileIdentity from "./FileIdentity.ts"

/** Where rows come from. */
export interface InputFile {
  /** As the user named it. */
  readonly path: string
  /** `file` can be read more than once, `pipe` (FIFO, device) and `stdin` only once. */
  readonly kind: "file" | "pipe" | "stdin"
}

/** Where results go. */
export interface OutputFile {
  /** As the user named it, for messages. */
  readonly path: string
  /** The file behind all links. */
  readonly target: string
  /** `file` can be resumed, `pipe` (FIFO, device) and `stdout` cannot. */
  readonly kind: "file" | "pipe" | "stdout"
  /** Bytes in the file now; 0 when there is none. */
  readonly size: number
}

export interface BatchPaths {
  readonly input: InputFile
  readonly save: OutputFile
  readonly errors: OutputFile
}

/** Standard input or output. */
const STDIO = "-"

/**
 * Looks up the files of a run. Fails when the input cannot be read, when a result file has no folder or cannot be one,
 * and when two of the three are the same file, by whatever names: standard input and output may be files, too. Nor may
 * what is said on the way go to one of them.
 */
export const lookUp = Effect.fnUntraced(function* (
  options: Pick<BatchOptions, "input" | "saveFile" | "errorsFile">
): Effect.fn.Return<BatchPaths, BatchError, FileSystem.FileSystem> {
  if (options.errorsFile === STDIO) {
    return yield* conflict("-", "The rows that failed cannot go to standard output: name a file for them.")
  }
  const input = yield* lookUpInput(options.input)
  const save = yield* lookUpOutput(options.saveFile)
  const errors = yield* lookUpOutput(options.errorsFile)
  const named = [
    { what: "input", ...input },
    { what: "save file", ...save },
    { what: "errors file", ...errors }
  ]
  for (const [at, one] of named.entries()) {
    for (const other of named.slice(at + 1)) {
      if (isSame(one, other)) {
        const [first, second] = [inputName(one.path), outputName(other.path)]
        const paths = first === second ? first : `${first} and ${second}`
        return yield* conflict(
          other.path,
          `The ${one.what} and the ${other.what} are the same file (${paths}): name another file for one of them.`
        )
      }
    }
  }
  for (const [stream, identity] of speech()) {
    const taken = named.find(({ inode, kind }) => kind !== "stdout" && inode !== undefined && inode === identity)
    if (taken !== undefined) {
      return yield* conflict(
        taken.path,
        `${stream} goes to the ${taken.what}, too (${inputName(taken.path)}): send it to another file.`
      )
    }
  }
  return { input, save, errors }
})

/** Where summaries and progress are written to. */
const speech = () =>
  [
    ["Standard output", FileIdentity.ofDescriptor(1)],
    ["Standard error", FileIdentity.ofDescriptor(2)]
  ] as const

const conflict = (path: string, message: string) => new BatchError({ reason: "OutputConflict", path, message })

interface Identity {
  readonly kind: InputFile["kind"] | OutputFile["kind"]
  readonly target: string
  /** Of a regular file that exists: see `FileIdentity`. */
  readonly inode: string | undefined
}

/** Devices and pipes may be shared: `/dev/null` takes both results. */
const isSame = (one: Identity, other: Identity): boolean =>
  (one.inode !== undefined && one.inode === other.inode) ||
  (one.kind === "file" && other.kind === "file" && one.target === other.target)

const lookUpInput = Effect.fnUntraced(function* (path: string) {
  if (path === STDIO) return { path, target: path, kind: "stdin" as const, inode: FileIdentity.ofDescriptor(0) }
  const fs = yield* FileSystem.FileSystem
  const info = yield* Effect.mapError(fs.stat(path), inputError(path))
  if (info.type === "Directory") return yield* inputIsDirectory(path)
  yield* Effect.mapError(fs.access(path, { readable: true }), inputError(path))
  const target = yield* Effect.mapError(fs.realPath(path), inputError(path))
  return {
    path,
    target,
    kind: info.type === "File" ? ("file" as const) : ("pipe" as const),
    inode: FileIdentity.ofInfo(info)
  }
})

const lookUpOutput = Effect.fnUntraced(function* (path: string) {
  if (path === STDIO) {
    return { path, target: path, kind: "stdout" as const, inode: FileIdentity.ofDescriptor(1), size: 0 }
  }
  const fs = yield* FileSystem.FileSystem
  const there = yield* Effect.option(fs.stat(path))
  if (Option.isSome(there) && there.value.type !== "File" && there.value.type !== "Directory") {
    // By the name that it was given: what /dev/stdout leads to may have none.
    return { path, target: path, kind: "pipe" as const, inode: undefined, size: 0 }
  }
  const target = yield* Effect.catch(canonical(path), (error) =>
    isNotFound(error) ? missingFolder(path) : outputError(path)(error)
  )
  const info = yield* Effect.matchEffect(fs.stat(target), {
    onSuccess: Effect.succeedSome,
    onFailure: (error) => (isNotFound(error) ? Effect.succeedNone : outputError(path)(error))
  })
  if (Option.isNone(info)) return { path, target, kind: "file" as const, inode: undefined, size: 0 }
  const { size, type } = info.value
  if (type === "Directory") {
    return yield* new BatchError({
      reason: "OutputUnwritable",
      path,
      message: `The result file ${path} is a folder: name a file in it.`
    })
  }
  return { path, target, kind: "file" as const, inode: FileIdentity.ofInfo(info.value), size: Number(size) }
})

const MAX_LINKS = 40

/** The file that opening `path` would open or make: links are followed even when nothing is at their end yet. */
const canonical = (path: string, links = 0): Effect.Effect<string, PlatformError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const real = yield* Effect.result(fs.realPath(path))
    if (real._tag === "Success") return real.success
    if (!isNotFound(real.failure) || links > MAX_LINKS) return yield* real.failure
    const link = yield* Effect.option(fs.readLink(path))
    if (Option.isSome(link)) return yield* canonical(NodePath.resolve(NodePath.dirname(path), link.value), links + 1)
    return NodePath.join(yield* fs.realPath(NodePath.dirname(path)), NodePath.basename(path))
  })

const isNotFound = (error: PlatformError): boolean => errorCode(error) === "ENOENT"
