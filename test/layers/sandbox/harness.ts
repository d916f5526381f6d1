/** A sandbox and a real HTTP client for it. */
import { Effect, Schedule, Schema } from "effect"
import { Agent, type Dispatcher, request } from "undici"
import type { SandboxInput } from "../../../src/domain/sandbox/SandboxOptions.ts"
import { SandboxStats } from "../../../src/domain/sandbox/SandboxStats.ts"
import * as SandboxServer from "../../../src/layers/sandbox/SandboxServer.ts"

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: string
}

/** The call broke below HTTP. */
export class Broken extends Schema.TaggedError<Broken>()("Broken", { code: Schema.String }) {}

const codeOf = (cause: unknown): string =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : String(cause)

export interface CallOptions {
  readonly key?: string
  readonly model?: string
  readonly body?: string
}

/** Starts a sandbox and a client that goes with the scope. */
export const start = Effect.fnUntraced(function* (input: SandboxInput = {}) {
  const sandbox = yield* SandboxServer.make(input)
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Agent({ connections: 64, pipelining: 1 })),
    (agent) => Effect.promise(() => agent.destroy())
  )

  /** Interruption aborts the request. */
  const send = (path: string, options: Partial<Pick<Dispatcher.RequestOptions, "method" | "headers" | "body">> = {}) =>
    Effect.tryPromise({
      try: async (signal): Promise<Answer> => {
        const url = new URL(path, sandbox.url)
        const response = await request(url, { ...options, dispatcher: agent, signal })
        return { status: response.statusCode, headers: response.headers, body: await response.body.text() }
      },
      catch: (cause) => new Broken({ code: codeOf(cause) })
    })

  const call = (prompt: string, options: CallOptions = {}) =>
    send("/v1/chat/completions", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(options.key === undefined ? undefined : { authorization: `Bearer ${options.key}` })
      },
      body:
        options.body ??
        JSON.stringify({ model: options.model ?? "some-model", messages: [{ role: "user", content: prompt }] })
    })

  /** What `GET /stats` says, when it satisfies the predicate: waits for it. */
  const statsWhen = (predicate: (stats: SandboxStats) => boolean) =>
    send("/stats").pipe(
      Effect.flatMap((answer) => decodeStats(answer.body)),
      Effect.repeat({ until: predicate, schedule: Schedule.spaced("2 millis") })
    )

  return { sandbox, send, call, statsWhen }
})

const decodeStats = Schema.decodeUnknownEffect(Schema.fromJsonString(SandboxStats))

/** The message, type, param and code of an OpenAI error body. */
export const errorOf = (answer: Answer) => decodeError(answer.body).error

const decodeError = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({
      error: Schema.Struct({
        message: Schema.String,
        type: Schema.String,
        param: Schema.NullOr(Schema.String),
        code: Schema.NullOr(Schema.String)
      })
    })
  )
)
