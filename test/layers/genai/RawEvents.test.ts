/** The provider's own events in streams: when they begin an answer, and what a failure before that comes to. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Stream } from "effect"
import type { ChatEvent } from "../../../src/domain/genai/ChatEvent.ts"
import { layer } from "../../../src/layers/genai/DispatchedGenAiClient.ts"
import { GenAiClient } from "../../../src/services/GenAiClient.ts"
import { config, endpoint } from "../../support/Config.ts"
import { answer, finish, pieces, StreamTransport, text } from "./StreamFakes.ts"

const request = { messages: [{ role: "user" as const, content: "hi" }], keepRaw: "text" as const }

const chunk = (delta: object): string => `data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\n`
const role = chunk({ role: "assistant", content: "" })
const toolCall = chunk({ tool_calls: [{ index: 0, id: "t", function: { name: "f", arguments: "" } }] })
const failure = 'data: {"error":{"message":"no capacity","code":503}}\n\n'

const endpoints = config([endpoint({ name: "east" }), endpoint({ name: "west" })])

const withClient = <A, E>(transport: StreamTransport, use: (genai: GenAiClient["Service"]) => Effect.Effect<A, E>) =>
  Effect.flatMap(GenAiClient, use).pipe(Effect.provide(layer(endpoints).pipe(Layer.provide(transport.layer))))

const dataOf = (events: ReadonlyArray<ChatEvent>) =>
  events.flatMap((event) => (event._tag === "RawEvent" ? [`data: ${event.data}\n\n`] : []))

describe("the provider's own events", () => {
  it.live("are those of one attempt only: a failure after the opening one is mended by another endpoint", () =>
    Effect.gen(function* () {
      const transport = new StreamTransport((_endpoint, send) =>
        send === 1 ? answer(pieces(role, failure)) : answer(pieces(role, text("Hi"), finish))
      )
      const events = yield* withClient(transport, (genai) => Stream.runCollect(genai.stream(request)))
      assert.strictEqual(transport.sent.length, 2)
      assert.strictEqual(dataOf(events).join(""), (role + text("Hi") + finish).replace("data: [DONE]\n\n", ""))
    })
  )

  it.live("begin an answer that has no text: they are handed on at once, and a failure after them is final", () =>
    Effect.gen(function* () {
      const seen = Deferred.makeUnsafe<void>()
      const body = Stream.concat(
        pieces(role, toolCall),
        Stream.unwrap(Effect.as(Deferred.await(seen), pieces(failure)))
      )
      const transport = new StreamTransport(() => answer(body))
      const events: Array<ChatEvent> = []
      // The endpoint does not fail until the tool call has been handed on.
      const error = yield* Effect.flip(
        withClient(transport, (genai) =>
          Stream.runForEach(genai.stream(request), (event) => {
            events.push(event)
            return event._tag === "RawEvent" && !event.isOpening ? Deferred.succeed(seen, undefined) : Effect.void
          })
        )
      )
      assert(error._tag === "GenAiError")
      assert.strictEqual(error.reason._tag, "Overloaded")
      assert.strictEqual(transport.sent.length, 1)
      assert.deepStrictEqual(dataOf(events), [role, toolCall])
    })
  )

  it.live("come only when they are asked for", () =>
    Effect.gen(function* () {
      const transport = new StreamTransport(() => answer(pieces(role, text("Hi"), finish)))
      const events = yield* withClient(transport, (genai) =>
        Stream.runCollect(genai.stream({ messages: request.messages }))
      )
      assert.deepStrictEqual(dataOf(events), [])
    })
  )
})
