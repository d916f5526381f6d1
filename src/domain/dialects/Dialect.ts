/**
 * An API that clients of the service speak: how its requests become neutral ones, and how neutral answers become its own.
 *
 * Pure, like the providers' dialects, whose other side this is. One file a dialect, all held to one suite.
 */
import type * as Result from "effect/Result"
import type { ChatEvent } from "../genai/ChatEvent.ts"
import type { Family, GenAiRequest } from "../genai/GenAiRequest.ts"
import type { GenAiAnswer } from "../genai/GenAiResponse.ts"
import type { Problem } from "../server/Problem.ts"
import type { RequestHeaders } from "./Requests.ts"

export type DialectName = Family

/** A request that a client made. */
export interface ClientRequest {
  /** In neutral words, with the body as `native` and `keepRaw`, for endpoints of the dialect's own family. Has no `model`. */
  readonly request: GenAiRequest
  /** The model's name as the client gave it. */
  readonly model: string
  readonly isStreamed: boolean
  /**
   * What only endpoints of the dialect's own family understand and what must not be left out, such as `tools`. When there is
   * any, the request may not be sent to others.
   */
  readonly needs: ReadonlyArray<string>
  /** Whether a streamed answer is to end with the usage, where clients can choose. */
  readonly wantsUsage: boolean
}

/** What an answer needs beside itself. */
export interface AnswerContext {
  /** The model's name as the client gave it. */
  readonly model: string
  /** Unique among the answers; without prefix. */
  readonly id: string
  /** Unix time in milliseconds. */
  readonly nowMs: number
  readonly wantsUsage: boolean
}

/** An HTTP answer. */
export interface Reply {
  readonly status: number
  /** Names in lower case; `content-type` among them. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Writes one streamed answer as server-sent events. Mutable; one for each answer. */
export interface StreamWriter {
  /**
   * The text of the next events; empty when there is nothing to say yet. Events of an endpoint of the dialect's own family
   * (`RawEvent`) are passed on as they are, and what was read from them is left out. After `Finish` it is all said.
   */
  readonly write: (events: ReadonlyArray<ChatEvent>) => string
  /** The answer broke off after it had begun: the last words in the dialect's own format. */
  readonly fail: (problem: Problem) => string
}

/** Where a request goes: what the path says. */
export type Route =
  | {
      readonly _tag: "Generate"
      readonly model: string | undefined
      readonly isStreamed: boolean | undefined
      /** Why the path cannot be served as it is, though it is known; `decode` says so. */
      readonly problem?: Problem
    }
  | { readonly _tag: "ListModels" }
  | { readonly _tag: "GetModel"; readonly model: string }

/** A model that clients can name. */
export interface ListedModel {
  readonly name: string
}

export interface Dialect {
  readonly name: DialectName
  /**
   * The route of a method and a path (without query), `MethodNotAllowed` for a path of this dialect with another method,
   * `undefined` for paths of others. `search` is the query with its `?`, or empty; `headers` (names in lower case) tell apart
   * what two dialects have at one path: which of them are there is all that counts.
   */
  readonly route: (
    method: string,
    path: string,
    search: string,
    headers?: Readonly<Record<string, unknown>>
  ) => Route | "MethodNotAllowed" | undefined
  /** The API key in the headers (names in lower case) or the query. */
  readonly credential: (headers: RequestHeaders, search: string) => string | undefined
  /** Reads the JSON body of a `Generate`. */
  readonly decode: (
    route: Extract<Route, { readonly _tag: "Generate" }>,
    body: unknown
  ) => Result.Result<ClientRequest, Problem>
  /** `family` is that of the endpoint that answered; its own answer (`rawText` or `raw`) is passed on when it is the dialect's own. */
  readonly answer: (answer: GenAiAnswer, family: Family | undefined, context: AnswerContext) => Reply
  readonly stream: (context: AnswerContext) => StreamWriter
  /** The content type and other headers of a streamed answer. */
  readonly streamHeaders: Readonly<Record<string, string>>
  /** An error in the dialect's own format, with `retry-after` when the problem has a hint. */
  readonly problem: (problem: Problem) => Reply
  readonly models: (models: ReadonlyArray<ListedModel>) => Reply
  readonly model: (model: ListedModel) => Reply
}
