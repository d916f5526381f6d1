import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { ChatEvent } from "../../../src/domain/genai/ChatEvent.ts"
import { ConnectionFailed, type GenAiError, InvalidRequest } from "../../../src/domain/genai/GenAiError.ts"
import { JobWatch } from "../../../src/layers/jobs/JobWatch.ts"
import { makeMemory } from "../../../src/layers/jobs/MemoryJobStore.ts"
import type { JobEvent } from "../../../src/services/Jobs.ts"
import { failure, instance, request } from "./JobsHarness.ts"

const text = (text: string): ChatEvent => ({ _tag: "TextDelta", text })
const finish: ChatEvent = { _tag: "Finish", finishReason: "stop", model: "m" }

/** An event in few letters. */
const short = (event: JobEvent): string =>
  event._tag === "Status" ? event.job.status : event._tag === "Text" ? `"${event.text}"` : event._tag

const job = { owner: "me", request: request("x"), stream: true }

/** A service whose streams are fed by the test, one queue for each run. */
const fed = Effect.gen(function* () {
  const runs: Array<Queue.Queue<ChatEvent, GenAiError>> = []
  const service = yield* instance({
    memory: makeMemory(),
    stream: (_request, options) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const queue = yield* Queue.unbounded<ChatEvent, GenAiError>()
          runs.push(queue)
          options?.onSend?.("east")
          return Stream.fromQueue(queue).pipe(Stream.takeUntil((event) => event._tag === "Finish"))
        })
      )
  })
  const { job: accepted } = yield* service.jobs.submit(job)
  yield* TestClock.adjust("1 second")
  const follow = Effect.forkChild(
    Effect.map(Stream.runCollect(service.jobs.events("me", accepted.id)), (all) => all.map(short))
  )
  return { ...service, id: accepted.id, runs, follow }
})

describe("following a job", () => {
  it.effect("gives the text as it comes, and to those who come late what there is as one piece", () =>
    Effect.gen(function* () {
      const { follow, jobs, id, runs } = yield* fed
      const early = yield* follow
      yield* TestClock.adjust("1 second")
      for (const piece of ["one ", "two "]) {
        yield* Queue.offer(runs[0]!, text(piece))
        yield* TestClock.adjust("1 second")
      }
      const late = yield* follow
      yield* TestClock.adjust("1 second")
      yield* Queue.offerAll(runs[0]!, [text("three"), finish])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(early), ["Running", '"one "', '"two "', '"three"', "Completed"])
      assert.deepStrictEqual(yield* Fiber.join(late), ["Running", '"one two "', '"three"', "Completed"])
      assert.strictEqual((yield* jobs.get("me", id)).result?.text, "one two three")
      const after = yield* follow
      assert.deepStrictEqual(yield* Fiber.join(after), ["Completed", '"one two three"', "Completed"])
    })
  )

  it.effect("begins a stream again that broke off, and tells followers to forget what they have", () =>
    Effect.gen(function* () {
      const { follow, jobs, id, runs } = yield* fed
      const follower = yield* follow
      yield* TestClock.adjust("1 second")
      yield* Queue.offer(runs[0]!, text("lost"))
      yield* TestClock.adjust("1 second")
      yield* Queue.fail(runs[0]!, failure(new ConnectionFailed({ code: "ECONNRESET" })))
      yield* TestClock.adjust("1 second")
      yield* Queue.offerAll(runs[1]!, [text("found"), finish])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(follower), ["Running", '"lost"', "Reset", '"found"', "Completed"])
      const { result } = yield* jobs.get("me", id)
      assert.strictEqual(result?.text, "found")
      assert.strictEqual(result?.attempts, 2)
    })
  )

  it.effect("gives up a stream that breaks off every time, and one that cannot get better", () =>
    Effect.gen(function* () {
      for (const [reason, sent] of [
        [new ConnectionFailed({ code: "ECONNRESET" }), 3],
        [new InvalidRequest({}), 1]
      ] as const) {
        let runs = 0
        const { jobs } = yield* instance({
          memory: makeMemory(),
          stream: () =>
            Stream.suspend(() => {
              runs++
              return Stream.concat(Stream.make(text("a")), Stream.fail(failure(reason)))
            })
        })
        const { job: accepted } = yield* jobs.submit(job)
        const events = yield* Stream.runCollect(jobs.events("me", accepted.id))
        assert.strictEqual(short(events.at(-1)!), "Failed")
        assert.strictEqual(runs, sent)
      }
    })
  )

  it.effect("ends with a reason when the job is forgotten before it was looked at", () =>
    Effect.gen(function* () {
      let looks = 0
      const { jobs } = yield* instance({
        memory: makeMemory(),
        concurrency: 0,
        wrap: (store) => ({
          ...store,
          get: (id) => Effect.suspend(() => (++looks === 1 ? store.get(id) : Effect.succeedNone))
        })
      })
      const { job: accepted } = yield* jobs.submit(job)
      const following = yield* Effect.forkChild(Effect.flip(Stream.runDrain(jobs.events("me", accepted.id))))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(Option.getOrThrow(Option.fromNullishOr(following.pollUnsafe()))._tag, "Success")
      assert.strictEqual((yield* Fiber.join(following)).code, "job_not_found")
    })
  )

  it.effect("does not tell what the store said before the job ended here", () =>
    Effect.gen(function* () {
      const answered = yield* Deferred.make<void>()
      let looks = 0
      const { jobs } = yield* instance({
        memory: makeMemory(),
        wrap: (store) => ({
          ...store,
          get: (id) => Effect.tap(store.get(id), () => (++looks === 2 ? Deferred.await(answered) : Effect.void))
        })
      })
      const { job: accepted } = yield* jobs.submit({ ...job, stream: false })
      const following = yield* Effect.forkChild(Stream.runCollect(jobs.events("me", accepted.id)), {
        startImmediately: true
      })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* jobs.get("me", accepted.id)).status, "Completed")
      yield* Deferred.succeed(answered, undefined)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual((yield* Fiber.join(following)).map(short), ["Completed", '"x"', "Completed"])
    })
  )

  it.effect("misses nothing that happens between a look and the wait for more", () =>
    Effect.gen(function* () {
      const watch = new JobWatch()
      const seen = watch.changes
      watch.add("text")
      yield* watch.changeSince(seen)
      const waiting = yield* Effect.forkChild(watch.changeSince(watch.changes), { startImmediately: true })
      assert.isUndefined(waiting.pollUnsafe())
      watch.add("more")
      yield* Fiber.join(waiting)
    })
  )

  it.effect("does not wait for a follower that does not read, and gives it what it missed as one piece", () =>
    Effect.gen(function* () {
      const { jobs, id, runs } = yield* fed
      const gate = yield* Queue.unbounded<void>()
      const slow = yield* Effect.forkChild(
        Stream.runCollect(Stream.tap(jobs.events("me", id), () => Queue.take(gate))).pipe(
          Effect.map((all) => all.map(short))
        )
      )
      yield* TestClock.adjust("1 second")
      for (let index = 0; index < 1000; index++) yield* Queue.offer(runs[0]!, text("x"))
      yield* Queue.offer(runs[0]!, finish)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* jobs.get("me", id)).status, "Completed")
      yield* Queue.offerAll(gate, [undefined, undefined, undefined])
      assert.deepStrictEqual(yield* Fiber.join(slow), ["Running", `"${"x".repeat(1000)}"`, "Completed"])
    })
  )
})
