/**
 * What choosing a worker costs, without a dispatcher around it: `npm run bench -- selection`.
 *
 * Each operation chooses one of the workers, adds a job to its load, and ends the oldest job of as many as there are
 * workers. `least-loaded` by its index, against the same policy looking at all workers; the other policies look at all.
 */
import type { Policy } from "../src/domain/dispatch/Policy.ts"
import { type Candidate, makeSelector } from "../src/domain/dispatch/Selection.ts"
import type { Benchmark, Case } from "./support/Benchmark.ts"
import { measure } from "./support/Measure.ts"

interface Worker extends Candidate {
  load: number
}

const run = (choices: number, count: number, choose: Chooser): number => {
  const ended = new Int32Array(count).fill(-1)
  const workers = Array.from({ length: count }, (_, at): Worker => ({ weight: 1 + (at % 3), load: 0, latencyMs: 100 }))
  const { next, changed } = choose(workers)
  for (let choice = 0; choice < choices; choice++) {
    const oldest = ended[choice % count]!
    if (oldest !== -1) {
      workers[oldest]!.load--
      changed(oldest)
    }
    const chosen = next()
    workers[chosen]!.load++
    changed(chosen)
    ended[choice % count] = chosen
  }
  return choices
}

type Chooser = (workers: ReadonlyArray<Worker>) => {
  readonly next: () => number
  readonly changed: (worker: number) => void
}

const byIndex: Chooser = (workers) => {
  const { index } = makeSelector("least-loaded", workers, Math.random)
  if (index === undefined) throw new Error("least-loaded has no index")
  return {
    next: () => {
      const best = index.best()
      index.chose(best)
      return best
    },
    changed: (worker) => index.set(worker, workers[worker]!.load, true)
  }
}

const byScan =
  (policy: Policy): Chooser =>
  (workers) => {
    const selector = makeSelector(policy, workers, Math.random)
    const tier = (): number => 2
    return { next: () => selector.select(tier), changed: () => {} }
  }

const cases = (count: number): ReadonlyArray<Case> => {
  const workers = `${count.toLocaleString("en-US")} workers`
  const make = (name: string, choose: Chooser, share: number): Case => ({
    name: `${name}, ${workers}`,
    group: workers,
    isBaseline: name === "least-loaded by looking at all",
    run: ({ quick }) => {
      const choices = Math.ceil((quick ? 10_000 : 2_000_000) * share)
      run(Math.ceil(choices / 4), count, choose)
      return measure(() => run(choices, count, choose))
    }
  })
  const share = Math.min(1, 50 / count)
  return [
    make("least-loaded by looking at all", byScan("least-loaded"), share),
    make("least-loaded", byIndex, 1),
    make("weighted", byScan("weighted"), share),
    make("weighted-random", byScan("weighted-random"), share),
    make("p2c-ewma", byScan("p2c-ewma"), share)
  ]
}

export const benchmark: Benchmark = {
  name: "selection",
  workload: "up to 2,000,000 choices among 8, 64 or 1,000 workers of weights 1 to 3, one job in flight for each worker",
  operation: "choice",
  cases: [8, 64, 1_000].flatMap(cases),
  targets: [
    {
      claim: "least-loaded among 1,000 workers costs less than a microsecond",
      figure: (figures) => figures.cpuMicros("least-loaded, 1,000 workers"),
      atMost: 1
    }
  ]
}
