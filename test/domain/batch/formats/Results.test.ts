import { assert, describe, it } from "@effect/vitest"
import { readResultLine, resultFormats } from "../../../../src/domain/batch/ResultLine.ts"
import type { FormatName, InvalidRow } from "../../../../src/domain/batch/Row.ts"
import { rowFailure } from "../../../../src/domain/batch/RowFailure.ts"
import { ConnectionFailed, GenAiError, InvalidAnswer, RateLimited } from "../../../../src/domain/genai/GenAiError.ts"
import { geminiText, openaiText, readAll, readOne } from "../Fixtures.ts"

const names: ReadonlyArray<FormatName> = ["own", "openai", "gemini"]
const sources = {
  own: { id: 7, session: "s", input: "Why?", metadata: { a: 1 } },
  openai: openaiText,
  gemini: geminiText
}

const answer = {
  text: "Because.",
  finishReason: "stop",
  model: "m-1",
  usage: { inputTokens: 3, cachedInputTokens: 1, outputTokens: 2, totalTokens: 5 },
  endpoint: "east",
  attempts: 2,
  latencyMs: 12.6
}
const completion = { id: "chatcmpl-1", object: "chat.completion", choices: [{ message: { content: "Because." } }] }
const generated = { candidates: [{ content: { parts: [{ text: "Because." }] } }], responseId: "r" }
const marks = (hash: string) => ({ index: 0, hash, attempts: 2, endpoint: "east", latency_ms: 13 })

const limited = rowFailure(
  new GenAiError({ message: "Slow down.", reason: new RateLimited({ status: 429 }), endpoint: "east", attempts: 5 })
)
const unreached = rowFailure(
  new GenAiError({ message: "No way.", reason: new ConnectionFailed({ code: "ECONNREFUSED" }), attempts: 1 })
)
const invalidRow = (): InvalidRow => {
  const [, read] = readAll([openaiText, { ...openaiText, url: "/v1/embeddings" }])
  return read?._tag === "InvalidRow" ? read : assert.fail("a row")
}

describe("results as OpenAI's batch API has them", () => {
  const { openai } = resultFormats

  it("hold the provider's own completion when there is one", () => {
    const row = readOne(openaiText)
    assert.deepStrictEqual(JSON.parse(openai.saved(row, { ...answer, raw: completion }, 0)), {
      id: `batch_req_${row.hash}0`,
      custom_id: "request-1",
      response: { status_code: 200, request_id: `req_${row.hash}0`, body: completion },
      error: null,
      _dispatcher: marks(row.hash)
    })
  })

  it("hold a completion made of an answer in other words", () => {
    const row = readOne(openaiText)
    const { response } = JSON.parse(
      openai.saved(row, { ...answer, finishReason: "MAX_TOKENS", raw: generated }, 1_700_000_000_999)
    )
    assert.deepStrictEqual(response.body, {
      id: `chatcmpl-${row.hash}0`,
      object: "chat.completion",
      created: 1_700_000_000,
      model: "m-1",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "Because.", refusal: null },
          logprobs: null,
          finish_reason: "length"
        }
      ],
      usage: {
        prompt_tokens: 3,
        completion_tokens: 2,
        total_tokens: 5,
        prompt_tokens_details: { cached_tokens: 1 }
      }
    })
  })

  it("make up nothing that the provider did not report", () => {
    const unreported = { ...answer, model: undefined, finishReason: undefined, usage: { outputTokens: 2 } }
    const { body } = JSON.parse(openai.saved(readOne(geminiText), unreported, 0)).response
    assert.deepInclude(body, { model: null, usage: { completion_tokens: 2 } })
    assert.isNull(body.choices[0].finish_reason)
  })

  it("tell of a failure by its status, with the row to run again", () => {
    const row = readOne(openaiText)
    assert.deepStrictEqual(JSON.parse(openai.failed(row, limited)), {
      ...openaiText,
      id: `batch_req_${row.hash}0`,
      response: {
        status_code: 429,
        request_id: `req_${row.hash}0`,
        body: {
          error: { message: "Slow down.", type: "invalid_request_error", param: null, code: "rate_limited" }
        }
      },
      error: null,
      _dispatcher: { index: 0, hash: row.hash, line: 1, attempts: 5, endpoint: "east", reason: "RateLimited" }
    })
  })

  it("tell of a failure without a status, or with one that is no error's, by an error of its own", () => {
    const row = readOne(openaiText)
    assert.deepInclude(JSON.parse(openai.failed(row, unreached)), {
      response: null,
      error: { code: "connection_failed", message: "No way." }
    })
    const cut = rowFailure(
      new GenAiError({ message: "Cut off.", reason: new InvalidAnswer({ status: 200 }), attempts: 1 })
    )
    assert.deepInclude(JSON.parse(openai.failed(row, cut)), {
      response: null,
      error: { code: "invalid_answer", message: "Cut off." }
    })
  })

  it("tell of a line that is no row, with its text", () => {
    const row = invalidRow()
    assert.deepStrictEqual(JSON.parse(openai.invalid(row)), {
      id: `batch_req_${row.hash}1`,
      custom_id: "request-1",
      response: null,
      error: { code: "invalid_row", message: row.error },
      _dispatcher: { index: 1, hash: row.hash, line: 2, attempts: 0, reason: "InvalidRow", raw: row.raw }
    })
  })
})

describe("results as the batch API of Gemini has them", () => {
  const { gemini } = resultFormats

  it("hold the provider's own answer when there is one, also a blocked one", () => {
    const row = readOne(geminiText)
    const blocked = { promptFeedback: { blockReason: "SAFETY" } }
    for (const raw of [generated, blocked]) {
      assert.deepStrictEqual(JSON.parse(gemini.saved(row, { ...answer, raw }, 0)), {
        key: "request-1",
        response: raw,
        _dispatcher: marks(row.hash)
      })
    }
  })

  it("hold an answer in other words as one of Gemini's", () => {
    const row = readOne({ input: "x" })
    assert.deepStrictEqual(JSON.parse(gemini.saved(row, { ...answer, raw: completion }, 0)), {
      key: "line-1",
      response: {
        candidates: [{ content: { parts: [{ text: "Because." }], role: "model" }, finishReason: "STOP", index: 0 }],
        usageMetadata: {
          promptTokenCount: 3,
          candidatesTokenCount: 2,
          totalTokenCount: 5,
          cachedContentTokenCount: 1
        },
        modelVersion: "m-1"
      },
      _dispatcher: marks(row.hash)
    })
  })

  it("tell of failures by Google's codes", () => {
    const row = readOne(geminiText)
    assert.deepStrictEqual(JSON.parse(gemini.failed(row, limited)), {
      ...geminiText,
      error: { code: 429, message: "Slow down.", status: "RESOURCE_EXHAUSTED" },
      _dispatcher: { index: 0, hash: row.hash, line: 1, attempts: 5, endpoint: "east", reason: "RateLimited" }
    })
    assert.deepStrictEqual(JSON.parse(gemini.failed(row, unreached)).error, {
      code: 503,
      message: "No way.",
      status: "UNAVAILABLE"
    })
    assert.deepStrictEqual(JSON.parse(gemini.failed(row, { ...limited, status: 529 })).error.status, "INTERNAL")
    assert.deepStrictEqual(JSON.parse(gemini.invalid(invalidRow())).error.status, "INVALID_ARGUMENT")
  })
})

describe("our own results", () => {
  it("hold the raw answer and what came from a cache, when there is any", () => {
    const line = JSON.parse(
      resultFormats.own.saved(readOne({ input: "x", raw: true }), { ...answer, raw: completion }, 0)
    )
    assert.deepStrictEqual(line.raw, completion)
    assert.strictEqual(line.usage.cached_input_tokens, 1)
  })

  it("hold what a provider's row asked", () => {
    const line = JSON.parse(resultFormats.own.saved(readOne(geminiText), answer, 0))
    assert.deepInclude(line, { id: "request-1", contents: geminiText.request.contents, response: "Because." })
    assert.notProperty(line, "raw")
  })
})

describe.each(names.flatMap((input) => names.map((output) => [input, output] as const)))(
  "results of rows in format %s, written in format %s",
  (input, output) => {
    const format = resultFormats[output]
    const row = readOne(sources[input])

    it("are found in the journal", () => {
      assert.deepStrictEqual(readResultLine(format.saved(row, answer, 0)), {
        index: 0,
        hash: row.hash,
        reason: undefined
      })
      assert.deepStrictEqual(readResultLine(format.failed(row, limited)), {
        index: 0,
        hash: row.hash,
        reason: "RateLimited"
      })
    })

    it("are the same rows again when they failed, in whatever format they fail next", () => {
      for (const next of names) {
        const first = readOne(format.failed(row, limited))
        assert.deepStrictEqual(first.request, row.request)
        assert.deepInclude(first, { format: input, session: row.session, id: row.id, metadata: row.metadata })
        const [, later] = readAll(["nonsense", format.failed(row, limited)])
        if (later?._tag !== "Row") return assert.fail("no row")
        const line = resultFormats[next].failed(later, unreached)
        assert.deepInclude(readResultLine(line), { index: 1, hash: first.hash, reason: "ConnectionFailed" })
        assert.deepStrictEqual(readOne(line).request, row.request)
      }
    })

    it("do not settle the format of an errors file when they are of no row", () => {
      const [, invalid] = readAll([sources[input], "nonsense"])
      if (invalid?._tag !== "InvalidRow") return assert.fail("a row")
      const read = readAll([format.invalid(invalid), format.failed(row, limited)])
      assert.deepStrictEqual(
        read.map(({ _tag }) => _tag),
        ["InvalidRow", "Row"]
      )
      assert.strictEqual(readResultLine(format.invalid(invalid))?.reason, "InvalidRow")
    })
  }
)
