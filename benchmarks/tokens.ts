/** Is a token limit used and kept, when nobody knows how long answers will be? */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Benchmark, Measurement } from "./support/Benchmark.ts"
import { measureProcess } from "./support/Measure.ts"
import { MAIN, withFolder, writeConfig, writeRows } from "./support/Tool.ts"

const LIMIT = 60_000

interface SandboxStats {
  readonly received: number
  readonly promptTokens: number
  readonly completionTokens: number
  readonly maxTokensPerSlidingMinute: { readonly total: number }
}

/** Sends rows for so long, then stops the tool as Ctrl-C does. */
const limited = (seconds: number): Promise<Measurement> =>
  withFolder(async (folder) => {
    const sandbox = spawn(
      process.execPath,
      [MAIN, "sandbox", "--port", "0", "--latency", "uniform:200ms-900ms", "--answer-tokens", "300"],
      { stdio: ["ignore", "pipe", "inherit"] }
    )
    try {
      const [line] = (await once(createInterface(sandbox.stdout), "line")) as [string]
      const url = /http:\S+/.exec(line)?.[0] ?? ""
      await writeRows(join(folder, "rows.jsonl"), 20_000)
      await writeConfig(join(folder, "config.yaml"), {
        endpoints: [{ name: "limited", kind: "openai", baseUrl: url, model: "m", limits: { tokensPerMinute: LIMIT } }]
      })
      const measurement = await measureProcess({
        args: [MAIN, "run", join(folder, "rows.jsonl"), "--config", join(folder, "config.yaml"), "--grace", "2s"],
        operations: 1,
        exitCodes: [130],
        during: async (pid) => {
          await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
          process.kill(pid, "SIGINT")
        }
      })
      const stats = (await (await fetch(new URL("/stats", url))).json()) as SandboxStats
      const fullestMinute = stats.maxTokensPerSlidingMinute.total
      return {
        ...measurement,
        operations: stats.received,
        figures: {
          tokens: stats.promptTokens + stats.completionTokens,
          fullestMinuteTokens: fullestMinute,
          ofLimit: fullestMinute / LIMIT
        }
      }
    } finally {
      sandbox.kill()
    }
  })

const CASE = "60,000 tokens a minute"

export const benchmark: Benchmark = {
  name: "tokens",
  workload:
    "75 s of rows through the tool, to a sandbox whose answers have 300 tokens, under a limit of 60,000 tokens a minute",
  operation: "row",
  repeats: 1,
  cases: [{ name: CASE, run: ({ quick }) => limited(quick ? 5 : 75) }],
  targets: [
    {
      claim: "the fullest minute, of the limit",
      figure: ({ figure }) => figure(CASE, "ofLimit"),
      atLeast: 0.9,
      atMost: 1.05
    }
  ]
}
