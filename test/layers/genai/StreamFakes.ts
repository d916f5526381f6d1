/** A transport without a network for streamed answers in OpenAI's format. */
import { Effect, Layer, type Scope, Stream } from "effect"
import type { WireRequest } from "../../../src/domain/providers/Wire.ts"
import { Transport, TransportError, type WireStream } from "../../../src/services/Transport.ts"

export type Opening = Effect.Effect<WireStream, TransportError, Scope.Scope>

export const reset = new TransportError({ message: "the connection broke", phase: "connection", code: "ECONNRESET" })

const event = (document: object): string => `data: ${JSON.stringify(document)}\n\n`

export const text = (content: string): string =>
  event({ model: "test-model-1", choices: [{ index: 0, delta: { content }, finish_reason: null }] })

export const usage = event({
  model: "test-model-1",
  choices: [],
  usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 }
})

export const finish =
  event({ model: "test-model-1", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }) +
  usage +
  "data: [DONE]\n\n"

/** An answer with these pieces, one read each. */
export const pieces = (...parts: ReadonlyArray<string>): Stream.Stream<Uint8Array> =>
  Stream.rechunk(Stream.fromIterable(parts.map((part) => Buffer.from(part))), 1)

export const answer = (body: Stream.Stream<Uint8Array, TransportError>, status = 200): Opening =>
  Effect.succeed({ status, headers: { "content-type": "text/event-stream" }, body })

export const refusal = (status: number, error: object = { message: "no" }): Opening =>
  answer(pieces(JSON.stringify({ error })), status)

/** Answers by the host's first label (`east` of `http://east.test`); records every send, and what is open. */
export class StreamTransport {
  readonly sent: Array<string> = []
  readonly requests: Array<WireRequest> = []
  /** Requests whose scope is open. */
  open = 0
  private readonly opening: (endpoint: string, send: number) => Opening

  /** `send` counts from 1, over all endpoints. */
  constructor(opening: (endpoint: string, send: number) => Opening) {
    this.opening = opening
  }

  get layer(): Layer.Layer<Transport> {
    return Layer.succeed(Transport, {
      send: () => Effect.die("not part of this test"),
      open: (request) =>
        Effect.gen({ self: this }, function* () {
          const name = new URL(request.origin).hostname.split(".")[0]!
          this.sent.push(name)
          this.requests.push(request)
          yield* Effect.acquireRelease(
            Effect.sync(() => this.open++),
            () => Effect.sync(() => this.open--)
          )
          return yield* this.opening(name, this.sent.length)
        })
    })
  }
}
