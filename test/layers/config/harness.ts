import { NodeServices } from "@effect/platform-node"
import { ConfigProvider, Effect, FileSystem } from "effect"
import type { ConfigFlags } from "../../../src/domain/config/ConfigFlags.ts"
import { load } from "../../../src/layers/config/ConfigLoader.ts"

export interface Case {
  /** Files of the directory that the loader looks into, by name. */
  readonly files?: Readonly<Record<string, string>>
  /** `@/` at the start stands for that directory. */
  readonly env?: Record<string, string>
  /** The one of them that is named as the config. */
  readonly file?: string
  readonly flags?: Partial<ConfigFlags>
}

/** Runs the real loader on real files in a directory of their own. Paths in errors and sources lose the directory. */
export const loadCase = Effect.fnUntraced(
  function* ({ env = {}, file, files = {}, flags = {} }: Case) {
    const fs = yield* FileSystem.FileSystem
    const directory = yield* Effect.orDie(fs.makeTempDirectoryScoped())
    for (const [name, text] of Object.entries(files)) {
      yield* Effect.orDie(fs.writeFileString(`${directory}/${name}`, text))
    }
    const local = (path: string) => path.replace(`${directory}/`, "")
    const here = (path: string | undefined) => (path === undefined ? undefined : `${directory}/${path}`)
    const loaded = yield* load({
      file: here(file),
      flags: { endpoints: [], ...flags, config: here(flags.config) },
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

/** The lines of the error that a file is refused with. */
export const complaints = (yaml: string, env: Record<string, string> = {}) =>
  loadCase({ files: { "dispatcher.yaml": yaml }, file: "dispatcher.yaml", env }).pipe(
    Effect.flip,
    Effect.map(({ lines }) => lines)
  )
