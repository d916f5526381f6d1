/** How HTTP requests leave the process. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { WireRequest, WireResponse } from "../domain/providers/Wire.ts"

/** The call broke below HTTP: no whole answer came. */
export class TransportError extends Schema.TaggedError<TransportError>()("TransportError", {
  /** A sentence for people, without secrets. */
  message: Schema.String,
  /** Which limit was passed, or `connection` when it was none. */
  phase: Schema.Literals(["connect", "firstByte", "idle", "total", "connection"]),
  /**
   * The system's or the HTTP client's error code, such as `ECONNREFUSED`; `ETIMEDOUT` for the limits; `INVALID_ANSWER`,
   * `INCOMPLETE_ANSWER`, `HEADERS_TOO_LARGE`, `BODY_TOO_LARGE`, `INVALID_REQUEST`, `CLOSED` and `ABANDONED` for the
   * transport's own reasons; `UNKNOWN` when the client names none.
   */
  code: Schema.String
}) {}

/** An HTTP answer whose head has come, and whose body is read as it comes. */
export interface WireStream {
  readonly status: number
  /** As in `WireResponse`. */
  readonly headers: Readonly<Record<string, string>>
  /**
   * The bytes as they come, cut anywhere. To be run once.
   *
   * An endpoint that sends faster than the stream is read is held back: at most some 64 KiB and what one read of the
   * socket gives are kept. Ending the stream early aborts the request.
   */
  readonly body: Stream.Stream<Uint8Array, TransportError>
}

/** Told when a request is sent. */
export interface SendListener {
  /**
   * Called when the request has just been written to its connection; when it is handed on, by a transport that does not
   * know.
   */
  sent(): void
}

/** Told how a request has ended. */
export interface EndListener {
  /** Called once: with the answer, or with why there is none. */
  ended(exit: Exit.Exit<WireResponse, TransportError>): void
}

/** A request that is under way. */
export interface StartedRequest {
  /** Aborts it; then its listener is told nothing any more. */
  giveUp(): void
}

/**
 * Sends HTTP requests.
 *
 * Every status is an answer; only what is below HTTP is an error. Interrupting an effect aborts its request: the
 * connection is closed, so that the endpoint sees it.
 */
export class Transport extends Context.Service<
  Transport,
  {
    /** Whether each request's listener is told; otherwise rate limits count a request when it is handed to this. Default: no. */
    readonly tellsSent?: boolean | undefined
    /** Sends a request and reads the answer to its end. */
    readonly send: (request: WireRequest, listener?: SendListener) => Effect.Effect<WireResponse, TransportError>
    /**
     * The same without a fiber: `listener` is told once, on an empty stack and never before this has returned. Absent: there is
     * only `send`, which costs more.
     */
    readonly start?:
      | ((request: WireRequest, listener: EndListener, sendListener?: SendListener) => StartedRequest)
      | undefined
    /**
     * Sends a request and gives the answer as soon as its head is there.
     *
     * All limits of the request hold; `idleMs` does not count the time in which the endpoint is held back. Closing the
     * scope aborts a request whose answer has not ended; whoever still reads the body fails with code `ABANDONED`.
     */
    readonly open: (
      request: WireRequest,
      listener?: SendListener
    ) => Effect.Effect<WireStream, TransportError, Scope.Scope>
  }
>()("genai-dispatcher/services/Transport") {}
