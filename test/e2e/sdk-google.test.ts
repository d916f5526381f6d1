/** The `@google/genai` package, as its users have it, against the sandbox: for the Gemini API and for Vertex AI. */
import { assert, describe, it } from "@effect/vitest"
import { ApiError, GoogleGenAI, type HttpRetryOptions } from "@google/genai"
import { Effect, Redacted } from "effect"
import { makeAnswer } from "../../src/domain/sandbox/Answer.ts"
import type { SandboxInput } from "../../src/domain/sandbox/SandboxOptions.ts"
import * as SandboxServer from "../../src/layers/sandbox/SandboxServer.ts"

const contents = "Why is the sky blue?"
const expected = makeAnswer(3, { texts: [contents], maxTokens: undefined }, 40)
const asked = { model: "gemini-x", contents }

type Kind = "gemini" | "vertex"

const start = Effect.fnUntraced(function* (
  kind: Kind,
  input: SandboxInput = {},
  key = "key-1",
  retryOptions?: HttpRetryOptions
) {
  const sandbox = yield* SandboxServer.make({ seed: 3, answerTokens: 40, ...input })
  const httpOptions = { baseUrl: sandbox.origin, ...(retryOptions && { retryOptions }) }
  const authorized = { type: "authorized_user", client_id: "c", client_secret: "s", refresh_token: "r" }
  // With an access token that is there already: nothing is asked of Google.
  const token = { access_token: key, expiry_date: Date.now() + 3_600_000 }
  const client =
    kind === "gemini"
      ? new GoogleGenAI({ apiKey: key, httpOptions })
      : new GoogleGenAI({
          vertexai: true,
          project: "p",
          location: "europe-west4",
          googleAuthOptions: { credentials: authorized, clientOptions: { credentials: token } },
          httpOptions
        })
  return { sandbox, client }
})

/** What a call is rejected with. */
const rejection = (call: () => Promise<unknown>) =>
  Effect.promise(() =>
    call().then(
      () => assert.fail("the call succeeded"),
      (error: unknown) => error
    )
  )

/** All of a stream, and what it broke off with. */
const drain = (client: GoogleGenAI) =>
  Effect.promise(async () => {
    const texts: Array<string> = []
    let finish: string | undefined
    let tokens: number | undefined
    try {
      for await (const part of await client.models.generateContentStream(asked)) {
        if (part.text !== undefined && part.text !== "") texts.push(part.text)
        finish = part.candidates?.[0]?.finishReason ?? finish
        tokens = part.usageMetadata?.candidatesTokenCount ?? tokens
      }
      return { texts, finish, tokens, error: undefined }
    } catch (error) {
      return { texts, finish, tokens, error }
    }
  })

for (const kind of ["gemini", "vertex"] as const) {
  describe(`the stock Google SDK, ${kind}`, () => {
    it.live("reads a whole answer", () =>
      Effect.gen(function* () {
        const { client } = yield* start(kind)
        const config = { systemInstruction: "Be short.", maxOutputTokens: 5 }
        const response = yield* Effect.promise(() => client.models.generateContent({ ...asked, config }))
        const answer = makeAnswer(3, { texts: ["Be short.", contents], maxTokens: 5 }, 40)
        assert.strictEqual(response.text, answer.text)
        assert.strictEqual(response.candidates?.[0]?.finishReason, "MAX_TOKENS")
        assert.strictEqual(response.modelVersion, "gemini-x")
        assert.deepInclude(response.usageMetadata, {
          promptTokenCount: answer.promptTokens,
          candidatesTokenCount: answer.completionTokens,
          totalTokenCount: answer.promptTokens + answer.completionTokens
        })
      })
    )

    it.live("reads a streamed answer with its usage", () =>
      Effect.gen(function* () {
        const { client } = yield* start(kind, { latency: "fixed:40ms", streamChunks: 5 })
        const { texts, finish, tokens, error } = yield* drain(client)
        assert.isUndefined(error)
        assert.strictEqual(texts.join(""), expected.text)
        assert.deepStrictEqual([texts.length, finish, tokens], [5, "STOP", expected.completionTokens])
      })
    )

    const failures = [
      ["429", 429, "RESOURCE_EXHAUSTED"],
      [
        "429-retry-after",
        429,
        kind === "gemini" ? '"retryDelay":"1.5s"' : "Resource exhausted. Please try again later."
      ],
      ["500", 500, "INTERNAL"],
      ["503", 503, "UNAVAILABLE"]
    ] as const
    for (const [name, status, words] of failures) {
      it.live(`throws its error with the status and the body for ${name}`, () =>
        Effect.gen(function* () {
          const { client, sandbox } = yield* start(kind, { failures: `${name}=1`, retryAfter: "1500ms" })
          for (const call of [
            () => client.models.generateContent(asked),
            () => client.models.generateContentStream(asked)
          ]) {
            const error = yield* rejection(call)
            assert.instanceOf(error, ApiError)
            assert.strictEqual(error.status, status)
            assert.include(error.message, words)
          }
          assert.strictEqual((yield* sandbox.stats).received, 2)
        })
      )
    }

    it.live("throws its errors for wrong keys, models and bodies", () =>
      Effect.gen(function* () {
        const limited: SandboxInput = { apiKeys: [Redacted.make("key-1")], models: ["gemini-x"] }
        const wrong = yield* start(kind, limited, "key-2")
        const badKey = yield* rejection(() => wrong.client.models.generateContent(asked))
        assert.instanceOf(badKey, ApiError)
        // The Gemini API calls a wrong key an invalid argument.
        assert.strictEqual(badKey.status, kind === "gemini" ? 400 : 401)
        assert.include(badKey.message, kind === "gemini" ? "API_KEY_INVALID" : "UNAUTHENTICATED")
        const { client } = yield* start(kind, limited)
        const badModel = yield* rejection(() => client.models.generateContent({ model: "gemini-y", contents }))
        assert.instanceOf(badModel, ApiError)
        assert.strictEqual(badModel.status, 404)
        const badBody = yield* rejection(() => client.models.generateContent({ ...asked, config: { temperature: 3 } }))
        assert.instanceOf(badBody, ApiError)
        assert.strictEqual(badBody.status, 400)
      })
    )

    it.live("succeeds by a retry when the sandbox is up again", () =>
      Effect.gen(function* () {
        // With its jitter it waits between one and two of these before the retry.
        const { client, sandbox } = yield* start(kind, {}, "key-1", { attempts: 2, initialDelay: 0.6 })
        yield* sandbox.control({ mode: "refuse", for: "400ms" })
        const response = yield* Effect.promise(() => client.models.generateContent(asked))
        assert.strictEqual(response.text, expected.text)
        assert.deepStrictEqual((yield* sandbox.stats).answered, { 200: 1, 503: 1 })
      })
    )

    it.live("throws when a stream tells of a failure or breaks, after the pieces that came", () =>
      Effect.gen(function* () {
        for (const fault of ["stream-error", "reset", "truncated"]) {
          const { client } = yield* start(kind, { failures: `${fault}=1`, chunkDelay: "20ms" })
          const { texts, error } = yield* drain(client)
          const text = texts.join("")
          assert.isTrue(text.length > 0 && text.length < expected.text.length, fault)
          assert.isDefined(error, fault)
          // Vertex tells of it outside of the events: this SDK knows it as such only when it is read by itself.
          const isMisread = kind === "vertex" && error instanceof Error && error.message.startsWith("Incomplete JSON")
          if (fault === "stream-error" && !isMisread) {
            assert.instanceOf(error, ApiError)
            assert.strictEqual(error.status, 503)
          }
        }
      })
    )
  })
}
