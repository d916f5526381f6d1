import { assert, describe, it } from "@effect/vitest"
import type { JobStatus } from "../../../src/domain/jobs/Job.ts"
import type { Line } from "../../../src/domain/report/Line.ts"
import { render } from "../../../src/domain/report/Line.ts"
import { type Screen, screen, stoppedAtOnce, summary } from "../../../src/domain/report/ServeText.ts"

const facts: Screen = {
  version: "1.2.3",
  url: "http://127.0.0.1:8080",
  source: "endpoints and settings from dispatcher.yaml",
  access: { _tag: "Keys", names: ["team-a", "team-b"] },
  models: [
    { name: "fast", endpoints: ["east", "west"] },
    { name: "gpt-4o", endpoints: ["west"] }
  ],
  takesAnyModel: false,
  endpoints: [
    { name: "east", kind: "openai", host: "east.test" },
    { name: "west", kind: "azure", host: "west.test:8443" }
  ],
  jobs: { durable: "jobs.db", ttl: "1h" }
}

const text = (lines: ReadonlyArray<Line>) => lines.map((line) => render(line, { colors: false })).join("\n")
const shown = (changes: Partial<Screen>, width = 120) => text(screen({ ...facts, ...changes }, width))

describe("the start screen", () => {
  it("says where the service is, who is let in, what it serves and how to try it", () => {
    assert.strictEqual(
      shown({}),
      `genai-dispatcher 1.2.3 serves on http://127.0.0.1:8080, with API keys

  docs       http://127.0.0.1:8080/docs
  metrics    http://127.0.0.1:8080/metrics
  config     endpoints and settings from dispatcher.yaml
  keys       2 keys: team-a, team-b
  models     fast -> east, west
             gpt-4o -> west
  endpoints  east: openai at east.test
             west: azure at west.test:8443
  jobs       in jobs.db; answers are kept for 1h
  try it     curl http://127.0.0.1:8080/v1/chat/completions -H 'authorization: Bearer KEY' -H 'content-type: application/json' -d '{"model":"fast","messages":[{"role":"user","content":"Hello"}]}'

Ctrl-C stops it: what runs may end first.`
    )
  })

  it("says in its first line that it is open, and below to whom", () => {
    const mine = shown({ access: { _tag: "ThisMachine" } })
    assert.match(mine, /^.* serves on \S+, open, without API keys\n/)
    assert.match(mine, /keys {7}none, so that every program on this machine may use it\n/)
    assert.notInclude(mine, "Bearer")
    assert.match(shown({ access: { _tag: "Anybody" } }), /\(--no-auth\), so that everybody who reaches this address/)
  })

  it("says that other models are served too, or any", () => {
    assert.match(shown({ takesAnyModel: true }), /gpt-4o -> west\n {13}any other\n/)
    assert.match(shown({ takesAnyModel: true, models: [] }), /models {5}any\n/)
    assert.match(shown({ takesAnyModel: true, models: [] }), /"model":"MODEL"/)
  })

  it("cuts long lists and says how much is left out", () => {
    const endpoints = Array.from({ length: 40 }, (_, n) => ({ name: `e${n}`, kind: "openai", host: "h" }))
    const lines = shown({ endpoints }).split("\n")
    assert.include(lines, "             e6: openai at h")
    assert.include(lines, "             and 33 more")
    assert.notInclude(lines, "             e7: openai at h")
  })

  it("wraps at the width, but never the command, which is copied", () => {
    const lines = shown({ source: "settings ".repeat(20).trim() }, 60).split("\n")
    for (const line of lines.slice(1)) if (!line.includes("try it")) assert.isAtMost(line.length, 60)
  })

  it("gives a command that shells take as it is, whatever the model is called", () => {
    assert.include(shown({ models: [{ name: "bob's", endpoints: ["east"] }] }), `"model":"bob'\\''s"`)
  })

  it("says when jobs are gone with the process", () => {
    assert.match(shown({ jobs: { durable: undefined, ttl: "5m" } }), /jobs {7}in memory, gone when it stops; .* for 5m/)
  })
})

describe("the summary", () => {
  const counts = (left: Partial<Record<JobStatus, number>>) => ({
    ...{ Pending: 0, Running: 0, Completed: 3, Failed: 1, Cancelled: 0 },
    ...left
  })
  const kept = { durable: "jobs.db", ttl: "1h" }

  it("counts what was sent, and the jobs that wait for the next start", () => {
    assert.strictEqual(
      text([summary({ sent: 1200, succeeded: 1190, failed: 10, jobs: counts({ Pending: 4, Running: 1 }) }, kept)]),
      "Stopped: 1,200 requests sent to endpoints, 1,190 answered, 10 failed; 5 jobs left in jobs.db for the next start"
    )
    assert.strictEqual(
      text([summary({ sent: 1, succeeded: 1, failed: 0, jobs: counts({}) }, kept)]),
      "Stopped: 1 request sent to endpoints, 1 answered"
    )
  })

  it("promises no next start for jobs in memory", () => {
    assert.strictEqual(
      text([
        summary({ sent: 0, succeeded: 0, failed: 0, jobs: counts({ Pending: 1 }) }, { durable: undefined, ttl: "1h" })
      ]),
      "Stopped: 0 requests sent to endpoints, 0 answered; 1 job not run"
    )
    assert.notInclude(stoppedAtOnce({ durable: undefined, ttl: "1h" }), "next start")
    assert.include(stoppedAtOnce(kept), "next start")
  })
})
