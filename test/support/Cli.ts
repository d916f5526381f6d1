/** The command line tool as its users have it: a process with arguments, files, signals and an exit code. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

export interface Finished {
  /** `undefined` when a signal ended it. */
  readonly code: number | undefined
  readonly signal: NodeJS.Signals | undefined
  readonly stdout: string
  readonly stderr: string
}

export interface StartOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Written to standard input, which then ends. Default: nothing. */
  readonly input?: string
  /** Most files and connections that it may have open. Default: as many as this process. */
  readonly openFiles?: number
}

/** A running tool. */
export interface Started {
  readonly child: ChildProcess
  readonly finished: Effect.Effect<Finished>
}

/** Starts the tool; it is killed when the scope closes. */
export const start = (args: ReadonlyArray<string>, options: StartOptions = {}) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() =>
        spawn(...limited([process.execPath, MAIN, ...args], options.openFiles), {
          cwd: options.cwd,
          env: { PATH: process.env["PATH"], NO_COLOR: "1", ...options.env },
          stdio: "pipe"
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    (child): Started => {
      const closed = Promise.all([text(child.stdout), text(child.stderr), once(child, "close")])
      child.stdin.on("error", () => {})
      child.stdin.end(options.input ?? "")
      return {
        child,
        finished: Effect.promise(async () => {
          const [stdout, stderr] = await closed
          return { code: child.exitCode ?? undefined, signal: child.signalCode ?? undefined, stdout, stderr }
        })
      }
    }
  )

const limited = (
  [program = "", ...args]: ReadonlyArray<string>,
  openFiles: number | undefined
): readonly [string, ReadonlyArray<string>] =>
  openFiles === undefined
    ? [program, args]
    : ["sh", ["-c", `ulimit -n ${openFiles} && exec "$0" "$@"`, program, ...args]]

/** Runs the tool to its end. */
export const run = (args: ReadonlyArray<string>, options?: StartOptions): Effect.Effect<Finished> =>
  Effect.scoped(Effect.flatMap(start(args, options), (started) => started.finished))

/** Waits for words of a process; they must not have been said before the call. */
export const says = (
  { child }: Started,
  words: RegExp,
  stream: "stderr" | "stdout" = "stdout"
): Effect.Effect<RegExpExecArray> =>
  Effect.callback((resume) => {
    let said = ""
    const listen = (chunk: Buffer) => {
      said += chunk.toString()
      const found = words.exec(said)
      if (found !== null) resume(Effect.succeed(found))
    }
    child[stream]?.on("data", listen)
    return Effect.sync(() => void child[stream]?.off("data", listen))
  })

/** The same; a process that ends before is a failed test. */
export const saysBeforeEnd = (started: Started, words: RegExp): Effect.Effect<RegExpExecArray> =>
  Effect.raceFirst(
    says(started, words),
    Effect.flatMap(started.finished, ({ code, stderr }) => Effect.die(new Error(`ended with ${code}: ${stderr}`)))
  )

/** Looks again and again until it is so. */
export const until = <E, R>(condition: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.flatMap(condition, (met) => (met ? Effect.void : Effect.delay(until(condition), "10 millis")))
