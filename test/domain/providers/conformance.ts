/** What every dialect promises; each kind brings its own answers and complaints. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import type { EndpointKind } from "../../../src/domain/config/DispatcherConfig.ts"
import type { GenAiErrorReason } from "../../../src/domain/genai/GenAiError.ts"
import type { GenAiRequest } from "../../../src/domain/genai/GenAiRequest.ts"
import type { GenAiResponse } from "../../../src/domain/genai/GenAiResponse.ts"
import type { ProviderRequest, ProviderTarget } from "../../../src/domain/providers/Provider.ts"
import * as Providers from "../../../src/domain/providers/Providers.ts"
import type { WireResponse } from "../../../src/domain/providers/Wire.ts"
import { familyOf } from "../../../src/domain/server/ModelRoutes.ts"
import { asksForStreams, type StreamFixtures, streamConformance } from "./streams.ts"

export interface Fixtures {
  readonly kind: EndpointKind
  readonly baseUrl: string
  /** The header that a credential of `k-123` goes out as. */
  readonly credential: readonly [name: string, value: string]
  /** Bodies that come with status 200, and the answers in them. */
  readonly answers: ReadonlyArray<readonly [what: string, body: string, answer: GenAiResponse]>
  /** Bodies that come with status 200 and are no answers, and a word of the sentence that says so. */
  readonly invalidAnswers: ReadonlyArray<readonly [what: string, body: string, says: string]>
  /** Failed answers in the provider's own form. */
  readonly failures: ReadonlyArray<{
    readonly what: string
    readonly response: Partial<WireResponse>
    readonly reason: Partial<GenAiErrorReason>
    readonly says: string
  }>
  /** A failed answer in the provider's own form, with this message in it. */
  readonly complain: (message: string) => string
  readonly streams: StreamFixtures
}

export const NOW = Date.UTC(2026, 0, 5, 12, 0, 0)
export const CREDENTIAL = "k-123"

export const target = (baseUrl: string, options: Partial<ProviderTarget> = {}): ProviderTarget => ({
  baseUrl: new URL(baseUrl),
  model: "model-1",
  parameters: {},
  headers: {},
  ...options
})

export const response = (options: Partial<WireResponse>): WireResponse => ({
  status: 200,
  headers: {},
  body: "",
  ...options
})

export const hello: GenAiRequest = { messages: [{ role: "user", content: "hello" }] }

/** The value of a header that must be there once. */
export const header = (request: ProviderRequest, name: string): string | undefined => {
  const at = request.headers.flatMap((entry, i) => (i % 2 === 0 && entry.toLowerCase() === name ? [i] : []))
  assert.isAtMost(at.length, 1, `${name} is repeated`)
  return at[0] === undefined ? undefined : request.headers[at[0] + 1]
}

/** By status alone, whatever the body says. */
const byStatus: ReadonlyArray<readonly [status: number, reason: GenAiErrorReason["_tag"]]> = [
  [300, "NotFound"],
  [308, "NotFound"],
  [400, "InvalidRequest"],
  [401, "Unauthorized"],
  [402, "QuotaExhausted"],
  [403, "Unauthorized"],
  [404, "NotFound"],
  [405, "InvalidRequest"],
  [408, "ServerError"],
  [409, "ServerError"],
  [413, "InvalidRequest"],
  [418, "InvalidRequest"],
  [422, "InvalidRequest"],
  [425, "ServerError"],
  [429, "RateLimited"],
  [451, "InvalidRequest"],
  [500, "ServerError"],
  [502, "ServerError"],
  [503, "Overloaded"],
  [504, "ServerError"],
  [529, "Overloaded"],
  [599, "ServerError"]
]

/** Bodies of servers that are not the provider: proxies, gateways, nothing at all. */
const foreignBodies = [
  "",
  "  \n",
  "<html><head><title>Bad Gateway</title></head></html>",
  "{",
  "null",
  "[]",
  "{}",
  '"x"',
  "7"
]

export const conformance = (fixtures: Fixtures) => {
  const make = (options: Partial<ProviderTarget> = {}) =>
    Providers.make(fixtures.kind, target(fixtures.baseUrl, options))
  const encode = (options: Partial<ProviderTarget>, request: GenAiRequest) =>
    Result.getOrThrow(make(options).encode(request, CREDENTIAL, "answer"))
  const decode = (options: Partial<WireResponse>, from: Partial<ProviderTarget> = {}) =>
    make(from).decode(response(options), CREDENTIAL, NOW)
  const failure = (options: Partial<WireResponse>, from: Partial<ProviderTarget> = {}) => {
    const result = decode(options, from)
    assert(Result.isFailure(result), `an answer: ${JSON.stringify(result)}`)
    return result.failure
  }

  describe(`the ${fixtures.kind} dialect`, () => {
    it("sends JSON to the endpoint's host", () => {
      const request = encode({}, hello)
      assert.strictEqual(request.method, "POST")
      assert.strictEqual(request.origin, new URL(fixtures.baseUrl).origin)
      assert.match(request.path, /^\//)
      assert.strictEqual(header(request, "content-type"), "application/json")
      assert.include(JSON.stringify(JSON.parse(request.body)), "hello")
    })

    it("sends the credential in its header and nowhere else", () => {
      const [name, value] = fixtures.credential
      const request = encode({}, hello)
      assert.strictEqual(header(request, name), value)
      assert.notInclude(request.path + request.body, CREDENTIAL)
    })

    it("sends no credential when there is none", () => {
      const request = Result.getOrThrow(make().encode(hello, undefined, "answer"))
      assert.isUndefined(header(request, fixtures.credential[0]))
    })

    it("takes a renewed credential with the next request", () => {
      const [name, value] = fixtures.credential
      const provider = make()
      for (const credential of ["k-123", "k-456", "k-123"]) {
        const request = Result.getOrThrow(provider.encode(hello, credential, "answer"))
        assert.strictEqual(header(request, name), value.replace("k-123", credential))
      }
    })

    it("lets the endpoint's headers win over its own", () => {
      const headers = { "X-Team": "search", "Content-Type": "application/json; v=2", [fixtures.credential[0]]: "own" }
      const request = encode({ headers }, hello)
      assert.strictEqual(header(request, "x-team"), "search")
      assert.strictEqual(header(request, "content-type"), "application/json; v=2")
      assert.strictEqual(header(request, fixtures.credential[0]), "own")
    })

    it("names the request's model, else the endpoint's", () => {
      const sent = (request: GenAiRequest) => {
        const { path, body } = encode({ model: "model-1" }, request)
        return path + body
      }
      assert.include(sent(hello), "model-1")
      assert.include(sent({ ...hello, model: "model-2" }), "model-2")
      assert.notInclude(sent({ ...hello, model: "model-2" }), "model-1")
    })

    it("sends the endpoint's parameters, but those of the request where it has them", () => {
      const parameters = { temperature: 0.25, top_p: 0.75 }
      assert.include(encode({ parameters }, hello).body, "0.75")
      assert.include(encode({ parameters }, hello).body, "0.25")
      const { body } = encode({ parameters }, { ...hello, temperature: 0.5, maxTokens: 77 })
      for (const there of ["0.75", "0.5", "77"]) assert.include(body, there)
      assert.notInclude(body, "0.25")
    })

    it.prop("writes valid JSON that has every text in it", [Schema.String, Schema.String], ([content, system]) => {
      const { body } = encode({}, { system, messages: [{ role: "user", content }] })
      const texts = new Set<unknown>()
      JSON.parse(body, (_, value: unknown) => {
        texts.add(value)
        return value
      })
      // An empty system prompt is none.
      assert.isTrue(texts.has(content) && (system === "" || texts.has(system)))
    })

    it("writes half a surrogate pair as JSON that is valid everywhere", () => {
      const { body } = encode({}, { messages: [{ role: "user", content: "x\ud83dx" }] })
      assert.isTrue(body.isWellFormed())
      assert.include(body, "\\ud83d")
    })

    it("sends the system prompt and every turn, in their order", () => {
      const { body } = encode(
        {},
        {
          system: "Be brief.",
          messages: [
            { role: "user", content: "first" },
            { role: "assistant", content: "second" },
            { role: "user", content: "third" }
          ]
        }
      )
      const places = ["Be brief.", "first", "second", "third"].map((text) => body.indexOf(text))
      assert.notInclude(places, -1)
      assert.deepStrictEqual(
        places.slice(1),
        places.slice(1).toSorted((a, b) => a - b)
      )
    })

    it("sends texts and images that are parts of a turn", () => {
      const { body } = encode(
        {},
        {
          messages: [
            {
              role: "user",
              content: [
                { type: "text", text: "what is this?" },
                { type: "data", mimeType: "image/png", data: "iVBORw0KGgo=" }
              ]
            }
          ]
        }
      )
      for (const there of ["what is this?", "iVBORw0KGgo=", "image/png"]) assert.include(body, there)
    })

    it("sends what a request adds in the provider's own words, and lets it win", () => {
      const parameters = { own_member: "default", other: { a: 1 } }
      const extra = { own_member: "special", new_member: { deep: [1, 2] } }
      const { body } = encode({ parameters }, { ...hello, extra })
      for (const there of ["special", '"new_member":{"deep":[1,2]}', "hello"]) assert.include(body, there)
      assert.strictEqual(JSON.parse(body).own_member, "special")
    })

    it("refuses what a request adds that cannot be written as JSON", () => {
      const result = make().encode({ ...hello, extra: { n: 1n } }, CREDENTIAL, "answer")
      assert(Result.isFailure(result))
      assert.deepInclude(result.failure.reason, { _tag: "InvalidRequest", retry: "never" })
    })

    if (fixtures.streams.isEventStream) {
      it("asks for a stream when one is wanted, and only then", () => {
        assert.isTrue(asksForStreams(make(), hello))
        assert.isTrue(asksForStreams(make(), { ...hello, extra: { stream: true } }))
        assert.isTrue(asksForStreams(make({ parameters: { stream: true } }), hello))
      })
    }

    for (const [what, body, answer] of fixtures.answers) {
      it(`reads an answer: ${what}`, () => {
        assert.deepStrictEqual(decode({ body }), Result.succeed(answer))
      })
    }

    for (const [what, body, says] of fixtures.invalidAnswers) {
      it(`takes no answer from ${what}`, () => {
        const { reason, message } = failure({ body })
        assert.deepInclude(reason, { _tag: "InvalidAnswer", status: 200, retry: "anywhere" })
        assert.include(message, says)
        assert.isAtMost(message.length, 300)
      })
    }

    for (const { what, response, reason, says } of fixtures.failures) {
      it(`understands a failure: ${what}`, () => {
        const result = failure(response)
        assert.deepInclude(result.reason, reason)
        assert.include(result.message, says)
      })
    }

    it("knows what each status means, whatever the body", () => {
      for (const [status, tag] of byStatus) {
        for (const body of foreignBodies) {
          const { reason, message } = failure({ status, body })
          assert.deepInclude(reason, { _tag: tag, status }, `${status} ${body}`)
          assert.include(message, String(status))
        }
      }
    })

    it("passes on how long to wait", () => {
      const waits = (status: number, headers: Record<string, string>) => {
        const { reason } = failure({ status, headers })
        return "retryAfterMs" in reason ? reason.retryAfterMs : undefined
      }
      for (const status of [429, 500, 503, 529]) {
        assert.strictEqual(waits(status, { "retry-after": "7" }), 7_000)
        assert.strictEqual(waits(status, {}), undefined)
      }
      assert.strictEqual(waits(429, { "retry-after": "7", "retry-after-ms": "250" }), 250)
      assert.strictEqual(waits(503, { "retry-after": "Mon, 05 Jan 2026 12:00:30 GMT" }), 30_000)
    })

    it("says where a redirect leads, without its query", () => {
      const { message } = failure({ status: 301, headers: { location: "https://new.example.com/v1?key=abc" } })
      assert.include(message, "https://new.example.com/v1")
      assert.notInclude(message, "abc")
    })

    it("asks for a credential when there is none", () => {
      const result = make().decode(response({ status: 401 }), undefined, NOW)
      assert(Result.isFailure(result))
      assert.include(result.failure.message, "has none")
    })

    it("never shows the credential or the endpoint's secret headers", () => {
      const headers = { "x-api-key": "other-secret", "x-team": "search", "x-auth": "Token t-789" }
      const text = `you sent k-123, other-secret and t-789 as search`
      for (const body of [fixtures.complain(text), text, `<p>${text}</p>`]) {
        const { message } = failure({ status: 401, body }, { headers })
        assert.include(message, "you sent ***, *** and *** as search")
      }
    })

    it("shows a long message only in part, and on one line", () => {
      const { message } = failure({ status: 400, body: fixtures.complain(`a\n\n b ${"🐢".repeat(600)}`) })
      assert.include(message, "a b 🐢")
      assert.isAtMost(message.length, 600)
      assert.isTrue(message.isWellFormed())
    })

    it.prop(
      "gives an answer or a failure for any response, and never throws",
      [Schema.Int, Schema.String, Schema.Json],
      ([status, text, json]) => {
        for (const body of [
          text,
          JSON.stringify(json),
          JSON.stringify({ error: json }),
          JSON.stringify({ choices: [json] })
        ]) {
          const result = decode({ status: 200 + (Math.abs(status) % 400), body })
          assert.isTrue(Result.isSuccess(result) || result.failure.message.length > 0)
        }
      }
    )
  })
  const { kind, streams, answers } = fixtures
  streamConformance({ kind, family: familyOf(kind), streams, answers, make })
}
