/**
 * Compares two git refs by a benchmark of this work tree: same workload, other sources, and the tool built from them. The
 * rounds of the two alternate, and every second round is the other way round. What an older ref does not have cannot be
 * measured there, and that is an error.
 */
import { execFileSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Measurement } from "./Benchmark.ts"
import { figure, table } from "./Report.ts"
import { type Loaded, load, type RunOptions, repeatsOf, runCase } from "./Runner.ts"
import { median, orderOf, ratios, spread } from "./Statistics.ts"

const ROOT = fileURLToPath(new URL("../..", import.meta.url))

const git = (...args: ReadonlyArray<string>): string =>
  execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).trim()

/** Gives a text that says how the second ref does against the first. */
export const compare = async (refs: readonly [string, string], name: string, options: RunOptions): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "compare-"))
  const commits = refs.map((ref) => git("rev-parse", "--verify", `${ref}^{commit}`))
  const trees = commits.map((_, index) => join(folder, `tree-${index}`))
  try {
    for (const [index, tree] of trees.entries()) {
      mkdirSync(tree)
      git("archive", "--output", `${tree}.tar`, commits[index] ?? "")
      execFileSync("tar", ["-xf", `${tree}.tar`, "-C", tree])
      rmSync(join(tree, "benchmarks"), { recursive: true, force: true })
      cpSync(join(ROOT, "benchmarks"), join(tree, "benchmarks"), {
        recursive: true,
        filter: (path) => !path.endsWith("node_modules")
      })
      for (const packages of ["node_modules", "benchmarks/node_modules"]) {
        if (existsSync(join(ROOT, packages))) symlinkSync(join(ROOT, packages), join(tree, packages))
      }
      execFileSync(process.execPath, ["scripts/bundle.ts"], { cwd: tree, stdio: "inherit" })
    }
    const loaded = await Promise.all(trees.map((tree) => load(join(tree, "benchmarks", `${name}.ts`))))
    return summary(refs, loaded[0]!, await rounds(loaded, options))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

type TreeRounds = ReadonlyMap<string, ReadonlyArray<Array<Measurement>>>

const rounds = async (loaded: ReadonlyArray<Loaded>, options: RunOptions): Promise<TreeRounds> => {
  const { benchmark } = loaded[0]!
  const repeats = repeatsOf(benchmark, options)
  const all = new Map(benchmark.cases.map(({ name }) => [name, loaded.map((): Array<Measurement> => [])]))
  const setup = await benchmark.setup?.({ quick: options.isQuick })
  try {
    for (let round = 0; round < repeats; round++) {
      for (const { name } of benchmark.cases) {
        for (const tree of orderOf(loaded, round)) {
          options.onRun?.(name, round, repeats)
          all.get(name)?.[loaded.indexOf(tree)]?.push(await runCase(tree, name, options.isQuick, setup?.context))
        }
      }
    }
  } finally {
    await setup?.close()
  }
  return all
}

const summary = (refs: readonly [string, string], { benchmark }: Loaded, all: TreeRounds): string => {
  const cpu = (measurements: ReadonlyArray<Measurement>) =>
    median(measurements.map(({ cpuSeconds, operations }) => (cpuSeconds * 1e6) / operations))
  const rows = [...all].map(([name, [first = [], second = []]]) => {
    const ratio = spread(ratios(second, first))
    return [
      name,
      figure(median(first.map(({ operations, seconds }) => operations / seconds))),
      figure(median(second.map(({ operations, seconds }) => operations / seconds))),
      `${figure(ratio.median)} (${figure(ratio.min)} .. ${figure(ratio.max)})`,
      figure(cpu(second) / cpu(first))
    ]
  })
  const head = ["", `${refs[0]} /s`, `${refs[1]} /s`, "ratio", "CPU ratio"]
  return [`${benchmark.name}: ${refs[1]} against ${refs[0]}`, "", ...table([head, ...rows]), ""].join("\n")
}
