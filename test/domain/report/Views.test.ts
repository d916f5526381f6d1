import { assert, describe, it } from "@effect/vitest"
import { live } from "../../../src/domain/report/LiveView.ts"
import * as ProgressLine from "../../../src/domain/report/ProgressLine.ts"
import * as RunView from "../../../src/domain/report/RunView.ts"
import { east, endpoint, plainText, rows, west } from "./Fixtures.ts"

const input: RunView.RunViewInput = {
  title: "prompts.jsonl",
  elapsedMs: 8000,
  rows: rows({ saved: 1200, failed: 34, invalid: 3 }),
  before: rows(),
  stopping: false,
  stats: [east, west],
  window: [
    { atMs: 0, rows: 0, sent: 0, tokens: 0 },
    { atMs: 8000, rows: 1234, sent: 2000, tokens: 409_600 }
  ]
}

const view = RunView.make(input)

describe("RunView", () => {
  it("counts as retried every failed attempt but the last one of a row that failed", () => {
    // 167 failed attempts; 31 rows failed after being sent, 3 were invalid and never sent.
    assert.strictEqual(view.retried, 136)
  })

  it("does not count rows of earlier runs", () => {
    const resumed = RunView.make({
      ...input,
      rows: rows({ saved: 1200, failed: 134, invalid: 53, resumed: 500 }),
      before: rows({ saved: 400, failed: 100, invalid: 50, resumed: 500 })
    })
    assert.strictEqual(resumed.retried, 136)
  })

  it("shares what was sent, and says nothing of shares before", () => {
    assert.deepStrictEqual(
      view.endpoints.map(({ share }) => share),
      [0.632, 0.368]
    )
    const idle = RunView.make({ ...input, stats: [endpoint("east")] })
    assert.deepStrictEqual(
      idle.endpoints.map(({ share }) => share),
      [0]
    )
  })

  it("knows no time left when the end of the input is unknown", () => {
    assert.strictEqual(RunView.make({ ...input, rows: rows({ total: undefined }) }).etaMs, undefined)
  })
})

describe("live view", () => {
  it("shows bar, counts, rates and a line per endpoint at 80 columns", () => {
    assert.deepStrictEqual(plainText(live(view, { width: 80, height: 24 }), 80), [
      "prompts.jsonl  ███████████████████████████░░░░░░░░░░░░░░░░░░  1,234/2,000  61.7%",
      "ok 1,200   failed 34   retried 136   in flight 67",
      "requests/s 250   tokens/s 51.2K   elapsed 0:08   ETA 0:05",
      "",
      "endpoint  share  in flight  queued     ok  errors    p50",
      "east      63.2%         64      12  1,166      34  100ms",
      "west      36.8%          3       0    600     133  2.50s"
    ])
  })

  it("fits every line into a narrow terminal", () => {
    for (const width of [1, 10, 20, 40, 79]) {
      for (const line of plainText(live(view, { width, height: 24 }), width)) assert.isAtMost(line.length, width)
    }
  })

  it("never has more lines than the screen, and says how many endpoints it leaves out", () => {
    const stats = Array.from({ length: 30 }, (_, index) => endpoint(`e${index}`))
    const lines = plainText(live(RunView.make({ ...input, stats }), { width: 80, height: 12 }))
    assert.isBelow(lines.length, 12)
    assert.strictEqual(lines.at(-1), "and 25 more endpoints")
    assert.isBelow(live(RunView.make({ ...input, stats }), { width: 80, height: 5 }).length, 6)
  })

  it("shows plain counts while the end of the input is unknown", () => {
    const [first] = plainText(
      live({ ...view, rows: rows({ total: undefined, saved: 1200, failed: 34 }) }, { width: 80, height: 24 })
    )
    assert.strictEqual(first, "prompts.jsonl  1,234 rows done")
  })

  it("shows an empty file as done", () => {
    const empty = RunView.make({ ...input, rows: rows({ total: 0 }), stats: [] })
    assert.match(plainText(live(empty, { width: 60, height: 24 }))[0] ?? "", /█ {2}0\/0 {3}100%$/)
  })

  it("says that it is stopping in place of the time left", () => {
    const lines = plainText(live({ ...view, stopping: true }, { width: 80, height: 24 }))
    assert.strictEqual(lines[2], "requests/s 250   tokens/s 51.2K   elapsed 0:08   stopping")
  })

  it("keeps an endpoint's name from moving the cursor", () => {
    const evil = RunView.make({ ...input, title: "a\nb", stats: [endpoint("x\n\x1b[2Jy")] })
    const text = plainText(live(evil, { width: 80, height: 24 })).join("|")
    assert.notInclude(text, "\n")
    assert.notInclude(text, "\x1b")
  })
})

describe("progress line", () => {
  it("says the same on one line", () => {
    assert.strictEqual(
      ProgressLine.plain(view),
      "8.0s  1,234/2,000 (61.7%)  ok 1,200  failed 34  retried 136  in flight 67  250 req/s  51.2K tok/s  ETA 0:05"
    )
  })

  it("has the cost so far where endpoints have prices", () => {
    const cost = { input: 0.25, cachedInput: 0, output: 1.25 }
    const priced = RunView.make({ ...input, stats: [{ ...east, cost }, west] })
    assert.include(ProgressLine.plain(priced), "tok/s  cost 1.50")
    const json = ProgressLine.json(priced)
    assert.strictEqual(json["cost"], 1.5)
    assert.include(plainText(live(priced, { width: 100, height: 24 }))[2] ?? "", "cost 1.50   elapsed")
  })

  it("leaves out what is not known", () => {
    const early = RunView.make({ ...input, rows: rows({ total: undefined }), window: [] })
    assert.strictEqual(
      ProgressLine.plain(early),
      "8.0s  0 rows  ok 0  failed 0  retried 167  in flight 67  - req/s  - tok/s"
    )
  })

  it("is an object for programs, with null for what is not known", () => {
    const { endpoints, ...totals } = ProgressLine.json({ ...view, etaMs: undefined })
    assert.deepStrictEqual(totals, {
      type: "progress",
      elapsed_ms: 8000,
      total: 2000,
      done: 1234,
      saved: 1200,
      failed: 34,
      invalid: 3,
      resumed: 0,
      retried: 136,
      in_flight: 67,
      requests_per_second: 250,
      tokens_per_second: 51_200,
      cost: null,
      eta_ms: null,
      stopping: false
    })
    assert.deepStrictEqual(endpoints, [
      {
        name: "east",
        share: 0.632,
        in_flight: 64,
        queued: 12,
        sent: 1264,
        ok: 1166,
        errors: 34,
        p50_ms: 100,
        cost: null
      },
      { name: "west", share: 0.368, in_flight: 3, queued: 0, sent: 736, ok: 600, errors: 133, p50_ms: 2500, cost: null }
    ])
  })
})
