import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { make } from "../../../src/layers/jobs/SqliteJobStore.ts"
import { jobStoreSuite } from "./jobStoreSuite.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "jobs-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

jobStoreSuite("SQLite", {
  fresh: Effect.map(folder, (path) => (instance) => make({ file: join(path, "jobs.db"), instance, lock: false })),
  runs: 60
})
