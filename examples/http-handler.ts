/**
 * Models behind an HTTP route of an existing Node server, with `ManagedRuntime`: `node examples/http-handler.ts`.
 *
 * The runtime is built once from layers and lives as long as the server. In an app of your own the import is from
 * "genai-dispatcher". Here the endpoint is a sandbox, so that it runs without a key; with a real one,
 * `DispatchedGenAiClient.layerConfig({ file: "dispatcher.yaml" })` reads a config file.
 */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { DispatchedGenAiClient, GenAiClient, Http1Transport, Sandbox, SandboxServer } from "../src/index.ts"

const Models = Layer.unwrap(
  Effect.map(Sandbox, ({ url }) =>
    DispatchedGenAiClient.layerConfig({ flags: { endpoints: [`sandbox=${url},model=sandbox`], maxAttempts: 3 } })
  )
).pipe(Layer.provide([SandboxServer.layer({ latency: "fixed:20ms" }), Http1Transport.layer, NodeFileSystem.layer]))

const runtime = ManagedRuntime.make(Models)

/** `POST /ask` with a question as text; the header `x-session-id` keeps a conversation on one endpoint. */
const ask = (question: string, session: string | undefined) =>
  Effect.gen(function* () {
    const client = yield* GenAiClient
    return yield* client.generate(
      { messages: [{ role: "user", content: question }] },
      { session, deadline: "30 seconds" }
    )
  })

const reply = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}

const server = createServer(async (request, response) => {
  // When the client goes away the fiber is interrupted, and with it the call to the model.
  const gone = new AbortController()
  response.once("close", () => gone.abort())
  const session = request.headers["x-session-id"]
  const answer = ask(await text(request), typeof session === "string" ? session : undefined).pipe(
    Effect.match({
      onSuccess: (answer) => reply(response, 200, { text: answer.text, endpoint: answer.endpoint }),
      onFailure: (error) => reply(response, 502, { error: error.message, reason: error.reason._tag })
    })
  )
  await runtime.runPromise(answer, { signal: gone.signal }).catch((cause: unknown) => {
    if (!gone.signal.aborted) reply(response, 500, { error: String(cause) })
  })
})

server.listen(0, "127.0.0.1", async () => {
  const { port } = server.address() as AddressInfo
  console.log(`listening on http://127.0.0.1:${port}/ask`)

  const answer = await fetch(`http://127.0.0.1:${port}/ask`, { method: "POST", body: "Why is the sky blue?" })
  console.log(answer.status, await answer.text())

  server.close()
  await runtime.dispose()
})
