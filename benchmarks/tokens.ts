/** Is a token limit used and kept, when nobody knows how long answers will be? */
import { join } from "node:path"
import type { Benchmark, Measurement } from "./support/Benchmark.ts"
import { withFolder } from "./support/Folder.ts"
import { measureProcess } from "./support/Measure.ts"
import { endpointConfig, PROGRAM, rowsOf, startServer, writeConfig, writeRows } from "./support/Tool.ts"

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
    const sandbox = await startServer(
      [PROGRAM, "sandbox", "--port", "0", "--latency", "uniform:200ms-900ms", "--answer-tokens", "300"],
      /(http:\/\/[\d.:]+)/
    )
    try {
      const [input, config] = [join(folder, "rows.jsonl"), join(folder, "config.json")]
      await writeRows(input, rowsOf(20_000))
      await writeConfig(config, {
        endpoints: [endpointConfig(sandbox.origin, { limits: { tokensPerMinute: LIMIT } })]
      })
      const measurement = await measureProcess({
        args: [PROGRAM, "run", input, "--config", config, "--grace", "2s"],
        operations: 1,
        exitCodes: [130],
        during: async (pid) => {
          await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
          process.kill(pid, "SIGINT")
        }
      })
      const stats = (await (await fetch(`${sandbox.origin}/stats`)).json()) as SandboxStats
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
      await sandbox.close()
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
  charts: [{ title: "tokens of the fullest minute, of the limit", of: "ofLimit", limit: 1 }],
  targets: [
    {
      claim: "the fullest minute has between 0.9 and 1.05 of the limit",
      figure: ({ figure }) => figure(CASE, "ofLimit"),
      atLeast: 0.9,
      atMost: 1.05
    }
  ]
}
