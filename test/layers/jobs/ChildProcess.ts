/** Runs `storeChild.ts` and reads its lines. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"

export interface ChildOptions {
  readonly kind: "sqlite" | "postgres"
  /** The file, or the URL. */
  readonly target: string
  readonly instance: string
  readonly mode: "create" | "work" | "claim" | "hold"
  /** The number of the first job that is created. */
  readonly offset: number
  readonly shared: boolean
  /** Whether the permissions of files hold for it too when root runs the tests. Default: false. */
  readonly isOrdinary?: boolean
}

export interface Child {
  readonly pid: number | undefined
  /** Waits until it has written so many lines. */
  readonly wrote: (count: number) => Promise<void>
  readonly kill: () => void
  /** All that it wrote, once it has ended. */
  readonly ended: Promise<{ readonly lines: ReadonlyArray<string>; readonly errors: string; readonly signal: unknown }>
}

const script = fileURLToPath(new URL("storeChild.ts", import.meta.url))

const AS_ORDINARY = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]

const start = (options: ChildOptions): Child => {
  const before = options.isOrdinary === true && process.getuid?.() === 0 ? AS_ORDINARY : []
  const [command = process.execPath, ...args] = [...before, process.execPath, script, JSON.stringify(options)]
  const child: ChildProcess = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] })
  const lines: Array<string> = []
  let errors = ""
  const waiting = new Set<() => void>()
  const look = () => {
    for (const each of waiting) each()
  }
  child.stderr?.on("data", (text) => {
    errors += String(text)
  })
  if (child.stdout === null) throw new Error("A piped process has an output.")
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line)
    look()
  })
  const ended = once(child, "close").then(([, signal]) => {
    queueMicrotask(look)
    return { lines, errors, signal }
  })
  return {
    pid: child.pid,
    wrote: (count) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (lines.length >= count) resolve()
          else if (child.exitCode !== null || child.signalCode !== null) {
            reject(new Error(`The process ended after ${lines.length} lines: ${errors}`))
          } else return
          waiting.delete(check)
        }
        waiting.add(check)
        check()
      }),
    kill: () => child.kill("SIGKILL"),
    ended
  }
}

/** A process that is gone at the end of the scope, whatever happens. */
export const runChild = (options: ChildOptions) =>
  Effect.acquireRelease(
    Effect.sync(() => start(options)),
    (child) =>
      Effect.promise(() => {
        child.kill()
        return child.ended
      })
  )
