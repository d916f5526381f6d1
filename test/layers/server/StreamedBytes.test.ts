/** How streamed answers lie on the connection. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import type { ChatEvent } from "../../../src/domain/genai/ChatEvent.ts"
import { ask, fakeClient, rawChat, rawConnection, serve } from "./harness.ts"

/** One to four bytes to a character, a line end, and one that is longer than any buffer. */
const TEXTS = ["a", "é", "語", "😀", "line\r\nline", "x".repeat(100_000), "é".repeat(100_000)]

const finish: ChatEvent = { _tag: "Finish", finishReason: "stop", model: "m" }
const deltas = TEXTS.map((text): ChatEvent => ({ _tag: "TextDelta", text }))

const client = fakeClient({ stream: () => Stream.rechunk(Stream.fromIterable([...deltas, finish]), 1) })

const streamed = JSON.stringify(ask("Hello", { stream: true }))

const textsIn = (body: string): ReadonlyArray<string> =>
  [...body.matchAll(/^data: (\{.*\})$/gm)].flatMap(([, data = ""]) => {
    const content: unknown = JSON.parse(data).choices[0].delta.content
    return typeof content === "string" && content !== "" ? [content] : []
  })

describe("a streamed answer", () => {
  it.live("says all texts, and leaves the connection to the next request", () =>
    Effect.gen(function* () {
      const { port } = yield* serve(client)
      const connection = yield* rawConnection(port)
      yield* connection.send(rawChat(streamed))
      yield* connection.until(/\r\n0\r\n\r\n$/)
      yield* connection.send(rawChat(streamed, ["connection: close"]))
      const answers = (yield* connection.closed).split(/(?=HTTP\/1\.1 200)/)
      assert.lengthOf(answers, 2)
      for (const answer of answers) {
        const [head = "", ...rest] = answer.split("\r\n\r\n")
        assert.include(head.toLowerCase(), "transfer-encoding: chunked")
        assert.deepStrictEqual(textsIn(unchunked(rest.join("\r\n\r\n"))), TEXTS)
      }
    })
  )

  it.live("is read by clients that know no chunks", () =>
    Effect.gen(function* () {
      const { port } = yield* serve(client)
      const connection = yield* rawConnection(port)
      yield* connection.send(rawChat(streamed).replace("HTTP/1.1", "HTTP/1.0"))
      const [head = "", body = ""] = (yield* connection.closed).split("\r\n\r\n")
      assert.notInclude(head.toLowerCase(), "transfer-encoding")
      assert.deepStrictEqual(textsIn(body), TEXTS)
      assert.isTrue(body.endsWith("data: [DONE]\n\n"))
    })
  )
})

/** The contents of chunks (RFC 9112, 7.1), which must be whole and end the text. */
const unchunked = (text: string): string => {
  const bytes = Buffer.from(text)
  const parts: Array<Buffer> = []
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at)
    const size = bytes.toString("latin1", at, lineEnd)
    assert.match(size, /^[0-9a-f]+$/)
    const end = lineEnd + 2 + Number.parseInt(size, 16)
    assert.strictEqual(bytes.toString("latin1", end, end + 2), "\r\n")
    parts.push(bytes.subarray(lineEnd + 2, end))
    at = end + 2
    if (size !== "0") continue
    assert.strictEqual(at, bytes.length)
    return Buffer.concat(parts).toString("utf8")
  }
}
