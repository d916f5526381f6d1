/** A transport without a network: each endpoint's answers are a function of the request. */
import { beforeEach, describe } from "@effect/vitest"
import { type Context, Effect, Layer, Stream } from "effect"
import type { DispatcherConfig } from "../../../src/domain/config/DispatcherConfig.ts"
import type { WireRequest, WireResponse } from "../../../src/domain/providers/Wire.ts"
import { layer } from "../../../src/layers/genai/DispatchedGenAiClient.ts"
import { GenAiClient } from "../../../src/services/GenAiClient.ts"
import { type SendListener, Transport, type TransportError } from "../../../src/services/Transport.ts"

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

export const after = (millis: number, answer: Answer): Answer => Effect.andThen(Effect.sleep(millis), answer)

let isDirect = true

/** The same tests for both ways of a request: without a fiber as long as nothing has to be waited for, and in one. */
export const describeBothWays = (name: string, tests: () => void): void =>
  describe.each([
    ["without fibers", true],
    ["in fibers", false]
  ] as const)(`${name}, sent %s`, (_, direct) => {
    beforeEach(() => {
      isDirect = direct
    })
    tests()
  })

/** What only the way without a fiber has. */
export const describeWithoutFibers = (name: string, tests: () => void): void => {
  describe(name, () => {
    beforeEach(() => {
      isDirect = true
    })
    tests()
  })
}

/** Answers by the host's first label (`east` of `http://east.test`); records every send. */
export class FakeTransport {
  readonly sent: Array<string> = []
  /** What a request waits for before it is sent. */
  connected: Effect.Effect<void> | undefined = undefined
  private readonly answer: (endpoint: string, send: number, request: WireRequest) => Answer

  /** `send` counts from 1, over all endpoints. */
  constructor(answer: (endpoint: string, send: number, request: WireRequest) => Answer) {
    this.answer = answer
  }

  get layer(): Layer.Layer<Transport> {
    return Layer.effect(
      Transport,
      Effect.contextWith((context: Context.Context<never>) => Effect.succeed(this.transport(context)))
    )
  }

  private transport(context: Context.Context<never>): Transport["Service"] {
    const sendNow = (request: WireRequest, listener: SendListener | undefined): Answer => {
      const name = new URL(request.origin).hostname.split(".")[0]!
      this.sent.push(name)
      const answer = this.answer(name, this.sent.length, request)
      return Effect.suspend(() => {
        listener?.sent()
        return answer
      })
    }
    const answerTo = (request: WireRequest, listener: SendListener | undefined): Answer =>
      this.connected === undefined
        ? sendNow(request, listener)
        : Effect.andThen(
            this.connected,
            Effect.suspend(() => sendNow(request, listener))
          )
    const send = (request: WireRequest, listener?: SendListener): Answer =>
      Effect.suspend(() => answerTo(request, listener))
    return {
      tellsSent: true,
      send,
      start: isDirect
        ? (request, onEnd, listener) => {
            const fiber = Effect.runForkWith(context)(Effect.andThen(Effect.yieldNow, answerTo(request, listener)))
            const forget = fiber.addObserver((exit) => onEnd.ended(exit))
            return {
              giveUp: () => {
                forget()
                fiber.interruptUnsafe()
              }
            }
          }
        : undefined,
      open: (request, listener) =>
        Effect.map(send(request, listener), ({ status, headers, body }) => ({
          status,
          headers,
          body: Stream.succeed(Buffer.from(body))
        }))
    }
  }
}

/** Uses a client whose requests go there. */
export const withClient = <A, E>(
  settings: DispatcherConfig,
  transport: FakeTransport,
  use: (client: GenAiClient["Service"]) => Effect.Effect<A, E>
) => Effect.flatMap(GenAiClient, use).pipe(Effect.provide(layer(settings).pipe(Layer.provide(transport.layer))))
