/**
 * What the batch engine itself costs: rows a second through real files with a client that answers at once.
 *
 * `node benchmarks/batch-files.ts [rows] [ordered] [own|openai|gemini]`; 200,000 rows of our own by default. Results are
 * in the format of the rows.
 */
import { createWriteStream } from "node:fs"
import { join } from "node:path"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { NodeServices } from "@effect/platform-node"
import { Effect, FileSystem, Layer, Stream } from "effect"
import * as FileBatchRunner from "../src/layers/batch/FileBatchRunner.ts"
import { type BatchOptions, BatchRunner } from "../src/services/BatchRunner.ts"
import { GenAiClient } from "../src/services/GenAiClient.ts"

const rows = Number(process.argv[2] ?? 200_000)
const ordered = process.argv.includes("ordered")
const format = (["openai", "gemini"] as const).find((name) => process.argv.includes(name)) ?? "own"

const answer = {
  text: "The sky is blue, for the air scatters the short waves of the light more than the long ones.",
  finishReason: "stop",
  model: "m-1",
  usage: { inputTokens: 20, outputTokens: 30, totalTokens: 50 },
  endpoint: "east",
  attempts: 1,
  latencyMs: 12.3
}

const client = Layer.succeed(
  GenAiClient,
  GenAiClient.of({
    generate: () => Effect.succeed(answer),
    stream: () => Stream.die("batches do not stream"),
    stats: Effect.succeed([]),
    drain: () => Effect.succeed(true)
  })
)

function* input() {
  const about = "Tell me in two sentences why the sky is blue, and say it as a pirate would, with some wind in it."
  for (let index = 0; index < rows; index++) yield `${JSON.stringify(row(index, `Question ${index}: ${about}`))}\n`
}

const row = (index: number, question: string) => {
  switch (format) {
    case "own":
      return { id: index, input: question, metadata: { set: "a" } }
    case "openai": {
      const body = { model: "m-1", messages: [{ role: "user", content: question }], max_tokens: 100 }
      return { custom_id: String(index), method: "POST", url: "/v1/chat/completions", body }
    }
    case "gemini":
      return { key: String(index), request: { contents: [{ role: "user", parts: [{ text: question }] }] } }
  }
}

const measure = (name: string, options: BatchOptions) =>
  Effect.gen(function* () {
    const runner = yield* BatchRunner
    let peak = 0
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().rss)
    }, 50)
    const cpu = process.cpuUsage()
    const started = performance.now()
    const run = yield* runner.start(options)
    const report = yield* run.await
    const ms = performance.now() - started
    const { system, user } = process.cpuUsage(cpu)
    clearInterval(watch)
    const perSecond = Math.round((rows / ms) * 1000).toLocaleString("en-US")
    const cpuPerRow = ((user + system) / rows).toFixed(1)
    const memory = Math.round(peak / 1024 / 1024)
    console.log(`${name}: ${perSecond} rows/s, ${cpuPerRow} us CPU a row, at most ${memory} MiB, ${report.saved} saved`)
  }).pipe(Effect.scoped)

const program = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "batch-files-" })
  const options: BatchOptions = {
    input: join(folder, "in.jsonl"),
    saveFile: join(folder, "out.jsonl"),
    errorsFile: join(folder, "errors.jsonl"),
    existing: "overwrite",
    ordered,
    limit: undefined,
    maxOutstanding: 1024,
    anyObject: false,
    outputFormat: format
  }
  yield* Effect.promise(() => pipeline(Readable.from(input()), createWriteStream(options.input)))
  yield* measure("cold run", options)
  yield* measure("warm run", options)
  yield* measure("resume of a finished run", { ...options, existing: "resume" })
})

Effect.runPromise(
  program.pipe(
    Effect.scoped,
    Effect.provide(FileBatchRunner.layer.pipe(Layer.provide(client), Layer.provideMerge(NodeServices.layer)))
  )
)
