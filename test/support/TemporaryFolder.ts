/** Folders for the files of a test. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"

/** A folder that is removed with the scope; gives a function from names to paths in it. */
export const temporaryFolder = Effect.map(
  Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "genai-dispatcher-"))),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
  ),
  (folder) =>
    (...names: ReadonlyArray<string>): string =>
      join(folder, ...names)
)
