/** `--processes`: the share of each process, or what is wrong, in the words in which it was written. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { ConfigError, type ConfigProblem } from "../../domain/config/ConfigError.ts"
import type { ConfigFlags } from "../../domain/config/ConfigFlags.ts"
import type { DispatcherConfig } from "../../domain/config/DispatcherConfig.ts"
import * as ProcessShares from "../../domain/config/ProcessShares.ts"
import type { ConfigSource } from "../config/ConfigLoader.ts"

export const splitAmong = (
  config: DispatcherConfig,
  processes: number,
  written: { readonly source: ConfigSource; readonly flags: ConfigFlags }
): Effect.Effect<ReadonlyArray<DispatcherConfig>, ConfigError> =>
  Result.match(ProcessShares.split(config, processes), {
    onSuccess: (shares) => Effect.succeed(shares),
    onFailure: (problems) =>
      Effect.fail(
        new ConfigError({
          source: written.source.file ?? "flags",
          problems: problems.map((problem) => asWritten(problem, written.flags))
        })
      )
  })

/** What a flag has set is called by the name of the flag. */
const asWritten = ({ message, path }: ConfigProblem, flags: ConfigFlags): ConfigProblem => {
  if (path === "maxRequestsPerSecond" && flags.maxRequestsPerSecond !== undefined) {
    return { path: "--max-requests-per-second", message }
  }
  if (path.endsWith(".concurrency") && flags.concurrency !== undefined) return { path: "--concurrency", message }
  return { path, message }
}
