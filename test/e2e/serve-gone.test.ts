/** Clients that disconnect at any moment of their answer: the endpoint is told of each, and nothing is left of them. */
import type { Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  bytesOf,
  connection,
  requestsInFlight,
  sandboxStats,
  send,
  startSandbox,
  startService,
  until,
  worker
} from "../support/Service.ts"
import { temporaryFolder } from "../support/TemporaryFolder.ts"

/** Waits for words; reads no further when `andPause`. */
const has = (socket: Socket, words: string, andPause: boolean) =>
  Effect.callback<void>((resume) => {
    let received = ""
    const listen = (chunk: Buffer) => {
      received += chunk.toString("latin1")
      if (!received.includes(words)) return
      socket.off("data", listen)
      if (andPause) socket.pause()
      resume(Effect.void)
    }
    socket.on("data", listen)
  })

const chat = (model: string, stream: boolean) =>
  bytesOf("/v1/chat/completions", { model, stream, messages: [{ role: "user", content: "Hello" }] })
const messages = (model: string, stream: boolean) =>
  bytesOf("/v1/messages", { model, stream, max_tokens: 100_000, messages: [{ role: "user", content: "Hello" }] })
const gemini = (model: string, stream: boolean) =>
  bytesOf(`/v1beta/models/${model}:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`, {
    contents: [{ role: "user", parts: [{ text: "Hello" }] }]
  })
const submit = (model: string) => bytesOf("/submit", { model, input: "Hello" })

/** The same in each dialect in turn. */
const dialects = [chat, messages, gemini]

describe("200 clients that disconnect in mid-answer", () => {
  it.live(
    "are 200 aborts at the endpoints, and nothing is left in flight",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        // One never answers, one streams for long, and one streams more than our buffers take.
        const silent = yield* startSandbox(["--latency", "fixed:10m"])
        const slow = yield* startSandbox([
          "--stream-chunks",
          "5000",
          "--chunk-delay",
          "50ms",
          "--answer-tokens",
          "9000"
        ])
        const large = yield* startSandbox(["--stream-chunks", "10000", "--answer-tokens", "1000000"])
        const endpoint = (name: string, url: string) => ({ name, kind: "openai", model: name, baseUrl: `${url}/v1` })
        const service = yield* startService({
          folder,
          config: {
            endpoints: [endpoint("silent", silent.url), endpoint("slow", slow.url), endpoint("large", large.url)]
          }
        })
        const begin = (count: number, request: (index: number) => string, words: string, andPause = false) =>
          Effect.forEach(
            Array.from({ length: count }).keys(),
            Effect.fnUntraced(function* (index) {
              const socket = yield* connection(service.port)
              const begun = words === "" ? Effect.void : has(socket, words, andPause)
              socket.write(request(index))
              yield* begun
              return socket
            }),
            { concurrency: "unbounded" }
          )
        // Half are plain, and all of those have no answer yet; of the streams most have begun.
        const waiting = yield* begin(80, (index) => dialects[index % 3]!("silent", false), "")
        const submitting = yield* begin(20, () => submit("silent"), "")
        const expecting = yield* begin(20, (index) => dialects[index % 3]!("silent", true), "")
        const reading = yield* begin(60, (index) => dialects[index % 3]!("slow", true), "data: ")
        const deaf = yield* begin(20, (index) => dialects[index % 3]!("slow", true), "data: ", true)
        const drowned = yield* begin(4, () => chat("large", true), "data: ", true)
        yield* until(Effect.map(sandboxStats(silent), ({ inflight }) => inflight === 120))
        assert.strictEqual(yield* requestsInFlight(service), 204)

        for (const [index, socket] of [...waiting, ...submitting, ...expecting, ...reading].entries()) {
          if (index % 2 === 0) socket.destroy()
          else socket.resetAndDestroy()
        }
        for (const socket of [...deaf, ...drowned]) socket.resetAndDestroy()
        const all = Effect.map(Effect.forEach([silent, slow], sandboxStats), (stats) => ({
          aborted: stats.reduce((sum, { aborted }) => sum + aborted, 0),
          inflight: stats.reduce((sum, { inflight }) => sum + inflight, 0)
        }))
        yield* until(Effect.map(all, ({ inflight }) => inflight === 0))
        assert.deepStrictEqual(yield* all, { aborted: 200, inflight: 0 })
        // What the buffers of the system took was answered as far as its endpoint knows.
        yield* until(Effect.map(sandboxStats(large), ({ inflight }) => inflight === 0))
        yield* until(Effect.map(requestsInFlight(service), (inflight) => inflight === 0))
        assert.deepInclude(yield* worker(service), { inflight: 0, queue_len: 0, aborted: 120 })
        const good = yield* send(`${service.url}/v1/chat/completions`, {
          body: { model: "large", max_tokens: 5, messages: [{ role: "user", content: "Hello" }] }
        })
        assert.strictEqual(good.status, 200)
      }),
    120_000
  )
})
