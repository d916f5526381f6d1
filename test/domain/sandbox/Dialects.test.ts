import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { deltasOf } from "../../../src/domain/sandbox/Answer.ts"
import type { Dialect, Refusal } from "../../../src/domain/sandbox/Dialect.ts"
import { dialectNear, dialectOfCall } from "../../../src/domain/sandbox/Dialects.ts"
import { anthropicDialect, rfc3339 } from "../../../src/domain/sandbox/dialects/Anthropic.ts"
import { azureDialect } from "../../../src/domain/sandbox/dialects/Azure.ts"
import { cloudflareDialect } from "../../../src/domain/sandbox/dialects/Cloudflare.ts"
import { geminiArrayDialect, geminiDialect } from "../../../src/domain/sandbox/dialects/Gemini.ts"
import { openAiDialect } from "../../../src/domain/sandbox/dialects/OpenAi.ts"
import { vertexArrayDialect, vertexDialect } from "../../../src/domain/sandbox/dialects/Vertex.ts"
import type { RateVerdict } from "../../../src/domain/sandbox/RateLimit.ts"

const VERTEX = "/v1/projects/p/locations/global/publishers/google/models"

/** For each dialect: a path (with query), headers and a body of a call to model `m` with the texts `s` and `u`. */
const calls = {
  openai: {
    dialect: openAiDialect,
    path: "/v1/chat/completions",
    body: {
      model: "m",
      messages: [
        { role: "system", content: "s" },
        { role: "user", content: "u" }
      ]
    }
  },
  azure: {
    dialect: azureDialect,
    path: "/openai/deployments/m/chat/completions?api-version=2024-10-21",
    body: {
      messages: [
        { role: "system", content: "s" },
        { role: "user", content: "u" }
      ]
    }
  },
  gemini: {
    dialect: geminiDialect,
    path: "/v1beta/models/m:generateContent",
    body: { systemInstruction: { parts: [{ text: "s" }] }, contents: [{ role: "user", parts: [{ text: "u" }] }] }
  },
  vertex: {
    dialect: vertexDialect,
    path: `${VERTEX}/m:generateContent`,
    body: { systemInstruction: { parts: [{ text: "s" }] }, contents: [{ role: "user", parts: [{ text: "u" }] }] }
  },
  anthropic: {
    dialect: anthropicDialect,
    path: "/v1/messages",
    body: {
      model: "m",
      max_tokens: 50,
      system: "s",
      messages: [{ role: "user", content: [{ type: "text", text: "u" }] }]
    }
  },
  cloudflare: {
    dialect: cloudflareDialect,
    path: "/client/v4/accounts/a/ai/run/m",
    body: {
      messages: [
        { role: "system", content: "s" },
        { role: "user", content: "u" }
      ]
    }
  }
} as const

const headers = { "anthropic-version": "2023-06-01" }
const requestOf = (url: string, more: Record<string, string> = headers) => {
  const [path = "", query = ""] = url.split("?")
  return { path, query, headers: more }
}
const read = (name: keyof typeof calls, body: unknown, models?: ReadonlyArray<string>) =>
  calls[name].dialect.readCall(
    requestOf(calls[name].path),
    typeof body === "string" ? body : JSON.stringify(body),
    models
  )
const facts = (dialect: Dialect, refusal: Refusal) => {
  const reply = dialect.refuse(refusal)
  return { ...reply, json: Schema.decodeSync(Schema.fromJsonString(Schema.Unknown))(reply.body) }
}
/** The value of a header in a list of names and values in turn. */
const valueOf = (headers: ReadonlyArray<string>, name: string) => {
  const at = headers.indexOf(name)
  return at < 0 ? undefined : headers[at + 1]
}

const verdict: RateVerdict = {
  admitted: false,
  limit: 60,
  windowMs: 60_000,
  remaining: 0,
  resetMs: 59_400,
  retryAfterMs: 1400
}
const limited: Refusal = { kind: "rate-limited", retryAfterMs: 1400, verdict }
const unhinted: Refusal = { kind: "rate-limited", retryAfterMs: undefined, verdict: undefined }

describe("dialectOfCall", () => {
  const table: ReadonlyArray<readonly [string, Dialect | undefined]> = [
    ["/v1/chat/completions", openAiDialect],
    ["/openai/deployments/d/chat/completions?api-version=1", azureDialect],
    ["/v1/messages", anthropicDialect],
    ["/v1beta/models/m:generateContent?key=k", geminiDialect],
    ["/v1/models/m:generateContent", geminiDialect],
    ["/v1beta/models/m:streamGenerateContent?alt=sse", geminiDialect],
    ["/v1beta/models/m:streamGenerateContent?key=k&alt=sse", geminiDialect],
    ["/v1beta/models/m:streamGenerateContent", geminiArrayDialect],
    ["/v1beta/models/m:streamGenerateContent?alt=json", geminiArrayDialect],
    [`${VERTEX}/m:generateContent`, vertexDialect],
    ["/v1beta1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent?alt=sse", vertexDialect],
    [`${VERTEX}/m:streamGenerateContent`, vertexArrayDialect],
    ["/client/v4/accounts/a/ai/run/@cf/meta/llama", cloudflareDialect],
    ["/v1beta/models/m:countTokens", undefined],
    ["/v1/chat/completions/", undefined],
    ["/openai/deployments/d/embeddings", undefined],
    ["/client/v4/accounts/a/ai/run/", undefined],
    ["/", undefined]
  ]
  for (const [url, dialect] of table) {
    it(`knows ${url}`, () => {
      const { path, query } = requestOf(url)
      assert.strictEqual(dialectOfCall(path, query), dialect)
    })
  }

  it("answers for unknown paths in the format that they look like", () => {
    assert.strictEqual(dialectNear("/v1beta/model"), geminiDialect)
    assert.strictEqual(dialectNear("/client/v4/user"), cloudflareDialect)
    assert.strictEqual(dialectNear("/openai/x"), azureDialect)
    assert.strictEqual(dialectNear("/v2"), openAiDialect)
  })
})

const NAMES = ["openai", "azure", "gemini", "vertex", "anthropic", "cloudflare"] as const

for (const name of NAMES) {
  const { dialect, path, body } = calls[name]
  const call = { model: "m", texts: ["s", "u"], maxTokens: undefined, stream: true, streamUsage: true }
  const answer = { text: 'Say "hi" \\ now.', promptTokens: 3, completionTokens: 4, cut: false }
  const identity = { id: "0".repeat(32), created: 5 }

  describe(`the ${name} dialect`, () => {
    it("reads the model and the texts of a call", () => {
      const read_ = Result.getOrThrow(read(name, body))
      assert.deepStrictEqual([read_.model, read_.texts], ["m", ["s", "u"]])
      assert.strictEqual(dialectOfCall(requestOf(path).path, requestOf(path).query), dialect)
    })

    it("refuses bodies that are no JSON object, calls without texts, and unknown models", () => {
      for (const wrong of ["", "{", "[]", "{}", "null"]) {
        const refusal = Result.getOrThrow(Result.flip(read(name, wrong)))
        assert.strictEqual(refusal.kind, "invalid", wrong)
        assert.strictEqual(dialect.refuse(refusal).status, 400)
      }
      assert.deepStrictEqual(Result.getOrThrow(Result.flip(read(name, body, ["other"]))), {
        kind: "unknown-model",
        model: "m"
      })
      assert.isTrue(Result.isSuccess(read(name, body, ["m"])))
    })

    it("writes whole answers that are valid JSON with the text", () => {
      const reply = dialect.answer(call, answer, identity)
      assert.doesNotThrow(() => JSON.parse(reply.body))
      assert.include(reply.body, JSON.stringify(answer.text))
    })

    it("writes one frame for each piece of the text, and one that ends the stream", () => {
      const deltas = deltasOf(answer.text, 4)
      const { frames } = dialect.stream(call, answer, deltas, identity)
      assert.strictEqual(frames.length, 5)
      deltas.forEach((delta, index) => {
        assert.include(frames[index], JSON.stringify(delta))
      })
      const events = frames.join("").split(/\r?\n\r?\n/)
      assert.strictEqual(events.pop(), "")
      for (const event of events) {
        const data = /^data: (.*)$/m.exec(event)?.[1] ?? ""
        if (data !== "[DONE]") assert.doesNotThrow(() => JSON.parse(data), event)
      }
    })

    it("refuses in every way with an error that is JSON, or a page where the real service sends one", () => {
      const refusals: ReadonlyArray<readonly [Refusal, number]> = [
        [{ kind: "no-key" }, name === "gemini" ? 403 : 401],
        [{ kind: "bad-key" }, name === "gemini" ? 400 : 401],
        [{ kind: "too-large", limitBytes: 5 }, name === "gemini" || name === "vertex" ? 400 : 413],
        [{ kind: "unknown-model", model: "x" }, name === "cloudflare" ? 400 : 404],
        [limited, 429],
        [unhinted, 429],
        [{ kind: "overloaded", status: 503 }, 503],
        [{ kind: "overloaded", status: 529 }, 529],
        [{ kind: "server-error" }, 500]
      ]
      for (const [refusal, status] of refusals) {
        const { json, status: got } = facts(dialect, refusal)
        assert.strictEqual(got, status, refusal.kind)
        assert.isObject(json)
      }
      const unknown = dialect.refuse({ kind: "unknown-path", method: "POST", path: "/x" })
      assert.strictEqual(unknown.status, 404)
      const page = name === "gemini" || name === "vertex"
      assert.strictEqual(valueOf(unknown.headers, "content-type")?.startsWith("text/html"), page)
    })

    it("never throws on a path that is encoded wrongly", () => {
      const broken = requestOf(path.replace(/m(?=[:/?]|$)/, "%zz"))
      assert.doesNotThrow(() => dialect.readCall(broken, JSON.stringify(body), undefined))
    })
  })
}

describe("keys", () => {
  const cases: ReadonlyArray<readonly [string, Dialect, string, Record<string, string>]> = [
    ["azure api-key", azureDialect, "/x", { "api-key": "k" }],
    ["azure token", azureDialect, "/x", { authorization: "Bearer k" }],
    ["gemini header", geminiDialect, "/x", { "x-goog-api-key": "k" }],
    ["gemini query", geminiDialect, "/x?alt=sse&key=k", {}],
    ["vertex token", vertexDialect, "/x", { authorization: "Bearer k" }],
    ["anthropic key", anthropicDialect, "/x", { "x-api-key": "k" }],
    ["cloudflare token", cloudflareDialect, "/x", { authorization: "Bearer k" }]
  ]
  for (const [what, dialect, url, given] of cases) {
    it(`finds the ${what}`, () => {
      assert.strictEqual(dialect.keyOf(requestOf(url, given)), "k")
      assert.isUndefined(dialect.keyOf(requestOf("/x", {})))
    })
  }
})

describe("hints", () => {
  it("are in the body with Gemini: the message, RetryInfo and QuotaFailure; without one there are no details", () => {
    const { json, headers } = facts(geminiDialect, limited)
    assert.isUndefined(valueOf(headers, "retry-after"))
    const text = JSON.stringify(json)
    assert.include(text, '"status":"RESOURCE_EXHAUSTED"')
    assert.include(text, "Please retry in 1.4s.")
    assert.include(text, '{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.4s"}')
    assert.include(text, '"quotaId":"GenerateRequestsPerMinutePerProjectPerModel"')
    assert.include(text, '"quotaValue":"60"')
    assert.notInclude(geminiDialect.refuse(unhinted).body, '"details"')
  })

  it("do not exist with Vertex", () => {
    assert.deepStrictEqual(facts(vertexDialect, limited), facts(vertexDialect, unhinted))
    assert.notInclude(vertexDialect.refuse(limited).body, '"details"')
    assert.deepStrictEqual(vertexDialect.rateHeaders(verdict, 0), [])
  })

  it("are whole seconds and exact milliseconds with Azure, and resets are whole seconds", () => {
    const { headers } = azureDialect.refuse(limited)
    assert.deepStrictEqual([valueOf(headers, "retry-after"), valueOf(headers, "retry-after-ms")], ["2", "1400"])
    assert.isUndefined(valueOf(azureDialect.refuse(unhinted).headers, "retry-after"))
    assert.strictEqual(valueOf(azureDialect.rateHeaders(verdict, 0), "x-ratelimit-reset-requests"), "60")
  })

  it("are whole seconds with Anthropic, and resets are RFC 3339 times", () => {
    assert.strictEqual(valueOf(anthropicDialect.refuse(limited).headers, "retry-after"), "2")
    assert.isUndefined(valueOf(anthropicDialect.refuse(unhinted).headers, "retry-after"))
    const at = Date.UTC(2026, 0, 27, 12, 0, 30)
    const reset = valueOf(anthropicDialect.rateHeaders(verdict, at), "anthropic-ratelimit-requests-reset")
    assert.strictEqual(reset, "2026-01-27T12:01:30Z")
    assert.strictEqual(rfc3339(at), "2026-01-27T12:00:30Z")
  })

  it("are whole seconds with Cloudflare, whose failures say that there is no success", () => {
    const { headers, json } = facts(cloudflareDialect, limited)
    assert.strictEqual(valueOf(headers, "retry-after"), "2")
    assert.deepInclude(json, { success: false, result: null, messages: [] })
  })
})

describe("what only one format has", () => {
  it("Anthropic needs its version header", () => {
    const { path, body } = calls.anthropic
    const refusal = Result.getOrThrow(
      Result.flip(anthropicDialect.readCall(requestOf(path, {}), JSON.stringify(body), undefined))
    )
    assert.deepInclude(refusal, { kind: "invalid", message: "anthropic-version: header is required" })
  })

  it("Azure needs its api-version, and says that nothing is there without it", () => {
    const refusal = Result.getOrThrow(
      Result.flip(azureDialect.readCall(requestOf("/openai/deployments/m/chat/completions"), "{}", undefined))
    )
    assert.deepStrictEqual(JSON.parse(azureDialect.refuse(refusal).body), {
      error: { code: "404", message: "Resource not found" }
    })
  })

  it("Cloudflare takes a prompt instead of messages", () => {
    assert.deepStrictEqual(Result.getOrThrow(read("cloudflare", { prompt: "p" })).texts, ["p"])
  })

  it("Google streams one JSON array without alt=sse, also when it fails in the middle or at once", () => {
    const call = { model: "m", texts: [], maxTokens: undefined, stream: true, streamUsage: true }
    const answer = { text: "abcdef", promptTokens: 3, completionTokens: 4, cut: true }
    for (const dialect of [geminiArrayDialect, vertexArrayDialect]) {
      const { frames } = dialect.stream(call, answer, ["abc", "def"], { id: "1", created: 5 })
      assert.strictEqual(JSON.parse(frames.join("")).length, 3)
      const broken: unknown = JSON.parse(`${frames[0]}${frames[1]}${dialect.streamError}`)
      assert.isTrue(Array.isArray(broken) && broken.length === 3)
      assert.match(dialect.refuse(limited).body, /^\[\{\s+"error"/)
    }
  })

  it("Vertex tells of a failure in the middle of its events as bare JSON over several lines", () => {
    assert.isFalse(vertexDialect.streamError.startsWith("data:"))
    assert.match(vertexDialect.streamError, /^\{\n/)
    assert.strictEqual(JSON.parse(vertexDialect.streamError).error.status, "UNAVAILABLE")
  })

  it("OpenAI tells the tokens of a stream only when asked to", () => {
    const answer = { text: "ab", promptTokens: 3, completionTokens: 4, cut: false }
    const stream = (streamUsage: boolean) =>
      openAiDialect
        .stream({ model: "m", texts: [], maxTokens: undefined, stream: true, streamUsage }, answer, ["ab"], {
          id: "1",
          created: 5
        })
        .frames.join("")
    assert.include(stream(true), '"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}')
    assert.notInclude(stream(false), '"usage"')
    assert.isTrue(stream(false).endsWith("data: [DONE]\n\n"))
  })
})
