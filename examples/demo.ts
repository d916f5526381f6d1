/**
 * The demo: `npm run demo`.
 *
 * Starts three sandbox endpoints (one quick, one that fails often, one with a rate limit), then sends the 2,000 prompts
 * of examples/prompts.jsonl to them with the real command line tool over real HTTP. Costs nothing, takes seconds.
 */
import { spawn } from "node:child_process"
import { mkdir, writeFile } from "node:fs/promises"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { SandboxServer } from "../src/index.ts"

const OUT = "out"

const main = Effect.gen(function* () {
  const quick = yield* SandboxServer.make({ seed: 1, latency: "lognormal:60ms,0.4" })
  const flaky = yield* SandboxServer.make({
    seed: 2,
    latency: "lognormal:120ms,0.5",
    failures: "429=0.03,500=0.05,503=0.04,529=0.02,reset=0.02,truncated=0.02,html=0.02"
  })
  const limited = yield* SandboxServer.make({ seed: 3, latency: "uniform:80ms-200ms", requestsPerSecond: 60 })

  const config = `${OUT}/dispatcher.yaml`
  yield* Effect.promise(() => mkdir(OUT, { recursive: true }))
  yield* Effect.promise(() =>
    writeFile(
      config,
      `# Written by examples/demo.ts: three sandbox endpoints of different weight, speed and temper.
policy: weighted
maxAttempts: 6
retry: { base: 200ms, factor: 2, cap: 3s }
endpoints:
  - name: quick
    kind: openai
    baseUrl: ${quick.url}
    model: sandbox
    weight: 5
    concurrency: 32
    prices: { input: 0.15, output: 0.60 }
  - name: flaky
    kind: openai
    baseUrl: ${flaky.url}
    model: sandbox
    weight: 3
    concurrency: 32
    prices: { input: 0.10, output: 0.40 }
  - name: limited
    kind: openai
    baseUrl: ${limited.url}
    model: sandbox
    weight: 2
    concurrency: 32
    limits: { requestsPerSecond: 50 }
    prices: { input: 0.10, output: 0.40 }
`
    )
  )

  const args = ["run", "examples/prompts.jsonl", "--config", config, "--save_filepath", `${OUT}/results.jsonl`]
  yield* Console.log(`$ genai-dispatcher ${args.join(" ")} --overwrite\n`)
  const code = yield* command([...args, "--overwrite"])

  yield* Console.log("\nWhat the three sandboxes say they received:")
  for (const [name, sandbox] of Object.entries({ quick, flaky, limited })) {
    const stats = yield* sandbox.stats
    const answered = Object.entries(stats.answered).map(([status, count]) => `${count} x ${status}`)
    yield* Console.log(`  ${name.padEnd(8)} ${String(stats.received).padStart(5)} requests: ${answered.join(", ")}`)
  }
  process.exitCode = code
}).pipe(Effect.scoped)

/**
 * Runs the tool as a user would; gives its exit code. Ctrl-C reaches it through the terminal, and the sandboxes stay up
 * until it has ended in its own way.
 */
const command = (args: ReadonlyArray<string>) =>
  Effect.callback<number>((resume) => {
    const child = spawn(process.execPath, ["src/main.ts", ...args], { stdio: "inherit" })
    child.once("exit", (code) => resume(Effect.succeed(code ?? 130)))
  }).pipe(Effect.uninterruptible)

NodeRuntime.runMain(main)
