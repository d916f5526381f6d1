/**
 * Is a token limit used and kept, when nobody knows how long answers will be? `node benchmarks/tokens.ts [seconds]`
 *
 * Sends rows through the real tool to a sandbox in a process of its own for `seconds` (default 75), under a limit of
 * 60,000 tokens per minute, and reports what the sandbox counted.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const seconds = Number(process.argv[2] ?? 75)
const limit = 60_000

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))
const folder = await mkdtemp(join(tmpdir(), "tokens-"))
const rows = Array.from({ length: 20_000 }, (_, row) => `{"input":"row ${row}"}\n`).join("")
await writeFile(join(folder, "rows.jsonl"), rows)

const sandbox = spawn(
  process.execPath,
  [main, "sandbox", "--port", "0", "--latency", "uniform:200ms-900ms", "--answer-tokens", "300"],
  { stdio: ["ignore", "pipe", "inherit"] }
)
const [line] = (await once(createInterface(sandbox.stdout), "line")) as [string]
const url = /http:\S+/.exec(line)?.[0] ?? ""
await writeFile(
  join(folder, "config.yaml"),
  `endpoints: [{ name: limited, kind: openai, baseUrl: "${url}", model: m, limits: { tokensPerMinute: ${limit} } }]\n`
)

try {
  const tool = spawn(
    process.execPath,
    [main, "run", join(folder, "rows.jsonl"), "--config", join(folder, "config.yaml"), "--grace", "2s"],
    { stdio: ["ignore", "ignore", "inherit"] }
  )
  setTimeout(() => tool.kill("SIGINT"), seconds * 1_000)
  await once(tool, "exit")

  const stats = (await (await fetch(new URL("/stats", url))).json()) as {
    readonly received: number
    readonly promptTokens: number
    readonly completionTokens: number
    readonly maxTokensPerSlidingMinute: { readonly total: number }
  }
  const { received, promptTokens, completionTokens, maxTokensPerSlidingMinute } = stats
  console.log(
    JSON.stringify({
      limit,
      received,
      tokens: promptTokens + completionTokens,
      fullestMinute: maxTokensPerSlidingMinute.total,
      ofLimit: Number((maxTokensPerSlidingMinute.total / limit).toFixed(4))
    })
  )
} finally {
  sandbox.kill()
  await rm(folder, { recursive: true, force: true })
}
