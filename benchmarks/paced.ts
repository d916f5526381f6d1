/**
 * Is the rate limit used fully and never exceeded? `node benchmarks/paced.ts [rate] [seconds] [share of failures]`
 *
 * Sends rows through the real tool at `rate` (default 500/s) for `seconds` (default 20) to a sandbox in a process of its
 * own, with a share (default 0.2) of the answers failing and being retried, and reports what the sandbox received.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createWriteStream } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const rate = Number(process.argv[2] ?? 500)
const seconds = Number(process.argv[3] ?? 20)
const failures = Number(process.argv[4] ?? 0.2)

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))
const folder = await mkdtemp(join(tmpdir(), "paced-"))
const rows = Math.round(rate * seconds * (1 - failures))

const input = createWriteStream(join(folder, "rows.jsonl"))
for (let row = 0; row < rows; row++) input.write(`{"input":"row ${row}"}\n`)
await new Promise<void>((resolve) => input.end(resolve))

const sandbox = spawn(
  process.execPath,
  [main, "sandbox", "--port", "0", "--latency", "uniform:20ms-200ms", "--failures", `500=${failures}`],
  { stdio: ["ignore", "pipe", "inherit"] }
)
const [line] = (await once(createInterface(sandbox.stdout), "line")) as [string]
const url = /http:\S+/.exec(line)?.[0] ?? ""

try {
  const tool = spawn(
    process.execPath,
    [
      ...[main, "run", join(folder, "rows.jsonl"), "--endpoint", `${url},model=m`],
      ...["--max_requests_per_second", String(rate), "--max_attempts", "10", "--progress", "plain"]
    ],
    { stdio: ["ignore", "ignore", "inherit"] }
  )
  await once(tool, "exit")

  const stats = (await (await fetch(new URL("/stats", url))).json()) as {
    readonly received: number
    readonly perSecond: ReadonlyArray<readonly [number, number]>
    readonly maxPerSlidingSecond: number
  }
  // The first second and the last ones are not whole; the tail is thin, because only retries are left.
  const whole = stats.perSecond.slice(1, Math.floor(seconds * 0.9)).map(([, count]) => count)
  const mean = whole.reduce((sum, count) => sum + count, 0) / whole.length
  console.log(
    JSON.stringify({
      rate,
      rows,
      received: stats.received,
      retriedShare: Number((1 - rows / stats.received).toFixed(3)),
      meanPerSecond: Number(mean.toFixed(1)),
      ofLimit: Number((mean / rate).toFixed(4)),
      minPerSecond: Math.min(...whole),
      maxPerSecond: Math.max(...stats.perSecond.map(([, count]) => count)),
      maxPerSlidingSecond: stats.maxPerSlidingSecond
    })
  )
} finally {
  sandbox.kill()
  await rm(folder, { recursive: true, force: true })
}
