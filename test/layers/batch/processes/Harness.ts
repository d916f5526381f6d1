/** Runs over real processes, against a sandbox in the process of the test. */
import { readdirSync, writeFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import { Effect, type FileSystem, Layer, Result, type Stdio } from "effect"
import type { DispatcherConfig, EndpointConfig } from "../../../../src/domain/config/DispatcherConfig.ts"
import * as ProcessShares from "../../../../src/domain/config/ProcessShares.ts"
import * as ProcessBatchRunner from "../../../../src/layers/batch/processes/ProcessBatchRunner.ts"
import { Spending } from "../../../../src/layers/genai/Spending.ts"
import type { Sandbox } from "../../../../src/services/Sandbox.ts"
import * as Settled from "../../../support/Config.ts"
import type { Folder } from "../Harness.ts"

const CHILD_MAIN = new URL("../../../../src/layers/batch/processes/ChildMain.ts", import.meta.url).href

export const configOf = (
  sandbox: Pick<Sandbox["Service"], "url">,
  endpoint: Partial<EndpointConfig> = {},
  overrides: Partial<DispatcherConfig> = {}
): DispatcherConfig =>
  Settled.config([Settled.endpoint({ name: "sandbox", baseUrl: new URL(sandbox.url), concurrency: 16, ...endpoint })], {
    maxAttempts: 1,
    ...overrides
  })

/** Gives a test the runner over so many processes. Each leaves its pid in the folder, and then does what is in `first`. */
export const withProcesses =
  (
    dir: Folder,
    processes: number,
    config: DispatcherConfig,
    spending = new Spending({}),
    first = "",
    platform: Layer.Layer<FileSystem.FileSystem | Stdio.Stdio> = NodeServices.layer
  ) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) => {
    const script = dir.path("child.mjs")
    writeFileSync(
      script,
      `import { writeFileSync } from "node:fs"
writeFileSync(${JSON.stringify(dir.path("pid-"))} + process.pid, "")
${first}
const { childMain } = await import(${JSON.stringify(CHILD_MAIN)})
childMain()
`
    )
    const shares = Result.getOrThrowWith(ProcessShares.split(config, processes), (problems) =>
      Error(JSON.stringify(problems))
    )
    const layer = Layer.provide(ProcessBatchRunner.layer({ script, shares, spending }), platform)
    return Effect.provide(effect, layer)
  }

/** The processes that were started for the runs in this folder. */
export const pidsOf = (dir: Folder): ReadonlyArray<number> =>
  readdirSync(dir.path("."))
    .filter((name) => name.startsWith("pid-"))
    .map((name) => Number(name.slice("pid-".length)))

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
