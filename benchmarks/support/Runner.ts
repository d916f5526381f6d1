/** Runs benchmarks: each run of a case in a process of its own, in rounds. */
import { fork } from "node:child_process"
import { cpus, totalmem } from "node:os"
import { fileURLToPath, pathToFileURL } from "node:url"
import type { Benchmark, CaseOptions, Measurement } from "./Benchmark.ts"
import { caseResults, figuresOf, orderOf, type Result, type Rounds, targetResult } from "./Statistics.ts"

export interface RunOptions {
  readonly isQuick: boolean
  /** Default: the benchmark's own; 1 when quick. */
  readonly repeats?: number | undefined
  /** Told before every run. */
  readonly onRun?: ((name: string, round: number, repeats: number) => void) | undefined
}

/** A benchmark, and the file that has it. */
export interface Loaded {
  readonly file: string
  readonly benchmark: Benchmark
}

export const load = async (file: string): Promise<Loaded> => {
  const module: { readonly benchmark?: Benchmark } = await import(pathToFileURL(file).href)
  if (module.benchmark === undefined) throw new Error(`${file} exports no benchmark`)
  check(module.benchmark)
  return { file, benchmark: module.benchmark }
}

const check = ({ cases, name }: Benchmark): void => {
  if (new Set(cases.map((one) => one.name)).size < cases.length) throw new Error(`${name}: two cases of one name`)
  for (const { group } of cases) {
    const baselines = cases.filter((one) => one.group === group && one.isBaseline === true)
    if (baselines.length > 1) throw new Error(`${name}: more than one baseline in a group`)
  }
}

/** Runs all cases of one benchmark. */
export const run = async (loaded: Loaded, options: RunOptions): Promise<Result> => {
  const { benchmark } = loaded
  const repeats = repeatsOf(benchmark, options)
  const measure = benchmark.measure ?? "rate"
  const startedAt = performance.now()
  const rounds = await rounded(benchmark, repeats, options, (one, context) =>
    runCase(loaded, one, options.isQuick, context)
  )
  const figures = figuresOf(rounds)
  return {
    name: benchmark.name,
    workload: benchmark.workload,
    operation: benchmark.operation,
    measure,
    repeats,
    isQuick: options.isQuick,
    machine: machine(),
    date: new Date().toISOString(),
    cases: caseResults(benchmark, rounds),
    targets: (benchmark.targets ?? []).map((target) => targetResult(target, figures)),
    tookSeconds: Math.round((performance.now() - startedAt) / 1_000),
    charts: benchmark.charts ?? [
      measure === "rate"
        ? { title: `${benchmark.operation}s per second`, of: "perSecond" }
        : { title: `milliseconds per ${benchmark.operation}`, of: "millis" }
    ]
  }
}

export const repeatsOf = (benchmark: Benchmark, { isQuick, repeats }: RunOptions): number =>
  repeats ?? (isQuick ? 1 : (benchmark.repeats ?? 5))

/** All rounds, each of all cases. */
const rounded = async (
  benchmark: Benchmark,
  repeats: number,
  { isQuick, onRun }: RunOptions,
  runOne: (one: string, context: unknown) => Promise<Measurement>
): Promise<ReadonlyMap<string, Rounds>> => {
  const rounds = new Map(benchmark.cases.map(({ name }) => [name, [] as Array<Measurement>]))
  const setup = await benchmark.setup?.({ quick: isQuick })
  try {
    for (let round = 0; round < repeats; round++) {
      for (const { name } of orderOf(benchmark.cases, round)) {
        onRun?.(name, round, repeats)
        rounds.get(name)?.push(await runOne(name, setup?.context))
      }
    }
  } finally {
    await setup?.close()
  }
  return rounds
}

const CASE_PROCESS = fileURLToPath(new URL("./case-process.ts", import.meta.url))

/** One run of one case, in a process of its own, of which nothing that it has started outlives it. */
export const runCase = (
  { benchmark, file }: Loaded,
  name: string,
  quick: boolean,
  context: unknown
): Promise<Measurement> =>
  new Promise((resolve, reject) => {
    const child = fork(CASE_PROCESS, [pathToFileURL(file).href, name], { execArgv: [], detached: true })
    const end = () => endGroup(child.pid)
    let measurement: Measurement | undefined
    const seconds = benchmark.timeoutSeconds ?? 600
    const timer = setTimeout(end, seconds * 1_000)
    process.once("exit", end)
    child.once("message", (message: Measurement) => {
      measurement = message
    })
    child.once("error", reject)
    child.once("exit", (code, signal) => {
      clearTimeout(timer)
      process.off("exit", end)
      end()
      if (measurement !== undefined) resolve(measurement)
      else
        reject(
          new Error(`${benchmark.name}, ${name}: ended with ${signal ?? code}, within ${seconds} s, and no figures`)
        )
    })
    const options: CaseOptions<unknown> = { quick, context }
    child.send(options)
  })

const endGroup = (leader: number | undefined): void => {
  if (leader === undefined) return
  try {
    process.kill(-leader, "SIGKILL")
  } catch (error) {
    // There is nobody left.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error
  }
}

export const machine = (): Result["machine"] => ({
  cores: cpus().length,
  memoryGb: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  system: process.platform
})
