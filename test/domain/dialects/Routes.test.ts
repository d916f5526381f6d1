import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { dialects } from "../../../src/domain/dialects/Dialects.ts"
import { worlds } from "./Worlds.ts"

/** The dialect that takes a request, and what it takes it for. */
const routed = (target: string, headers: Readonly<Record<string, string>> = {}) => {
  const [method = "", url = ""] = target.split(" ")
  const { pathname, search } = new URL(url, "http://localhost")
  for (const dialect of dialects) {
    const route = dialect.route(method, pathname, search, headers)
    if (route !== undefined) return [dialect.name, route]
  }
  return undefined
}

const generate = (model?: string, isStreamed?: boolean) => ({ _tag: "Generate", model, isStreamed })

describe("the routes of all dialects", () => {
  it("are those of the APIs that clients know", () => {
    const cases: ReadonlyArray<readonly [target: string, dialect: string, route: unknown]> = [
      ["POST /v1/chat/completions", "openai", generate()],
      ["GET /v1/models", "openai", { _tag: "ListModels" }],
      ["GET /v1/models/gpt-5", "openai", { _tag: "GetModel", model: "gpt-5" }],
      ["GET /v1/models/org%2Fa%20b", "openai", { _tag: "GetModel", model: "org/a b" }],
      ["GET /v1/models/org/a", "openai", { _tag: "GetModel", model: "org/a" }],
      ["POST /v1/messages", "anthropic", generate()],
      ["POST /v1/messages?beta=true", "anthropic", generate()],
      ["POST /v1beta/models/g-1:generateContent", "gemini", generate("g-1", false)],
      ["POST /v1/models/g-1:generateContent?key=k", "gemini", generate("g-1", false)],
      ["POST /v1beta/models/g-1:streamGenerateContent?alt=sse", "gemini", generate("g-1", true)],
      ["POST /v1beta/models/org%2Fg:1:generateContent", "gemini", generate("org/g:1", false)],
      ["POST /v1beta/models/org/g:generateContent", "gemini", generate("org/g", false)],
      ["GET /v1beta/models", "gemini", { _tag: "ListModels" }],
      ["GET /v1beta/models/org/g", "gemini", { _tag: "GetModel", model: "org/g" }]
    ]
    for (const [target, dialect, route] of cases)
      assert.deepStrictEqual([target, routed(target)], [target, [dialect, route]])
  })

  it("are Anthropic's where a version of its API is named", () => {
    const headers = { "anthropic-version": "2023-06-01" }
    assert.deepStrictEqual(routed("GET /v1/models", headers), ["anthropic", { _tag: "ListModels" }])
    assert.deepStrictEqual(routed("GET /v1/models/c", headers), ["anthropic", { _tag: "GetModel", model: "c" }])
  })

  it("are Gemini's where the API key is in Google's header", () => {
    const headers = { "x-goog-api-key": "k" }
    assert.deepStrictEqual(routed("GET /v1/models", headers), ["gemini", { _tag: "ListModels" }])
    assert.deepStrictEqual(routed("GET /v1/models/g", headers), ["gemini", { _tag: "GetModel", model: "g" }])
  })

  it("tell a wrong method from a path that is not there", () => {
    for (const [target, dialect] of [
      ["GET /v1/chat/completions", "openai"],
      ["POST /v1/models", "openai"],
      ["DELETE /v1/models/m", "openai"],
      ["GET /v1/messages", "anthropic"],
      ["GET /v1beta/models/g:generateContent", "gemini"],
      ["POST /v1beta/models", "gemini"]
    ] as const) {
      assert.deepStrictEqual([target, routed(target)], [target, [dialect, "MethodNotAllowed"]])
    }
    for (const path of [
      "/",
      "/v1",
      "/v1/embeddings",
      "/v1/chat",
      "/v1beta/models/",
      "/v1beta/models/g:countTokens",
      "/v2/models"
    ]) {
      assert.isUndefined(routed(`POST ${path}`), path)
    }
  })

  it("do not have names that are no text", () => {
    for (const path of [
      "/v1/models/%ff",
      "/v1beta/models/%ff",
      "/v1beta/models/%E0%A4%A:generateContent",
      "/v1/models/"
    ]) {
      assert.isUndefined(routed(`GET ${path}`), path)
    }
  })

  it("refuse Gemini's streams in any other form than events, and say how to ask", () => {
    for (const search of ["", "?alt=json", "?key=sse"]) {
      const route = worlds.gemini.dialect.route("POST", "/v1beta/models/g:streamGenerateContent", search)
      assert(typeof route === "object" && route._tag === "Generate")
      const result = worlds.gemini.dialect.decode(route, worlds.gemini.body)
      assert(Result.isFailure(result))
      assert.include(result.failure.message, "alt=sse")
    }
  })
})

describe("the API key of a request", () => {
  const keys = (headers: Readonly<Record<string, string>>, search = "") =>
    Object.fromEntries(dialects.map((dialect) => [dialect.name, dialect.credential(headers, search)]))
  const none = { openai: undefined, gemini: undefined, anthropic: undefined }

  it("is where each API has it, or a bearer token everywhere", () => {
    assert.deepStrictEqual(keys({ authorization: "Bearer k" }), { openai: "k", gemini: "k", anthropic: "k" })
    assert.deepStrictEqual(keys({ authorization: "bearer  k" }), { openai: "k", gemini: "k", anthropic: "k" })
    assert.deepStrictEqual(keys({ "x-api-key": "k" }), { ...none, anthropic: "k" })
    assert.deepStrictEqual(keys({ "x-goog-api-key": "k" }), { ...none, gemini: "k" })
    assert.deepStrictEqual(keys({}, "?alt=sse&key=k%2B"), { ...none, gemini: "k+" })
  })

  it("is none when it is empty or of another kind", () => {
    for (const headers of [
      {},
      { authorization: "" },
      { authorization: "Bearer " },
      { authorization: "Basic k" },
      { "x-api-key": "" }
    ]) {
      assert.deepStrictEqual(keys(headers), none)
    }
    assert.deepStrictEqual(keys({}, "?key="), none)
  })
})
