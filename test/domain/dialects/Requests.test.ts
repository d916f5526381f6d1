/** What the bodies of clients must be, and which of their fields only their own family understands. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import type { Dialect } from "../../../src/domain/dialects/Dialect.ts"
import type { Family } from "../../../src/domain/genai/GenAiRequest.ts"
import { isObject, type JsonObject } from "../../../src/domain/JsonText.ts"
import { Problem } from "../../../src/domain/server/Problem.ts"
import { decoded, worlds } from "./Worlds.ts"

const openai: JsonObject = { model: "m", messages: [{ role: "user", content: "hello" }] }
const gemini: JsonObject = { contents: [{ role: "user", parts: [{ text: "hello" }] }] }
const anthropic: JsonObject = { ...openai, max_tokens: 10 }

const dialectOf = (family: Family): Dialect => worlds[family].dialect

/** Requests that are wrong, and the field that says so. */
const WRONG: Readonly<Record<Family, ReadonlyArray<readonly [body: unknown, field: string | undefined]>>> = {
  openai: [
    [null, undefined],
    ["text", undefined],
    [[], undefined],
    [{ ...openai, model: undefined }, "model"],
    [{ ...openai, model: "" }, "model"],
    [{ ...openai, model: "\ud800" }, "model"],
    [{ ...openai, model: "m".repeat(1_000) }, "model"],
    [{ model: "m" }, "messages"],
    [{ ...openai, messages: [] }, "messages"],
    [{ ...openai, messages: {} }, "messages"],
    [{ ...openai, messages: ["hello"] }, "messages[0]"],
    [{ ...openai, messages: [{ content: "hello" }] }, "messages[0].role"],
    [{ ...openai, messages: [{ role: 7, content: "hello" }] }, "messages[0].role"],
    [{ ...openai, messages: [{ role: "user" }] }, "messages[0].content"],
    [{ ...openai, messages: [{ role: "user", content: 7 }] }, "messages[0].content"],
    [{ ...openai, messages: [{ role: "assistant", content: 7 }] }, "messages[0].content"],
    [{ ...openai, messages: [{ role: "user", content: [] }] }, "messages[0].content"],
    [{ ...openai, messages: [{ role: "user", content: ["hello"] }] }, "messages[0].content[0]"],
    [{ ...openai, messages: [{ role: "user", content: [{ text: "a" }] }] }, "messages[0].content[0].type"],
    [{ ...openai, messages: [{ role: "user", content: [{ type: "text" }] }] }, "messages[0].content[0].text"],
    [
      { ...openai, messages: [{ role: "user", content: [{ type: "image_url", image_url: "u" }] }] },
      "messages[0].content[0].image_url"
    ],
    [
      { ...openai, messages: [{ role: "user", content: [{ type: "image_url", image_url: {} }] }] },
      "messages[0].content[0].image_url.url"
    ],
    [{ ...openai, temperature: "hot" }, "temperature"],
    [{ ...openai, temperature: Number.POSITIVE_INFINITY }, "temperature"],
    [{ ...openai, max_tokens: 0 }, "max_tokens"],
    [{ ...openai, max_completion_tokens: 1.5 }, "max_completion_tokens"],
    [{ ...openai, stream: "yes" }, "stream"],
    [{ ...openai, stream_options: true }, "stream_options"],
    [{ ...openai, n: 0 }, "n"],
    [{ ...openai, stop: [1] }, "stop"],
    [{ ...openai, tools: {} }, "tools"],
    [{ ...openai, response_format: "json" }, "response_format"]
  ],
  gemini: [
    [null, undefined],
    [{}, "contents"],
    [{ contents: [] }, "contents"],
    [{ contents: ["hello"] }, "contents[0]"],
    [{ contents: [{ role: "user" }] }, "contents[0].parts"],
    [{ contents: [{ role: 7, parts: [] }] }, "contents[0].role"],
    [{ contents: [{ parts: ["hello"] }] }, "contents[0].parts[0]"],
    [{ contents: [{ parts: [{}] }] }, "contents[0].parts[0]"],
    [{ contents: [{ parts: [{ text: 7 }] }] }, "contents[0].parts[0].text"],
    [{ contents: [{ parts: [{ inline_data: { data: "A" } }] }] }, "contents[0].parts[0].inlineData.mimeType"],
    [{ contents: [{ parts: [{ fileData: {} }] }] }, "contents[0].parts[0].fileData.fileUri"],
    [{ ...gemini, systemInstruction: 7 }, "systemInstruction"],
    [{ ...gemini, generationConfig: 7 }, "generationConfig"],
    [{ ...gemini, generation_config: { max_output_tokens: -1 } }, "generationConfig.maxOutputTokens"],
    [{ ...gemini, generationConfig: { temperature: "hot" } }, "generationConfig.temperature"],
    [{ ...gemini, tools: {} }, "tools"]
  ],
  anthropic: [
    [null, undefined],
    [{ ...anthropic, model: 7 }, "model"],
    [openai, "max_tokens"],
    [{ ...openai, max_tokens: null }, "max_tokens"],
    [{ ...openai, max_tokens: 0 }, "max_tokens"],
    [{ ...anthropic, messages: undefined }, "messages"],
    [{ ...anthropic, messages: [{ content: "hello" }] }, "messages[0].role"],
    [{ ...anthropic, messages: [{ role: "user" }] }, "messages[0].content"],
    [{ ...anthropic, messages: [{ role: "user", content: [] }] }, "messages[0].content"],
    [{ ...anthropic, messages: [{ role: "user", content: [{}] }] }, "messages[0].content[0].type"],
    [{ ...anthropic, messages: [{ role: "user", content: [{ type: "text" }] }] }, "messages[0].content[0].text"],
    [{ ...anthropic, messages: [{ role: "user", content: [{ type: "image" }] }] }, "messages[0].content[0].source"],
    [
      { ...anthropic, messages: [{ role: "user", content: [{ type: "image", source: {} }] }] },
      "messages[0].content[0].source.type"
    ],
    [
      { ...anthropic, messages: [{ role: "user", content: [{ type: "image", source: { type: "url" } }] }] },
      "messages[0].content[0].source.url"
    ],
    [{ ...anthropic, system: 7 }, "system"],
    [{ ...anthropic, system: [{ type: "text" }] }, "system[0].text"],
    [{ ...anthropic, stream: 1 }, "stream"],
    [{ ...anthropic, temperature: "hot" }, "temperature"]
  ]
}

const turn = (message: object): JsonObject => ({ messages: [{ role: "user", content: "a" }, message] })

/** Fields on top of a right body, and the needs that come of them. */
const NEEDS: Readonly<Record<Family, ReadonlyArray<readonly [fields: JsonObject, needs: ReadonlyArray<string>]>>> = {
  openai: [
    [{ top_p: 1, seed: 7, user: "u", metadata: {}, store: true, logit_bias: {}, frequency_penalty: 1, top_k: 3 }, []],
    [{ parallel_tool_calls: false, service_tier: "flex", reasoning_effort: "low", presence_penalty: 1 }, []],
    [{ n: 1, logprobs: false, modalities: ["text"], response_format: { type: "text" }, tools: [], stop: [] }, []],
    [{ tool_choice: "auto", top_p: null, tools: null, max_completion_tokens: 5 }, []],
    [{ stop: "\n" }, ["stop"]],
    [{ stop: ["a"] }, ["stop"]],
    [{ tools: [{}], tool_choice: "required" }, ["tools", "tool_choice"]],
    [{ functions: [{}], function_call: { name: "f" } }, ["functions", "function_call"]],
    [{ response_format: { type: "json_schema" } }, ["response_format"]],
    [{ n: 2, logprobs: true, top_logprobs: 3 }, ["n", "logprobs"]],
    [{ modalities: ["text", "audio"], audio: {} }, ["modalities", "audio"]],
    [{ web_search_options: {}, guided_json: {} }, ["web_search_options", "guided_json"]],
    [turn({ role: "tool", tool_call_id: "t", content: "1" }), ["messages of role tool"]],
    [turn({ role: "assistant", tool_calls: [{}] }), ["messages[].tool_calls"]],
    [turn({ role: "user", name: "Ann", content: "hi" }), []],
    [turn({ role: "user", content: [{ type: "news" }] }), ["parts of type news"]]
  ],
  gemini: [
    [{ safetySettings: [], labels: {}, generationConfig: { topP: 1, top_k: 3, seed: 1, candidateCount: 1 } }, []],
    [{ tools: [], toolConfig: { functionCallingConfig: { mode: "AUTO" } } }, []],
    [{ generationConfig: { responseMimeType: "text/plain", responseModalities: ["TEXT"], stopSequences: [] } }, []],
    [{ generation_config: { stop_sequences: ["a"] } }, ["generationConfig.stopSequences"]],
    [
      { generationConfig: { responseMimeType: "application/json", responseSchema: {} } },
      ["generationConfig.responseMimeType", "generationConfig.responseSchema"]
    ],
    [
      { generationConfig: { thinkingConfig: {}, candidateCount: 2 } },
      ["generationConfig.thinkingConfig", "generationConfig.candidateCount"]
    ],
    [{ tools: [{}], tool_config: { functionCallingConfig: { mode: "ANY" } } }, ["tools", "toolConfig"]],
    [{ cachedContent: "c" }, ["cachedContent"]],
    [{ contents: [{ role: "function", parts: [{ text: "a" }] }] }, ["turns of role function"]],
    [{ contents: [{ parts: [{ functionCall: {} }] }] }, ["parts of functionCall"]],
    [{ contents: [{ parts: [{ text: "hm", thought: true }, { text: "a" }] }] }, []]
  ],
  anthropic: [
    [{ top_p: 1, top_k: 3, metadata: {}, service_tier: "auto", stop_sequences: [], tools: [] }, []],
    [{ thinking: { type: "disabled" }, tool_choice: { type: "auto" } }, []],
    [{ thinking: { type: "enabled", budget_tokens: 1024 } }, ["thinking"]],
    [{ stop_sequences: ["a"] }, ["stop_sequences"]],
    [{ tools: [{}], tool_choice: { type: "any" } }, ["tools", "tool_choice"]],
    [{ mcp_servers: [{}], output_format: {} }, ["mcp_servers", "output_format"]],
    [turn({ role: "assistant", content: "It is" }), ["a last message of role assistant"]],
    [turn({ role: "user", content: [{ type: "tool_result" }] }), ["blocks of type tool_result"]],
    [
      turn({
        role: "user",
        content: [{ type: "document", source: { type: "text", data: "a" }, citations: { enabled: true } }]
      }),
      ["citations"]
    ],
    [
      {
        messages: [
          { role: "assistant", content: [{ type: "thinking" }, { type: "text", text: "a" }] },
          { role: "user", content: "b" }
        ]
      },
      []
    ]
  ]
}

const RIGHT: Readonly<Record<Family, JsonObject>> = { openai, gemini, anthropic }

for (const family of ["openai", "gemini", "anthropic"] as const) {
  const dialect = dialectOf(family)
  describe(`the ${family} dialect`, () => {
    it("refuses what is wrong, and names the field", () => {
      for (const [body, field] of WRONG[family]) {
        const result = decoded(dialect, body)
        assert(Result.isFailure(result), JSON.stringify(body))
        assert.deepStrictEqual([result.failure.kind, result.failure.field], ["InvalidRequest", field])
        assert.include(result.failure.message, field ?? "body")
        assert.strictEqual(dialect.problem(result.failure).status, 400)
      }
    })

    it("tells what only its own family understands from what can be left out", () => {
      for (const [fields, needs] of NEEDS[family]) {
        const result = decoded(dialect, { ...RIGHT[family], ...fields })
        assert.deepStrictEqual([Result.getOrThrow(result).needs, fields], [needs, fields])
      }
    })

    it("takes members that it does not know, and `null` for absent ones", () => {
      const body = { ...RIGHT[family], temperature: null, stream: null, tools: null, news: { a: 1 } }
      assert.deepStrictEqual(Result.getOrThrow(decoded(dialect, body)).needs, ["news"])
    })

    it("survives names that objects have by nature", () => {
      const names = JSON.parse('{"__proto__": {"role": "x"}, "constructor": 1, "toString": 1, "valueOf": null}')
      for (const body of [RIGHT[family], worlds[family].body]) {
        assert.include(Result.getOrThrow(decoded(dialect, { ...body, ...names })).needs, "constructor")
        for (const path of pathsIn(body)) assert.doesNotThrow(() => decoded(dialect, replaced(body, path, names)))
      }
    })

    it("refuses a body that is nested too deeply to be sent on", () => {
      const deep = JSON.parse(`${'{"a":['.repeat(50_000)}${"]}".repeat(50_000)}`)
      const result = decoded(dialect, { ...RIGHT[family], deep })
      assert(Result.isFailure(result))
      assert.include(result.failure.message, "nested")
    })

    it.prop(
      "reads or refuses whatever comes, and never throws",
      [Schema.Json, Schema.Int, Schema.Boolean],
      ([json, place, wraps]) => {
        const places = pathsIn(worlds[family].body)
        const path = places[Math.abs(place) % places.length] ?? []
        const value = wraps ? { [`a${place}`]: json, type: json, text: json, parts: json } : json
        for (const body of [
          json,
          { ...RIGHT[family], ...(isObject(json) ? json : {}) },
          replaced(worlds[family].body, path, value)
        ]) {
          const result = decoded(dialect, body)
          if (Result.isFailure(result)) {
            assert(result.failure instanceof Problem)
            assert.isObject(JSON.parse(dialect.problem(result.failure).body))
            continue
          }
          for (const { provider } of Object.values(worlds)) {
            for (const mode of ["answer", "stream"] as const) provider.encode(result.success.request, undefined, mode)
          }
        }
      },
      { arbitrary: { runs: 1_000 }, timeout: 60_000 }
    )
  })
}

/** The places of all values within a value. */
const pathsIn = (value: unknown): ReadonlyArray<ReadonlyArray<string>> =>
  typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([key, inner]) => [[key], ...pathsIn(inner).map((path) => [key, ...path])])
    : []

const replaced = (value: unknown, [key, ...rest]: ReadonlyArray<string>, by: unknown): unknown => {
  if (key === undefined) return by
  if (Array.isArray(value)) return value.map((inner, at) => (String(at) === key ? replaced(inner, rest, by) : inner))
  return isObject(value) ? { ...value, [key]: replaced(value[key], rest, by) } : value
}

describe("the usage of a streamed chat completion", () => {
  it("is wanted only by those who ask for it", () => {
    const wants = (fields: object) => {
      const result = decoded(dialectOf("openai"), { ...openai, ...fields })
      return Result.getOrThrow(result).wantsUsage
    }
    assert.isFalse(wants({ stream: true }))
    assert.isFalse(wants({ stream: true, stream_options: { include_usage: false } }))
    assert.isTrue(wants({ stream: true, stream_options: { include_usage: true } }))
  })
})
