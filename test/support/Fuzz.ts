/** Requests that are wrong in some way, the same ones for the same seed. */
import { Prng } from "../../src/domain/sandbox/Prng.ts"

export interface Sample {
  readonly method: string
  readonly path: string
  readonly body?: unknown
}

const ask = (more: Readonly<Record<string, unknown>>) => ({
  model: "test-model",
  messages: [{ role: "user", content: "Hello" }],
  ...more
})

const contents = [{ role: "user", parts: [{ text: "Hello" }] }]

/** Good requests to the dialects, and the one that waits. */
export const dialectSamples: ReadonlyArray<Sample> = [
  {
    method: "POST",
    path: "/v1/chat/completions",
    body: ask({ stream: true, temperature: 0.5, max_tokens: 5, stop: ["x"] })
  },
  { method: "POST", path: "/v1/messages", body: ask({ max_tokens: 5, system: "Be brief", stream: true }) },
  {
    method: "POST",
    path: "/v1beta/models/test-model:generateContent",
    body: { contents, generationConfig: { temperature: 0.5 } }
  },
  {
    method: "POST",
    path: "/v1beta/models/test-model:streamGenerateContent?alt=sse",
    body: { contents, systemInstruction: { parts: [{ text: "x" }] } }
  },
  { method: "POST", path: "/submit", body: { messages: [{ role: "user", content: "Hello" }] } }
]

/** Good requests to all other routes. */
export const otherSamples: ReadonlyArray<Sample> = [
  { method: "POST", path: "/generate", body: { contents, session: "s", stream: true } },
  { method: "POST", path: "/generate", body: { input: "Hello", webhook: "https://example.com/hook", maxTokens: 5 } },
  { method: "GET", path: "/jobs?limit=10&status=Completed&before=0" },
  { method: "GET", path: "/jobs/0123" },
  { method: "DELETE", path: "/jobs/0123" },
  { method: "GET", path: "/jobs/0123/events" },
  { method: "GET", path: "/v1/models" },
  { method: "GET", path: "/v1/models/test-model" },
  { method: "GET", path: "/v1beta/models?pageSize=5" },
  { method: "GET", path: "/metrics" },
  { method: "GET", path: "/metrics/prometheus" },
  { method: "GET", path: "/health/live" },
  { method: "GET", path: "/health/ready" },
  { method: "GET", path: "/openapi.json" },
  { method: "GET", path: "/docs" }
]

const VALUES: ReadonlyArray<unknown> = [
  null,
  true,
  -1,
  1e308,
  0.1,
  2 ** 53,
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

/** Texts that JSON.stringify would not write. */
const ODD_BODIES: ReadonlyArray<string> = [
  "",
  "{",
  "null",
  "[]",
  '"text"',
  "1e999",
  "NaN",
  "\ufeff{}",
  `{"contents":${"[".repeat(50_000)}${"]".repeat(50_000)}}`,
  `${'{"a":'.repeat(200)}1${"}".repeat(200)}`,
  `{"model":"test-model","messages":[{"role":"user","content":"x"}],"temperature":1${"0".repeat(400)}}`,
  '{"__proto__":{"model":"test-model"},"constructor":1}',
  '{"model":"test-model","model":"other","messages":[]}',
  '{"model":"\\u0000","messages":[{"role":"user","content":"\\ud800"}]}',
  '{"input":"\\u0000"}',
  '{"input":"x","session":"\\u0000","webhook":"http://[::1"}'
]

const ODD_PATHS: ReadonlyArray<string> = [
  "/%",
  "/%00",
  "/jobs/%ff%fe",
  "/jobs/%00/events",
  "/jobs/..%2f..%2fetc%2fpasswd",
  "/jobs?limit=1e9&status=__proto__",
  "/jobs?before=%00%00",
  "/jobs?limit=&limit=&limit=NaN",
  "/v1/models/%E0%A4%A",
  "/v1beta/models/:generateContent",
  "/v1beta/models/__proto__:generateContent",
  "/v1beta/models/test-model:streamGenerateContent?alt=%",
  "//",
  "/./../..",
  "http://other.test/v1/models",
  "http://[/v1/models",
  "*",
  `/${"a".repeat(9_000)}`,
  `/jobs/${"9".repeat(3_000)}`
]

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "BREW", "get"]

const ODD_HEADERS: ReadonlyArray<string> = [
  "content-type: text/plain",
  "content-type: application/json; charset=utf-16",
  "content-type:",
  "content-encoding: gzip",
  "transfer-encoding: chunked, gzip",
  "expect: 100-continue",
  "expect: the unexpected",
  "upgrade: websocket\r\nconnection: upgrade",
  "x-session-id: ",
  `x-session-id: ${"s".repeat(2_000)}`,
  "x-deadline-ms: -1",
  "x-deadline-ms: 99999999999999999999",
  "idempotency-key: ",
  `idempotency-key: ${"k".repeat(300)}`,
  "idempotency-key: same\r\nidempotency-key: other",
  "authorization: Bearer",
  "authorization: Basic %%%",
  "x-api-key: \u00ff\u00fe",
  "x-goog-api-key: __proto__",
  "accept: */*;q=\u00b9",
  "accept: text/plain;q=1e999",
  "traceparent: 00-00000000000000000000000000000000-0000000000000000-ff",
  "origin: null",
  "origin: http://evil.test",
  `cookie: ${"c".repeat(10_000)}`,
  `x-large: ${"l".repeat(40_000)}`,
  "x-null: a\u0000b",
  "no colon here",
  ": no name",
  " folded: header",
  "content-length: -5",
  "content-length: 5\r\ncontent-length: 6",
  "host: other\r\nhost: another"
]

const randomOf = (seed: number) => {
  const prng = new Prng(seed, 0)
  return () => prng.uint32() / 2 ** 32
}

const pick = <A>(items: ReadonlyArray<A>, random: () => number): A => items[Math.floor(random() * items.length)]!

/** The body with some of its values replaced, removed or doubled. */
const mutated = (value: unknown, random: () => number): unknown => {
  const choice = random()
  if (choice < 0.06) return pick(VALUES, random)
  if (Array.isArray(value)) {
    const items = value.map((item) => mutated(item, random))
    return choice < 0.1 ? [...items, ...items] : items
  }
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value).filter(() => random() > 0.04)
  const fields = Object.fromEntries(entries.map(([name, field]) => [name, mutated(field, random)]))
  return choice < 0.1 ? { ...fields, [choice < 0.08 ? "__proto__" : "tools"]: pick(VALUES, random) } : fields
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

const head = (method: string, path: string, headers: ReadonlyArray<string>): string =>
  [`${method} ${path} HTTP/1.1`, "host: localhost", "connection: close", ...headers, "", ""].join("\r\n")

const wellFormed = ({ method, path }: Sample, text: string | undefined): Buffer =>
  Buffer.from(
    text === undefined
      ? head(method, path, [])
      : head(method, path, ["content-type: application/json", `content-length: ${Buffer.byteLength(text)}`]) + text
  )

export interface Fuzzed {
  /** What is wrong with it. */
  readonly kind: string
  readonly bytes: Buffer
  /** Whether it is a whole request by HTTP, whatever it says: then it has an answer. */
  readonly isWhole: boolean
  /** Whether it is sent a few bytes at a time. */
  readonly isSlow: boolean
}

const wayOf = (sample: Sample, random: () => number): Omit<Fuzzed, "isSlow"> => {
  const text = sample.body === undefined ? undefined : JSON.stringify(sample.body)
  const body = text ?? "{}"
  const whole = (kind: string, bytes: Buffer) => ({ kind, bytes, isWhole: true })
  const broken = (kind: string, bytes: Buffer | string) => ({ kind, bytes: Buffer.from(bytes), isWhole: false })
  const json = "content-type: application/json"
  switch (Math.floor(random() * 11)) {
    case 0:
    case 1:
      return whole("values", wellFormed(sample, JSON.stringify(mutated(sample.body ?? {}, random)) ?? ""))
    case 2:
      return broken("bytes", damaged(wellFormed(sample, text), random))
    case 3:
      return whole("body", wellFormed({ ...sample, method: "POST" }, pick(ODD_BODIES, random)))
    case 4:
      return broken("path", head(sample.method, pick(ODD_PATHS, random), []))
    case 5:
      return broken("method", wellFormed({ ...sample, method: pick(METHODS, random) }, text))
    case 6: {
      const headers = [json, `content-length: ${Buffer.byteLength(body)}`]
      const odd = Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(ODD_HEADERS, random))
      return broken("headers", Buffer.from(head(sample.method, sample.path, [...headers, ...odd]) + body, "latin1"))
    }
    case 7: {
      const chunks = [
        `5\r\n{"in"\r\n0\r\n\r\n`,
        `FFFFFFFFFFFFFFFF\r\n{`,
        `zz\r\n${body}\r\n0\r\n\r\n`,
        `${body.length.toString(16)};${"e".repeat(20_000)}\r\n${body}\r\n0\r\n\r\n`,
        `${body.length.toString(16)}\r\n${body}`,
        `-1\r\n${body}\r\n0\r\n\r\n`,
        `${body.length.toString(16)}\r\n${body}\r\n0\r\nx-trailer: \u0000\r\n\r\n`
      ]
      return broken("chunks", head("POST", sample.path, [json, "transfer-encoding: chunked"]) + pick(chunks, random))
    }
    case 8: {
      const length = pick(["0", "1", String(body.length - 1), String(body.length + 7), "1e3", "99999999999999"], random)
      return broken("length", head("POST", sample.path, [json, `content-length: ${length}`]) + body)
    }
    case 9: {
      // Requests behind each other, the last of them garbage.
      const good = head(sample.method, sample.path, []).replace("connection: close\r\n", "")
      return broken("pipeline", `${good}${good}${pick(["\r\n\r\nGARBAGE", "\u0000\u0001\u0002", "GET", good], random)}`)
    }
    default: {
      const bytes = Buffer.from(body)
      bytes[Math.floor(random() * bytes.length)] = 0xff
      const headers = [json, `content-length: ${bytes.length}`]
      return whole("utf-8", Buffer.concat([Buffer.from(head("POST", sample.path, headers)), bytes]))
    }
  }
}

/** So many requests that are made of the samples in turn. */
export const fuzzed = (samples: ReadonlyArray<Sample>, count: number, seed: number): ReadonlyArray<Fuzzed> => {
  const random = randomOf(seed)
  return Array.from({ length: count }, (_, index) => ({
    ...wayOf(samples[index % samples.length]!, random),
    isSlow: random() < 0.03
  }))
}
