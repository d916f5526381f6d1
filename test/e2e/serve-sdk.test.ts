/**
 * The stock SDKs as clients of a running `serve`, which has endpoints of every kind: base URL and key are all that is
 * changed. What the endpoints do is up to sandboxes.
 */
import Anthropic from "@anthropic-ai/sdk"
import { assert, layer } from "@effect/vitest"
import { GoogleGenAI, Type } from "@google/genai"
import { Effect, Fiber, Schema } from "effect"
import OpenAI from "openai"
import { makeAnswer } from "../../src/domain/sandbox/Answer.ts"
import type { Sandbox } from "../../src/services/Sandbox.ts"
import { until } from "../support/Cli.ts"
import { anthropic, google, openai, type Sdk, type SdkCall, sdks } from "../support/Sdks.ts"
import { behaviours, KEY, type Kind, kinds, NARROW, onceKey, rejection, Served, told } from "../support/ServedKinds.ts"

const PROMPT = "Why is the sky blue?"
const expected = makeAnswer(1, { texts: [PROMPT], maxTokens: undefined }, 64)

/** What kind `raw` answers is the whole body. */
const textOf = (kind: Kind, text: string): string =>
  kind === "raw" ? JSON.parse(text).choices[0].message.content : text

/** For callbacks of SDKs, which cannot wait. */
const inflightNow = (sandbox: Sandbox["Service"]): number => Effect.runSync(sandbox.stats).inflight

/** What SDKs are stopped with by their users, who know nothing of effects. */
const makeController = () => new AbortController()

const decodeWorkers = Schema.decodeUnknownSync(
  Schema.fromJsonString(Schema.Array(Schema.Struct({ name: Schema.String, inflight: Schema.Int })))
)

/** Requests in flight at an endpoint, as the service sees it. */
const inflightOf = (url: string, name: string): Effect.Effect<number> =>
  Effect.promise(async () => {
    const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${KEY}` } })
    return decodeWorkers(await response.text()).find((worker) => worker.name === name)?.inflight ?? Number.NaN
  })

interface Failure {
  readonly name: string
  readonly status: number
  readonly call: SdkCall
  readonly key?: string
  readonly says: RegExp
  readonly field?: string
}

/** What is wrong before any endpoint is asked. */
const refusals: ReadonlyArray<Failure> = [
  {
    name: "a model that nobody serves",
    status: 404,
    call: { model: "openai-health" },
    says: /openai-health.*did you mean .*openai-healthy/,
    field: "model"
  },
  {
    name: "a wrong field",
    status: 400,
    call: { model: "openai-healthy", temperature: "hot" },
    says: /temperature.*a number/,
    field: "temperature"
  },
  { name: "a wrong key", status: 401, call: { model: "openai-healthy" }, key: `${KEY}x`, says: /not known/ },
  {
    name: "a model that is not allowed",
    status: 403,
    call: { model: "gemini-healthy" },
    key: NARROW,
    says: /narrow.*may not use this model; it may use openai-healthy/,
    field: "model"
  }
]

/** What endpoints do. */
const failures = (kind: Kind): ReadonlyArray<Failure> => [
  { name: "fails", status: 502, call: { model: `${kind}-failing` }, says: new RegExp(`${kind}-failing.*2 attempts`) },
  { name: "is not there", status: 502, call: { model: `${kind}-dead` }, says: new RegExp(`${kind}-dead`) },
  {
    name: "is silent beyond the deadline",
    status: 504,
    call: { model: `${kind}-silent`, headers: { "x-deadline-ms": "300" } },
    says: /300 ?ms/
  }
]

/** What only endpoints of the SDK's own family understand. */
interface Feature {
  readonly sdk: Sdk
  readonly name: string
  readonly own: ReadonlyArray<Kind>
  readonly field: string
  readonly ask: (url: string, model: string) => Promise<unknown>
}

const weather = { type: "function" as const, function: { name: "get_weather", parameters: { type: "object" } } }

const ofOpenAi = (name: string, more: object): Feature => ({
  sdk: openai,
  name,
  own: ["openai", "azure"],
  field: name,
  ask: (url, model) =>
    new OpenAI({ apiKey: KEY, baseURL: `${url}/v1`, maxRetries: 0 }).chat.completions.create({
      model,
      messages: [{ role: "user", content: PROMPT }],
      ...more
    })
})

const ofGoogle = (name: string, config: object): Feature => ({
  sdk: google,
  name,
  own: ["gemini", "vertex"],
  field: name,
  ask: (url, model) =>
    new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: url } }).models.generateContent({
      model,
      contents: PROMPT,
      config
    })
})

const features: ReadonlyArray<Feature> = [
  ofOpenAi("tools", { tools: [weather] }),
  ofOpenAi("response_format", {
    response_format: { type: "json_schema", json_schema: { name: "answer", schema: { type: "object" } } }
  }),
  ofGoogle("tools", { tools: [{ functionDeclarations: [{ name: "get_weather" }] }] }),
  ofGoogle("responseSchema", { responseMimeType: "application/json", responseSchema: { type: Type.OBJECT } }),
  {
    sdk: anthropic,
    name: "tools",
    own: ["anthropic"],
    field: "tools",
    ask: (url, model) =>
      new Anthropic({ apiKey: KEY, baseURL: url, maxRetries: 0 }).messages.create({
        model,
        max_tokens: 100,
        messages: [{ role: "user", content: PROMPT }],
        tools: [{ name: "get_weather", input_schema: { type: "object" } }]
      })
  }
]

layer(Served.layer, { excludeTestServices: true, timeout: "60 seconds" })("serve, to the stock SDKs:", (it) => {
  for (const sdk of sdks) {
    it.effect(`${sdk.name}: a key's own limit is its RateLimitError, with the time to wait`, () =>
      Effect.gen(function* () {
        const { url } = yield* Served
        const client = sdk.client(url, onceKey(sdk))
        for (const ask of [client.answer, client.stream]) {
          const error = yield* told(sdk, () => ask({ model: "openai-healthy" }))
          assert.deepStrictEqual([error.status, error.class], [429, sdk.classOf(429)])
          assert.match(error.message, /has made its 1 requests? of this minute/)
          const wait = error.retryAfterMs ?? Number.NaN
          assert.isTrue(wait > 0 && wait <= 60_000, String(wait))
        }
      })
    )
  }

  for (const sdk of sdks) {
    for (const kind of kinds) {
      it.effect(`${sdk.name} from ${kind}: answers whole and streamed, with usage and the reason to stop`, () =>
        Effect.gen(function* () {
          const { sandboxes, url } = yield* Served
          const client = sdk.client(url, KEY)
          const whole = yield* Effect.promise(() => client.answer({ model: `${kind}-healthy` }))
          const pieces: Array<string> = []
          let isUnderWay = false
          const streamed = yield* Effect.promise(() =>
            client.stream({ model: `${kind}-slow` }, (text) => {
              if (pieces.push(text) === 1) isUnderWay = inflightNow(sandboxes.slow) === 1
            })
          )
          const isWhole = kind === "raw"
          for (const { finish, inputTokens, outputTokens, text } of [whole, streamed]) {
            assert.strictEqual(textOf(kind, text), expected.text)
            assert.strictEqual(finish, sdk.stop)
            if (isWhole) continue
            assert.deepStrictEqual([inputTokens, outputTokens], [expected.promptTokens, expected.completionTokens])
          }
          assert.strictEqual(pieces.join(""), streamed.text)
          if (!isWhole) assert.deepStrictEqual([pieces.length, isUnderWay], [8, true])
        })
      )

      it.effect(`${sdk.name} from ${kind}: failures are its own errors`, () =>
        Effect.gen(function* () {
          const { url } = yield* Served
          const client = sdk.client(url, KEY)
          for (const { call, name, says, status } of failures(kind)) {
            for (const ask of [client.answer, client.stream]) {
              const error = yield* told(sdk, () => ask(call))
              assert.deepStrictEqual([error.status, error.class], [status, sdk.classOf(status)], name)
              assert.match(error.message, says)
            }
          }
        })
      )

      it.effect(
        `${sdk.name} from ${kind}: whoever gives up frees the endpoint, before the answer and in its middle`,
        () =>
          Effect.gen(function* () {
            const { sandboxes, url } = yield* Served
            const client = sdk.client(url, KEY)
            const cancelled = Effect.fnUntraced(function* (what: "endless" | "silent", inTheMiddle: boolean) {
              const sandbox = sandboxes[what]
              const before = yield* sandbox.stats
              const controller = makeController()
              const call = { model: `${kind}-${what}`, signal: controller.signal }
              const given = inTheMiddle ? client.stream(call, () => controller.abort()) : client.answer(call)
              given.catch(() => {})
              if (!inTheMiddle) {
                yield* until(Effect.map(sandbox.stats, ({ inflight }) => inflight === 1))
                controller.abort()
              }
              const error = yield* rejection(() => given)
              assert.isTrue(controller.signal.aborted)
              if (!inTheMiddle) assert.strictEqual((error as Error).constructor.name, sdk.aborted)
              yield* until(
                Effect.map(sandbox.stats, ({ aborted, inflight }) => aborted === before.aborted + 1 && inflight === 0)
              )
              yield* until(Effect.map(inflightOf(url, call.model), (count) => count === 0))
            })
            yield* cancelled("silent", false)
            if (kind !== "raw") yield* cancelled("endless", true)
          })
      )
    }

    it.effect(`${sdk.name}: what is refused is its own errors, naming the field`, () =>
      Effect.gen(function* () {
        const { url } = yield* Served
        for (const { call, field = "", key = KEY, name, says, status } of refusals) {
          const client = sdk.client(url, key)
          for (const ask of [client.answer, client.stream]) {
            const error = yield* told(sdk, () => ask(call))
            assert.deepStrictEqual([error.status, error.class], [status, sdk.classOf(status)], name)
            assert.match(error.message, says)
            assert.include(error.field, field)
          }
        }
      })
    )

    it.effect(`${sdk.name}: models are listed, and looked up, as far as the key may use them`, () =>
      Effect.gen(function* () {
        const { url } = yield* Served
        const all = sdk.client(url, KEY)
        const names = yield* Effect.promise(() => all.models())
        assert.sameMembers(
          [...names],
          kinds.flatMap((kind) => [...Object.keys(behaviours), "limited", "dead"].map((what) => `${kind}-${what}`))
        )
        assert.strictEqual(yield* Effect.promise(() => all.model("raw-healthy")), "raw-healthy")
        assert.strictEqual((yield* told(sdk, () => all.model("nobody"))).status, 404)
        const narrow = sdk.client(url, NARROW)
        assert.deepStrictEqual(yield* Effect.promise(() => narrow.models()), ["openai-healthy"])
        assert.strictEqual((yield* told(sdk, () => narrow.model("raw-healthy"))).status, 404)
      })
    )

    it.effect(
      `${sdk.name}: rate limits of endpoints that outlast the service's own retries are its own, with the hint`,
      () =>
        Effect.gen(function* () {
          const { limited, url } = yield* Served
          const client = sdk.client(url, KEY)
          const through = Effect.fnUntraced(function* (kind: Kind) {
            const sandbox = limited[kind]
            yield* Effect.promise(() => fetch(`${sandbox.origin}/stats/reset`, { method: "POST" }))
            yield* sandbox.control({ mode: "429", retryAfter: "1s" })
            const call = { model: `${kind}-limited` }
            const error = yield* told(sdk, () => client.answer(call))
            assert.deepStrictEqual([error.status, error.class], [429, sdk.classOf(429)])
            assert.match(error.message, new RegExp(`rate limit.*${kind}-limited.*2 attempts`))
            // Vertex AI gives no hints.
            if (kind !== "vertex") assert.isAbove(error.retryAfterMs ?? 0, 0, kind)
            yield* sandbox.control({ mode: "up" })
            yield* Effect.sleep(error.retryAfterMs ?? 0)
            yield* Effect.promise(() => client.answer(call))
            assert.deepStrictEqual((yield* sandbox.stats).answered, { 200: 1, 429: 2 })
          })
          yield* Effect.forEach(kinds, through, { concurrency: "unbounded" })
        })
    )
  }

  const order = { role: "user" as const, content: 'Call the tool get_weather with {"city": "Oslo"}' }

  for (const kind of ["openai", "azure"] as const) {
    it.effect(`openai from ${kind}: tools are called, whole and streamed, and told their results`, () =>
      Effect.gen(function* () {
        const { url } = yield* Served
        const { completions } = new OpenAI({ apiKey: KEY, baseURL: `${url}/v1` }).chat
        const asked = { model: `${kind}-healthy`, tools: [weather], messages: [order] }
        const whole = yield* Effect.promise(() => completions.create(asked))
        const streamed = yield* Effect.promise(() => completions.stream(asked).finalChatCompletion())
        for (const { choices } of [whole, streamed]) {
          const said = choices[0]
          assert(said !== undefined)
          assert.strictEqual(said.finish_reason, "tool_calls")
          const call = said.message.tool_calls?.[0]
          assert(call?.type === "function")
          assert.strictEqual(call.function.name, "get_weather")
          assert.deepStrictEqual(JSON.parse(call.function.arguments), { city: "Oslo" })
          const messages = [order, said.message, { role: "tool" as const, tool_call_id: call.id, content: "Rain" }]
          const { choices: last } = yield* Effect.promise(() => completions.create({ ...asked, messages }))
          assert.strictEqual(last[0]?.finish_reason, "stop")
          assert.isAbove(last[0]?.message.content?.length ?? 0, 0)
        }
      })
    )
  }

  for (const { ask, field, name, own, sdk } of features) {
    it.effect(`${sdk.name}: ${name} reaches endpoints of its own family; for others it is a wrong request`, () =>
      Effect.gen(function* () {
        const { url } = yield* Served
        for (const kind of kinds) {
          const call = () => ask(url, `${kind}-healthy`)
          if (own.includes(kind)) yield* Effect.promise(call)
          else {
            const error = yield* told(sdk, call)
            assert.deepStrictEqual([error.status, error.class], [400, sdk.classOf(400)])
            assert.include(error.field, field)
            assert.match(error.message, /only endpoints that speak this API/)
          }
        }
      })
    )
  }

  // Last, since it takes what is left of a minute.
  it.effect(
    "a key at its limit is let in again after the time that the SDKs were told",
    () =>
      Effect.gen(function* () {
        const { patient } = yield* Served
        for (const fiber of patient) assert.strictEqual((yield* Fiber.join(fiber)).text, expected.text)
      }),
    70_000
  )
})
