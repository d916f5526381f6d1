/** Stands in for the terminal, the signals, the client and the batch in tests of the command line. */

import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Command from "effect/cli/Command"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import type { EndpointStats } from "../../../src/domain/genai/EndpointStats.ts"
import { Output, type OutputStream } from "../../../src/layers/cli/Output.ts"
import { type RunInput, runFlags } from "../../../src/layers/cli/RunFlags.ts"
import { StopSignals } from "../../../src/layers/cli/StopSignals.ts"
import type { BatchError, BatchOptions, BatchProgress, BatchReport } from "../../../src/services/BatchRunner.ts"
import { BatchRunner } from "../../../src/services/BatchRunner.ts"
import { GenAiClient } from "../../../src/services/GenAiClient.ts"

export interface Captured extends OutputStream {
  /** All that was written. */
  readonly text: () => string
  /** What was written since the last call. */
  readonly take: () => string
}

/** A stream that remembers what it is told. */
export const capture = (options?: { terminal?: boolean; width?: number; height?: number }): Captured => {
  let written = ""
  let taken = 0
  const { height = 24, terminal = false, width = 80 } = options ?? {}
  const write = (text: string) => {
    written += text
  }
  return {
    write: (text) => Effect.sync(() => write(text)),
    isTerminal: terminal,
    colors: false,
    size: Effect.succeed({ width, height }),
    hideCursor: Effect.sync(() => {
      write("<hide>")
      return Effect.sync(() => write("<show>"))
    }),
    text: () => written,
    take: () => {
      const text = written.slice(taken)
      taken = written.length
      return text
    }
  }
}

/** Signals that the test gives. */
export const makeSignals = () => {
  let stop: Effect.Effect<void> | undefined
  return {
    layer: Layer.succeed(StopSignals, {
      intercept: (effect) =>
        Effect.asVoid(
          Effect.acquireRelease(
            Effect.sync(() => {
              stop = effect
            }),
            () =>
              Effect.sync(() => {
                stop = undefined
              })
          )
        )
    }),
    /** Ctrl-C, the first time. */
    first: Effect.suspend(() => stop ?? Effect.die("nobody listens to signals")),
    isIntercepted: () => stop !== undefined
  }
}

export const progress = (facts: Partial<BatchProgress> = {}): BatchProgress => ({
  total: 10,
  resumed: 0,
  saved: 0,
  failed: 0,
  invalid: 0,
  outstanding: 0,
  ...facts
})

export const report = (facts: Partial<BatchReport> = {}): BatchReport => ({
  ...progress({ saved: 10 }),
  outcome: "completed",
  failures: {},
  samples: [],
  warnings: [],
  elapsedMs: 2000,
  ...facts
})

/** A batch that ends when the test says so. */
export const makeBatch = Effect.fnUntraced(function* (stats: () => ReadonlyArray<EndpointStats>) {
  const options = yield* Ref.make<ReadonlyArray<BatchOptions>>([])
  const end = yield* Deferred.make<BatchReport, BatchError>()
  const stops: Array<unknown> = []
  let now = progress()
  return {
    options: Ref.get(options),
    stops,
    setProgress: (next: BatchProgress) => {
      now = next
    },
    end: (exit: Exit.Exit<BatchReport, BatchError>) => Deferred.done(end, exit),
    layer: Layer.succeed(BatchRunner, {
      start: (given) =>
        Effect.as(
          Ref.update(options, (all) => [...all, given]),
          {
            await: Deferred.await(end),
            progress: Effect.sync(() => now),
            endpoints: Effect.sync(stats),
            stop: (grace) =>
              Effect.sync(() => {
                stops.push(grace)
              })
          }
        ),
      check: () => Effect.die("not part of this test")
    })
  }
})

/** A client that only has figures. */
export const client = (stats: () => ReadonlyArray<EndpointStats>) =>
  Layer.succeed(GenAiClient, {
    generate: () => Effect.die("not part of this test"),
    stream: () => Stream.die("not part of this test"),
    stats: Effect.sync(stats),
    drain: () => Effect.succeed(true)
  })

export const output = (out: OutputStream, err: OutputStream) => Layer.succeed(Output, { out, err })

/** The flags of `run`, parsed by the real parser. */
export const parse = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const parsed = yield* Deferred.make<RunInput>()
    const command = Command.make("run", runFlags, (input) => Deferred.succeed(parsed, input))
    yield* Command.runWith(command, { version: "0.0.0", renderErrors: false })(args)
    return yield* Deferred.await(parsed)
  }).pipe(Effect.provide(NodeServices.layer))
