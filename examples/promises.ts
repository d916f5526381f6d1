/**
 * Models from a program that is not written with Effect: promises, `AbortSignal`, `for await`: `node examples/promises.ts`.
 *
 * In an app of your own the import is from "genai-dispatcher". Here the endpoint is a sandbox, so that it runs without a
 * key; with real ones, `DispatchedGenAiClient.layerConfig({ file: "dispatcher.yaml" })` reads a config file.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"
import {
  DispatchedGenAiClient,
  GenAiClient,
  GenAiError,
  type GenerateOptions,
  Http1Transport,
  Sandbox,
  SandboxServer
} from "../src/index.ts"

const Models = Layer.unwrap(
  Effect.map(Sandbox, ({ url }) =>
    DispatchedGenAiClient.layerConfig({ flags: { endpoints: [`sandbox=${url},model=sandbox,concurrency=2`] } })
  )
).pipe(Layer.provide([SandboxServer.layer({ latency: "fixed:20ms" }), Http1Transport.layer, NodeFileSystem.layer]))

// One for the whole program: limits hold over all calls of a client.
const runtime = ManagedRuntime.make(Models)
const client = await runtime.runPromise(GenAiClient)

const asked = (content: string) => ({ messages: [{ role: "user" as const, content }] })

const ask = (question: string, options?: GenerateOptions, signal?: AbortSignal) =>
  runtime.runPromise(client.generate(asked(question), options), { signal })

// As many at once as you like: they wait for a slot and for the limits.
const answers = await Promise.all(["Why is the sky blue?", "And the sea?", "And the moon?"].map((text) => ask(text)))
console.log(`${answers.length} answers from ${answers[0]?.endpoint}`)

let streamed = ""
for await (const event of Stream.toAsyncIterable(client.stream(asked("Tell me a story.")))) {
  if (event._tag === "TextDelta") streamed += event.text
  // Leaving the loop aborts the request at the endpoint.
  if (streamed.length > 20) break
}
console.log(`${streamed.length > 20 ? "enough" : "all"} of a story`)

try {
  await ask("Why is grass green?", { deadline: "1 millis" })
} catch (error) {
  // Every failure of a call is a `GenAiError`.
  if (error instanceof GenAiError) console.log(`no answer: ${error.reason._tag}`)
}

const enough = AbortSignal.timeout(5)
await ask("Why is snow white?", {}, enough).catch(() => console.log(enough.aborted ? "given up" : "failed"))

await runtime.dispose()
