import { NodeServices } from "@effect/platform-node"
import { ConfigProvider, Effect, FileSystem } from "effect"
import type { ConfigError } from "../../../src/domain/config/ConfigError.ts"
import type { ConfigFlags } from "../../../src/domain/config/ConfigFlags.ts"
import type { ServerFlags } from "../../../src/domain/config/ServerDraft.ts"
import { type LoadedConfig, type LoadServerOptions, load, loadServer } from "../../../src/layers/config/ConfigLoader.ts"

export interface Case {
  /** Files of the directory that the loader looks into, by name. */
  readonly files?: Readonly<Record<string, string>>
  /** `@/` at the start stands for that directory. */
  readonly env?: Record<string, string>
  /** The one of them that is named as the config. */
  readonly file?: string
  readonly flags?: Partial<ConfigFlags>
}

export interface ServerCase extends Case {
  readonly server?: ServerFlags
}

/** Runs a loader on real files in a directory of their own. Paths in errors and sources lose the directory. */
const loading = <A extends LoadedConfig>(
  loader: (options: LoadServerOptions) => Effect.Effect<A, ConfigError, FileSystem.FileSystem>
) =>
  Effect.fnUntraced(
    function* ({ env = {}, file, files = {}, flags = {}, server = {} }: ServerCase) {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* Effect.orDie(fs.makeTempDirectoryScoped())
      for (const [name, text] of Object.entries(files)) {
        yield* Effect.orDie(fs.writeFileString(`${directory}/${name}`, text))
      }
      const local = (path: string) => path.replace(`${directory}/`, "")
      const here = (path: string | undefined) => (path === undefined ? undefined : `${directory}/${path}`)
      const loaded = yield* loader({
        file: here(file),
        flags: { endpoints: [], ...flags, config: here(flags.config) },
        server,
        directory
      }).pipe(
        Effect.provideService(
          ConfigProvider.ConfigProvider,
          ConfigProvider.fromEnv({
            env: Object.fromEntries(Object.entries(env).map(([k, v]) => [k, v.replace(/^@\//, `${directory}/`)]))
          })
        ),
        Effect.mapError((error) => ({ error, lines: error.message.split("\n").map((line) => local(line.trim())) }))
      )
      const { source } = loaded
      return { ...loaded, source: { ...source, file: source.file === undefined ? undefined : local(source.file) } }
    },
    Effect.scoped,
    Effect.provide(NodeServices.layer)
  )

/** What a run would be given. */
export const loadCase = loading(load)

/** What the HTTP service would be given. */
export const loadServerCase = loading(loadServer)

/** The lines of the error that a file is refused with. */
export const complaints = (yaml: string, env: Record<string, string> = {}) =>
  loadCase({ files: { "dispatcher.yaml": yaml }, file: "dispatcher.yaml", env }).pipe(
    Effect.flip,
    Effect.map(({ lines }) => lines)
  )

/** The lines of the error that the HTTP service refuses a file with. */
export const serverComplaints = (yaml: string, env: Record<string, string> = {}, server: ServerFlags = {}) =>
  loadServerCase({ files: { "dispatcher.yaml": yaml }, file: "dispatcher.yaml", env, server }).pipe(
    Effect.flip,
    Effect.map(({ lines }) => lines)
  )
