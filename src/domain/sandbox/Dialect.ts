/**
 * A wire format that the sandbox speaks: how calls are read, and how answers and refusals are written.
 *
 * Pure; one file a dialect in `dialects/`, and `Dialects.ts` finds the one for a path.
 */
import type * as Result from "effect/Result"
import type { SandboxAnswer, SandboxCall } from "./Answer.ts"
import type { RateVerdict } from "./RateLimit.ts"

/** Why a call gets no answer, in words that no wire format owns. */
export type Refusal =
  /** The path is none of this dialect's, or the method is wrong for it. */
  | { readonly kind: "unknown-path"; readonly method: string; readonly path: string }
  | { readonly kind: "wrong-method"; readonly allowed: string }
  | { readonly kind: "no-key" }
  | { readonly kind: "bad-key" }
  /** The request's body is wrong; `param` is the field, `code` the provider's word for what is wrong with it. */
  | { readonly kind: "invalid"; readonly message: string; readonly param?: string; readonly code?: string }
  | { readonly kind: "too-large"; readonly limitBytes: number }
  | { readonly kind: "unknown-model"; readonly model: string }
  /** `verdict` is there when it is a real limit, absent when the refusal is made up. */
  | {
      readonly kind: "rate-limited"
      readonly retryAfterMs: number | undefined
      readonly verdict: RateVerdict | undefined
    }
  | { readonly kind: "overloaded"; readonly status: 503 | 529 }
  | { readonly kind: "server-error" }

/** A whole HTTP answer. Content-Length is left to whoever sends it. */
export interface SandboxReply {
  readonly status: number
  /** Names and values in turn: `[name, value, name, value, ...]`. */
  readonly headers: ReadonlyArray<string>
  readonly body: string
}

/** A streamed answer with status 200, in the pieces in which it is sent. */
export interface SandboxStream {
  /** Names and values in turn. */
  readonly headers: ReadonlyArray<string>
  /** One for each piece of the text, in order, and a last one that ends the answer: together the body. */
  readonly frames: ReadonlyArray<string>
}

/** What identifies one answer. */
export interface ReplyIdentity {
  /** Unique among the requests since the last reset; the same for the same seed and arrival. */
  readonly id: string
  /** Unix time in seconds. */
  readonly created: number
}

/** A request as it came: what a dialect finds the key and the call in. */
export interface SandboxRequest {
  readonly path: string
  /** What follows the `?`; empty when there is nothing. */
  readonly query: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, unknown>>
}

export interface Dialect {
  /** The credential of a request, or `undefined` when there is none. */
  readonly keyOf: (request: SandboxRequest) => string | undefined
  /** Reads a call. `models`: the only ones there are; `undefined` when any will do. */
  readonly readCall: (
    request: SandboxRequest,
    body: string,
    models: ReadonlyArray<string> | undefined
  ) => Result.Result<SandboxCall, Refusal>
  readonly answer: (call: SandboxCall, answer: SandboxAnswer, identity: ReplyIdentity) => SandboxReply
  /** The answer as a stream: `deltas` are the pieces of its text, at least one. */
  readonly stream: (
    call: SandboxCall,
    answer: SandboxAnswer,
    deltas: ReadonlyArray<string>,
    identity: ReplyIdentity
  ) => SandboxStream
  /** What tells of a failure in the middle of a stream, after at least one of its frames. */
  readonly streamError: string
  readonly refuse: (refusal: Refusal) => SandboxReply
  /** The headers that come with whatever is answered to a call. */
  readonly callHeaders: (id: string) => ReadonlyArray<string>
  /** The headers that tell how long a proper answer took. */
  readonly timingHeaders: (latencyMs: number) => ReadonlyArray<string>
  /** The headers that tell every client of a server with a rate limit where it stands; none when it has no such. */
  readonly rateHeaders: (verdict: RateVerdict, unixMs: number) => ReadonlyArray<string>
}
