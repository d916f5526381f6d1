/** `serve`, once everything is up: says so, waits for a signal, and lets what runs end. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { formatDuration } from "../../domain/config/DurationText.ts"
import type { EndpointStats } from "../../domain/genai/EndpointStats.ts"
import type { JobStatus } from "../../domain/jobs/Job.ts"
import * as Format from "../../domain/report/Format.ts"
import * as Line from "../../domain/report/Line.ts"
import * as ServeText from "../../domain/report/ServeText.ts"
import type { HttpService } from "../../services/HttpService.ts"
import { Output, type OutputStream } from "./Output.ts"
import { StopSignals } from "./StopSignals.ts"

export interface ServePlan extends Omit<ServeText.Screen, "url"> {
  readonly graceMs: number
}

/** A service that listens. */
export interface Started {
  readonly service: HttpService["Service"]
  /** What the summary is made of. */
  readonly accounts: Effect.Effect<ServeText.Accounts>
}

/**
 * Starts and serves until the first signal. Then nothing new is taken, and what runs may end within the grace; a second
 * signal cuts it off. A signal that comes earlier ends the start.
 */
export const serve = <E, R>(plan: ServePlan, start: Effect.Effect<Started, E, R>) =>
  Effect.gen(function* () {
    const { err, out } = yield* Output
    const signals = yield* StopSignals
    const signalled = yield* Deferred.make<void>()
    yield* signals.intercept(Effect.asVoid(Deferred.succeed(signalled, undefined)))
    const started = yield* Effect.raceFirst(Effect.asSome(start), Effect.as(Deferred.await(signalled), Option.none()))
    if (Option.isNone(started)) return yield* say(out, [ServeText.neverServed])
    const { accounts, service } = started.value
    yield* say(out, ServeText.screen({ ...plan, url: service.url }, (yield* out.size).width))
    yield* Deferred.await(signalled)
    const inflight = Format.plural(yield* service.inflight, "request")
    const grace = formatDuration(plan.graceMs)
    yield* err.write(`stopping: ${inflight} in flight, up to ${grace}; Ctrl-C again to stop at once\n`)
    yield* service.drain(plan.graceMs)
    yield* say(out, [ServeText.summary(yield* accounts, plan.jobs)])
  }).pipe(
    Effect.scoped,
    Effect.onInterrupt(() => Effect.flatMap(Output, ({ err }) => err.write(`${ServeText.stoppedAtOnce(plan.jobs)}\n`)))
  )

const say = (stream: OutputStream, lines: ReadonlyArray<Line.Line>) =>
  stream.write(lines.map((line) => `${Line.render(line, { colors: stream.colors })}\n`).join(""))

/** What the summary is made of. */
export interface Figures<E> {
  readonly endpoints: Effect.Effect<ReadonlyArray<EndpointStats>>
  readonly jobs: Effect.Effect<Readonly<Record<JobStatus, number>>, E>
}

export const accountsOf = <E>(figures: Figures<E>): Effect.Effect<ServeText.Accounts> =>
  Effect.gen(function* () {
    const endpoints = yield* figures.endpoints
    const total = (count: (endpoint: (typeof endpoints)[number]) => number) =>
      endpoints.reduce((sum, endpoint) => sum + count(endpoint), 0)
    return {
      sent: total(({ sent }) => sent),
      succeeded: total(({ succeeded }) => succeeded),
      failed: total(({ failures }) => Object.values(failures).reduce((sum, count) => sum + count, 0)),
      // A store that is gone has been complained about when it went; nobody needs to hear it once more now.
      jobs: Option.getOrUndefined(yield* Effect.option(figures.jobs))
    }
  })
