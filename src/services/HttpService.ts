/** The service's HTTP listener. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** The service cannot listen. The sentence says what to do. */
export class HttpServiceError extends Schema.TaggedError<HttpServiceError>()("HttpServiceError", {
  reason: Schema.Literals(["PortInUse", "ListenFailed"]),
  message: Schema.String
}) {}

/**
 * Listens from when it is made until its scope closes. Every request gets exactly one answer, unless its client has gone;
 * then what was under way for it is aborted.
 */
export class HttpService extends Context.Service<
  HttpService,
  {
    /** Such as `http://127.0.0.1:8080`. */
    readonly url: string
    readonly host: string
    readonly port: number
    /** Requests that have begun and not ended, on all routes: now. */
    readonly inflight: Effect.Effect<number>
    /**
     * Refuses new work from now on, and is not ready any more. What runs may end within the time and is then aborted; the
     * jobs that run then go back to the store. Returns when nothing runs any more and the port is free.
     */
    readonly drain: (graceMs: number) => Effect.Effect<void>
  }
>()("genai-dispatcher/services/HttpService") {}
