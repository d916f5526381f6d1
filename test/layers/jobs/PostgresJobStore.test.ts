import { describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { afterAll } from "vitest"
import { make } from "../../../src/layers/jobs/PostgresJobStore.ts"
import { jobStoreSuite } from "./jobStoreSuite.ts"
import { startPostgres } from "./Postgres.ts"

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
}
