import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import { afterAll } from "vitest"
import { make } from "../../../src/layers/jobs/PostgresJobStore.ts"
import { runChild } from "./ChildProcess.ts"
import { jobStoreSuite, writtenSuite } from "./jobStoreSuite.ts"
import { PASSWORD, startPostgres } from "./Postgres.ts"
import { silentProxy } from "./SilentProxy.ts"
import { idOf, specOf } from "./StoreScenario.ts"
import { storeProcessSuite } from "./storeProcessSuite.ts"

const server = await startPostgres()

if (typeof server === "string") {
  console.warn(`No Postgres can be started here, so nothing is tested with it: ${server}`)
  describe.skip("Postgres, as a store of jobs: it cannot be started here", () => {
    it("keeps jobs", () => {})
  })
} else {
  afterAll(() => server.close())

  jobStoreSuite("Postgres", {
    fresh: Effect.map(
      Effect.promise(() => server.database()),
      (url) => (instance) => make({ url: Redacted.make(url), instance, maxConnections: 2 })
    ),
    runs: 25
  })

  const target = Effect.promise(() => server.database())
  const open = (url: string, instance: string) => make({ url: Redacted.make(url), instance, maxConnections: 2 })

  storeProcessSuite("Postgres", { kind: "postgres", target, open })

  writtenSuite(
    "Postgres",
    Effect.gen(function* () {
      const url = yield* target
      const store = yield* open(url, "one")
      const other = yield* Effect.provideServiceEffect(
        PgClient.make({ url: Redacted.make(url), maxConnections: 1 }),
        Reactivity.Reactivity,
        Reactivity.make
      )
      return {
        store,
        write: (id, { about, spec }) =>
          about === undefined
            ? other`UPDATE genai_jobs SET spec = ${spec} WHERE id = ${id}`
            : other`UPDATE genai_jobs SET spec = ${spec}, about = ${about} WHERE id = ${id}`
      }
    })
  )

  describe("a database of jobs", () => {
    it.live("is made once by all who come at once", () =>
      Effect.gen(function* () {
        const url = yield* target
        const stores = yield* Effect.forEach([1, 2, 3, 4], (index) => open(url, `${index}`), {
          concurrency: "unbounded"
        })
        yield* stores[0]!.create([specOf(1)], { maxPending: 9 })
        assert.strictEqual((yield* stores[3]!.count).Pending, 1)
      })
    )

    it.live("fails what is asked while the server is away, as transient, and works when it is back", () =>
      Effect.gen(function* () {
        const store = yield* Effect.flatMap(target, (url) => open(url, "one"))
        const create = (index: number) => store.create([specOf(index)], { maxPending: 9 })
        yield* create(1)
        yield* Effect.promise(() => server.stop())
        for (const work of [Effect.asVoid(create(2)), Effect.asVoid(store.count)]) {
          const error = yield* Effect.flip(work)
          assert.isTrue(error.isTransient, error.message)
          assert.notInclude(JSON.stringify(error), PASSWORD)
        }
        yield* Effect.promise(() => server.start())
        yield* create(3)
        assert.strictEqual((yield* store.count).Pending, 2)
      })
    )

    it.live(
      "is given up where it is silent, in the midst of a transaction too, and works over new connections",
      () =>
        Effect.gen(function* () {
          const url = new URL(yield* target)
          const proxy = yield* silentProxy(Number(url.port))
          url.port = String(proxy.port)
          const store = yield* make({
            url: Redacted.make(url.href),
            instance: "one",
            maxConnections: 1,
            timeoutMs: 1000
          })
          const create = (index: number) => store.create([specOf(index)], { maxPending: 9 })
          // Before the answers to BEGIN, to a statement, and to COMMIT.
          for (const [index, passes] of [0, 1, 4].entries()) {
            proxy.passes = passes
            const error = yield* Effect.flip(create(2 * index))
            assert.isTrue(error.isTransient, error.message)
            yield* create(2 * index + 1)
          }
          const kept = (yield* store.list({ limit: 9 })).map(({ id }) => id)
          for (const index of [1, 3, 5]) assert.include(kept, idOf(index))
          for (const index of [0, 2, 4]) assert.notInclude(kept, idOf(index))
        }),
      60_000
    )

    it.live(
      "has one service for each instance's name, and frees it when that ends or is killed",
      () =>
        Effect.gen(function* () {
          const url = yield* target
          const refusal = Effect.map(Effect.flip(open(url, "one")), ({ isTransient, message }) => {
            assert.isFalse(isTransient)
            assert.include(message, "the instance's name one")
            assert.include(message, "server.jobs.instance")
          })
          yield* Effect.scoped(Effect.andThen(open(url, "one"), refusal))
          const holder = yield* runChild({
            kind: "postgres",
            target: url,
            instance: "one",
            mode: "hold",
            offset: 0,
            shared: false
          })
          yield* Effect.promise(() => holder.wrote(1))
          yield* refusal
          yield* open(url, "two")
          holder.kill()
          yield* Effect.promise(() => holder.ended)
          yield* open(url, "one")
        }),
      60_000
    )

    it.live("tells why it cannot be opened, and not the password", () =>
      Effect.gen(function* () {
        const url = yield* target
        const wrong = "wr0ng-password"
        const cases = [
          [url.replace(PASSWORD, wrong), "check user and password", false],
          [`${url}_missing`, "does not exist", false],
          [
            url.replace(/:\d+\//, ":1/"),
            "127.0.0.1:1 cannot be reached, and the service does not start without it",
            true
          ]
        ] as const
        for (const [at, why, isTransient] of cases) {
          const error = yield* Effect.flip(open(at, "one"))
          assert.include(error.message, why)
          assert.strictEqual(error.isTransient, isTransient)
          const said = `${String(error)} ${JSON.stringify(error)} ${error.stack}`
          for (const secret of [wrong, PASSWORD]) assert.notInclude(said, secret)
        }
      })
    )
  })
}
