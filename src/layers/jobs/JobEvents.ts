/** What followers of a job are told. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { isEnded, type Job, type JobId, type JobStatus } from "../../domain/jobs/Job.ts"
import type { Problem } from "../../domain/server/Problem.ts"
import type { JobStore } from "../../services/JobStore.ts"
import type { JobEvent } from "../../services/Jobs.ts"
import { keptForLater, noSuchJob, storeProblem } from "./JobProblems.ts"
import type { JobWatch, JobWatches } from "./JobWatch.ts"

/** How often jobs are looked up that do not run here. */
const POLL = "1 second"

/** What one follower has been told. */
interface Told {
  readonly status: JobStatus | undefined
  /** The run whose text it has some of, and how many pieces of it. */
  readonly run: number
  readonly pieces: number
}

/** Follows a job to its end. The first event is where it stands; the last is an end. */
export const follow = (id: JobId, watches: JobWatches, store: JobStore["Service"]): Stream.Stream<JobEvent, Problem> =>
  Stream.unwrap(
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => watches.take(id)),
        (watch) => Effect.sync(() => watches.leave(id, watch))
      ),
      (watch) =>
        Stream.paginate<Told, JobEvent, Problem>({ status: undefined, run: watch.run, pieces: 0 }, (told) =>
          next({ id, watch, watches, store }, told)
        )
    )
  )

interface Followed {
  readonly id: JobId
  readonly watch: JobWatch
  readonly watches: JobWatches
  readonly store: JobStore["Service"]
}

const next = Effect.fnUntraced(function* ({ id, store, watch, watches }: Followed, from: Told) {
  for (;;) {
    yield* refresh(id, watch, store)
    const { changes, job } = watch
    if (job !== undefined) {
      const [events, told] = news(watch, job, from)
      if (isEnded(job.status)) return [events, Option.none<Told>()] as const
      if (events.length > 0) return [events, Option.some(told)] as const
    }
    // What runs here may end in time; the rest is for the next start, and whoever follows it must not hold this one up.
    if (watches.isClosed && !watch.isLocal) return yield* keptForLater
    const change = watch.changeSince(changes)
    yield* watch.isLocal ? change : Effect.timeoutOption(change, POLL)
  }
})

/** Asks the store about jobs that do not run here. While it is down nothing is known, and it is asked again. */
const refresh = Effect.fnUntraced(function* (id: JobId, watch: JobWatch, store: JobStore["Service"]) {
  if (watch.isLocal || (watch.job !== undefined && isEnded(watch.job.status))) return
  const { changes } = watch
  const found = yield* Effect.catch(Effect.asSome(store.get(id)), (error) =>
    error.isTransient ? Effect.succeedNone : Effect.fail(storeProblem(error))
  )
  if (Option.isNone(found)) return
  // It was taken up here meanwhile, and may have ended: the answer is older than what is known.
  if (watch.changes !== changes) return
  if (Option.isNone(found.value)) return yield* noSuchJob
  watch.job = found.value.value
})

/** What is new since the follower was last told, and what it has been told then. */
const news = (watch: JobWatch, job: Job, from: Told): readonly [ReadonlyArray<JobEvent>, Told] => {
  const events: Array<JobEvent> = []
  const isOver = isEnded(job.status)
  const status: JobEvent = { _tag: "Status", job }
  if (from.status === undefined || (job.status !== from.status && !isOver)) events.push(status)
  const isAnew = from.run !== watch.run
  if (isAnew && from.pieces > 0) events.push({ _tag: "Reset" })
  const seen = isAnew ? 0 : from.pieces
  if (watch.pieces.length > seen) events.push({ _tag: "Text", text: watch.pieces.slice(seen).join("") })
  if (isOver) {
    const whole = job.result?.text ?? ""
    if (whole !== "" && watch.pieces.join("") !== whole) {
      // It was made elsewhere, or is given whole.
      if (watch.pieces.length > 0) events.push({ _tag: "Reset" })
      events.push({ _tag: "Text", text: whole })
    }
    // Also for those who come late: the last event is the end.
    if (from.status !== undefined || events.length > 1) events.push(status)
  }
  return [events, { status: job.status, run: watch.run, pieces: watch.pieces.length }]
}
