/** What this program is: its version, and how users start it. */
import { createRequire } from "node:module"
import * as path from "node:path"
import * as Schema from "effect/Schema"

export const NAME = "genai-dispatcher"

/** The version of the package. Source and build lie equally deep, so that the same path leads to it. */
export const version = (): string =>
  Schema.decodeUnknownSync(Schema.Struct({ version: Schema.String }))(
    createRequire(import.meta.url)("../../../package.json")
  ).version

/**
 * The words that start this program, for the commands that it recommends: its name when it is installed, else the script
 * as it can be reached from the working directory.
 */
export const startedAs = (script: string, directory: string): ReadonlyArray<string> =>
  path.basename(script).startsWith(NAME) ? [NAME] : ["node", path.relative(directory, script)]
