import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { BOUNDS_MS, BucketCounter, bucketsOf } from "../../../src/domain/telemetry/Buckets.ts"
import { writeEndpoints } from "../../../src/domain/telemetry/EndpointMetrics.ts"
import { PrometheusText } from "../../../src/domain/telemetry/PrometheusText.ts"
import { RequestCounts } from "../../../src/domain/telemetry/RequestCounts.ts"
import { parse, valueOf } from "../../support/PrometheusParser.ts"
import { record } from "../../support/Records.ts"
import { endpoint } from "../report/Fixtures.ts"

const written = (write: (text: PrometheusText) => void) => {
  const text = new PrometheusText()
  write(text)
  return parse(text.toString())
}

describe("the text", () => {
  it.prop("gives back every label value as it was, whatever is in it", [Schema.String], ([value]) => {
    const families = written((text) => text.gauge("g", 'a "help"\nof\\two lines', [[{ label: value }, 1]]))
    assert.deepStrictEqual(families.get("g")?.samples, [{ name: "g", labels: { label: value }, value: 1 }])
    assert.strictEqual(families.get("g")?.help, 'a "help"\nof\\two lines')
  })

  it.prop("gives back every number", [Schema.Union([Schema.Finite, Schema.Literals([0, 1e21, 1e-7])])], ([value]) => {
    assert.deepStrictEqual(
      valueOf(
        written((text) => text.gauge("g", "help", [[{}, value]])),
        "g"
      ),
      value === 0 ? 0 : value
    )
  })

  it("gives back what is no finite number", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      assert.deepStrictEqual(
        valueOf(
          written((text) => text.gauge("g", "help", [[{}, value]])),
          "g"
        ),
        value
      )
    }
  })

  it("leaves out labels without a value and families without samples", () => {
    const families = written((text) => {
      text.counter("none_total", "help", [])
      text.histogram("none_seconds", "help", [])
      text.counter("one_total", "help", [[{ a: undefined, b: "b" }, 3]])
    })
    assert.deepStrictEqual([...families.keys()], ["one_total"])
    assert.strictEqual(valueOf(families, "one_total", { b: "b" }), 3)
  })

  it("tells milliseconds in seconds", () => {
    const counter = new BucketCounter()
    for (const value of [0.4, 2.5, 700, 1e9]) counter.record(value)
    const families = written((text) => text.histogram("h_seconds", "help", [[{}, counter.buckets]]))
    assert.strictEqual(valueOf(families, "h_seconds_bucket", { le: "0.001" }), 1)
    assert.strictEqual(valueOf(families, "h_seconds_bucket", { le: "0.0025" }), 2)
    assert.strictEqual(valueOf(families, "h_seconds_bucket", { le: "1" }), 3)
    assert.strictEqual(valueOf(families, "h_seconds_bucket", { le: "+Inf" }), 4)
    assert.strictEqual(valueOf(families, "h_seconds_sum"), (0.4 + 2.5 + 700 + 1e9) / 1_000)
  })

  it("counts in buckets as the definition says, and nothing that is not a number", () => {
    const values = [...BOUNDS_MS, ...BOUNDS_MS.map((bound) => bound + 0.01), -3, Number.NaN]
    const counter = new BucketCounter()
    for (const value of values) counter.record(value)
    assert.deepStrictEqual(
      counter.buckets.cumulative,
      BOUNDS_MS.map((bound) => values.filter((value) => value <= bound).length)
    )
    assert.strictEqual(counter.buckets.count, values.length - 1)
  })
})

describe("the counts of requests", () => {
  it("tell what is under way and how requests ended, by route", () => {
    const counts = new RequestCounts()
    const one = record()
    counts.begun(one)
    counts.begun(record({ route: "jobs" }))
    counts.ended(one)
    const families = written((text) => counts.write(text))
    const http = (name: string, labels: Record<string, string>) =>
      valueOf(families, `genai_dispatcher_http_${name}`, labels)
    assert.strictEqual(http("requests_total", { route: "openai.chat", status: "200" }), 1)
    assert.strictEqual(http("requests_in_flight", { route: "openai.chat" }), 0)
    assert.strictEqual(http("requests_in_flight", { route: "jobs" }), 1)
    assert.strictEqual(http("request_duration_seconds_count", { route: "openai.chat" }), 1)
    assert.strictEqual(http("request_duration_seconds_sum", { route: "openai.chat" }), 0.0425)
    assert.strictEqual(http("time_to_first_byte_seconds_sum", { route: "openai.chat" }), 0.03024)
    assert.strictEqual(http("requests_aborted_total", { route: "openai.chat" }), 0)
  })

  it("tell requests and tokens by key and model, and which had no whole answer", () => {
    const counts = new RequestCounts()
    const ends = [
      record(),
      record({ status: 429, problem: "RateLimited", inputTokens: undefined, outputTokens: undefined }),
      record({ isAborted: true, outputTokens: 5 }),
      record({ problem: "Interrupted" }),
      record({ key: undefined, model: "slow" }),
      record({ model: undefined })
    ]
    for (const one of ends) {
      counts.begun(one)
      counts.ended(one)
    }
    const families = written((text) => counts.write(text))
    const client = (name: string, labels: Record<string, string>) =>
      valueOf(families, `genai_dispatcher_client_${name}_total`, labels)
    const fast = { key: "team-a", model: "fast" }
    assert.strictEqual(client("requests", { ...fast, outcome: "success" }), 1)
    assert.strictEqual(client("requests", { ...fast, outcome: "failure" }), 3)
    assert.strictEqual(client("tokens", { ...fast, type: "input" }), 36)
    assert.strictEqual(client("tokens", { ...fast, type: "output" }), 85)
    assert.strictEqual(client("requests", { model: "slow", outcome: "success" }), 1)
    assert.strictEqual(families.get("genai_dispatcher_client_requests_total")?.samples.length, 4)
  })

  it("do not grow without bound, and lose none, whatever models are named", () => {
    const counts = new RequestCounts()
    for (let i = 0; i < 5_000; i++) {
      const one = record({ model: `model-${i}` })
      counts.begun(one)
      counts.ended(one)
    }
    const families = written((text) => counts.write(text))
    const samples = families.get("genai_dispatcher_client_requests_total")!.samples
    assert.isAtMost(samples.length, 2_002)
    assert.strictEqual(
      samples.reduce((sum, { value }) => sum + value, 0),
      5_000
    )
    assert.strictEqual(
      valueOf(families, "genai_dispatcher_client_requests_total", {
        key: "team-a",
        model: "other",
        outcome: "success"
      }),
      4_000
    )
  })
})

describe("the endpoints' figures", () => {
  it("are those of the snapshot", () => {
    const east = endpoint('ea"st', {
      state: "cooling",
      inflight: 3,
      queueLen: 4,
      sent: 20,
      retries: 2,
      succeeded: 10,
      failures: { RateLimited: 5, ServerError: 1 },
      aborted: 1,
      inputTokens: 100,
      cachedInputTokens: 30,
      outputTokens: 50,
      unmetered: 1,
      cost: { input: 0.5, cachedInput: 0.25, output: 1 },
      latencies: [10, 20, 400]
    })
    const families = written((text) => writeEndpoints(text, [east, endpoint("west")]))
    const of = (name: string, labels: Record<string, string> = {}) =>
      valueOf(families, `genai_dispatcher_endpoint_${name}`, { endpoint: 'ea"st', ...labels })
    assert.strictEqual(of("info", { kind: "openai" }), 1)
    assert.deepStrictEqual(
      ["up", "recovering", "cooling", "open", "disabled"].map((state) => of("state", { state })),
      [0, 0, 1, 0, 0]
    )
    assert.strictEqual(of("in_flight"), 3)
    assert.strictEqual(of("queue_length"), 4)
    assert.strictEqual(of("sends_total"), 20)
    assert.strictEqual(of("retries_total"), 2)
    assert.strictEqual(of("successes_total"), 10)
    assert.strictEqual(of("failures_total", { reason: "RateLimited" }), 5)
    assert.strictEqual(of("aborted_total"), 1)
    assert.deepStrictEqual(
      ["input", "cached_input", "output"].map((type) => of("tokens_total", { type })),
      [70, 30, 50]
    )
    assert.deepStrictEqual(
      ["input", "cached_input", "output"].map((type) => of("cost_total", { type })),
      [0.5, 0.25, 1]
    )
    assert.strictEqual(of("unmetered_total"), 1)
    assert.strictEqual(of("call_duration_seconds_count"), 3)
    assert.strictEqual(of("call_duration_seconds_bucket", { le: "0.025" }), 2)
    assert.strictEqual(of("wait_seconds_count"), 0)
    assert.isUndefined(valueOf(families, "genai_dispatcher_endpoint_cost_total", { endpoint: "west", type: "input" }))
  })

  it("have histograms that agree with their recorders", () => {
    const { latency } = endpoint("east", { latencies: [1, 99, 100, 101, 2_000, 700_000] })
    assert.deepStrictEqual(
      bucketsOf(latency)
        .cumulative.map((count, i) => [BOUNDS_MS[i], count])
        .filter(([bound]) => bound! >= 100),
      [
        [100, 3],
        ...[250, 500, 1_000].map((bound) => [bound, 4]),
        ...[2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000].map((bound) => [bound, 5])
      ]
    )
  })
})
