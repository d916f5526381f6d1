/**
 * Runs a program as the main program of this process: signals, exit code, last words.
 *
 * NodeRuntime.runMain interrupts at the first signal; a run that has requests in flight wants to be asked first. See
 * `StopSignals`.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import { ExitCode } from "./ExitStatus.ts"
import { StopSignals } from "./StopSignals.ts"

/**
 * Signals within so many milliseconds after one that counted are the same one: a terminal sends Ctrl-C to npm and to us,
 * and npm passes it on again.
 */
const SAME_SIGNAL_MS = 200

/** Runs the program and ends the process, once what was written to the standard streams has left it. */
export const runMain = <E>(program: Effect.Effect<void, E, StopSignals>): void => {
  const interceptors: Array<() => void> = []

  const signals = StopSignals.of({
    intercept: Effect.fnUntraced(function* (stop) {
      const asked = yield* Deferred.make<void>()
      const ask = () => void Deferred.doneUnsafe(asked, Exit.void)
      yield* Effect.acquireRelease(
        Effect.sync(() => interceptors.push(ask)),
        () =>
          Effect.sync(() => void interceptors.splice(0, interceptors.length, ...interceptors.filter((f) => f !== ask)))
      )
      yield* Effect.forkScoped(Effect.andThen(Deferred.await(asked), stop))
    })
  })

  const start = Runtime.makeRunMain(({ fiber, teardown }) => {
    let countedAt = Number.NEGATIVE_INFINITY
    let interrupted = false
    const onSignal = (): void => {
      const now = performance.now()
      if (now - countedAt < SAME_SIGNAL_MS) return
      countedAt = now
      // Later, so that what it starts does not keep the second half of a doubled signal waiting until it counts.
      setImmediate(obey)
    }
    const obey = (): void => {
      const intercept = interceptors.pop()
      if (intercept !== undefined) {
        intercept()
        return
      }
      // Someone who asks once more does not want to wait for finalizers either.
      if (interrupted) process.exit(ExitCode.interrupted)
      interrupted = true
      fiber.interruptUnsafe(fiber.id)
    }
    process.on("SIGINT", onSignal)
    process.on("SIGTERM", onSignal)
    fiber.addObserver((exit) => teardown(exit, exitWhenFlushed))
  })

  outliveStandardStreams()
  start(Effect.provideService(program, StopSignals, signals), { disableErrorReporting: true })
}

/** Pipes are written asynchronously on some systems, and process.exit does not wait for them. */
const exitWhenFlushed = (code: number): void => {
  const flushed = (stream: NodeJS.WriteStream) =>
    new Promise<void>((resolve) => {
      if (!stream.writable) return resolve()
      stream.write("", () => resolve())
    })
  void Promise.all([flushed(process.stdout), flushed(process.stderr)]).then(() => process.exit(code))
}

/**
 * `genai-dispatcher run ... | head` closes the pipe early, and a log may fill its disk: work that is under way must not end
 * for that, as it would by an error that nobody listens to. What has to know of it sees that its own write has failed.
 */
const outliveStandardStreams = (): void => {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {})
}
