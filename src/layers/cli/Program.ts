/** What this program is: its version, and how users start it. */
import { existsSync, readFileSync } from "node:fs"
import * as path from "node:path"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

export const NAME = "genai-dispatcher"

const Manifest = Schema.Struct({ name: Schema.Literal(NAME), version: Schema.String })

/** The version of the package: its manifest is in a folder above, whether this runs from source or from a bundle. */
export const version = (): string => {
  for (let folder = import.meta.dirname; folder !== path.dirname(folder); folder = path.dirname(folder)) {
    const text = readIfThere(path.join(folder, "package.json"))
    const manifest = text === undefined ? Option.none() : Schema.decodeOption(Schema.fromJsonString(Manifest))(text)
    if (Option.isSome(manifest)) return manifest.value.version
  }
  return "unknown"
}

const readIfThere = (file: string): string | undefined => (existsSync(file) ? readFileSync(file, "utf8") : undefined)

/** The file that this process was started with; other processes of this program are started with it too. */
export const script = (): string => process.argv[1] ?? ""

/**
 * The words that start this program, for the commands that it recommends: its name when it is installed, else the script
 * as it can be reached from the working directory.
 */
export const startedAs = (script: string, directory: string): ReadonlyArray<string> =>
  path.basename(script).startsWith(NAME) ? [NAME] : ["node", path.relative(directory, script)]
