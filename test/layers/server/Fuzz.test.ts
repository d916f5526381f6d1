import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Prng } from "../../../src/domain/sandbox/Prng.ts"
import { ask, rawConnection, start } from "./harness.ts"

const requests = [
  { path: "/v1/chat/completions", body: ask("Hello", { stream: true, temperature: 0.5, max_tokens: 5, stop: ["x"] }) },
  { path: "/v1/messages", body: ask("Hello", { max_tokens: 5, system: "Be brief", stream: true }) },
  {
    path: "/v1beta/models/test-model:generateContent",
    body: { contents: [{ role: "user", parts: [{ text: "Hello" }] }], generationConfig: { temperature: 0.5 } }
  },
  {
    path: "/v1beta/models/test-model:streamGenerateContent?alt=sse",
    body: { contents: [{ role: "user", parts: [{ text: "Hello" }] }], systemInstruction: { parts: [{ text: "x" }] } }
  },
  { path: "/submit", body: { messages: [{ role: "user", content: "Hello" }] } }
]

const VALUES: ReadonlyArray<unknown> = [
  null,
  true,
  -1,
  1e308,
  0.1,
  "",
  "\u0000",
  "\ud800",
  "__proto__",
  [],
  {},
  [[]],
  [null],
  { type: "text" },
  { type: "image_url", image_url: { url: "javascript:1" } },
  { constructor: { prototype: {} } },
  "x".repeat(5_000)
]

/** The body with some of its values replaced, removed or doubled. */
const mutated = (value: unknown, random: () => number): unknown => {
  const choice = random()
  if (choice < 0.06) return VALUES[Math.floor(random() * VALUES.length)]
  if (Array.isArray(value)) {
    const items = value.map((item) => mutated(item, random))
    return choice < 0.1 ? [...items, ...items] : items
  }
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value).filter(() => random() > 0.04)
  const fields = Object.fromEntries(entries.map(([name, field]) => [name, mutated(field, random)]))
  return choice < 0.1
    ? { ...fields, [choice < 0.08 ? "__proto__" : "tools"]: VALUES[Math.floor(random() * 17)] }
    : fields
}

/** The bytes with some of them replaced, removed or doubled. */
const damaged = (bytes: Buffer, random: () => number): Buffer => {
  const copy = [...bytes]
  const damages = 1 + Math.floor(random() * 4)
  for (let damage = 0; damage < damages; damage++) {
    const at = Math.floor(random() * copy.length)
    const choice = random()
    if (choice < 0.5) copy[at] = Math.floor(random() * 256)
    else if (choice < 0.75) copy.splice(at, 1 + Math.floor(random() * 8))
    else copy.splice(at, 0, ...copy.slice(at, at + 1 + Math.floor(random() * 20)))
  }
  return Buffer.from(copy)
}

const bytesOf = (path: string, body: string): Buffer =>
  Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\nconnection: close\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )

describe("a thousand requests that are wrong in some way", () => {
  it.live(
    "get an answer that is no failure of the service, or none when they never end",
    () =>
      Effect.gen(function* () {
        const timeouts = { headersMs: 300, requestMs: 500, checkMs: 50 }
        const { chat, port, records, service, until } = yield* start({}, { timeouts })
        const prng = new Prng(7, 0)
        const random = () => prng.uint32() / 2 ** 32
        const one = (index: number) =>
          Effect.gen(function* () {
            const { body, path } = requests[index % requests.length]!
            const isDamaged = index % 3 === 0
            const text = JSON.stringify(isDamaged ? body : mutated(body, random)) ?? ""
            const bytes = isDamaged ? damaged(bytesOf(path, text), random) : bytesOf(path, text)
            const connection = yield* rawConnection(port)
            yield* connection.send(bytes)
            // What is damaged may ask to keep its connection.
            const answer = yield* Effect.raceFirst(connection.closed, connection.until(/^HTTP\/1\.1 \d{3} .*\r\n\r\n/s))
            const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0)
            assert.notStrictEqual(status, 500, `${bytes.toString("latin1")}\n${answer}`)
            if (!isDamaged) assert.isAtLeast(status, 200, `${bytes.toString("latin1")}\n${answer}`)
          }).pipe(Effect.scoped)
        yield* Effect.forEach(Array.from({ length: 1_000 }).keys(), one, { concurrency: 32, discard: true })
        yield* until(service.inflight, (inflight) => inflight === 0)
        assert.deepEqual(
          records.filter(({ problem }) => problem === "Internal"),
          []
        )
        assert.strictEqual((yield* chat(ask("Hello"))).status, 200)
      }),
    60_000
  )
})
