/**
 * A provider's dialect: how a neutral request becomes HTTP, and how HTTP becomes an answer or a classified failure.
 *
 * Pure: no clock, no sockets, no environment. One file a kind, all held to one conformance suite.
 */
import type * as Result from "effect/Result"
import type { GenAiErrorReason } from "../genai/GenAiError.ts"
import type { GenAiRequest } from "../genai/GenAiRequest.ts"
import type { GenAiResponse } from "../genai/GenAiResponse.ts"
import type { StreamDecoder } from "./StreamDecoder.ts"
import type { WireRequest, WireResponse } from "./Wire.ts"

/** A failed call in the provider's words: the classification and a sentence for people, without secrets. */
export interface ProviderFailure {
  readonly reason: GenAiErrorReason
  readonly message: string
}

/** What an endpoint gives its provider, once, at start. */
export interface ProviderTarget {
  readonly baseUrl: URL
  readonly model: string | undefined
  /** Default request parameters in the provider's own names, merged under those of each request. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** Extra HTTP headers; one of the same name replaces the provider's own, the credential's included. */
  readonly headers: Readonly<Record<string, string>>
}

/**
 * What an endpoint lets a request in with, in plain text: an API key, or for some kinds an access token that is
 * renewed from time to time. `undefined` for endpoints that need none.
 *
 * It comes with each call and not with the target, so that it may change while the endpoint lives; how it is sent (which
 * header) is the provider's.
 */
export type Credential = string | undefined

/** The part of a `WireRequest` that a provider decides. */
export type ProviderRequest = Omit<WireRequest, "timeouts">

/** How the answer is wanted: whole, or piece by piece as it is made. */
export type EncodeMode = "answer" | "stream"

/** One endpoint's dialect, with all that is constant for the endpoint worked out beforehand. */
export interface Provider {
  /** The HTTP request for a neutral one, or why there is none. */
  encode(
    request: GenAiRequest,
    credential: Credential,
    mode: EncodeMode
  ): Result.Result<ProviderRequest, ProviderFailure>
  /**
   * The answer in an HTTP response, or the failure that it tells of.
   *
   * `credential` is the one that the request was encoded with: messages never show it. `nowMs` is the wall-clock time
   * (Unix, milliseconds), for hints that are dates.
   */
  decode(response: WireResponse, credential: Credential, nowMs: number): Result.Result<GenAiResponse, ProviderFailure>
  /**
   * Reads one streamed answer. Only for answers with a success status: those with any other are read whole and go
   * through `decode`. The first parameters are those of `decode`; `keepRaw` is the request's: whether providers that
   * belong to a family give each event as it came, too.
   */
  stream(credential: Credential, nowMs: number, keepRaw?: boolean): StreamDecoder
}

/** Makes the dialect of one endpoint. */
export type MakeProvider = (target: ProviderTarget) => Provider
