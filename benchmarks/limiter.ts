/**
 * What keeping a rate costs: `npm run bench -- limiter`.
 *
 * The pacers alone, on a clock that is always just late enough; and jobs through a worker whose limits are far above what
 * it does, against the same worker without limits; and whether several workers use the whole of a limit that they share. That
 * limits hold is measured by `paced` and `tokens`.
 */
import * as Effect from "effect/Effect"
import { Pacer } from "../src/domain/dispatch/Pacer.ts"
import { UnitPacer } from "../src/domain/dispatch/UnitPacer.ts"
import { Dispatcher } from "../src/index.ts"
import type { RateLimits, UnitLimit } from "../src/services/Dispatcher.ts"
import type { Benchmark, Measurement } from "./support/Benchmark.ts"
import { measure } from "./support/Measure.ts"

const SUBMITTERS = 64

const pace = (events: number): number => {
  const pacer = new Pacer(10_000, 1_000)
  let now = 0
  for (let event = 0; event < events; event++) {
    now += pacer.delay(now)
    pacer.take(now)
    pacer.happened(now)
  }
  return events
}

/** With 100 events under way. */
const paceUnits = (events: number): number => {
  const pacer = new UnitPacer(60_000_000, 60_000)
  const running: Array<ReturnType<UnitPacer["reserve"]>> = []
  let now = 0
  for (let event = 0; event < events; event++) {
    const oldest = running[event % 100]
    if (oldest !== undefined) pacer.settle(now, oldest, 900)
    now += pacer.delay(now, 1_000)
    running[event % 100] = pacer.reserve(now, 1_000)
  }
  return events
}

const submitAll = (
  submit: (job: number) => Effect.Effect<number, unknown>,
  jobs: number,
  submitters = SUBMITTERS
): Promise<number> => {
  let next = 0
  const submitter = Effect.whileLoop({ while: () => next < jobs, body: () => submit(next++), step: () => {} })
  const all = Effect.forEach(Array.from({ length: submitters }), () => submitter, {
    concurrency: "unbounded",
    discard: true
  })
  return Effect.runPromise(Effect.as(all, jobs))
}

const dispatch = (
  quick: boolean,
  limits: RateLimits | undefined,
  unitLimits: ReadonlyArray<UnitLimit<number, number, never>>
): Promise<Measurement> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const { submit } = yield* Dispatcher.make({
        workers: [{ name: "worker", limits, unitLimits, handler: (job: number) => Effect.succeed(job) }]
      })
      const jobs = quick ? 2_000 : 200_000
      yield* Effect.promise(() => submitAll(submit, jobs / 4))
      return yield* Effect.promise(() => measure(() => submitAll(submit, jobs)))
    }).pipe(Effect.scoped)
  )

const SHARED = 20_000

/** Jobs that four workers are free to take, under one limit. */
const share = (quick: boolean): Promise<Measurement> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const { submit } = yield* Dispatcher.makePool({
        size: 4,
        limits: { requestsPerSecond: SHARED },
        handler: (job: number) => Effect.succeed(job)
      })
      const jobs = (quick ? 1 : 5) * SHARED
      const measurement = yield* Effect.promise(() => measure(() => submitAll(submit, jobs, 1_000)))
      return { ...measurement, figures: { rateOfLimit: jobs / measurement.seconds / SHARED } }
    }).pipe(Effect.scoped)
  )

const UNITS: UnitLimit<number, number, never> = {
  perMinute: 1e15,
  estimate: () => 1_000,
  actual: () => 900
}

const pacers = (name: string, work: (events: number) => number) => ({
  name,
  group: "pacers",
  run: ({ quick }: { readonly quick: boolean }) => {
    const events = quick ? 10_000 : 2_000_000
    work(events / 4)
    return measure(() => work(events))
  }
})

const SHARING = "4 workers under one limit of 20,000 a second"

export const benchmark: Benchmark = {
  name: "limiter",
  workload: `2,000,000 events of one pacer; 200,000 jobs that do nothing, ${SUBMITTERS} at once, through one worker`,
  operation: "event",
  cases: [
    pacers("Pacer, 10,000 a second", pace),
    pacers("UnitPacer, 1,000,000 units a second", paceUnits),
    {
      name: "worker without limits",
      group: "workers",
      isBaseline: true,
      run: ({ quick }) => dispatch(quick, undefined, [])
    },
    {
      name: "worker with a limit of requests",
      group: "workers",
      run: ({ quick }) => dispatch(quick, { requestsPerSecond: 1e7 }, [])
    },
    {
      name: "worker with limits of requests and units",
      group: "workers",
      run: ({ quick }) => dispatch(quick, { requestsPerSecond: 1e7 }, [UNITS])
    },
    { name: SHARING, group: "sharing", run: ({ quick }) => share(quick) }
  ],
  targets: [
    {
      claim: "a limit of requests costs less than 5 microseconds a job",
      figure: (figures) =>
        figures.cpuMicros("worker with a limit of requests") - figures.cpuMicros("worker without limits"),
      atMost: 5
    },
    {
      claim: "four workers use a limit that they share, but for its first second of five, which is a tenth slower",
      figure: ({ figure }) => figure(SHARING, "rateOfLimit"),
      atLeast: 0.95,
      atMost: 1
    }
  ]
}
