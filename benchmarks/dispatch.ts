/**
 * What a dispatch costs, with metrics, interruption and least-loaded selection on: `npm run bench -- dispatch`.
 *
 * `at once` has a free slot for every job and takes the fast way; `queued` has fewer slots than submitters, so that jobs
 * go through a queue. Jobs answer immediately, or after a turn of the event loop: `Effect.yieldNow` here, `setImmediate`
 * with p-queue and fastq, which is what `yieldNow` does.
 */
import * as Effect from "effect/Effect"
import * as fastq from "fastq"
import PQueue from "p-queue"
import { Dispatcher } from "../src/index.ts"
import type { Benchmark, Case, Measurement } from "./support/Benchmark.ts"
import { measure } from "./support/Measure.ts"

const SUBMITTERS = 2_048

interface Size {
  readonly quick: boolean
}

const jobsOf = ({ quick }: Size): number => (quick ? 10_000 : 200_000)

type Kind = "immediate" | "yielding"

/** Each submitter takes the next number until all are done. */
const withEffect = (submit: (job: number) => Effect.Effect<unknown, unknown>, jobs: number): Promise<number> => {
  let next = 0
  const submitter = Effect.whileLoop({ while: () => next < jobs, body: () => submit(next++), step: () => {} })
  const all = Effect.forEach(Array.from({ length: SUBMITTERS }), () => submitter, {
    concurrency: "unbounded",
    discard: true
  })
  return Effect.runPromise(Effect.as(all, jobs))
}

const withPromises = async (submit: (job: number) => Promise<unknown>, jobs: number): Promise<number> => {
  let next = 0
  const submitter = async (): Promise<void> => {
    while (next < jobs) await submit(next++)
  }
  await Promise.all(Array.from({ length: SUBMITTERS }, submitter))
  return jobs
}

/** The first round is for the compiler. */
const warmed = async (work: (jobs: number) => Promise<number>, size: Size): Promise<Measurement> => {
  await work(Math.floor(jobsOf(size) / 4))
  return measure(() => work(jobsOf(size)))
}

const effectJob = (kind: Kind) =>
  kind === "immediate"
    ? (job: number): Effect.Effect<number> => Effect.succeed(job)
    : (job: number): Effect.Effect<number> => Effect.as(Effect.yieldNow, job)

const promiseJob = (kind: Kind) =>
  kind === "immediate"
    ? (job: number): Promise<number> => Promise.resolve(job)
    : (job: number): Promise<number> => new Promise((resolve) => setImmediate(resolve, job))

interface Pool {
  readonly workers: number
  readonly concurrency: number
  readonly sessions?: number
  /** Every request may go to a tenth of the workers only. */
  readonly excludes?: boolean
}

const dispatch = (kind: Kind, pool: Pool, size: Size): Promise<Measurement> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const dispatcher = yield* Dispatcher.makePool({
        size: pool.workers,
        concurrency: pool.concurrency,
        handler: effectJob(kind),
        affinity: { ttl: "1 hour", capacity: 2_000_000, onUnavailable: "wait" }
      })
      const { sessions = 0 } = pool
      const live = size.quick ? Math.min(sessions, 10_000) : sessions
      const exclude = new Set(
        Array.from({ length: pool.workers }, (_, at) => `worker-${at}`).filter((_, at) => at % 10)
      )
      const submit =
        live > 0
          ? (job: number) => dispatcher.submit(job, { session: `session-${(job * 7_919) % live}` })
          : pool.excludes === true
            ? (job: number) => dispatcher.submit(job, { exclude })
            : (job: number) => dispatcher.submit(job)
      // All sessions live before the first that counts.
      yield* Effect.promise(() => withEffect(submit, live))
      return yield* Effect.promise(() => warmed((jobs) => withEffect(submit, jobs), size))
    }).pipe(Effect.scoped)
  )

/** A group is compared with p-queue at the same kind of jobs and the same number of slots. */
const group = (kind: Kind, way: "at once" | "queued"): ReadonlyArray<Case> => {
  const slots = way === "at once" ? 4_096 : 256
  const name = (what: string): string => `${what}, ${kind}, ${way}`
  const ours = (what: string, pool: Omit<Pool, "concurrency">): Case => ({
    name: name(what),
    group: name("jobs"),
    run: (size) => dispatch(kind, { ...pool, concurrency: Math.max(1, Math.ceil(slots / pool.workers)) }, size)
  })
  const baselines: ReadonlyArray<Case> = [
    {
      name: name("p-queue"),
      group: name("jobs"),
      isBaseline: true,
      run: (size) => {
        const queue = new PQueue({ concurrency: slots })
        const work = promiseJob(kind)
        return warmed((jobs) => withPromises((job) => queue.add(() => work(job)), jobs), size)
      }
    },
    {
      name: name("fastq"),
      group: name("jobs"),
      run: (size) => {
        const queue = fastq.promise(promiseJob(kind), slots)
        return warmed((jobs) => withPromises((job) => queue.push(job), jobs), size)
      }
    },
    {
      name: name("no dispatcher"),
      group: name("jobs"),
      run: (size) => warmed((jobs) => withEffect(effectJob(kind), jobs), size)
    }
  ]
  const pools = [ours("8 workers", { workers: 8 }), ours("1,000 workers", { workers: 1_000 })]
  if (way === "queued") return [...baselines, ...pools]
  return [
    ...baselines,
    ...pools,
    ours("1,000 workers of which 100 may be used", { workers: 1_000, excludes: true }),
    ours("1,000 sessions", { workers: 8, sessions: 1_000 }),
    ours("100,000 sessions", { workers: 8, sessions: 100_000 }),
    ours("1,000,000 sessions", { workers: 8, sessions: 1_000_000 })
  ]
}

const kinds: ReadonlyArray<Kind> = ["immediate", "yielding"]

export const benchmark: Benchmark = {
  name: "dispatch",
  workload: `200,000 jobs that do nothing, ${SUBMITTERS} submitters at once, 4,096 slots (at once) or 256 (queued)`,
  operation: "job",
  cases: kinds.flatMap((kind) => [...group(kind, "at once"), ...group(kind, "queued")]),
  targets: kinds.flatMap((kind) => {
    const atLeast = kind === "immediate" ? 2 : 1
    const against = `p-queue, ${kind}, at once`
    const target = (what: string, share: number) => ({
      claim: `${what}, ${kind}: at least ${share * atLeast} x p-queue's rate`,
      figure: (figures: { ratio: (name: string, other: string) => number }) =>
        figures.ratio(`${what}, ${kind}, at once`, against),
      atLeast: share * atLeast
    })
    return [target("8 workers", 1), target("1,000 workers", 0.8), target("1,000,000 sessions", 0.8)]
  })
}
