import { assert, describe, it } from "@effect/vitest"
import { kinds } from "../../../src/domain/providers/Providers.ts"
import { familyOf, ModelRoutes, servedModel } from "../../../src/domain/server/ModelRoutes.ts"
import { endpoint } from "../../support/Config.ts"

const east = endpoint({ name: "east", model: "gpt-4o-mini" })
const west = endpoint({ name: "west", model: "gpt-4o-mini" })
const claude = endpoint({ name: "claude", kind: "anthropic", model: "claude-sonnet" })
const google = endpoint({ name: "google", kind: "vertex", model: "gemini-flash" })
const ollama = endpoint({ name: "ollama", model: undefined })
const all = [east, west, claude, google]

const routes = (endpoints = all, aliases: Readonly<Record<string, ReadonlyArray<string>>> = {}) =>
  new ModelRoutes(endpoints, new Map(Object.entries(aliases)))

const excluded = (route: { readonly exclude: ReadonlySet<string> } | undefined) =>
  route === undefined ? undefined : [...route.exclude]

describe("routes of models", () => {
  it("lead to every endpoint that serves the model", () => {
    assert.deepStrictEqual(excluded(routes().resolve("gpt-4o-mini")), ["claude", "google"])
    assert.deepStrictEqual(excluded(routes().resolve("claude-sonnet")), ["east", "west", "google"])
  })

  it("lead nowhere for a model that nobody serves, which is answered with a near name", () => {
    assert.isUndefined(routes().resolve("gpt-4o-mni"))
    assert.strictEqual(routes().suggest("gpt-4o-mni"), "gpt-4o-mini")
    assert.isUndefined(routes().suggest("llama"))
  })

  it("know aliases by endpoint and by model", () => {
    const fast = routes(all, { fast: ["gpt-4o-mini", "google"], one: ["west"] })
    assert.deepStrictEqual(excluded(fast.resolve("fast")), ["claude"])
    assert.deepStrictEqual(excluded(fast.resolve("one")), ["east", "claude", "google"])
  })

  it("let an alias hide a model, and an endpoint's name go before a model's", () => {
    const hidden = routes(all, { "gpt-4o-mini": ["west"] })
    assert.deepStrictEqual(excluded(hidden.resolve("gpt-4o-mini")), ["east", "claude", "google"])
    const same = endpoint({ name: "gemini-flash", model: "other" })
    const first = routes([same, google], { a: ["gemini-flash"] })
    assert.deepStrictEqual(excluded(first.resolve("a")), ["google"])
  })

  it("list aliases and models, sorted, each once", () => {
    assert.deepStrictEqual(routes([...all, ollama], { fast: ["east"], "claude-sonnet": ["claude"] }).names, [
      "claude-sonnet",
      "fast",
      "gemini-flash",
      "gpt-4o-mini"
    ])
  })

  it("give the same set each time", () => {
    const same = routes([...all, ollama], { fast: ["gpt-4o-mini"] })
    for (const name of ["fast", "gpt-4o-mini", "whatever", undefined]) {
      assert.strictEqual(same.resolve(name)?.exclude, same.resolve(name)?.exclude)
      assert.strictEqual(same.within(name, "openai")?.exclude, same.within(name, "openai")?.exclude)
    }
  })

  it("lead names that nobody serves to endpoints that take any model, with the client's name", () => {
    const open = routes([...all, ollama], { local: ["ollama"] })
    assert.deepStrictEqual(open.resolve("llama3"), {
      exclude: new Set(["east", "west", "claude", "google"]),
      keepsModel: true
    })
    assert.isTrue(open.resolve("local")?.keepsModel)
    assert.deepStrictEqual(excluded(open.resolve("gpt-4o-mini")), ["claude", "google", "ollama"])
    assert.isFalse(open.resolve("gpt-4o-mini")?.keepsModel)
  })

  it("lead a request without a model anywhere", () => {
    assert.deepStrictEqual(routes().resolve(undefined), { exclude: new Set<string>(), keepsModel: false })
    assert.deepStrictEqual(excluded(routes().within(undefined, "gemini")), ["east", "west", "claude"])
  })

  it("lead a request without a model past endpoints that want one, unless there are no others", () => {
    const hook = endpoint({ name: "hook", kind: "raw", model: undefined })
    assert.deepStrictEqual(excluded(routes([east, ollama, hook]).resolve(undefined)), ["ollama"])
    assert.deepStrictEqual(excluded(routes([ollama]).resolve(undefined)), [])
  })

  it("can stay within a family, and then lead nowhere when it has no endpoint for the model", () => {
    const mixed = routes(all, { fast: ["gpt-4o-mini", "claude"] })
    assert.deepStrictEqual(excluded(mixed.within("fast", "anthropic")), ["east", "west", "google"])
    assert.deepStrictEqual(excluded(mixed.within("fast", "openai")), ["claude", "google"])
    assert.isUndefined(mixed.within("fast", "gemini"))
    assert.isUndefined(mixed.within("unknown", "openai"))
  })

  it("know the family of each endpoint", () => {
    assert.deepStrictEqual(
      [...routes([...all, endpoint({ name: "hook", kind: "raw" })]).byEndpoint],
      [
        ["east", "openai"],
        ["west", "openai"],
        ["claude", "anthropic"],
        ["google", "gemini"],
        ["hook", undefined]
      ]
    )
    assert.deepStrictEqual(
      kinds.map((kind) => familyOf(kind)),
      ["openai", "openai", "gemini", "gemini", "anthropic", undefined, undefined]
    )
  })

  it("are not misled by names that objects have of themselves", () => {
    for (const name of ["__proto__", "constructor", "toString"]) assert.isUndefined(routes().resolve(name))
  })
})

describe("the model that an endpoint serves", () => {
  const azure = (path: string, model?: string) =>
    endpoint({ name: "a", kind: "azure", baseUrl: new URL(`https://r.test${path}?api-version=1`), model })

  it("is its own, or that of its parameters, or its deployment", () => {
    assert.strictEqual(servedModel(east), "gpt-4o-mini")
    assert.strictEqual(servedModel(endpoint({ name: "p", model: undefined, parameters: { model: "mine" } })), "mine")
    assert.strictEqual(servedModel(azure("/openai/deployments/chat")), "chat")
    assert.strictEqual(servedModel(azure("/openai/deployments/chat", "gpt-4o")), "gpt-4o")
  })

  it("is none where it takes any", () => {
    assert.isUndefined(servedModel(ollama))
    assert.isUndefined(servedModel(azure("/openai/v1")))
    assert.isUndefined(servedModel(endpoint({ name: "p", model: undefined, parameters: { model: 7 } })))
  })
})
