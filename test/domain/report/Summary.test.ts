import { assert, describe, it } from "@effect/vitest"
import * as DryRunText from "../../../src/domain/report/DryRunText.ts"
import * as Summary from "../../../src/domain/report/Summary.ts"
import * as SummaryText from "../../../src/domain/report/SummaryText.ts"
import { east, endpoint, plainText, rows, west } from "./Fixtures.ts"

const completed: Summary.SummaryInput = {
  report: {
    ...rows({ saved: 1966, failed: 34, invalid: 14 }),
    outcome: "completed",
    failures: { RateLimited: 20, InvalidRow: 14 },
    samples: [
      { line: 17, reason: "InvalidRow", error: "neither input nor messages" },
      {
        line: 1203,
        reason: "RateLimited",
        error: 'endpoint "east", after 5 attempts: 429\nslow down, please, and try again later'
      }
    ],
    elapsedMs: 12_300
  },
  stats: [east, { ...west, aborted: 3 }],
  saveFile: "out/prompts_results.jsonl",
  errorsFile: "out/errors.jsonl",
  rerun: "genai-dispatcher run out/errors.jsonl",
  resume: "genai-dispatcher run prompts.jsonl --resume"
}

const text = (input: Summary.SummaryInput, width = 80) => plainText(SummaryText.lines(Summary.make(input), width))

describe("summary", () => {
  it("tells rows, endpoints, errors and files at 80 columns", () => {
    const lines = text(completed)
    assert.deepStrictEqual(lines, [
      "1,966 of 2,000 rows saved, 34 failed  (12.3s, 163 rows/s, 147 retries)",
      "",
      "endpoint   sent  share     ok  errors    p50    p95    p99  tok in  tok out",
      "east      1,264  63.2%  1,166      34  100ms  120ms  120ms   49.4K      96K",
      "west        736  36.8%    600     133  2.50s  2.50s  2.50s     10K      20K",
      "total     2,000   100%  1,766     167                        59.4K     116K",
      "",
      "errors of endpoints",
      "  east  20 RateLimited, 10 ServerError, 4 TimedOut",
      "  west  133 Overloaded, 3 cut off",
      "",
      "failed rows  20 RateLimited, 14 InvalidRow",
      "  line    17  InvalidRow   neither input nor messages",
      '  line 1,203  RateLimited  endpoint "east", after 5 attempts: 429 slow down, pl…',
      "  and 32 more",
      "",
      "saved   out/prompts_results.jsonl",
      "errors  out/errors.jsonl",
      "",
      "send errors again   genai-dispatcher run out/errors.jsonl"
    ])
    for (const line of lines) assert.isAtMost(line.length, 80)
  })

  it("recommends to send errors again only when there are rows among them", () => {
    const report = { ...completed.report, failed: 3, invalid: 3, failures: { InvalidRow: 3 } }
    assert.notInclude(text({ ...completed, report }).join(), "send errors again")
    assert.include(text({ ...completed, report: { ...report, failed: 4 } }).join(), "send errors again")
  })

  it("is short when all went well", () => {
    const lines = text({
      ...completed,
      report: { ...rows({ saved: 2000 }), outcome: "completed", failures: {}, samples: [], elapsedMs: 4000 },
      stats: [endpoint("east", { sent: 2000, succeeded: 2000 })]
    })
    assert.deepStrictEqual(lines, [
      "All 2,000 rows saved  (4.0s, 500 rows/s)",
      "",
      "endpoint   sent  share     ok  errors  p50  p95  p99  tok in  tok out",
      "east      2,000   100%  2,000       0    -    -    -       0        0",
      "",
      "saved   out/prompts_results.jsonl"
    ])
  })

  it("says how to go on after an interruption", () => {
    const lines = text({
      ...completed,
      report: {
        ...rows({ saved: 820, failed: 12, resumed: 100 }),
        outcome: "interrupted",
        failures: {},
        samples: [],
        elapsedMs: 5000
      }
    })
    assert.deepStrictEqual(lines.slice(0, 2), [
      "Interrupted: 820 of 2,000 rows saved, 12 failed, 1,168 left",
      "5.0s, 146 rows/s, 167 retries, 100 rows from earlier runs"
    ])
    assert.deepStrictEqual(lines.slice(-2), [
      "go on with          genai-dispatcher run prompts.jsonl --resume",
      "send errors again   genai-dispatcher run out/errors.jsonl"
    ])
  })

  it("has no rows left to name when the input was not read to its end", () => {
    const { report } = completed
    const summary = Summary.make({ ...completed, report: { ...report, total: undefined, outcome: "interrupted" } })
    assert.strictEqual(summary.left, undefined)
    assert.strictEqual(
      plainText(SummaryText.lines(summary, 80))[0],
      "Interrupted: 1,966 rows saved, 34 failed  (12.3s, 163 rows/s, 147 retries)"
    )
  })

  it("never cuts a path or a command", () => {
    const saveFile = `${"deep/".repeat(30)}out.jsonl`
    assert.include(text({ ...completed, saveFile }), `saved   ${saveFile}`)
  })

  it("is one object for programs", () => {
    const json = Summary.json(Summary.make(completed))
    assert.deepStrictEqual(JSON.parse(JSON.stringify(json)), {
      type: "summary",
      outcome: "completed",
      total: 2000,
      saved: 1966,
      failed: 34,
      invalid: 14,
      resumed: 0,
      left: 0,
      retried: 147,
      elapsed_ms: 12_300,
      rows_per_second: 162.6,
      failures: { RateLimited: 20, InvalidRow: 14 },
      samples: completed.report.samples,
      endpoints: [
        {
          name: "east",
          sent: 1264,
          share: 0.632,
          ok: 1166,
          errors: { RateLimited: 20, ServerError: 10, TimedOut: 4 },
          aborted: 0,
          p50_ms: 100,
          p95_ms: 120,
          p99_ms: 120,
          input_tokens: 49_400,
          cached_input_tokens: 0,
          output_tokens: 96_000,
          unmetered: 0,
          cost: null
        },
        {
          name: "west",
          sent: 736,
          share: 0.368,
          ok: 600,
          errors: { Overloaded: 133 },
          aborted: 3,
          p50_ms: 2500,
          p95_ms: 2500,
          p99_ms: 2500,
          input_tokens: 10_000,
          cached_input_tokens: 0,
          output_tokens: 20_000,
          unmetered: 0,
          cost: null
        }
      ],
      cost: null,
      stopped_by: null,
      save_file: "out/prompts_results.jsonl",
      errors_file: "out/errors.jsonl",
      rerun: "genai-dispatcher run out/errors.jsonl",
      resume: null
    })
  })
})

describe("costs in the summary", () => {
  const priced = [
    { ...east, cachedInputTokens: 9_400, cost: { input: 0.04, cachedInput: 0.00094, output: 0.192 } },
    { ...west, unmetered: 2, cost: { input: 0.02, cachedInput: 0, output: 0.04 } }
  ]

  it("stand with each endpoint and in total, with what they are made of and what is missing in them", () => {
    const lines = text({ ...completed, stats: [...priced, endpoint("spare", { succeeded: 5 })] }, 100)
    assert.deepStrictEqual(lines.slice(2, 9), [
      "endpoint   sent  share     ok  errors    p50    p95    p99  tok in  tok out    cost",
      "east      1,264  63.2%  1,166      34  100ms  120ms  120ms   49.4K      96K  0.2329",
      "west        736  36.8%    600     133  2.50s  2.50s  2.50s     10K      20K  0.0600",
      "spare         0   0.0%      5       0      -      -      -       0        0       -",
      "total     2,000   100%  1,771     167                        59.4K     116K  0.2929",
      "cost 0.2929 by reported usage: input 0.0600, cached input 0.00094, output 0.2320",
      "not in it: spare (no prices), 2 answers without reported usage"
    ])
  })

  it("are rounded to millionths for programs", () => {
    const json = Summary.json(Summary.make({ ...completed, stats: priced }))
    assert.deepStrictEqual(json["cost"], { input: 0.06, cached_input: 0.00094, output: 0.232, total: 0.29294 })
  })

  it("name the budget that ended the run", () => {
    const input = { ...completed, stoppedBy: "--max-cost" } as const
    const stopped = { ...input, report: { ...completed.report, outcome: "interrupted", saved: 1000 } } as const
    assert.strictEqual(text(stopped)[0], "Stopped by --max-cost: 1,000 of 2,000 rows saved, 34 failed, 966 left")
    assert.strictEqual(Summary.json(Summary.make(stopped))["stopped_by"], "--max-cost")
    assert.isNull(Summary.json(Summary.make(input))["stopped_by"], "a run that was completed was not stopped")
  })
})

describe("dry run", () => {
  it("says what would be sent where, and which rows are wrong", () => {
    const lines = DryRunText.lines(
      {
        source: "endpoints and settings from dispatcher.yaml",
        settings: [
          "policy least-loaded, at most 100/s, up to 5 attempts within 10m, backoff 500ms x2 up to 30s",
          "  east: openai https://east.example.com/v1"
        ],
        input: "prompts.jsonl",
        saveFile: "-",
        errorsFile: "errors.jsonl",
        valid: 1997,
        invalid: 3,
        resumed: 500,
        samples: [
          { line: 9, error: "not JSON" },
          { line: 1017, error: "neither input nor messages" }
        ],
        endpoints: [
          { name: "east", weight: 3, rows: 1498, inputTokens: 150_000, outputTokens: 749_000, cost: 0.4719 },
          { name: "west", weight: 1, rows: 499, inputTokens: undefined, outputTokens: undefined, cost: undefined }
        ],
        maxCost: 0.25,
        exactShares: false
      },
      80
    )
    assert.deepStrictEqual(plainText(lines), [
      "Dry run: nothing is sent and nothing is written.",
      "",
      "config  endpoints and settings from dispatcher.yaml",
      "        policy least-loaded, at most 100/s, up to 5 attempts within 10m,",
      "          backoff 500ms x2 up to 30s",
      "          east: openai https://east.example.com/v1",
      "input   prompts.jsonl",
      "saved   standard output",
      "errors  errors.jsonl",
      "",
      "rows    1,997 valid, 3 invalid, 500 done by earlier runs",
      "  line     9  not JSON",
      "  line 1,017  neither input nor messages",
      "  and 1 more",
      "",
      "endpoint  weight  share   rows  tok in  tok out    cost",
      "east           3  75.0%  1,498    150K     749K  0.4719",
      "west           1  25.0%    499       -        -       -",
      "total                    1,997    150K     749K  0.4719",
      "by weight; the real shares follow the load as well",
      "Tokens and cost are estimates: 4 bytes of text a token, answers as long as",
      "max_tokens allows (500 tokens without one), no retries, nothing from caches.",
      "more than --max-cost 0.25: the run would stop on the way"
    ])
  })
})
