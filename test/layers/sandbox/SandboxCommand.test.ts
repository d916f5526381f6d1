import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Fiber, Layer, Schedule } from "effect"
import { Command } from "effect/cli"
import { TestConsole } from "effect/testing"
import { request } from "undici"
import { sandboxCommand } from "../../../src/layers/cli/SandboxCommand.ts"

const environment = Layer.mergeAll(
  NodeServices.layer,
  TestConsole.layer,
  ConfigProvider.layer(
    ConfigProvider.fromEnv({ env: { FIRST_KEY: "sk-first", SECOND_KEY: "sk-second", EMPTY_KEY: "" } })
  )
)

const run = (...args: ReadonlyArray<string>) => Command.runWith(sandboxCommand, { version: "0.0.0" })(args)

/** The lines on standard output, once there are so many. */
const lines = (count: number) =>
  TestConsole.logLines.pipe(
    Effect.map((lines) => lines.map(String)),
    Effect.repeat({ until: (lines) => lines.length >= count, schedule: Schedule.spaced("2 millis") })
  )

const post = (url: string, key?: string) =>
  Effect.promise(async () => {
    const response = await request(`${url}/chat/completions`, {
      method: "POST",
      headers: { connection: "close", ...(key === undefined ? undefined : { authorization: `Bearer ${key}` }) },
      body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "x" }] })
    })
    await response.body.text()
    return response.statusCode
  })

const complaint = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(run("--port", "0", ...args))
    assert.strictEqual(error._tag, "SandboxError")
    assert.deepStrictEqual(yield* TestConsole.logLines, [])
    return error.message
  }).pipe(Effect.provide(environment))

describe("sandboxCommand", () => {
  it.live("says where it listens and how to use it, serves until it is interrupted, and sums up", () =>
    Effect.gen(function* () {
      const running = yield* Effect.forkChild(run("--port", "0", "--seed", "7", "--failures", "529=1", "--model", "m"))
      const [listening, use, others, look, down] = yield* lines(5)
      const url = /http:\/\/127\.0\.0\.1:\d+\/v1/.exec(String(listening))?.[0] ?? ""
      assert.strictEqual(listening, `sandbox listening on ${url} (seed 7, latency fixed:0ms, failures 529=1, models m)`)
      assert.include(use, `genai-dispatcher run FILE --endpoint ${url},model=m`)
      const origin = url.replace("/v1", "")
      assert.include(others, `gemini ${origin}/v1beta`)
      assert.include(look, `curl ${origin}/stats`)
      assert.include(down, `${origin}/control`)
      assert.strictEqual(yield* post(url), 529)
      yield* Fiber.interrupt(running)
      const last = (yield* lines(6)).at(-1)
      assert.strictEqual(last, "sandbox stopped: 1 received, 1 x 529, 0 aborted, 0 in flight, at most 1/s")
      const refused = yield* Effect.exit(post(url))
      assert.strictEqual(refused._tag, "Failure")
    }).pipe(Effect.provide(environment))
  )

  it.live("accepts the keys in the variables that it is given, repeated or with commas, and prints none", () =>
    Effect.gen(function* () {
      yield* Effect.forkChild(run("--port", "0", "--api-key-env", "FIRST_KEY,SECOND_KEY", "--api-key-env", "FIRST_KEY"))
      const printed = (yield* lines(5)).join("\n")
      const url = /http:\S+\/v1/.exec(printed)?.[0] ?? ""
      assert.strictEqual(yield* post(url, "sk-first"), 200)
      assert.strictEqual(yield* post(url, "sk-second"), 200)
      assert.strictEqual(yield* post(url, "sk-third"), 401)
      assert.notInclude(printed, "sk-")
    }).pipe(Effect.provide(environment))
  )

  const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
    [["--latency", "unifrom:1ms-2ms"], '--latency: "unifrom" is no distribution; did you mean "uniform"?'],
    [["--failures", "stalled=0.1"], '--failures: "stalled" is no failure; did you mean "stall"?'],
    [["--retry-after", "soon"], '--retry-after: "soon" is not a duration'],
    [["--requests-per-minute", "0"], "--requests-per-minute: must be a whole number from 1 "],
    [["--stream-chunks", "0"], "--stream-chunks: must be a whole number from 1 "],
    [["--chunk-delay", "5"], "--chunk-delay: 5 has no unit"],
    [["--answer-tokens", "0"], "--answer-tokens: must be a whole number from 1 "],
    [["--model", ""], "--model: must not be empty"],
    [["--api-key-env", "NO_KEY"], '--api-key-env: the environment variable "NO_KEY" is not set'],
    [["--api-key-env", "EMPTY_KEY"], '--api-key-env: the environment variable "EMPTY_KEY" is not set']
  ]
  for (const [args, message] of wrong) {
    it.live(`refuses ${args.join(" ")}`, () =>
      Effect.map(complaint(...args), (sentence) => assert.isTrue(sentence.startsWith(message), sentence))
    )
  }
})
