/** Takes the time, the CPU time and the memory of work in this process, or of a process and its children. */
import { spawn } from "node:child_process"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { Readable } from "node:stream"
import { fileURLToPath } from "node:url"
import type { Measurement } from "./Benchmark.ts"
import { withFolder } from "./Folder.ts"

/** Measures the work, which says how many operations it did, in this process. */
export const measure = async (
  work: () => Promise<number> | number,
  figures?: () => Readonly<Record<string, number>>
): Promise<Measurement> => {
  const cpuBefore = process.cpuUsage()
  const startedAt = performance.now()
  const operations = await work()
  const seconds = (performance.now() - startedAt) / 1_000
  const cpu = process.cpuUsage(cpuBefore)
  return {
    operations,
    seconds,
    cpuSeconds: (cpu.user + cpu.system) / 1_000_000,
    peakRssBytes: process.resourceUsage().maxRSS * 1_024,
    figures: figures?.()
  }
}

const HOOK = fileURLToPath(new URL("./usage-hook.mjs", import.meta.url))

export interface ProcessOptions {
  /** For Node, before the program. */
  readonly args: ReadonlyArray<string>
  readonly operations: number
  /** Modules that are loaded before it. */
  readonly imports?: ReadonlyArray<string> | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly cwd?: string | undefined
  /** Exit codes that are fine. Default: 0. */
  readonly exitCodes?: ReadonlyArray<number> | undefined
  /** Given the last 20,000 characters of its standard output and of its standard error, at its end. */
  readonly onOutput?: ((text: string) => void) | undefined
  /** Written to its standard input, piece by piece as it is read. Default: nothing. */
  readonly input?: Iterable<string> | undefined
  /** What is done while it runs, such as stopping it after a time. */
  readonly during?: ((pid: number) => Promise<void>) | undefined
}

/**
 * Starts Node with the arguments, waits for its end and measures all of it: CPU time and peak memory are the sums over the
 * process and every Node process that it starts. Each writes its own at its end, so none may be killed.
 */
export const measureProcess = (options: ProcessOptions): Promise<Measurement> =>
  withFolder(async (folder) => {
    const startedAt = performance.now()
    const imports = [HOOK, ...(options.imports ?? [])].map((file) => `--import=${file}`)
    const child = spawn(process.execPath, options.args, {
      cwd: options.cwd,
      stdio: "pipe",
      env: { ...process.env, ...options.env, NODE_OPTIONS: imports.join(" "), BENCHMARK_USAGE: folder }
    })
    // A process that ends early says so by its exit code, and not by the pipe that it leaves.
    child.stdin.on("error", () => {})
    Readable.from(options.input ?? []).pipe(child.stdin)
    let errors = ""
    let output = ""
    child.stderr.on("data", (chunk) => {
      errors = `${errors}${chunk}`.slice(-20_000)
    })
    child.stdout.on("data", (chunk) => {
      output = `${output}${chunk}`.slice(-20_000)
    })
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject)
      child.once("close", resolve)
    })
    const [code] = await Promise.all([ended, child.pid === undefined ? undefined : options.during?.(child.pid)])
    const seconds = (performance.now() - startedAt) / 1_000
    if (code === null || !(options.exitCodes ?? [0]).includes(code)) {
      throw new Error(`The process ended with ${code}: ${errors.slice(-2_000)}`)
    }
    options.onOutput?.(`${output}\n${errors}`)
    return { operations: options.operations, seconds, ...(await usageIn(folder)) }
  })

const usageIn = async (folder: string): Promise<Pick<Measurement, "cpuSeconds" | "peakRssBytes">> => {
  const files = await readdir(folder)
  if (files.length === 0) throw new Error("The process did not say what it used: it was killed")
  let cpuSeconds = 0
  let peakRssBytes = 0
  for (const file of files) {
    const usage = JSON.parse(await readFile(join(folder, file), "utf8")) as NodeJS.ResourceUsage
    cpuSeconds += (usage.userCPUTime + usage.systemCPUTime) / 1_000_000
    peakRssBytes += usage.maxRSS * 1_024
  }
  return { cpuSeconds, peakRssBytes }
}

/** What another process, which need not be Node's, has used so far; read from /proc, so on Linux only. */
export const usageOf = async (pid: number): Promise<{ readonly cpuSeconds: number; readonly peakRssBytes: number }> => {
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, "utf8"),
    readFile(`/proc/${pid}/status`, "utf8")
  ])
  // The second field is the program's name in parentheses, and may have spaces; utime and stime are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const peak = /VmHWM:\s+(\d+) kB/.exec(status)
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    peakRssBytes: Number(peak?.[1] ?? 0) * 1_024
  }
}

/** Linux shows times to programs in hundredths of seconds on every machine of today (USER_HZ). */
const TICKS_PER_SECOND = 100
