/**
 * A wire format that the sandbox speaks: how calls are read, and how answers and refusals are written.
 *
 * Pure; one file a dialect in `dialects/`.
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

/** What identifies one answer. */
export interface ReplyIdentity {
  /** Unique among the requests since the last reset; the same for the same seed and arrival. */
  readonly id: string
  /** Unix time in seconds. */
  readonly created: number
}

export interface Dialect {
  /** Whether calls to a model go to this path (without query). They are always POST. */
  readonly isCall: (path: string) => boolean
  /** The path that lists the models. */
  readonly modelsPath: string
  /** The credential in the headers (names in lower case), or `undefined` when there is none. */
  readonly keyOf: (headers: Readonly<Record<string, unknown>>) => string | undefined
  /** Reads a call. `models`: the only ones there are; `undefined` when any will do. */
  readonly readCall: (
    path: string,
    body: string,
    models: ReadonlyArray<string> | undefined
  ) => Result.Result<SandboxCall, Refusal>
  readonly answer: (call: SandboxCall, answer: SandboxAnswer, identity: ReplyIdentity) => SandboxReply
  readonly refuse: (refusal: Refusal) => SandboxReply
  readonly listModels: (models: ReadonlyArray<string>) => SandboxReply
  /** The headers that tell every client of a server with a rate limit where it stands. */
  readonly rateHeaders: (verdict: RateVerdict) => ReadonlyArray<string>
}
