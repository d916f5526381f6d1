/** Counts, logs and traces the requests to the service. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { RequestRecord } from "../domain/server/RequestRecord.ts"

/** Every request is `begun` once and `ended` once; both are cheap, synchronous and never fail. */
export class ServerTelemetry extends Context.Service<
  ServerTelemetry,
  {
    readonly begun: (record: RequestRecord) => void
    /** The record is whole: the counts are made and the line is written. */
    readonly ended: (record: RequestRecord) => void
    /** Runs the work within a span of the request; without an exporter, or when it is not sampled, that is the work itself. */
    readonly traced: <A, E>(record: RequestRecord, work: Effect.Effect<A, E>) => Effect.Effect<A, E>
    /** All metrics, in Prometheus' text format. */
    readonly prometheus: Effect.Effect<string>
  }
>()("genai-dispatcher/services/ServerTelemetry") {}
