/** How HTTP requests leave the process. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { WireRequest, WireResponse } from "../domain/providers/Wire.ts"

/** The call broke below HTTP: no whole answer came. */
export class TransportError extends Schema.TaggedError<TransportError>()("TransportError", {
  /** A sentence for people, without secrets. */
  message: Schema.String,
  /** Which limit was passed, or `connection` when it was none. */
  phase: Schema.Literals(["connect", "firstByte", "idle", "total", "connection"]),
  /**
   * The system's or the HTTP client's error code, such as `ECONNREFUSED`; `ETIMEDOUT` for the limits, `BODY_TOO_LARGE`
   * and `CLOSED` for the transport's own reasons, `UNKNOWN` when the client names none.
   */
  code: Schema.String
}) {}

/**
 * Sends one HTTP request and reads the answer to its end.
 *
 * Every status is an answer; only what is below HTTP is an error. Interrupting the effect aborts the request: the
 * connection is closed, so that the endpoint sees it.
 */
export class Transport extends Context.Service<
  Transport,
  {
    readonly send: (request: WireRequest) => Effect.Effect<WireResponse, TransportError>
  }
>()("genai-dispatcher/services/Transport") {}
