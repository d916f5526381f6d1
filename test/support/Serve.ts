/** A running `serve`, for tests that are its clients. */
import { writeFileSync } from "node:fs"
import { Effect } from "effect"
import { type Started, start, temporaryFolder } from "./Cli.ts"

export interface Service extends Started {
  readonly url: string
}

/** Waits for what a process says on standard output. */
export const said = ({ child }: Started, words: RegExp): Effect.Effect<RegExpExecArray> =>
  Effect.callback((resume) => {
    let text = ""
    const listen = (chunk: Buffer) => {
      text += chunk.toString()
      const found = words.exec(text)
      if (found !== null) resume(Effect.succeed(found))
    }
    child.stdout?.on("data", listen)
    return Effect.sync(() => void child.stdout?.off("data", listen))
  })

/** The same, but a process that ends before is a failed test. */
export const saidBeforeEnd = (started: Started, words: RegExp): Effect.Effect<RegExpExecArray> =>
  Effect.raceFirst(
    said(started, words),
    Effect.flatMap(started.finished, ({ code, stderr }) => Effect.die(new Error(`ended with ${code}: ${stderr}`)))
  )

/** Starts the service with a config, in a folder of its own, on any free port. */
export const serve = Effect.fnUntraced(function* (
  config: object,
  options: { readonly env?: Readonly<Record<string, string>> } = {}
) {
  const folder = yield* temporaryFolder
  writeFileSync(folder("dispatcher.json"), JSON.stringify(config))
  const args = ["serve", "--config", folder("dispatcher.json"), "--port", "0", "--request-log", "none"]
  const started = yield* start(args, { cwd: folder(), ...options })
  const [, url = ""] = yield* saidBeforeEnd(started, /serves on (http:\S+?),[\s\S]*Ctrl-C/)
  const service: Service = { ...started, url }
  return service
})

/** Looks again and again until it is so. */
export const until = (condition: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.flatMap(condition, (met) => (met ? Effect.void : Effect.delay(until(condition), "5 millis")))
