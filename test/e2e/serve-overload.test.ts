/** More requests than there is room for: the surplus is told so at once and when to come again, and that is true. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Agent } from "undici"
import { type Answer, type Running, sandboxStats, send, serviceBefore, until, worker } from "../support/Service.ts"

/** As many connections as there are requests: all come at once. */
const crowd = Effect.acquireRelease(
  Effect.sync(() => new Agent({ connections: 4_096, pipelining: 1, headersTimeout: 120_000 })),
  (agent) => Effect.promise(() => agent.destroy())
)

const atOnce = <A>(count: number, work: Effect.Effect<A>) =>
  Effect.forEach(Array.from({ length: count }), () => work, { concurrency: "unbounded" })

const hint = ({ headers }: Answer): number => {
  const text = String(headers["retry-after"])
  assert.match(text, /^\d+$/)
  const seconds = Number(text)
  assert.isAtLeast(seconds, 1)
  assert.isAtMost(seconds, 60)
  return seconds
}

const body = { model: "m", messages: [{ role: "user", content: "Hello" }] }

const chat = (service: Running, agent: Agent) => send(`${service.url}/v1/chat/completions`, { body, agent })

const counts = (answers: ReadonlyArray<Answer>) => {
  const statuses: Record<number, number> = {}
  for (const { status } of answers) statuses[status] = (statuses[status] ?? 0) + 1
  return statuses
}

/** Those who come again until they are answered; `FULL_SIZE=1` for 2,000. */
const CROWD = process.env["FULL_SIZE"] === undefined ? 500 : 2_000

describe("2,000 requests at once against 50 slots and a queue of 100", () => {
  it.live(
    "are answered as far as there is room; the others are told when to come again, and then there is room",
    () =>
      Effect.gen(function* () {
        const { sandbox, service } = yield* serviceBefore(["--latency", "fixed:1500ms"], {
          endpoint: { concurrency: 50, queueCapacity: 100 }
        })
        const agent = yield* crowd
        // So that the service knows how fast it is.
        assert.deepStrictEqual(counts(yield* atOnce(150, chat(service, agent))), { 200: 150 })

        const answers = yield* atOnce(2_000, chat(service, agent))
        const { 200: answered = 0, 503: refused = 0 } = counts(answers)
        assert.strictEqual(answered + refused, 2_000, JSON.stringify(counts(answers)))
        assert.isAtLeast(answered, 150)
        assert.isAbove(refused, 0)
        // Nothing was sent for those that were refused, and nothing lost of the others.
        assert.deepInclude(yield* sandboxStats(sandbox), { received: 150 + answered, inflight: 0, aborted: 0 })
        assert.deepInclude(yield* worker(service), { inflight: 0, queue_len: 0 })

        const full = yield* Effect.forkScoped(atOnce(150, chat(service, agent)))
        yield* until(Effect.map(worker(service), ({ queue_len }) => queue_len === 100))
        const early = yield* chat(service, agent)
        assert.strictEqual(early.status, 503)
        yield* Effect.sleep(hint(early) * 1_000)
        assert.strictEqual((yield* chat(service, agent)).status, 200)
        assert.isUndefined(full.pollUnsafe()?._tag === "Failure" ? full.pollUnsafe() : undefined)
      }),
    120_000
  )

  it.live(
    "are all answered in the end when their clients heed the hint",
    () =>
      Effect.gen(function* () {
        const { sandbox, service } = yield* serviceBefore(["--latency", "fixed:100ms"], {
          endpoint: { concurrency: 50, queueCapacity: 100 }
        })
        const agent = yield* crowd
        let tries = 0
        const persistent: Effect.Effect<void> = Effect.gen(function* () {
          tries++
          const answer = yield* chat(service, agent)
          if (answer.status === 200) return
          assert.strictEqual(answer.status, 503)
          yield* Effect.sleep(hint(answer) * 1_000)
          yield* persistent
        })
        yield* atOnce(CROWD, persistent)
        assert.isAbove(tries, CROWD)
        assert.deepInclude(yield* sandboxStats(sandbox), { received: CROWD, inflight: 0, aborted: 0 })
      }),
    120_000
  )
})

describe("more jobs than may wait", () => {
  it.live(
    "are refused with the time to come again, and accepted then; those that were accepted all end",
    () =>
      Effect.gen(function* () {
        const { sandbox, service } = yield* serviceBefore(["--latency", "fixed:200ms"], {
          endpoint: { concurrency: 10 },
          config: { server: { jobs: { maxPending: 100 } } }
        })
        const agent = yield* crowd
        const submit = send(`${service.url}/generate`, { body: { input: "Hello" }, agent })
        const first = yield* atOnce(500, submit)
        const { 202: accepted = 0, 503: refused = 0 } = counts(first)
        assert.strictEqual(accepted + refused, 500, JSON.stringify(counts(first)))
        assert.isAtLeast(accepted, 100)
        assert.isAbove(refused, 0)
        const refusal = first.find(({ status }) => status === 503)!
        assert.strictEqual(JSON.parse(refusal.body).code, "too_many_jobs")
        yield* Effect.sleep(hint(refusal) * 1_000)
        assert.strictEqual((yield* submit).status, 202)
        yield* until(
          Effect.map(send(`${service.url}/jobs?status=Completed&limit=1000`), ({ body }) => {
            return JSON.parse(body).jobs.length === accepted + 1
          })
        )
        assert.strictEqual((yield* sandboxStats(sandbox)).received, accepted + 1)
      }),
    120_000
  )
})
