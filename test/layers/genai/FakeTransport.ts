/** A transport without a network: each endpoint's answers are a function of the request. */
import { Effect, Layer, Stream } from "effect"
import type { WireRequest, WireResponse } from "../../../src/domain/providers/Wire.ts"
import { Transport, type TransportError } from "../../../src/services/Transport.ts"

export type Answer = Effect.Effect<WireResponse, TransportError>

export const ok = (text = "hello"): Answer =>
  Effect.succeed({
    status: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: "test-model-1",
      choices: [{ message: { role: "assistant", content: text }, finish_reason: "stop" }],
      usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 }
    })
  })

export const status = (code: number, headers: Record<string, string> = {}, error: object = { message: "no" }): Answer =>
  Effect.succeed({ status: code, headers, body: JSON.stringify({ error }) })

/** Answers by the host's first label (`east` of `http://east.test`); records every send. */
export class FakeTransport {
  readonly sent: Array<string> = []
  private readonly answer: (endpoint: string, send: number, request: WireRequest) => Answer

  /** `send` counts from 1, over all endpoints. */
  constructor(answer: (endpoint: string, send: number, request: WireRequest) => Answer) {
    this.answer = answer
  }

  get layer(): Layer.Layer<Transport> {
    const send = (request: WireRequest): Answer =>
      Effect.suspend(() => {
        const name = new URL(request.origin).hostname.split(".")[0]!
        this.sent.push(name)
        return this.answer(name, this.sent.length, request)
      })
    return Layer.succeed(Transport, {
      send,
      open: (request) =>
        Effect.map(send(request), ({ status, headers, body }) => ({
          status,
          headers,
          body: Stream.succeed(Buffer.from(body))
        }))
    })
  }
}
