import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { hashKey } from "../../../src/domain/server/KeyRing.ts"
import { ask, rawConnection, start } from "./harness.ts"

const key = (name: string, more: { requestsPerMinute?: number; models?: ReadonlyArray<string> } = {}) => ({
  name,
  sha256: hashKey(`secret-${name}`),
  requestsPerMinute: more.requestsPerMinute,
  models: more.models && new Set(more.models)
})
const bearer = (name: string) => ({ authorization: `Bearer secret-${name}` })
const json = { "content-type": "application/json" }

describe("refusals", () => {
  it.live("without a known API key there is nothing to have", () =>
    Effect.gen(function* () {
      const { chat, records, sandbox, send } = yield* start({}, { server: { apiKeys: [key("team")] } })
      assert.strictEqual((yield* chat(ask("Hello"))).status, 401)
      assert.strictEqual((yield* chat(ask("Hello"), { authorization: "Bearer wrong" })).status, 401)
      assert.strictEqual((yield* send("/v1/models")).status, 401)
      assert.strictEqual((yield* sandbox.stats).received, 0)
      assert.strictEqual((yield* chat(ask("Hello"), bearer("team"))).status, 200)
      assert.deepEqual(
        records.map(({ key, problem }) => [key, problem]),
        [
          [undefined, "missing_api_key"],
          [undefined, "invalid_api_key"],
          [undefined, "missing_api_key"],
          ["team", undefined]
        ]
      )
    })
  )

  it.live("a key beyond its rate is told when it may come again; others are not concerned", () =>
    Effect.gen(function* () {
      const apiKeys = [key("slow", { requestsPerMinute: 2 }), key("other")]
      const { chat } = yield* start({}, { server: { apiKeys } })
      for (const expected of [200, 200, 429]) {
        const answer = yield* chat(ask("Hello"), bearer("slow"))
        assert.strictEqual(answer.status, expected)
        if (expected !== 429) continue
        const seconds = Number(answer.headers["retry-after"])
        assert.isAbove(seconds, 50)
        assert.isAtMost(seconds, 60)
      }
      assert.strictEqual((yield* chat(ask("Hello"), bearer("other"))).status, 200)
    })
  )

  it.live("a key has its models and sees no others", () =>
    Effect.gen(function* () {
      const apiKeys = [key("team", { models: ["cheap"] })]
      const models = new Map([
        ["cheap", ["east"]],
        ["dear", ["east"]]
      ])
      const { chat, records, send } = yield* start({}, { server: { apiKeys, models } })
      assert.strictEqual((yield* chat({ ...ask("Hello"), model: "cheap" }, bearer("team"))).status, 200)
      assert.strictEqual((yield* chat({ ...ask("Hello"), model: "dear" }, bearer("team"))).status, 403)
      const either = { ...ask("Hello"), model: "cheap", models: ["dear"] }
      assert.strictEqual((yield* chat(either, bearer("team"))).status, 403)
      const list = yield* send("/v1/models", { headers: bearer("team") })
      assert.include(list.body, "cheap")
      assert.notInclude(list.body, "dear")
      assert.strictEqual((yield* send("/v1/models/dear", { headers: bearer("team") })).status, 404)
      assert.deepInclude(records.at(-1), { route: "openai.models", status: 404, problem: "model_not_found" })
    })
  )

  it.live("bodies that are no JSON are refused, without their contents in the answer", () =>
    Effect.gen(function* () {
      const { chat, sandbox, send } = yield* start()
      const path = "/v1/chat/completions"
      const post = (body: string | Buffer, headers: Record<string, string> = json) =>
        send(path, { method: "POST", body, headers })
      const broken = yield* post('{"messages": [SECRET')
      assert.strictEqual(broken.status, 400)
      assert.notInclude(broken.body, "SECRET")
      assert.strictEqual((yield* post("")).status, 400)
      assert.strictEqual((yield* post("null")).status, 400)
      assert.strictEqual((yield* post("[]")).status, 400)
      assert.strictEqual((yield* post(Buffer.from([0x22, 0xff, 0xfe, 0x22]))).status, 400)
      assert.strictEqual((yield* post(`{"messages":${"[".repeat(20_000)}${"]".repeat(20_000)}}`)).status, 400)
      assert.strictEqual((yield* post(`${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`)).status, 400)
      assert.strictEqual((yield* post("{}", { ...json, "content-encoding": "gzip" })).status, 415)
      assert.strictEqual((yield* post("{}", { "content-type": "text/plain" })).status, 415)
      assert.strictEqual((yield* post("{}", {})).status, 415)
      assert.strictEqual((yield* sandbox.stats).received, 0)
      assert.strictEqual((yield* chat(ask("Hello"), { "content-type": "application/json; charset=utf-8" })).status, 200)
    })
  )

  it.live("bodies that are too long are refused when that is known, and the next request is served", () =>
    Effect.gen(function* () {
      const { chat, records, sandbox } = yield* start({}, { server: { maxBodyBytes: 1_000 } })
      assert.strictEqual((yield* chat(ask("x".repeat(2_000)))).status, 413)
      assert.strictEqual((yield* chat(ask("x".repeat(200_000)))).status, 413)
      assert.strictEqual((yield* chat(ask("x".repeat(500)))).status, 200)
      assert.strictEqual((yield* sandbox.stats).received, 1)
      assert.deepEqual(
        records.map(({ status }) => status),
        [413, 413, 200]
      )
    })
  )

  it.live("a client may want its answer sooner, and is told when it was not to be had", () =>
    Effect.gen(function* () {
      const { chat } = yield* start({ latency: "fixed:10s" })
      assert.strictEqual((yield* chat(ask("Hello"), { "x-deadline-ms": "50" })).status, 504)
      assert.strictEqual((yield* chat(ask("Hello"), { "x-deadline-ms": "soon" })).status, 400)
      assert.strictEqual((yield* chat(ask("Hello"), { "x-deadline-ms": "0" })).status, 400)
    })
  )

  it.live("where no key is asked for, pages of other sites are turned away", () =>
    Effect.gen(function* () {
      const { chat } = yield* start()
      assert.strictEqual((yield* chat(ask("Hello"), { origin: "https://evil.example" })).status, 403)
      assert.strictEqual((yield* chat(ask("Hello"), { origin: "http://localhost.evil.example" })).status, 403)
      assert.strictEqual((yield* chat(ask("Hello"), { origin: "null" })).status, 403)
      assert.strictEqual((yield* chat(ask("Hello"), { origin: "http://localhost:8080" })).status, 200)
    })
  )

  it.live("a client that is refused while it sends may send to its end, and reads why", () =>
    Effect.gen(function* () {
      const { port } = yield* start({}, { server: { apiKeys: [key("team")] } })
      const head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
      const connection = yield* rawConnection(port)
      const errors: Array<Error> = []
      connection.socket.on("error", (error) => errors.push(error))
      yield* connection.send(`${head}content-length: 20\r\nconnection: close\r\n\r\n0123456789`)
      yield* connection.until(/^HTTP\/1\.1 401 [\s\S]*invalid_api_key/)
      yield* connection.send("01234")
      yield* connection.send("56789")
      yield* connection.closed
      assert.deepStrictEqual(errors, [])
    })
  )
})
