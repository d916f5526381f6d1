/** What the tests of the batch engine share: real files in a folder of their own, and clients that do as told. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { Effect, FileSystem, Layer, type Scope, type Stdio, Stream } from "effect"
import type { FormatName } from "../../../src/domain/batch/Row.ts"
import type { GenAiError } from "../../../src/domain/genai/GenAiError.ts"
import { type GenAiRequest, textOfContent } from "../../../src/domain/genai/GenAiRequest.ts"
import type { GenAiAnswer } from "../../../src/domain/genai/GenAiResponse.ts"
import * as FileBatchRunner from "../../../src/layers/batch/FileBatchRunner.ts"
import { type BatchError, type BatchOptions, BatchRunner } from "../../../src/services/BatchRunner.ts"
import { GenAiClient, type GenerateOptions } from "../../../src/services/GenAiClient.ts"

/** A folder with the files of one run. */
export interface Folder {
  readonly path: (name: string) => string
  readonly input: string
  readonly save: string
  readonly errors: string
  readonly options: BatchOptions
}

export const folder: Effect.Effect<Folder, never, Scope.Scope> = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const root = yield* fs.realPath(yield* fs.makeTempDirectoryScoped({ prefix: "batch-" }))
  const path = (name: string) => join(root, name)
  const [input, save, errors] = [path("in.jsonl"), path("out.jsonl"), path("errors.jsonl")]
  return {
    path,
    input,
    save,
    errors,
    options: {
      input,
      saveFile: save,
      errorsFile: errors,
      existing: "refuse" as const,
      ordered: false,
      limit: undefined,
      maxOutstanding: 16,
      anyObject: false
    }
  }
}).pipe(Effect.orDie, Effect.provide(NodeServices.layer))

export const answerTo = (request: GenAiRequest): GenAiAnswer => ({
  text: `answer to ${question(request)}`,
  finishReason: "stop",
  model: "m-1",
  usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 },
  endpoint: "east",
  attempts: 1,
  latencyMs: 5
})

/** The last thing that the user says in a request. */
export const question = (request: GenAiRequest): string => textOfContent(request.messages.at(-1)?.content ?? "")

export type Generate = (request: GenAiRequest, options?: GenerateOptions) => Effect.Effect<GenAiAnswer, GenAiError>

/** Answers every request at once. */
export const instant: Generate = (request) => Effect.succeed(answerTo(request))

export const clientOf = (generate: Generate, drain?: GenAiClient["Service"]["drain"]): GenAiClient["Service"] =>
  GenAiClient.of({
    generate,
    stream: () => Stream.die("batches do not stream"),
    stats: Effect.succeed([]),
    drain: drain ?? (() => Effect.succeed(true))
  })

/** Gives a test the runner over the client, with the real files and standard streams unless others are given. */
export const withRunner =
  (client: GenAiClient["Service"], platform: Layer.Layer<FileSystem.FileSystem | Stdio.Stdio> = NodeServices.layer) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.provide(
      effect,
      FileBatchRunner.layer.pipe(Layer.provide(Layer.succeed(GenAiClient, client)), Layer.provide(platform))
    )

/** Starts a run and waits for its end. */
export const runToEnd = (options: BatchOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const runner = yield* BatchRunner
      const run = yield* runner.start(options)
      return yield* run.await
    })
  )

/** The parsed lines of a file; fails when a line is not JSON or the last one has no line end. */
export const readLines = (path: string): ReadonlyArray<Record<string, unknown>> => {
  const text = readFileSync(path, "utf8")
  if (text === "") return []
  assert.isTrue(text.endsWith("\n"), `${path} ends in a whole line`)
  return text
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line))
}

/** What a line of a result file says about its row, in any format. */
export const marks = (line: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const found = line["_dispatcher"]
  return typeof found === "object" && found !== null ? { ...found } : line
}

/** The number of the row that a result line is of. */
export const indexOf = (line: Readonly<Record<string, unknown>>): number => Number(marks(line)["index"])

/** The indices in both result files, in ascending order. */
export const accounted = (folder: Folder): ReadonlyArray<unknown> =>
  [...readLines(folder.save), ...readLines(folder.errors)].map(indexOf).sort((a, b) => a - b)

export const range = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)

/** Looks again and again until a value is as wanted, and gives it. The test's own timeout ends a wait in vain. */
export const eventually = <A, E, R>(look: Effect.Effect<A, E, R>, wanted: (value: A) => boolean) =>
  Effect.repeat(Effect.delay(look, 1), { until: wanted })

export const FORMATS: ReadonlyArray<FormatName> = ["own", "openai", "gemini"]

/** A row of each format, with its number in its name and its text. */
const rowIn: Record<FormatName, (index: number) => unknown> = {
  own: (index) => ({ id: `row-${index}`, input: `question ${index}` }),
  openai: (index) => ({
    custom_id: `row-${index}`,
    method: "POST",
    url: "/v1/chat/completions",
    body: { model: "gpt-4o-mini", messages: [{ role: "user", content: `question ${index}` }], seed: index }
  }),
  gemini: (index) => ({
    key: `row-${index}`,
    request: { contents: [{ role: "user", parts: [{ text: `question ${index}` }] }], tools: [] }
  })
}

/** `count` rows, each with its number in its text. */
export const rows = (count: number, format: FormatName = "own"): string =>
  range(count)
    .map((index) => `${JSON.stringify(rowIn[format](index))}\n`)
    .join("")

/** The error that an effect fails with. */
export const failure = <A, R>(effect: Effect.Effect<A, BatchError, R>): Effect.Effect<BatchError, never, R> =>
  Effect.flip(effect).pipe(Effect.orDie)
